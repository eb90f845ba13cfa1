"""``wildstyle evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wildstyle.cli.options import Contract
from wildstyle.cli.reporting import (
    FacesADay,
    GallerySize,
    IncludeFaces,
    Licences,
    WatchlistShare,
    report_tables,
    site_of,
)
from wildstyle.cli.screen import Screen, console
from wildstyle.errors import SettingError
from wildstyle.runs.atomic import write_json

if TYPE_CHECKING:
    from wildstyle.verbs.jobs import EvaluationSpec

Model = Annotated[
    Path,
    typer.Argument(
        help="Model file, or a .npy of embeddings, one row a face. May be left out where every set has embeddings=."
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Argument(
        help="NAME=PATH[,faces=PATH][,distractors=PATH][,by=COLUMN][,bands=24+32+64][,pooling=N1D0F0]"
        "[,discard_by=min_side][,embeddings=FILE.npy]: a pair set, a manifest, or the folder of IJB-B/C, IJB-S, "
        "TinyFace, QMUL-SurvFace."
    ),
]
Threshold = Annotated[
    str | None, typer.Option(help="Errors at this fixed score too: a number, or contract:1e-3 as calibrated.")
]
By = Annotated[str | None, typer.Option(help="Figures by columns of manifests, at one threshold: camera,media,...")]
Bands = Annotated[str | None, typer.Option(help="Edges of size bands of manifests, px: 16,24,32,64.")]
DiscardBy = Annotated[
    str | None, typer.Option(help="Error-versus-discard curves of manifests: min_side,norm,detector_score.")
]


def evaluate_command(
    recogniser: Model,
    sets: Sets = None,
    contract: Contract = None,
    threshold: Threshold = None,
    by: By = None,
    bands: Bands = None,
    discard_by: DiscardBy = None,
    seed: Annotated[int, typer.Option(help="Seed of the intervals.")] = 0,
    workers: Annotated[int, typer.Option(help="Reading threads.")] = 2,
    out: Annotated[
        Path | None, typer.Option(help="Write the results to this JSON file too, and their draws beside it.")
    ] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option("--report", help="Write a report: .html, .md or .json; several times if wanted."),
    ] = None,
    gallery_size: GallerySize = None,
    faces_a_day: FacesADay = None,
    watchlist_share: WatchlistShare = 0.0,
    licence: Licences = None,
    include_faces: IncludeFaces = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Measure a recogniser on labelled sets, with intervals over people."""
    from wildstyle.verbs.evaluate import evaluate_fully
    from wildstyle.verbs.jobs import EvaluateJob, parse_bands, with_common
    from wildstyle.verbs.licences_found import parse_licence
    from wildstyle.verbs.reporting import (
        ReportOptions,
        draws_path,
        measured_run,
        report_results,
        write_draws,
        write_report,
    )

    stated = dict(parse_licence(text) for text in licence or [])
    site = site_of(gallery_size, faces_a_day, watchlist_share)

    model, specs = _sets_of(recogniser, sets or [])
    job = EvaluateJob(
        recogniser=model,
        evaluate=with_common(
            specs,
            by=_listed(by),
            bands=None if bands is None else parse_bands(bands, "--bands"),
            discard_by=_listed(discard_by),
        ),
        contract=contract,
        seed=seed,
        workers=workers,
        threshold=threshold,
    )
    if as_json:
        found = evaluate_fully(job, include_faces=include_faces)
    else:
        with Screen() as screen:
            found = evaluate_fully(job, progress=screen, include_faces=include_faces)
    record = {name: result.to_json() for name, result in found.results.items()}
    if out is not None:
        write_json(out, record)
        write_draws(draws_path(out), found.draws)
    run = measured_run(job, found.results, draws=found.draws, licences=stated)
    made = report_results([run], ReportOptions(site=site))
    for path in report or []:
        write_report(made, path, found.errors)
    if as_json:
        typer.echo(json.dumps(record, indent=2, ensure_ascii=False))
        return
    for table in report_tables(made):
        console.print(table)


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else ()


def _sets_of(recogniser: Path, sets: list[str]) -> tuple[Path, tuple[EvaluationSpec, ...]]:
    """The model and the sets; where all sets bring embeddings the first argument may be a set too."""
    from wildstyle.verbs.jobs import parse_evaluation

    first = str(recogniser)
    if "=" in first and "embeddings=" in first and not recogniser.exists():
        specs = tuple(parse_evaluation(text) for text in (first, *sets))
        missing = [spec.name for spec in specs if spec.embeddings is None]
        if missing or specs[0].embeddings is None:
            raise SettingError(
                f"no recogniser was given, and no embeddings for {', '.join(missing)}",
                remedy="name the model file first, or give every set its embeddings=",
            )
        return specs[0].embeddings, specs
    if not sets:
        raise SettingError("no labelled set was given", remedy="name one, as in shop=shop.csv,faces=shop.tar")
    return recogniser, tuple(parse_evaluation(text) for text in sets)
