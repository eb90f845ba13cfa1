"""``wildstyle calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from wildstyle.cli.options import Contract
from wildstyle.cli.screen import Screen, console
from wildstyle.errors import SettingError
from wildstyle.runs.atomic import write_json

if TYPE_CHECKING:
    from wildstyle.evaluation.calibration import Calibration


def calibrate_command(
    recogniser: Annotated[Path, typer.Argument(help="Model file: .onnx, .safetensors or .pt.")],
    sets: Annotated[list[str], typer.Argument(help="NAME=PATH as for evaluate; your own labelled faces.")],
    fmr: Annotated[str, typer.Option("--fmr", help="Wanted false match rates, e.g. 1e-3,1e-4.")] = "1e-2,1e-3",
    contract: Contract = None,
    into: Annotated[Path | None, typer.Option(help="Model file to write, with the thresholds in its contract.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Let --into replace a file.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write what was found to this JSON file too.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the intervals.")] = 0,
    workers: Annotated[int, typer.Option(help="Reading threads.")] = 2,
) -> None:
    """Find the threshold for a wanted false match rate on your own data, with its interval."""
    from wildstyle.verbs.calibrate import calibrate
    from wildstyle.verbs.jobs import CalibrateJob, parse_evaluation

    job = CalibrateJob(
        recogniser=recogniser,
        evaluate=tuple(parse_evaluation(text) for text in sets),
        targets=_rates(fmr),
        contract=contract,
        into=into,
        force=force,
        seed=seed,
        workers=workers,
    )
    with Screen() as screen:
        found = calibrate(job, progress=screen)
    if out is not None:
        write_json(out, {name: one.to_json() for name, one in found.items()})
    for name, one in found.items():
        _show(name, one)
    if into is not None:
        console.print(escape(str(into)), soft_wrap=True)


def _rates(text: str) -> tuple[float, ...]:
    try:
        rates = tuple(float(part) for part in text.split(","))
    except ValueError:
        rates = ()
    if not rates or not all(0 < rate < 1 for rate in rates):
        raise SettingError(f"--fmr is {text!r}", remedy="write rates between 0 and 1, e.g. 1e-3,1e-4")
    return rates


def _show(name: str, found: Calibration) -> None:
    table = Table("FMR", "threshold", "95 % over people", "FMR reached", "TAR", "impostors", "note", box=None)
    for one in found.thresholds:
        between = "–" if one.low is None or one.high is None else f"{one.low:.4f} to {one.high:.4f}"
        table.add_row(
            f"{100 * one.target:g} %",
            f"{one.threshold:.6f}",
            between,
            f"{100 * one.reached:.3g} %",
            f"{100 * one.tar:.1f} %",
            f"{one.impostors:,}",
            escape(one.note or ""),
        )
    console.print(f"[bold]{escape(name)}[/bold]")
    console.print(table)
    for target, reason in found.refused:
        console.print(f"  FMR {100 * target:g} %: {escape(reason)}", soft_wrap=True)
    if found.likelihood_note is not None:
        console.print(f"  no log-likelihood ratio: {escape(found.likelihood_note)}", soft_wrap=True)
    if found.likelihood is not None:
        fitted = found.likelihood
        console.print(
            f"  log-likelihood ratio = {fitted.map.slope:.2f} x score {fitted.map.offset:+.2f} (natural logarithm);"
            f" cost {fitted.cllr:.3f} bits on people it has not seen, {fitted.cllr_min:.3f} at best"
            " (0 is perfect, 1 tells nothing)",
            soft_wrap=True,
        )
