"""``wildstyle adapt`` and ``wildstyle check``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer
from rich.markup import escape
from rich.table import Table

from wildstyle.cli.options import (
    Budget,
    ConfigFile,
    Contract,
    DetectorPath,
    Evaluations,
    Gate,
    OutFolder,
    RecogniserPath,
    Seed,
    ShowFaces,
    SourcePath,
    Steps,
    StrongContract,
    StrongPath,
    TargetPaths,
    TensorBoard,
    Workers,
    adapt_job,
)
from wildstyle.cli.screen import Screen, console

if TYPE_CHECKING:
    from wildstyle.verbs.adapt import AdaptOutcome
    from wildstyle.verbs.check import CheckReport
    from wildstyle.verbs.jobs import AdaptJob


def with_job(act: Callable[[AdaptJob], None]) -> Callable[..., None]:
    """A command with the options of an adapt job that calls ``act`` with it; so ``check`` takes what ``adapt`` does."""

    def command(
        recogniser: RecogniserPath = None,
        source: SourcePath = None,
        target: TargetPaths = None,
        evaluate: Evaluations = None,
        out: OutFolder = None,
        contract: Contract = None,
        strong: StrongPath = None,
        strong_contract: StrongContract = None,
        gate: Gate = False,
        detector: DetectorPath = None,
        budget: Budget = None,
        fit_steps: Steps = None,
        adapt_steps: Steps = None,
        seed: Seed = None,
        workers: Workers = None,
        show_faces: ShowFaces = False,
        tensorboard: TensorBoard = False,
        config: ConfigFile = None,
    ) -> None:
        given = dict(locals())
        options = {key: given[key] for key in _VALUES}
        # A flag that is not set must not win over the configuration file.
        flags = {
            "include_faces": show_faces or None,
            "tensorboard": tensorboard or None,
            "gate": {"enabled": True} if gate else None,
        }
        act(adapt_job(config, options | flags))

    command.__doc__ = act.__doc__
    return command


_VALUES = (
    "recogniser",
    "source",
    "target",
    "evaluate",
    "out",
    "contract",
    "strong",
    "strong_contract",
    "detector",
    "budget",
    "fit_steps",
    "adapt_steps",
    "seed",
    "workers",
)


@with_job
def adapt_command(job: AdaptJob) -> None:
    """Adapt a recogniser to unlabelled footage, measure it before and after, and say whether to deploy it."""
    from wildstyle.verbs.adapt import adapt

    with Screen() as screen:
        outcome = adapt(job, progress=screen, arguments=tuple(sys.argv[1:]))
    show_outcome(outcome)


@with_job
def check_command(job: AdaptJob) -> None:
    """Find every fault of an adapt command before an hour is spent: paths, contract, people, disk, time."""
    from wildstyle.verbs.check import check

    with Screen() as screen:
        report = check(job, progress=screen)
    _show_check(report)
    if report.faults:
        raise typer.Exit(1)


def show_outcome(outcome: AdaptOutcome) -> None:
    """Tables, verdict and where everything lies."""
    from wildstyle.cli.tables import comparison_table, print_verdict

    for evaluated in outcome.evaluations:
        console.print(comparison_table(evaluated))
    print_verdict(outcome.verdict)
    for name in ("report.html", "model_card.md", "recogniser.onnx", "recogniser.safetensors"):
        console.print(f"  {escape(str(outcome.folder.file(name)))}", soft_wrap=True)


def _show_check(report: CheckReport) -> None:
    marks = {"fault": "[red]fault[/red]", "warning": "[yellow]note[/yellow]", "fine": "[green]ok[/green]"}
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in report.findings:
        table.add_row(marks[finding.severity], escape(finding.what), escape(finding.outcome))
    console.print(table)
    count = len(report.faults)
    console.print("Nothing stands in the way." if not count else f"{count} fault{'s' if count > 1 else ''} to mend.")
