"""``wildstyle faces convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from wildstyle.cli.screen import Screen, console

_LISTED = 20


def convert_command(
    path: Annotated[Path, typer.Argument(help="Faces: folder, tar, .rec, .bin, .csv, .parquet or saved data set.")],
    out: Annotated[Path, typer.Argument(help="What to write; its suffix says the format. Nothing may lie there.")],
    to: Annotated[
        str | None, typer.Option("--to", help="rec, tar, folder, parquet, csv or bin; by the suffix of OUT.")
    ] = None,
    faces: Annotated[Path | None, typer.Option(help="Where the pictures of a manifest lie.")] = None,
    pairs: Annotated[bool, typer.Option("--pairs", help="A pair set: carry pairs and folds over.")] = False,
    quality: Annotated[int | None, typer.Option(help="Encode anew as JPEG, 1 to 100; else bytes are copied.")] = None,
    identities: Annotated[
        bool, typer.Option("--identities", help="Record file with a header of people (identity kind).")
    ] = False,
    shard_size: Annotated[int, typer.Option(help="Largest shard in MB, where OUT is a folder of tars.")] = 1000,
    shard_faces: Annotated[int, typer.Option(help="Most faces a shard.")] = 10_000,
) -> None:
    """Write faces in another format; pictures are copied, and what the format can't hold is said first."""
    from wildstyle.faces.writing.tar_writer import ShardLimits
    from wildstyle.verbs.converting import ConvertJob, convert

    kind: Any = to
    job = ConvertJob(
        source=path,
        out=out,
        to=kind,
        faces=faces,
        pairs=pairs,
        quality=quality,
        identities=identities,
        limits=ShardLimits(shard_size * 10**6, shard_faces),
    )
    with Screen() as screen:
        done = convert(job, progress=screen)
    what = "pairs" if job.target == "bin" else "faces"
    console.print(f"{done.faces:,} {what}: {escape(str(done.out))}", soft_wrap=True)
    for name, reason in done.left_out[:_LISTED]:
        console.print(f"left out: {escape(name)}: {escape(reason)}", soft_wrap=True)
    if len(done.left_out) > _LISTED:
        console.print(f"… and {len(done.left_out) - _LISTED} more that are no pictures")
