"""``wildstyle compare``: how alike sets of faces are in style."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from wildstyle.cli.screen import Screen, console

if TYPE_CHECKING:
    from wildstyle.verbs.compared import Comparison


def compare_command(
    sets: Annotated[list[Path], typer.Argument(help="Two or more sets of aligned faces: folder, tar, .rec or .csv.")],
    generator: Annotated[Path, typer.Option("--generator", help="File of a fitted generator: the style space.")],
    reader: Annotated[
        Path | None,
        typer.Option("--reader", help="File of its style reader; by default the one beside it."),
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--source", help="Clean faces to teach a reader on, where none is stored.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for compare.json and compare.html.")] = Path("compare"),
    most: Annotated[int, typer.Option(help="Faces a set, at most, chosen by the seed.")] = 1000,
    faces: Annotated[bool, typer.Option("--faces/--no-faces", help="Show people's faces in the page.")] = True,
    draws: Annotated[int, typer.Option(help="Draws of the intervals.")] = 400,
    splits: Annotated[int, typer.Option(help="Random halves of each set.")] = 300,
    steps: Annotated[int | None, typer.Option(help="Steps of teaching a reader, where none is stored.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    workers: Annotated[int, typer.Option(help="Reading threads.")] = 2,
) -> None:
    """Compare sets of faces by the styles that a fitted generator's reader finds in them."""
    from wildstyle.verbs.comparing import CompareJob, compare, write_comparison

    job = CompareJob(
        sets=tuple(sets),
        generator=generator,
        reader=reader,
        source=source,
        steps=steps,
        most=most,
        faces=faces,
        draws=draws,
        splits=splits,
        seed=seed,
        workers=workers,
    )
    with Screen() as screen:
        found = compare(job, progress=screen)
    written = write_comparison(found, out)
    _show(found)
    for path in written:
        console.print(f"  {escape(str(path))}", soft_wrap=True)


def _show(found: Comparison) -> None:
    from wildstyle.report.likeness_page import agreement_text, letters_for

    letters = letters_for(len(found.sets))
    matrix = found.similarity()
    table = Table("", *letters, "faces", "set", box=None)
    for row, one in enumerate(found.sets):
        cells = [f"{'≥' if row == column else ''}{value:.2f}" for column, value in enumerate(matrix[row])]
        table.add_row(letters[row], *cells, f"{len(one.codes):,}", escape(f"{one.name} ({one.grouping})"))
    console.print(table)
    console.print("on the diagonal: what two halves of the set reach in 95 % of the splits")
    for pair in sorted(found.pairs, key=lambda pair: -pair.likeness.similarity):
        low, high = pair.likeness.ends
        told = f"{pair.likeness.similarity:.2f} ({low:.2f} to {high:.2f}), distance {pair.way:.2f}: {pair.verdict.text}"
        console.print(f"  {letters[pair.second]} against {letters[pair.first]}: {escape(told)}", soft_wrap=True)
        if pair.verdict.state != "alike":
            console.print(f"    seen in the pictures: {pair.seen}")
    console.print(f"Independent distance of style statistics: {agreement_text(found.as_record())}", soft_wrap=True)
