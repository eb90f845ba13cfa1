"""Faces under a wrong name, and people under two names: lists for a human, never a new label.

Two rules for a face:

* *Outlier*: its cosine to the median of its class lies below the class's median - 3 MAD **and** it is nearer to
  another class. On poor footage many right faces are outliers.
* *Swapped*: it resembles its own class no more than strangers do (below the 90 % quantile of cosines to foreign
  classes) and another class by so much more as good faces prefer their own (beyond the 75 % quantile of that lead).
  With 5 % of the labels of three real sets swapped this found 55 to 90 % of them; on the sets as they are, it named
  none of 3,000 clean photographs and 1.2 % of faces from films.

Cosines to the own class leave the face itself out. A class of one face is not judged.

Two classes are one person where their centres are nearer than the halves of single classes usually are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import NotMeasurable
from wildstyle.evaluation.blocks import block_scores, row_blocks
from wildstyle.evaluation.overlapping import Centres, class_centres

Vectors = NDArray[np.float32]
Kind = TypeVar("Kind", bound=np.generic)

MADS = 3.0
_STRANGER = 0.90
_LEAD = 0.75
_HALVES = 0.05  # of the halves of single classes lie below the threshold for one person
_DEVIATIONS = 2.75  # robust ones, by which a pair must also be nearer than classes usually are to their nearest
_LEAST_CLASSES = 8


@dataclass(frozen=True)
class Suspects:
    """What is suspicious of N faces.

    Attributes:
        own: (N,) float32 cosine to the rest of the own class; NaN where not judged.
        other: (N,) float32 cosine to the nearest other class; NaN where not judged.
        nearest: (N,) int64 label of that class, -1 where not judged.
        outlier: (N,) bool, by the first rule; classes of fewer than four faces have no outliers.
        swapped: (N,) bool, by the second rule.
        judged: number of faces that could be judged.
    """

    own: NDArray[np.float32]
    other: NDArray[np.float32]
    nearest: NDArray[np.int64]
    outlier: NDArray[np.bool_]
    swapped: NDArray[np.bool_]
    judged: int

    def worst_first(self) -> NDArray[np.int64]:
        """Faces that either rule names, swapped ones first, by how much nearer the other class is."""
        named = np.flatnonzero(self.swapped | self.outlier)
        gap = self.other[named] - self.own[named]
        return named[np.lexsort((-gap, ~self.swapped[named]))]


@dataclass(frozen=True)
class TwoNames:
    """Pairs of classes that look like one person, by falling cosine.

    Attributes:
        first, second: (P,) int64 labels.
        cosines: (P,) float32 of their centres.
        smaller: (P,) int64 faces of the smaller class; where that is 1, a wrong name and two names look the same.
        threshold: cosine above which two classes count as one person.
        halves: classes whose halves gave the threshold.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    cosines: NDArray[np.float32]
    smaller: NDArray[np.int64]
    threshold: float
    halves: int


def suspects(vectors: Vectors, labels: NDArray[np.int64], ok: NDArray[np.bool_] | None = None) -> Suspects:
    """Judge every face against its own class and the nearest other one.

    Args:
        vectors: (N, D) float32 unit where ``ok``.
        labels: (N,) int64, -1 for an unknown person, who is not judged and makes no class.
        ok: (N,) bool.

    Raises:
        InputError: shapes disagree.
        NotMeasurable: fewer than two classes.
    """
    labels = np.asarray(labels, np.int64)
    centres = class_centres(vectors, labels, ok)
    if len(centres) < 2:
        raise NotMeasurable("faces of one person only, so no face can be nearer to another")
    good = labels >= 0 if ok is None else (labels >= 0) & np.asarray(ok, bool)
    rows = np.flatnonzero(good)
    places = np.searchsorted(centres.ids, labels[rows])
    rows, places = rows[centres.faces[places] > 1], places[centres.faces[places] > 1]
    own = _to_rest(vectors[rows], places, centres)
    other, nearest, strangers = _to_others(vectors[rows], places, centres)
    outlier = _outliers(own, places, len(centres)) & (other > own)
    lead = own - other
    fitting = lead[lead > 0]
    swapped = (own < strangers) & (-lead > (np.quantile(fitting, _LEAD) if len(fitting) else np.inf))
    return Suspects(
        own=_placed(own, rows, len(labels), np.nan),
        other=_placed(other, rows, len(labels), np.nan),
        nearest=_placed(centres.ids[nearest], rows, len(labels), -1),
        outlier=_placed(outlier, rows, len(labels), False),
        swapped=_placed(swapped, rows, len(labels), False),
        judged=len(rows),
    )


