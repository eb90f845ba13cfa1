"""``wildstyle timing``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from wildstyle.cli.options import Contract, DetectorPath
from wildstyle.cli.screen import Screen, console
from wildstyle.runs.atomic import write_json


def timing_command(
    recogniser: Annotated[Path, typer.Argument(help="Model file: .onnx, .safetensors or .pt.")],
    pictures: Annotated[Path, typer.Argument(help="Raw pictures (folder, tar) or a video; not aligned faces.")],
    contract: Contract = None,
    detector: DetectorPath = None,
    runs: Annotated[int, typer.Option(help="Timed pictures.")] = 200,
    gallery: Annotated[int, typer.Option(help="Enrolled templates to compare each face with.")] = 1000,
    out: Annotated[Path | None, typer.Option(help="Write the figures to this JSON file too.")] = None,
) -> None:
    """Time one picture from its bytes to an answer on one core, stage by stage, and name the class it meets."""
    from wildstyle.verbs.timing import TimingOptions, time_pipeline

    options = TimingOptions(runs=runs, gallery=gallery)
    with Screen() as screen:
        report = time_pipeline(
            recogniser, pictures, contract=contract, detector=detector, options=options, progress=screen
        )
    table = Table("stage", "median, ms", "95 % within, ms", box=None, pad_edge=False)
    for stage in report.stages:
        table.add_row(stage.name, f"{stage.median_ms:.2f}", f"{stage.p95_ms:.2f}")
    console.print(table)
    width, height = report.largest
    console.print(
        escape(
            f"{report.runs} runs over {report.pictures} pictures up to {width}x{height} px"
            f" ({report.without_face} without a face left out), gallery of {report.gallery:,},"
            f" detector {report.detector}, {report.engine}, {report.machine['processor']}"
        ),
        soft_wrap=True,
    )
    if not report.one_core:
        console.print("This system can't bind a process to one core; only the libraries were held to one thread.")
    console.print(escape(report.sentence), soft_wrap=True)
    if out is not None:
        write_json(out, report.to_json())
