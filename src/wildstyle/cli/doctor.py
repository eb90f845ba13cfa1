"""``wildstyle doctor``: why is my number low?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from wildstyle.cli.options import Contract
from wildstyle.cli.screen import Screen, console
from wildstyle.runs.atomic import write_json

if TYPE_CHECKING:
    from wildstyle.verbs.doctoring import Diagnosis

_COLOURS = {"this is it": "bold red", "maybe": "yellow", "couldn't be tested": "dim", "ruled out": "green"}


def doctor_command(
    recogniser: Annotated[Path, typer.Argument(help="Model file: .onnx, .safetensors or .pt.")],
    sets: Annotated[
        list[str], typer.Argument(help="NAME=PATH[,faces=PATH][,distractors=PATH]; a pair set or a manifest each.")
    ],
    contract: Contract = None,
    faces: Annotated[
        int | None, typer.Option(help="Faces of a set that causes are tried on (default: what takes two minutes).")
    ] = None,
    looked_at: Annotated[int, typer.Option(help="Faces at most whose labels and pictures are looked at.")] = 4000,
    fmr: Annotated[float | None, typer.Option(help="False match rate you want to state, e.g. 1e-4.")] = None,
    train: Annotated[
        Path | None, typer.Option(help="Faces the recogniser was trained on, to see what the sets share with them.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the sub-sample and the intervals.")] = 0,
    workers: Annotated[int, typer.Option(help="Reading threads.")] = 2,
    out: Annotated[
        Path | None, typer.Option(help="Write everything, all suspect faces too, to this JSON file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Try the usual causes of a low figure on your own data and say which one raises it."""
    from wildstyle.verbs.doctoring import DoctorJob, doctor
    from wildstyle.verbs.jobs import parse_evaluation

    job = DoctorJob(
        recogniser=recogniser,
        evaluate=tuple(parse_evaluation(text) for text in sets),
        contract=contract,
        faces=faces,
        looked_at=looked_at,
        fmr=fmr,
        train=train,
        seed=seed,
        workers=workers,
    )
    if as_json:
        found = doctor(job)
    else:
        with Screen() as screen:
            found = doctor(job, progress=screen)
    record = {name: diagnosis.to_json() for name, diagnosis in found.items()}
    if out is not None:
        write_json(out, record)
    if as_json:
        typer.echo(json.dumps(record, indent=2, ensure_ascii=False))
        return
    for diagnosis in found.values():
        _print(diagnosis)


def _print(diagnosis: Diagnosis) -> None:
    figures = ", ".join(f"{name} {value:.3g}" for name, value in diagnosis.figures.items() if value is not None)
    console.print(
        f"\n[bold]{escape(diagnosis.data)}[/bold]: {escape(figures)}; causes tried on {diagnosis.faces:,} faces of"
        f" {diagnosis.people:,} people, labels and pictures of {diagnosis.looked_at:,} looked at,"
        f" {diagnosis.seconds:.0f} s",
        soft_wrap=True,
    )
    table = Table("cause", "verdict", "evidence", "what to do", box=None)
    for finding in diagnosis.findings:
        colour = _COLOURS[finding.verdict]
        table.add_row(
            escape(finding.cause), f"[{colour}]{finding.verdict}[/]", escape(finding.evidence), escape(finding.remedy)
        )
    console.print(table)
    for text in diagnosis.concentrated:
        console.print(f"  {escape(text)}", soft_wrap=True)
    console.print(f"[bold]{escape(diagnosis.sentence)}[/]", soft_wrap=True)
