"""People shared between two sets, by the centres of their classes.

For every subject of one set the classes of the other whose centres are above a threshold are candidates. With T
subjects against K classes some candidates are false: at a false match rate f, T * K * f of them are to be expected.
The threshold comes from centres that are known to be of different people: pairs inside each of the two sets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, NotMeasurable, SettingError
from wildstyle.evaluation.blocks import block_scores, in_threads, row_blocks

Vectors = NDArray[np.float32]

RELIABLE = 30
"""False matches a threshold should rest on (rule of 30)."""

_CALIBRATED = 3000  # classes of a set that calibrate: 4.5 million pairs
_MOST_PAIRS = 5_000_000
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Centres:
    """Centres of K classes.

    Attributes:
        ids: (K,) int64 labels, rising.
        vectors: (K, D) float32 unit.
        faces: (K,) int64 good faces behind each.
    """

    ids: NDArray[np.int64]
    vectors: Vectors
    faces: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class CentreThreshold:
    """A threshold on the cosine of two centres; accept above it.

    Attributes:
        value: cosine.
        fmr: the rate asked for.
        impostors: pairs of centres of different people it rests on.
        note: why it is rough, or None.
    """

    value: float
    fmr: float
    impostors: int
    note: str | None = None


@dataclass(frozen=True)
class Candidates:
    """Pairs above a threshold, by falling score.

    Attributes:
        test, train: (P,) int64 places among the centres.
        scores: (P,) float32 cosines.
        nearest: (T,) int64 place of the nearest train centre of every test centre.
        nearest_score: (T,) float32.
        comparisons: T * K.
    """

    test: NDArray[np.int64]
    train: NDArray[np.int64]
    scores: NDArray[np.float32]
    nearest: NDArray[np.int64]
    nearest_score: NDArray[np.float32]
    comparisons: int


def class_centres(vectors: Vectors, labels: NDArray[np.int64], ok: NDArray[np.bool_] | None = None) -> Centres:
    """Mean of the unit embeddings of each class, normalised; faces without a label or an embedding are left out.

    Args:
        vectors: (N, D) float32 unit where ``ok``.
        labels: (N,) int64, -1 for an unknown person.
        ok: (N,) bool.

    Raises:
        InputError: shapes disagree, or no class has a good face.
    """
    labels = np.asarray(labels, np.int64)
    good = labels >= 0 if ok is None else (labels >= 0) & np.asarray(ok, bool)
    if vectors.ndim != 2 or good.shape != (len(vectors),):
        raise InputError(f"{len(vectors)} embeddings of shape {vectors.shape} and {len(labels)} labels")
    rows = np.flatnonzero(good)
    if not len(rows):
        raise InputError("no face has both a person and an embedding")
    rows = rows[np.argsort(labels[rows], kind="stable")]
    ids, starts, faces = np.unique(labels[rows], return_index=True, return_counts=True)
    sums = np.empty((len(ids), vectors.shape[1]), np.float32)
    for block in row_blocks(len(ids), int(vectors.shape[1] * faces.mean()) + 1, block_scores()):
        start, stop = starts[block.start], starts[block.stop] if block.stop < len(ids) else len(rows)
        sums[block] = np.add.reduceat(vectors[rows[start:stop]], starts[block] - start, axis=0)
    lengths = np.linalg.norm(sums, axis=1)
    kept = lengths > 1e-6
    return Centres(ids[kept], sums[kept] / lengths[kept, None], faces[kept].astype(np.int64))


def centre_threshold(sets: tuple[Vectors, ...], fmr: float) -> CentreThreshold:
    """Highest score of two different people's centres that must be rejected so that at most ``fmr`` are accepted.

    Args:
        sets: (K, D) unit centres of each set; only pairs inside one set are known to be of different people.
        fmr: share in (0, 1).

    Raises:
        SettingError: ``fmr`` is no share.
        NotMeasurable: no set has two people.
    """
    if not 0 < fmr < 1:
        raise SettingError(f"a false match rate lies between 0 and 1, not {fmr:g}")
    scores = np.concatenate([_inside(vectors) for vectors in sets]) if sets else np.zeros(0, np.float32)
    if not len(scores):
        raise NotMeasurable("no two people are known to differ, so there is no threshold", remedy="state one yourself")
    allowed = int(fmr * len(scores) * (1 + _ROUNDING))
    place = len(scores) - 1 - min(allowed, len(scores) - 1)
    value = float(np.partition(scores, place)[place])
    note = None
    if allowed < RELIABLE:
        note = (
            f"{len(scores):,} pairs of different people give {allowed} false matches at {fmr:g}, {RELIABLE} are wanted"
        )
    return CentreThreshold(value, fmr, len(scores), note)


def share_above(sets: tuple[Vectors, ...], threshold: float) -> float:
    """Share of the pairs of different people's centres, inside each set, that lie above a threshold.

    Where none does, one of all pairs is taken: less than that can't be said.

    Raises:
        NotMeasurable: no set has two people.
    """
    scores = np.concatenate([_inside(vectors) for vectors in sets]) if sets else np.zeros(0, np.float32)
    if not len(scores):
        raise NotMeasurable("no two people are known to differ, so there is no rate")
    return max(1, int((scores > threshold).sum())) / len(scores)


def candidates_above(test: Vectors, train: Vectors, threshold: float) -> Candidates:
    """All pairs of centres above ``threshold`` and the nearest of each, in blocks of bounded memory.

    Args:
        test: (T, D) float32 unit.
        train: (K, D) float32 unit, may be a memory map.
        threshold: cosine; strictly above it counts.

    Raises:
        InputError: the embeddings have different lengths, a side is empty, or millions of pairs lie above.
    """
    if test.ndim != 2 or train.ndim != 2 or test.shape[1] != train.shape[1] or not len(test) or not len(train):
        raise InputError(f"centres of shapes {test.shape} and {train.shape} can't be compared")
    nearest, best = np.zeros(len(test), np.int64), np.full(len(test), -np.inf, np.float32)
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
    total = 0
    width = max(1, min(len(test), 4096))
    for rows in row_blocks(len(test), 1, width):
        side = np.ascontiguousarray(test[rows])

        def work(part: slice, side: Vectors = side) -> tuple[slice, NDArray[np.float32], NDArray[np.int64], Pairs]:
            scores = side @ np.asarray(train[part], np.float32).T
            place = scores.argmax(axis=1)
            one, other = np.nonzero(scores > threshold)
            return part, scores[np.arange(len(side)), place], place, (one, other, scores[one, other])

        for part, top, place, (one, other, scores) in in_threads(work, row_blocks(len(train), width, block_scores())):
            higher = top > best[rows]
            best[rows] = np.where(higher, top, best[rows])
            nearest[rows] = np.where(higher, place + part.start, nearest[rows])
            found.append((one + rows.start, other + part.start, scores))
            total += len(one)
            if total > _MOST_PAIRS:
                raise InputError(
                    f"more than {_MOST_PAIRS:,} pairs lie above {threshold:.3f}: it tells nothing",
                    remedy="state a higher threshold or a smaller FMR",
                )
    one, other, scores = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((other, one, -scores))
    return Candidates(one[order], other[order], scores[order], nearest, best, len(test) * len(train))


Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]


def _inside(vectors: Vectors) -> NDArray[np.float32]:
    """Cosines of all pairs of at most ``_CALIBRATED`` centres spread over a set."""
    if len(vectors) > _CALIBRATED:
        vectors = vectors[np.linspace(0, len(vectors) - 1, _CALIBRATED).astype(np.int64)]
    scores = vectors @ vectors.T
    return np.asarray(scores[np.triu_indices(len(vectors), 1)], np.float32)
