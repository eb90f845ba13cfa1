"""What a run did, as the records its report is made from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from wildstyle import adaptation
from wildstyle.errors import UnreadableFace
from wildstyle.faces import FaceSource, encode_jpeg, read_manifest, working_batch
from wildstyle.faces.ingest import IngestReport
from wildstyle.recognisers import BranchedNetwork, Recogniser
from wildstyle.recognisers.contract_text import to_metadata
from wildstyle.report import AdaptedRecogniser, Check, Diagnostics, Figure, Ingested, store_checks
from wildstyle.runs import RunFolder
from wildstyle.runs.atomic import write_bytes
from wildstyle.runs.folder import ONNX, WEIGHTS
from wildstyle.synthesis import FittedGenerator, StyleGenerator, style_sheet
from wildstyle.training.metrics import read_metrics
from wildstyle.verbs.check import CheckReport
from wildstyle.verbs.jobs import AdaptJob
from wildstyle.verbs.measuring import spread

_EYE_EDGES = [0, 8, 12, 16, 24, 32, 48, 64, 96, 1000]
_CURVE_POINTS = 200
_WAYS = {
    "full": "full fine-tuning",
    "last": "fine-tuning of the last layers",
    "low-rank": "low-rank adapters, merged,",
    "paired": "pairs of low-rank adapters, mixed by quality,",
}
_AXIS_MEANING = "mean change of pixels at its two ends, share of the range"


def store_check(folder: RunFolder, report: CheckReport) -> None:
    """Keep what was looked at before the run."""
    store_checks(folder, [Check(what=f.what, outcome=f.outcome, passed=f.severity == "fine") for f in report.findings])


def ingested_record(name: str, report: IngestReport, folder: Path) -> Ingested:
    """What became of raw pictures."""
    rows = read_manifest(report.manifest).rows
    counts, _ = np.histogram([row.eye_distance for row in rows if row.eye_distance is not None], _EYE_EDGES)
    return Ingested(
        name=name,
        read=report.seen,
        kept=report.used,
        rejected=dict(report.rejected),
        listing=report.rejected_csv.resolve().relative_to(folder.resolve()).as_posix(),
        media=len({row.media for row in rows if row.media is not None}) or None,
        eye_distances={"edges": [float(e) for e in _EYE_EDGES], "counts": [int(c) for c in counts]},
    )


def aligned_record(name: str, faces: FaceSource) -> Ingested:
    """Faces that were aligned already and went through as they are."""
    media = {faces.record(i).media for i in range(len(faces))} - {None}
    return Ingested(name=f"{name}, aligned already", read=len(faces), kept=len(faces), media=len(media) or None)


def fit_diagnostics(fitted: FittedGenerator, work: Path) -> Diagnostics:
    """How near the generator came to the footage, and what it costs in identity."""
    found = fitted.diagnostics
    return Diagnostics(
        stage="synthesis",
        figures=(
            Figure(
                name="style distance of untouched clean faces",
                value=round(found.distance_source, 4),
                meaning="kernel distance of identity-free style statistics to held-back footage",
            ),
            Figure(
                name="style distance of synthesised faces",
                value=round(found.distance_synthesised, 4),
                meaning="the lower the nearer to the footage",
            ),
            Figure(
                name="style distance of other footage",
                value=round(found.distance_target, 4),
                meaning="the best that can be hoped for",
            ),
            Figure(
                name="identity follows the magnitude",
                value=round(found.identity_correlation, 3),
                meaning="correlation of wanted and reached identity distance over faces; 1 is full control",
            ),
            *(
                Figure(name=axis.name, value=axis.moved, meaning="mean change of pixels at its ends")
                for axis in fitted.axes
            ),
            *(Figure(name="warning", value=one.name, meaning=str(one)) for one in fitted.complaints),
            Figure(name="steps", value=fitted.loop.steps),
            Figure(name="seconds", value=round(fitted.loop.seconds)),
            Figure(name="images per second", value=round(fitted.loop.images_per_second, 1)),
            Figure(
                name="footage that could not be read",
                value=len(found.unusable),
                meaning="; ".join(f"{name}: {reason}" for name, reason in found.unusable[:5]),
            ),
        ),
        curves=_curves(work),
    )


def adaptation_diagnostics(adapted: adaptation.AdaptedRecogniser, work: Path) -> Diagnostics:
    """What the student learnt, and whether guidance did anything."""
    meanings = {
        "twin": "mean of 1 - cosine between student on the synthesised face and teacher on the clean one",
        "retention": "the same on clean faces: how far the student has moved there",
        "guidance/zero_signs": "share of style coordinates without gradient; near 1 the search does nothing",
        "guidance/loss_before": "loss on styles as drawn",
        "guidance/loss_after": "loss on guided styles; guidance works where this is higher",
        "guidance/magnitude_before": "mean style magnitude as drawn",
        "guidance/magnitude_after": "mean style magnitude of guided styles",
    }
    found, loop = adapted.diagnostics, adapted.loop_result
    drift = []
    if found.drift is not None:
        meaning = "mean of 1 - cosine to the untouched recogniser on clean faces put aside"
        meaning += "; it ended the adaptation early" if found.stopped else ""
        drift = [Figure(name="drift on clean faces", value=round(found.drift, 4), meaning=meaning)]
    means = [Figure(name=k, value=round(v, 5), meaning=meanings.get(k, "")) for k, v in found.means.items()]
    return Diagnostics(
        stage="adaptation",
        figures=(
            *means,
            *drift,
            Figure(name="steps", value=loop.steps),
            Figure(name="seconds", value=round(loop.seconds)),
            Figure(name="images per second", value=round(loop.images_per_second, 1)),
            Figure(
                name="clean faces that could not be read",
                value=len(found.unreadable),
                meaning="; ".join(f"{name}: {reason}" for name, reason in list(found.unreadable.items())[:5]),
            ),
        ),
        curves=_curves(work),
    )


def _is_gated(adapted: Recogniser) -> bool:
    return isinstance(adapted.network, BranchedNetwork)


def adapted_record(untouched: Recogniser, adapted: Recogniser, job: AdaptJob) -> AdaptedRecogniser:
    """The recogniser before and after."""
    label_free = job.adaptation.head is None
    return AdaptedRecogniser(
        contract={k.removeprefix("wildstyle."): json.loads(v) for k, v in to_metadata(adapted.contract).items()},
        before_hash=untouched.hash,
        after_hash=adapted.hash,
        parameters=sum(p.numel() for p in adapted.network.parameters()),
        gallery="keep" if label_free else "re-enrol",
        gallery_reason=(
            "the adapted weights were tied to the untouched recogniser's embeddings"
            if label_free
            else "learning from identity labels moves the embedding space"
        ),
        method=(
            f"{_WAYS[job.adaptation.way.name]} on clean faces redrawn in the style of the footage; "
            + ("label-free, the untouched recogniser is the teacher" if label_free else "with identity labels")
            + ("; a stronger recogniser teaches, too" if job.strong is not None else "")
            + ("; untouched weights for good faces, adapted ones for poor ones" if _is_gated(adapted) else "")
            + ("; styles guided to what the student fails on" if job.adaptation.guidance.enabled else "")
        ),
        labels_used=False,
        files=(ONNX, WEIGHTS),
    )


def sheet_of_styles(folder: RunFolder, generator: StyleGenerator, source: FaceSource) -> None:
    """Write a picture of every style axis at several magnitudes; it shows faces of the source."""
    faces = []
    for index in spread(len(source), 40):
        try:
            faces.append(source.read(index))
        except UnreadableFace:
            continue
        if len(faces) == 10:
            break
    if faces:
        sheet = style_sheet(generator, torch.from_numpy(working_batch(faces)))
        write_bytes(folder.file("sheets/styles.jpg"), encode_jpeg(sheet, 85))


def _curves(work: Path) -> dict[str, list[list[float]]]:
    """Logged values over steps, thinned to what a figure can show."""
    lines = list(read_metrics(work / "metrics.jsonl"))
    names = sorted({name for line in lines for name in line["values"]})
    curves = {}
    for name in names:
        points = [[float(line["step"]), float(line["values"][name])] for line in lines if name in line["values"]]
        curves[name] = [points[i] for i in spread(len(points), _CURVE_POINTS)]
    return curves
