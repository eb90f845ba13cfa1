"""``wildstyle faces``: inspect, align, sheet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from wildstyle.cli.convert import convert_command
from wildstyle.cli.labelling import label_command, proxy_command
from wildstyle.cli.options import DetectorPath
from wildstyle.cli.overlap import duplicates_command
from wildstyle.cli.screen import Screen, console

faces_app = typer.Typer(help="Look at faces, align them, label them, draw a contact sheet.", no_args_is_help=True)
faces_app.command("convert")(convert_command)
faces_app.command("duplicates")(duplicates_command)
faces_app.command("label")(label_command)
faces_app.command("proxy")(proxy_command)

FacesPath = Annotated[
    Path, typer.Argument(help="Folder, tar, .rec, .bin, .csv or .parquet of faces, or a saved data set.")
]
FootagePath = Annotated[Path, typer.Argument(help="Folder or tar of pictures, or a video file.")]

_LISTED = 20


@faces_app.command("inspect")
def inspect_command(path: FacesPath, workers: Annotated[int, typer.Option(help="Reading threads.")] = 2) -> None:
    """Count people, media and sizes, and list every picture that can't be read."""
    from wildstyle.verbs import faces as verbs

    with Screen() as screen:
        found = verbs.inspect(path, workers=workers, progress=screen)
    console.print(f"{found.faces:,} pictures, {found.people:,} people, {found.media:,} media")
    if found.people:
        console.print(f"{found.fewest} to {found.most} pictures a person; {found.unlabelled:,} without a person")
    for size, count in found.sizes[:5]:
        console.print(f"{count:>9,}  {size} px")
    if len(found.sizes) > 5:
        console.print(f"{sum(count for _, count in found.sizes[5:]):>9,}  of {len(found.sizes) - 5} other sizes")
    for name in found.repeats[:_LISTED]:
        console.print(f"stored twice, counted once: {escape(name)}", soft_wrap=True)
    for name, reason in found.unreadable[:_LISTED]:
        console.print(f"unreadable: {escape(name)}: {escape(reason)}", soft_wrap=True)
    if len(found.unreadable) > _LISTED:
        console.print(f"… and {len(found.unreadable) - _LISTED} more unreadable pictures")
    if found.unreadable and len(found.unreadable) == found.faces:
        raise typer.Exit(1)


@faces_app.command("align")
def align_command(
    path: FootagePath,
    out: Annotated[Path, typer.Option("--out", help="Folder for aligned faces, their manifest and rejected.csv.")],
    detector: DetectorPath = None,
) -> None:
    """Detect faces in raw pictures or a video and align them; what could not be used is listed with reasons."""
    from wildstyle.verbs import faces as verbs
    from wildstyle.verbs.preparing import ingest_sentence

    with Screen() as screen:
        report = verbs.align_faces(path, out, detector=detector, progress=screen)
    console.print(escape(ingest_sentence(report)), soft_wrap=True)
    console.print(f"  {escape(str(report.manifest))}\n  {escape(str(report.rejected_csv))}", soft_wrap=True)
    if not report.used:
        raise typer.Exit(1)


@faces_app.command("sheet")
def sheet_command(
    path: FacesPath,
    out: Annotated[Path, typer.Option("--out", help="Picture to write, .jpg or .png.")],
    count: Annotated[int, typer.Option(help="Faces on the sheet.")] = 60,
    columns: Annotated[int, typer.Option(help="Faces a row.")] = 10,
) -> None:
    """Draw a contact sheet of faces spread evenly over a source."""
    from wildstyle.verbs import faces as verbs

    shown = verbs.sheet(path, out, count=count, columns=columns)
    console.print(f"{shown} faces: {escape(str(out))}", soft_wrap=True)
