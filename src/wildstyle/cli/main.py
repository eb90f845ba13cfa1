"""The entry point, and how faults reach the terminal: one sentence and a non-zero exit code."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.markup import escape

from wildstyle.cli.adapting import adapt_command, check_command
from wildstyle.cli.calibrating import calibrate_command
from wildstyle.cli.comparing import compare_command
from wildstyle.cli.demo import demo_command
from wildstyle.cli.doctor import doctor_command
from wildstyle.cli.evaluating import evaluate_command
from wildstyle.cli.faces import faces_app
from wildstyle.cli.overlap import overlap_command
from wildstyle.cli.protocol import protocol_app
from wildstyle.cli.recogniser import recogniser_app
from wildstyle.cli.reporting import report_command
from wildstyle.cli.screen import errors
from wildstyle.cli.synthesis import fit_command, synthesise_command
from wildstyle.cli.timing import timing_command
from wildstyle.errors import Interrupted, WildstyleError

FAULT, STOPPED = 1, 130

app = typer.Typer(
    name="wildstyle",
    help="Make a face recogniser work on the cameras its owner really has.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("adapt")(adapt_command)
app.command("check")(check_command)
app.command("evaluate")(evaluate_command)
app.command("doctor")(doctor_command)
app.command("overlap")(overlap_command)
app.command("compare")(compare_command)
app.command("calibrate")(calibrate_command)
app.command("report")(report_command)
app.command("fit")(fit_command)
app.command("synthesise")(synthesise_command)
app.command("timing")(timing_command)
app.command("demo")(demo_command)
app.add_typer(faces_app, name="faces")
app.add_typer(protocol_app, name="protocol")
app.add_typer(recogniser_app, name="recogniser")


@app.callback(invoke_without_command=True)
def _common(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"wildstyle {version_of('wildstyle')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command line; the console script calls this."""
    try:
        app()
    except Interrupted as stop:
        errors.print(f"[yellow]Stopped.[/yellow] {escape(str(stop))}", soft_wrap=True)
        sys.exit(STOPPED)
    except WildstyleError as error:
        errors.print(f"[red]Error:[/red] {escape(str(error))}", soft_wrap=True)
        sys.exit(FAULT)
    except KeyboardInterrupt:
        errors.print("[yellow]Stopped.[/yellow] Run the same command again to continue.", soft_wrap=True)
        sys.exit(STOPPED)
    except MemoryError:
        errors.print("[red]Error:[/red] memory is used up. Use a smaller batch or fewer workers.", soft_wrap=True)
        sys.exit(FAULT)
