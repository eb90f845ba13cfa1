"""``wildstyle protocol``: build."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from wildstyle.cli.screen import Screen, console

protocol_app = typer.Typer(help="Make a protocol out of labelled faces of your own cameras.", no_args_is_help=True)

_LISTED = 10


@protocol_app.callback()
def _group() -> None:
    """Make a protocol out of labelled faces of your own cameras."""


@protocol_app.command("build")
def build_command(
    faces: Annotated[Path, typer.Argument(help="Labelled faces: <subject>/<media>/<file>, a tar or a .csv manifest.")],
    out: Annotated[Path, typer.Option("--out", help="CSV of the test part; the rest is written beside it.")],
    gallery_media: Annotated[
        list[str] | None,
        typer.Option(help="Enrol people from this medium; several times if wanted. Default: each person's best."),
    ] = None,
    gallery_images: Annotated[int, typer.Option(help="Most images of a gallery template.")] = 5,
    max_probes: Annotated[int, typer.Option(help="Most probe templates of a person.")] = 60,
    unenrolled: Annotated[float, typer.Option(help="Share of people kept off the watch list: 0, or 0.3 to 1.")] = 0.5,
    pairs: Annotated[Path | None, typer.Option(help="CSV of verification pairs. Default: OUT.pairs.csv.")] = None,
    max_pairs: Annotated[int, typer.Option(help="Most verification pairs of each kind.")] = 3000,
    dev_share: Annotated[float, typer.Option(help="Share of people in the tune part.")] = 0.3,
    bands: Annotated[str, typer.Option(help="Edges of size bands in px; empty: none.")] = "16,24,32,64",
    template: Annotated[str, typer.Option(help="What a probe template holds: image, track or media.")] = "image",
    look_alikes: Annotated[
        bool, typer.Option("--look-alikes", help="Also take pictures that look the same for repeats; decodes all.")
    ] = False,
    distractors: Annotated[
        Path | None, typer.Option(help="Faces of other people for the gallery; checked only.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of all random choices.")] = 0,
) -> None:
    """Split faces by media into gallery and probes, tune and test people, and write manifests that can be evaluated."""
    from wildstyle.evaluation.building import BuildOptions
    from wildstyle.verbs.building import BuildJob, build

    options = BuildOptions(
        gallery_media=tuple(gallery_media or ()),
        gallery_images=gallery_images,
        max_probes=max_probes,
        unenrolled=unenrolled,
        dev_share=dev_share,
        bands=_edges(bands),
        template=template,  # type: ignore[arg-type]
        pairs=max_pairs,
        seed=seed,
    )
    job = BuildJob(faces=faces, out=out, pairs=pairs, look_alikes=look_alikes, distractors=distractors, options=options)
    with Screen() as screen:
        report = build(job, progress=screen)
    built = report.protocol
    parts = {"test": built.test, **({} if built.tune is None else {"tune": built.tune})}
    table = Table("", *parts)
    for name in built.test.counts:
        table.add_row(name, *(f"{part.counts[name]:,}" for part in parts.values()))
    console.print(table)
    for face, reason in built.left_out[:_LISTED]:
        console.print(f"left out: {escape(face)}: {escape(reason)}", soft_wrap=True)
    if len(built.left_out) > _LISTED:
        console.print(f"… and {len(built.left_out) - _LISTED} more, all in {escape(str(report.files['record']))}")
    for group in built.joined[:_LISTED]:
        console.print(f"kept together: {escape(', '.join(group[:5]))}{' …' if len(group) > 5 else ''}", soft_wrap=True)
    for what, path in report.files.items():
        console.print(f"{what:>10}  {escape(str(path))}", soft_wrap=True)
    console.print(f"wildstyle evaluate MODEL {escape(report.evaluate)}", soft_wrap=True)


@protocol_app.command("video")
def video_command(
    truth: Annotated[Path, typer.Argument(help="CSV or JSON of true boxes: clip, frame, x1, y1, x2, y2, identity.")],
    found: Annotated[Path, typer.Argument(help="The same of what a system found.")],
    seed: Annotated[int, typer.Option(help="Seed of the intervals.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the result to this JSON file too.")] = None,
) -> None:
    """Score boxes and names in clips: detection and identity together, and apart."""
    from wildstyle.runs.atomic import write_json
    from wildstyle.verbs.scoring_video import score_video

    result = score_video(truth, found, seed=seed)
    if out is not None:
        write_json(out, result.to_json())
    table = Table("figure", "share", "95 % over clips", "n", box=None)
    for measure in result.measures:
        share = "–" if measure.value is None else f"{100 * measure.value:.1f} %"
        ends = measure.low is not None and measure.high is not None
        between = f"{100 * (measure.low or 0):.1f} to {100 * (measure.high or 0):.1f}" if ends else "–"
        table.add_row(escape(measure.name), share, between, f"{measure.n:,}")
    console.print(table)


def _edges(text: str) -> tuple[float, ...]:
    from wildstyle.errors import SettingError

    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise SettingError(f"bands {text!r} are no numbers", remedy="write edges in px, as in 16,24,32,64") from error
