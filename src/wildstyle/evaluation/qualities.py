"""Qualities of probes and galleries by column or by measure, and what discarding the poor ones would do."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError
from wildstyle.evaluation.discard import error_versus_discard
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.rates import first_measurable, just_above
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
        impostors: impostor scores with the rows of their probes and the people of the gallery.
        faces: where qualities come from.
        names: ``min_side``, ``eye_distance``, ``detector_score``, ``norm`` or an attribute that holds numbers.
        targets: FMRs.

    Raises:
        InputError: a quality is unknown or holds no numbers.
    """
    target = first_measurable(targets, impostors.total)
    if not names or target is None or mated.rows is None:
        return ()
    limit = float(impostors.limits([target])[0])
    false = impostors.scores.take(np.flatnonzero(impostors.scores.values > np.float32(limit)))
    out: list[Curve] = []
    for name in names:
        probe, people = probe_quality(trial, faces, name), people_quality(trial, faces, name)
        own = _poorer(probe, people[trial.probe_people])[mated.rows]
        rate = partial(_rate_from, trial, false, probe, people)
        out += error_versus_discard(mated.values, own, just_above(limit), name=name, fmr_from=rate)
    return tuple(out)


def _rate_from(
    trial: Trial, false: Items, probe: NDArray[np.float64], people: NDArray[np.float64], least: float
) -> float:
    """FMR among impostor comparisons of at least some quality: counted above the threshold, and counted in all."""
    fine = np.where(np.isnan(probe), -np.inf, probe) >= least
    # People of whose gallery nothing is known are judged by the probe alone.
    good = np.isnan(people) | (people >= least)
    probes = trial.probes_per_person(fine)
    candidates = trial.candidates_per_person() * good
    total = int(probes.sum() * candidates.sum() - (probes * candidates).sum())
    if not total or false.rows is None or false.second is None:
        return float("nan")
    return int((fine[false.rows] & good[false.second]).sum()) / total


def pair_discard_curves(
    sides: tuple[Items, Impostors],
    ends: tuple[NDArray[np.int64], NDArray[np.int64]],
    faces: FacesSeen,
    names: Sequence[str],
    targets: Sequence[float],
) -> tuple[Curve, ...]:
    """The same for listed pairs; quality of a pair is that of the poorer face, unknown where one is.

    Args:
        sides: mated and impostor scores with the rows of their pairs.
        ends: faces of the P pairs.
        faces: where qualities come from.
        names: as in ``discard_curves``.
        targets: FMRs.
    """
    mated, impostors = sides
    target = first_measurable(targets, impostors.total)
    if not names or target is None or mated.rows is None or impostors.scores.rows is None:
        return ()
    limit = float(impostors.limits([target])[0])
    false = impostors.scores.values > np.float32(limit)
    out: list[Curve] = []
    for name in names:
        each = face_quality(faces, name)
        quality = np.minimum(each[ends[0]], each[ends[1]])
        others = np.where(np.isnan(quality), -np.inf, quality)[impostors.scores.rows]

        def rate(least: float, others: NDArray[np.float64] = others) -> float:
            return float(false[others >= least].mean()) if (others >= least).any() else float("nan")

        out += error_versus_discard(mated.values, quality[mated.rows], just_above(limit), name=name, fmr_from=rate)
    return tuple(out)


def check_qualities(rows: Sequence[ManifestRow], names: Sequence[str]) -> None:
    """Refuse a quality that the rows don't hold; the length of embeddings is known later.

    Raises:
        InputError: lists the qualities there are.
    """
    for name in names:
        if name != NORM:
            _number_in(name, rows)


def face_quality(faces: FacesSeen, name: str) -> NDArray[np.float64]:
    """(R,) quality of each face, NaN where it is unknown or the face failed."""
    if name == NORM:
        return np.where(faces.ok, _norms(faces).astype(np.float64), np.nan)
    value = _number_in(name, faces.rows)
    known = [value(row) if good else None for row, good in zip(faces.rows, faces.ok, strict=True)]
    return np.array([np.nan if one is None else one for one in known])


def probe_quality(trial: Trial, faces: FacesSeen, name: str) -> NDArray[np.float64]:
    """(T,) median over the good faces of each probe, NaN where none has a value."""
    return _template_quality(trial.probes, faces, name)


def people_quality(trial: Trial, faces: FacesSeen, name: str) -> NDArray[np.float64]:
    """(P,) quality of each person's best gallery template, NaN where none has a value."""
    gallery = _template_quality(trial.gallery, faces, name)
    best = np.full(len(trial.names), np.nan)
    known = np.flatnonzero(np.isfinite(gallery))
    np.fmax.at(best, trial.gallery_people[known], gallery[known])
    return best


def _poorer(probe: NDArray[np.float64], gallery: NDArray[np.float64]) -> NDArray[np.float64]:
    """The poorer side; that of the probe where nothing is known of the gallery, unknown where the probe is."""
    return np.where(np.isnan(gallery), probe, np.minimum(probe, gallery))


def _norms(faces: FacesSeen) -> NDArray[np.float32]:
    if faces.norms is None:
        raise InputError("the lengths of the embeddings are not known", remedy="leave 'norm' out of discard_by")
    return faces.norms


def _template_quality(templates: Templates, faces: FacesSeen, name: str) -> NDArray[np.float64]:
    if name == NORM:
        lengths = _norms(faces)
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
