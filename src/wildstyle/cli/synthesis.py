"""``wildstyle fit`` and ``wildstyle synthesise``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from wildstyle.cli.options import Contract, DetectorPath
from wildstyle.cli.screen import Screen, console
from wildstyle.errors import SettingError


def fit_command(
    recogniser: Annotated[Path, typer.Option("--recogniser", help="Model file; a frozen copy measures identity.")],
    source: Annotated[Path, typer.Option("--source", help="Clean faces, labelled or not.")],
    target: Annotated[list[Path], typer.Option("--target", help="Unlabelled footage; several times if wanted.")],
    out: Annotated[Path, typer.Option("--out", help="Run folder; a fit that lies there is continued.")],
    contract: Contract = None,
    detector: DetectorPath = None,
    budget: Annotated[str, typer.Option(help="Time for the fit, e.g. 25m.")] = "25m",
    steps: Annotated[int | None, typer.Option(help="Exact number of steps instead.")] = None,
    look_every: Annotated[int, typer.Option(help="Steps between looks and sample sheets.")] = 200,
    patience: Annotated[int, typer.Option(help="Looks without a new best that end the fit; 0: never early.")] = 8,
    sheets: Annotated[bool, typer.Option(help="Write sample sheets, which show the source's people.")] = True,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    kind: Annotated[
        str, typer.Option(help="default, camera (named parameters only), network, or released.")
    ] = "default",
    name: Annotated[str | None, typer.Option("--name", help="Name of the camera, to ask for it later.")] = None,
    onto: Annotated[
        Path | None,
        typer.Option("--onto", help="Fitted generator that is to know this camera as well; minutes suffice."),
    ] = None,
) -> None:
    """Learn from unlabelled footage alone how its camera sees; leaves a generator and its axes in words."""
    from wildstyle.synthesis import FitSettings
    from wildstyle.training import parse_duration
    from wildstyle.verbs.fitting import GENERATOR, FitJob, fit

    job = FitJob(
        recogniser=recogniser,
        source=source,
        target=tuple(target),
        out=out,
        contract=contract,
        detector=detector,
        budget_seconds=parse_duration(budget),
        steps=steps,
        every=look_every,
        patience=patience,
        sheets=sheets,
        seed=seed,
        name=name,
        onto=onto,
        synthesis=FitSettings(kind=kind),
    )
    with Screen() as screen:
        fitted = fit(job, progress=screen, arguments=tuple(sys.argv[1:]))
    console.print(f"every style: {escape(fitted.axes[0].always)}; beside that", soft_wrap=True)
    table = Table("axis", "one end", "other end", "change of pixels", box=None)
    for axis in fitted.axes:
        table.add_row(str(axis.axis), escape(axis.plus), escape(axis.minus), f"{100 * axis.moved:.1f} %")
    console.print(table)
    figures = fitted.figures
    console.print(
        f"distance to held-back footage: {figures['distance_source']:.2f} untouched,"
        f" {figures['distance_synthesised']:.2f} synthesised, {figures['distance_target']:.2f} other footage",
        soft_wrap=True,
    )
    console.print(escape(str(fitted.folder.file(GENERATOR))), soft_wrap=True)


def synthesise_command(
    generator: Annotated[Path, typer.Argument(help="File of a fitted generator, or blind, or blind-adaface.")],
    source: Annotated[Path, typer.Argument(help="Clean aligned faces; labels go along.")],
    out: Annotated[Path, typer.Option("--out", help="A new folder, or a .tar.")],
    to: Annotated[str | None, typer.Option("--to", help="tar (a folder of shards) or folder.")] = None,
    axis: Annotated[
        int, typer.Option(help="Number of a style axis, negative for its other end; 0: any direction.")
    ] = 0,
    magnitude: Annotated[str, typer.Option(help="How bad: a number, or a range as 1-6.")] = "1-6",
    like: Annotated[
        Path | None, typer.Option("--like", help="Aligned frames, or one picture: take their styles instead.")
    ] = None,
    reader: Annotated[
        Path | None,
        typer.Option("--reader", help="Reader of styles; else the one beside the generator, taught if missing."),
    ] = None,
    then: Annotated[
        Path | None, typer.Option("--then", help="Second generator, e.g. a camera after a network.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="Which camera, of a generator that knows several.")] = None,
    sheet: Annotated[
        Path | None, typer.Option("--sheet", help="PNG of some faces in some of the styles; it shows people.")
    ] = None,
    copies: Annotated[int, typer.Option(help="Pictures a face.")] = 1,
    guided_by: Annotated[
        Path | None, typer.Option("--guided-by", help="Recogniser: take styles it is least sure under.")
    ] = None,
    contract: Contract = None,
    quality: Annotated[int, typer.Option(help="JPEG quality; 0 writes PNG.")] = 92,
    seed: Annotated[int, typer.Option(help="Same seed, same pictures.")] = 0,
) -> None:
    """Redraw labelled clean faces as a learnt camera shows them: a labelled training set for that camera."""
    from wildstyle.verbs.synthesising import SynthesiseJob, synthesise_faces

    job = SynthesiseJob(
        generator=generator,
        source=source,
        out=out,
        form=to,  # type: ignore[arg-type]
        axis=axis,
        magnitudes=_range(magnitude),
        like=like,
        reader=reader,
        then=then,
        target=target,
        sheet=sheet,
        copies=copies,
        guided_by=guided_by,
        contract=contract,
        quality=quality,
        seed=seed,
    )
    with Screen() as screen:
        written = synthesise_faces(job, progress=screen)
    console.print(f"{written.faces:,} synthetic pictures: {escape(str(written.out))}", soft_wrap=True)
    for name, reason in written.left_out[:10]:
        console.print(f"left out: {escape(name)}: {escape(reason)}", soft_wrap=True)


def _range(text: str) -> tuple[float, float]:
    low, dash, high = text.partition("-")
    try:
        return float(low), float(high if dash else low)
    except ValueError as error:
        raise SettingError(f"magnitude {text!r} is no number or range", remedy="write 3, or 1-6") from error
