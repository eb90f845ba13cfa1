"""``wildstyle overlap`` and ``wildstyle faces duplicates``: lists of what to leave out; nothing is deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from wildstyle.cli.options import Contract
from wildstyle.cli.screen import Screen, console

_LISTED = 10

WithRecogniser = Annotated[Path | None, typer.Option("--recogniser", help="Model file, to compare faces by embedding.")]


def overlap_command(
    train: Annotated[Path, typer.Argument(help="Training faces: folder, tar, .rec, .bin or .csv.")],
    test: Annotated[Path, typer.Argument(help="Test faces, of any of these kinds.")],
    recogniser: WithRecogniser = None,
    contract: Contract = None,
    threshold: Annotated[
        float | None, typer.Option(help="Cosine of class centres; estimated at --fmr on the data if not given.")
    ] = None,
    fmr: Annotated[float, typer.Option(help="False match rate of the estimated threshold.")] = 1e-4,
    pictures: Annotated[bool, typer.Option(help="Compare the pictures themselves.")] = True,
    workers: Annotated[int, typer.Option(help="Reading threads.")] = 2,
    pairs: Annotated[Path, typer.Option(help="CSV file of what is shared.")] = Path("overlap_pairs.csv"),
    leave_out: Annotated[Path, typer.Option(help="CSV file of the training faces to leave out.")] = Path(
        "overlap_leave_out.csv"
    ),
) -> None:
    """Find people and pictures that a training set and a test set share: by name, picture and embedding."""
    from wildstyle.verbs.overlap import OverlapJob, overlap, write_overlap

    job = OverlapJob(
        train=train,
        test=test,
        recogniser=recogniser,
        contract=contract,
        threshold=threshold,
        fmr=fmr,
        pictures=pictures,
        workers=workers,
    )
    with Screen() as screen:
        found = overlap(job, progress=screen)
    write_overlap(found, pairs, leave_out)
    for pair in found.pairs[:_LISTED]:
        score = "" if pair.score is None else f" ({pair.score:.3f})"
        console.print(f"  {pair.how}: {escape(pair.test)} = {escape(pair.train)}{score}", soft_wrap=True)
    if len(found.pairs) > _LISTED:
        console.print(f"  … and {len(found.pairs) - _LISTED:,} more in {escape(str(pairs))}", soft_wrap=True)
    if found.threshold is not None:
        console.print(f"Threshold {found.threshold:.3f}, {escape(found.threshold_note)}.", soft_wrap=True)
    console.print(escape(found.sentence()), soft_wrap=True)
    console.print(f"  {escape(str(pairs))}\n  {escape(str(leave_out))}", soft_wrap=True)


def duplicates_command(
    path: Annotated[Path, typer.Argument(help="Folder, tar, .rec, .bin or .csv of faces.")],
    recogniser: WithRecogniser = None,
    contract: Contract = None,
    distance: Annotated[int, typer.Option(help="Bits of 64 in which hashes of near copies may differ.")] = 4,
    workers: Annotated[int, typer.Option(help="Reading threads.")] = 2,
    out: Annotated[Path | None, typer.Option(help="CSV file of the groups.")] = None,
) -> None:
    """List exact copies, near copies and, with --recogniser, frames of one take; nothing is deleted."""
    from wildstyle.verbs.duplicates import find_duplicates, write_duplicates

    with Screen() as screen:
        found = find_duplicates(
            path, recogniser=recogniser, contract=contract, distance=distance, workers=workers, progress=screen
        )
    for group in found.groups[:_LISTED]:
        keep, *others = group.members
        more = f" and {len(others) - 2} more" if len(others) > 2 else ""
        names = ", ".join(member.id for member in others[:2])
        warning = " [red](under several names)[/red]" if group.people > 1 else ""
        console.print(f"  {group.kind}: keep {escape(keep.id)}, spare {escape(names)}{more}{warning}", soft_wrap=True)
    if len(found.groups) > _LISTED:
        console.print(f"  … and {len(found.groups) - _LISTED:,} more groups")
    for name in found.repeats[:_LISTED]:
        console.print(f"  stored twice, counted once: {escape(name)}", soft_wrap=True)
    spare = ", ".join(f"{count:,} {kind}" for kind, count in found.to_spare.items()) or "none"
    read = f"{found.faces:,} faces, {found.unreadable:,} unreadable"
    console.print(f"{read}, {len(found.groups):,} groups; could be spared: {spare}")
    if out is not None:
        write_duplicates(found, out)
        console.print(f"  {escape(str(out))}", soft_wrap=True)
