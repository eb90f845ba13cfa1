"""``wildstyle evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from wildstyle.cli.options import Contract
from wildstyle.cli.screen import Screen, console
from wildstyle.runs.atomic import write_json


def evaluate_command(
    recogniser: Annotated[Path, typer.Argument(help="Model file: .onnx, .safetensors or .pt.")],
    sets: Annotated[
        list[str], typer.Argument(help="NAME=PATH[,faces=PATH][,distractors=PATH]; a pair set or a manifest each.")
    ],
    contract: Contract = None,
    seed: Annotated[int, typer.Option(help="Seed of the intervals.")] = 0,
    workers: Annotated[int, typer.Option(help="Reading threads.")] = 2,
    out: Annotated[Path | None, typer.Option(help="Write the results to this JSON file too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Measure a recogniser on labelled sets, with intervals over people."""
    from wildstyle.cli.tables import result_tables
    from wildstyle.verbs.evaluate import evaluate
    from wildstyle.verbs.jobs import EvaluateJob, parse_evaluation

    specs = tuple(parse_evaluation(text) for text in sets)
    job = EvaluateJob(recogniser=recogniser, evaluate=specs, contract=contract, seed=seed, workers=workers)
    if as_json:
        results = evaluate(job)
    else:
        with Screen() as screen:
            results = evaluate(job, progress=screen)
    record = {name: result.to_json() for name, result in results.items()}
    if out is not None:
        write_json(out, record)
    if as_json:
        typer.echo(json.dumps(record, indent=2, ensure_ascii=False))
        return
    for table in result_tables(results):
        console.print(table)