def two_names(vectors: Vectors, labels: NDArray[np.int64], ok: NDArray[np.bool_] | None = None) -> TwoNames:
    """Pairs of classes whose centres are as near as the halves of one class are.

    The threshold is the 5 % quantile of the cosines between the two halves of every class of two faces or more
    (cut in the middle of their order, as pictures of one take or film usually lie together). Only pairs in which each
    is the other's nearest class are listed, and only where their cosine is unusual beside those of all classes to their
    nearest: on poor footage halves of few faces are no nearer than strangers.

    Measured by giving half of one person's faces a second name, person by person: found for 38 of 40 people with some
    60 faces each from films, for 12 of 40 with 17 faces, for all of 40 with 9 clean ones, for none where
    there were 8 people in all; no pair was named on the sets as they are.

    Raises:
        NotMeasurable: fewer than 8 classes of two faces or more, or fewer than two classes.
    """
    labels = np.asarray(labels, np.int64)
    centres = class_centres(vectors, labels, ok)
    halves = _halves(vectors, labels, ok)
    if len(halves) < _LEAST_CLASSES or len(centres) < 2:
        raise NotMeasurable(
            f"{len(halves)} people with two faces or more, {_LEAST_CLASSES} are needed to say how near one person's are"
        )
    threshold = float(np.quantile(halves, _HALVES))
    one, other, cosines, nearest = _mutual(centres.vectors)
    usual = float(np.median(nearest))
    unusual = usual + _DEVIATIONS * 1.4826 * float(np.median(np.abs(nearest - usual)))
    threshold = max(threshold, unusual)
    kept = cosines > threshold
    one, other, cosines = one[kept], other[kept], cosines[kept]
    order = np.argsort(-cosines, kind="stable")
    one, other = one[order], other[order]
    smaller = np.minimum(centres.faces[one], centres.faces[other])
    return TwoNames(centres.ids[one], centres.ids[other], cosines[order], smaller, threshold, len(halves))


def _mutual(
    vectors: Vectors,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """(first, second, cosine) of pairs in which each is the other's nearest, and (K,) the nearest cosine of each."""
    nearest, best = np.zeros(len(vectors), np.int64), np.zeros(len(vectors), np.float32)
    for block in row_blocks(len(vectors), len(vectors), block_scores()):
        scores = vectors[block] @ vectors.T
        own = np.arange(block.start, block.stop)
        scores[own - block.start, own] = -np.inf
        nearest[block] = scores.argmax(1)
        best[block] = scores.max(1)
    places = np.arange(len(vectors))
    mutual = (nearest[nearest] == places) & (places < nearest)
    return places[mutual], nearest[mutual], best[mutual], best


def _halves(vectors: Vectors, labels: NDArray[np.int64], ok: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    """Cosine between the centres of the first and the second half, for each class of two faces or more."""
    good = np.flatnonzero(labels >= 0 if ok is None else (labels >= 0) & np.asarray(ok, bool))
    good = good[np.argsort(labels[good], kind="stable")]
    runs = np.split(good, np.flatnonzero(np.diff(labels[good])) + 1)
    found = []
    for run in runs:
        if len(run) > 1:
            cut = len(run) // 2
            one, other = vectors[run[:cut]].mean(0, dtype=np.float64), vectors[run[cut:]].mean(0, dtype=np.float64)
            found.append(float(one @ other / max(1e-12, np.linalg.norm(one) * np.linalg.norm(other))))
    return np.array(found)


def _to_rest(vectors: Vectors, places: NDArray[np.int64], centres: Centres) -> NDArray[np.float32]:
    """Cosine of each face to the mean of the other faces of its class.

    With c the unit centre and s the length of the sum, the rest is s c - v; s follows from the faces themselves.
    """
    sums = np.zeros((len(centres), vectors.shape[1]), np.float32)
    np.add.at(sums, places, vectors)
    rest = sums[places] - vectors
    lengths = np.linalg.norm(rest, axis=1)
    return np.asarray(np.einsum("nd,nd->n", rest, vectors) / np.maximum(lengths, 1e-6), np.float32)


def _to_others(
    vectors: Vectors, places: NDArray[np.int64], centres: Centres
) -> tuple[NDArray[np.float32], NDArray[np.int64], float]:
    """Nearest foreign class of each face, and the quantile of all cosines to foreign classes."""
    best, nearest = np.zeros(len(vectors), np.float32), np.zeros(len(vectors), np.int64)
    sampled = []
    for block in row_blocks(len(vectors), len(centres), block_scores()):
        scores = vectors[block] @ centres.vectors.T
        rows = np.arange(block.stop - block.start)
        scores[rows, places[block]] = -np.inf
        best[block], nearest[block] = scores.max(1), scores.argmax(1)
        some = scores[:: max(1, scores.size // 1_000_000)]
        sampled.append(some[np.isfinite(some)])
    stranger = float(np.quantile(np.concatenate(sampled), _STRANGER)) if sampled else 1.0
    return best, nearest, stranger


def _outliers(own: NDArray[np.float32], places: NDArray[np.int64], classes: int) -> NDArray[np.bool_]:
    """(n,) below the class's median - 3 MAD, for classes of four faces or more."""
    out = np.zeros(len(own), bool)
    order = np.argsort(places, kind="stable")
    for run in np.split(order, np.flatnonzero(np.diff(places[order])) + 1):
        if len(run) >= 4:
            median = np.median(own[run])
            out[run] = own[run] < median - MADS * np.median(np.abs(own[run] - median))
    return out


def _placed(values: NDArray[Kind], rows: NDArray[np.int64], count: int, empty: float) -> NDArray[Kind]:
    out = np.full(count, empty, values.dtype)
    out[rows] = values
    return out
