"""Qualities of probes and galleries by column or by measure, and what discarding the poor ones would do."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError
from wildstyle.evaluation.discard import error_versus_discard
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.result import Curve
from wildstyle.evaluation.shares import Impostors
from wildstyle.evaluation.templates import Templates, template_value
from wildstyle.evaluation.trial import Trial
from wildstyle.faces.row import ManifestRow

NORM = "norm"
_COLUMNS = ("min_side", "eye_distance", "detector_score")


@dataclass(frozen=True)
class FacesSeen:
    """What is known of the R faces of a manifest.

    Attributes:
        rows: R rows.
        ok: (R,) bool, whether there is an embedding.
        norms: (R,) float32 lengths of the embeddings, or None.
    """

    rows: Sequence[ManifestRow]
    ok: NDArray[np.bool_]
    norms: NDArray[np.float32] | None = None


def discard_curves(
    trial: Trial, mated: Items, impostors: Impostors, faces: FacesSeen, names: Sequence[str], targets: Sequence[float]
) -> tuple[Curve, ...]:
    """Error-versus-discard curves of the verification, at the threshold of the first target that can be measured.

    Args:
        trial: probes and gallery.
        mated: mated scores with the rows of their probes.
        impostors: impostor scores with the rows of their probes.
        faces: where qualities come from.
        names: ``min_side``, ``eye_distance``, ``detector_score``, ``norm`` or an attribute that holds numbers.
        targets: FMRs.

    Raises:
        InputError: a quality is unknown or holds no numbers.
    """
    target = next((t for t in targets if t * impostors.total >= 1), None)
    if not names or target is None or mated.rows is None or impostors.scores.rows is None:
        return ()
    limit = float(impostors.limits([target])[0])
    threshold = float(np.nextafter(np.float32(limit), np.float32(np.inf)))
    above = impostors.scores.rows[impostors.scores.values > np.float32(limit)]
    false_matches = np.bincount(above, minlength=len(trial.probes))
    people = trial.candidates_per_person()
    comparisons = np.where(trial.probes.ok, people.sum() - people[trial.probe_people], 0)
    out: list[Curve] = []
    for name in names:
        out += error_versus_discard(
            mated.values,
            pair_quality(trial, faces, name)[mated.rows],
            threshold,
            name=name,
            false_matches=false_matches[mated.rows],
            comparisons=comparisons[mated.rows],
        )
    return tuple(out)


def pair_quality(trial: Trial, faces: FacesSeen, name: str) -> NDArray[np.float64]:
    """(T,) quality of the poorer of each probe and its person's gallery, NaN where neither is known."""
    probe = _template_quality(trial.probes, faces, name)
    gallery = _template_quality(trial.gallery, faces, name)
    best = np.full(len(trial.names), np.nan)
    known = np.flatnonzero(np.isfinite(gallery))
    np.fmax.at(best, trial.gallery_people[known], gallery[known])
    poorer: NDArray[np.float64] = np.fmin(probe, best[trial.probe_people])
    return poorer


def _template_quality(templates: Templates, faces: FacesSeen, name: str) -> NDArray[np.float64]:
    if name == NORM:
        if faces.norms is None:
            raise InputError("the lengths of the embeddings are not known", remedy="leave 'norm' out of --discard-by")
        lengths = faces.norms
        out = np.full(len(templates), np.nan)
        for t, group in enumerate(templates.rows):
            good = [i for i in group if faces.ok[i]]
            if good:
                out[t] = float(np.median(lengths[good]))
        return out
    return template_value(templates, faces.rows, faces.ok, _number_in(name, faces.rows))


def _number_in(name: str, rows: Sequence[ManifestRow]) -> Callable[[ManifestRow], float | None]:
    if name in _COLUMNS:
        return lambda row: getattr(row, name)
    texts = {row.attributes[name] for row in rows if name in row.attributes}
    if not texts or any(_parsed(text) is None for text in texts):
        known = sorted({key for row in rows for key in row.attributes})
        raise InputError(
            f"no column {name!r} of numbers to judge quality by",
            remedy=f"use {', '.join((*_COLUMNS, NORM))}" + (f" or one of {', '.join(known)}" if known else ""),
        )
    return lambda row: _parsed(row.attributes.get(name, ""))


def _parsed(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
