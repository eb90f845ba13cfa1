"""``wildstyle recogniser``: show, probe, convert."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from wildstyle.cli.options import Contract
from wildstyle.cli.screen import Screen, console

recogniser_app = typer.Typer(help="Look at a recogniser, find its preprocessing, convert it.", no_args_is_help=True)

ModelPath = Annotated[Path, typer.Argument(help="Model file: .onnx, .safetensors or .pt.")]


@recogniser_app.command("show")
def show_command(model: ModelPath, contract: Contract = None) -> None:
    """Print a recogniser's contract, its size and what the importer found."""
    from wildstyle.recognisers.contract_text import to_metadata
    from wildstyle.verbs import recognisers as verbs

    shown = verbs.show(model, contract=contract)
    table = Table(box=None, show_header=False, pad_edge=False)
    for key, value in (*to_metadata(shown.recogniser.contract).items(), *shown.facts.items()):
        table.add_row(escape(key), escape(value))
    console.print(table)


@recogniser_app.command("probe")
def probe_command(
    model: ModelPath,
    faces: Annotated[Path, typer.Argument(help="Labelled aligned faces: at least two people with two faces each.")],
) -> None:
    """Find the colour order and value range a recogniser was trained with, by trying all on labelled faces."""
    from wildstyle.verbs import recognisers as verbs

    with Screen() as screen:
        found = verbs.probe_recogniser(model, faces, progress=screen)
    table = Table("--contract", "pairs in order", "95 %", "d'", box=None)
    for row in found.rows:
        interval = f"{100 * row.low:.1f}–{100 * row.high:.1f}"
        table.add_row(str(row.preprocessing), f"{100 * row.auc:.2f} %", interval, f"{row.separation:.2f}")
    console.print(table)
    console.print(escape(f"{found.statement} ({found.faces} faces of {found.people} people)"), soft_wrap=True)


@recogniser_app.command("convert")
def convert_command(
    model: ModelPath,
    out: Annotated[Path, typer.Option("--out", help="File to write: .onnx or .safetensors.")],
    contract: Contract = None,
) -> None:
    """Write a recogniser with its contract in another form; an ONNX file gets a free batch size."""
    from wildstyle.verbs import recognisers as verbs

    verbs.convert(model, out, contract=contract)
    console.print(escape(str(out)), soft_wrap=True)
