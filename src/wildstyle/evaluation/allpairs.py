"""Every face against every other face: billions of scores, none of them kept but those that decide.

The grid of all pairs is symmetric, so only blocks on and above its diagonal are multiplied. The mated scores are few
and kept. Of the impostor scores only the highest are: a floor rises as more of them are seen, and what lies above it at
the end is complete, so a threshold that lets through no more than that is exact.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, NotMeasurable
from wildstyle.evaluation.blocks import in_threads
from wildstyle.evaluation.outcome import Vectors
from wildstyle.evaluation.rates import reliability_note

_SIDE = 2048  # rows and columns of a block
_LIMIT = 50_000_000  # scores that may be kept: 200 MB
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class AllPairsPoint:
    """One operating point.

    Attributes:
        target: FMR asked for.
        fmr: FMR reached, at most the target.
        threshold: smallest float32 that is accepted.
        tar: share of mated comparisons at or above it; those with a failed face count as rejected.
        note: why the point is weak, or None.
    """

    target: float
    fmr: float
    threshold: float
    tar: float
    note: str | None


@dataclass(frozen=True, slots=True)
class AllPairs:
    """All operating points.

    Attributes:
        points: in the order asked for.
        impostors: impostor comparisons made.
        mated: mated comparisons, failed ones included.
        failed: mated comparisons with a failed face.
    """

    points: tuple[AllPairsPoint, ...]
    impostors: int
    mated: int
    failed: int


def all_pairs(
    vectors: Vectors, people: NDArray[np.integer], targets: Sequence[float], *, ok: NDArray[np.bool_] | None = None
) -> AllPairs:
    """TAR at strict thresholds over all N (N - 1) / 2 pairs of faces.

    Args:
        vectors: (N, D) float32 unit.
        people: (N,) person indices; below 0: unknown, equal to nobody.
        targets: FMRs in (0, 1].
        ok: (N,) bool, False for faces without an embedding: no impostor scores, mated comparisons are misses.

    Raises:
        NotMeasurable: no mated or no impostor pair, or a target that fewer than one false match answers to.
        InputError: shapes disagree, or a target needs more than 50 million scores to be kept.
    """
    people = np.asarray(people)
    if people.shape != (len(vectors),):
        raise InputError(f"{len(vectors)} faces but people of shape {people.shape}")
    good = np.ones(len(vectors), bool) if ok is None else np.asarray(ok, bool)
    mated_all = _pairs_inside(people[people >= 0])
    mated = _pairs_inside(people[good & (people >= 0)])
    count = int(good.sum())
    impostors = count * (count - 1) // 2 - mated
    if not mated_all or not impostors:
        raise NotMeasurable(f"{mated_all} mated and {impostors} impostor pairs: both kinds are needed")
    notes = [reliability_note(target, impostors) for target in targets]
    allowed = [int(target * impostors * (1 + _ROUNDING)) for target in targets]
    keep = min(max(allowed) + 1, impostors)
    if keep > _LIMIT:
        raise InputError(
            f"an FMR of {max(targets):g} lets {max(allowed):,} of {impostors:,} scores through, too many to keep",
            remedy="ask for smaller rates, or take a sample of the faces",
        )
    # Sorted by person, all mated pairs lie in few blocks next to the diagonal.
    order = np.flatnonzero(good)[np.argsort(people[good], kind="stable")]
    grid = _Grid(np.ascontiguousarray(vectors[order], np.float32), people[order], keep)
    for _ in in_threads(grid.work, [slice(i, i + 1) for i in range(len(grid.blocks))]):
        pass
    top, scores = grid.highest(), np.sort(grid.mated())
    points = tuple(
        _point(target, k, top, scores, (impostors, mated_all), note)
        for target, k, note in zip(targets, allowed, notes, strict=True)
    )
    return AllPairs(points, impostors, mated_all, mated_all - mated)


def _point(
    target: float,
    allowed: int,
    top: NDArray[np.float32],
    mated: NDArray[np.float32],
    totals: tuple[int, int],
    note: str | None,
) -> AllPairsPoint:
    impostors, comparisons = totals
    if allowed >= impostors:
        return AllPairsPoint(target, 1.0, -np.inf, len(mated) / comparisons, note)
    threshold = np.nextafter(top[allowed], np.float32(np.inf))
    accepted = np.count_nonzero(top[: allowed + 1] >= threshold)
    tar = (len(mated) - np.searchsorted(mated, threshold, side="left")) / comparisons
    return AllPairsPoint(target, accepted / impostors, float(threshold), float(tar), note)


def _pairs_inside(people: NDArray[np.integer]) -> int:
    sizes = np.unique(people, return_counts=True)[1].astype(np.int64)
    return int((sizes * (sizes - 1) // 2).sum())


class _Grid:
    """Blocks on and above the diagonal, and what is kept of them."""

    def __init__(self, vectors: NDArray[np.float32], people: NDArray[np.integer], keep: int) -> None:
        self._vectors, self._people, self._keep = vectors, people, keep
        sides = range(0, len(vectors), _SIDE)
        self.blocks = [(row, column) for row in sides for column in sides if column >= row]
        self._lock = threading.Lock()
        self._floor = np.float32(-np.inf)
        self._kept: list[NDArray[np.float32]] = []
        self._size = 0
        self._mated: list[NDArray[np.float32]] = []

    def work(self, which: slice) -> None:
        """Multiply one block and keep of it what may decide."""
        row, column = self.blocks[which.start]
        rows, columns = slice(row, row + _SIDE), slice(column, column + _SIDE)
        scores = self._vectors[rows] @ self._vectors[columns].T
        if row == column:
            scores[np.tril_indices(len(scores))] = -np.inf
        mated = self._take_mated(scores, self._people[rows], self._people[columns], diagonal=row == column)
        flat = scores.ravel()
        chosen = flat[flat > self._floor]
        with self._lock:
            if len(mated):
                self._mated.append(mated)
            self._kept.append(chosen)
            self._size += len(chosen)
            if self._size > max(2 * self._keep, self._keep + 4_000_000):
                self._shrink()

    @staticmethod
    def _take_mated(
        scores: NDArray[np.float32], own: NDArray[np.integer], other: NDArray[np.integer], *, diagonal: bool
    ) -> NDArray[np.float32]:
        """Move mated scores out of a block: returned, and minus infinity in the block."""
        if own[-1] < other[0] or other[-1] < 0:
            return np.empty(0, np.float32)
        same = (own[:, None] == other[None, :]) & (own >= 0)[:, None]
        if diagonal:
            same &= np.triu(np.ones_like(same), 1)
        mated: NDArray[np.float32] = scores[same]
        scores[same] = -np.inf
        return mated

    def _shrink(self) -> None:
        every = np.concatenate(self._kept)
        cut = len(every) - self._keep
        if cut > 0:
            every = np.partition(every, cut)[cut:]
            self._floor = every.min()
            # Equal scores beyond the wanted number change no threshold: only the (k + 1)-th highest is looked at.
        self._kept, self._size = [every], len(every)

    def highest(self) -> NDArray[np.float32]:
        """The highest impostor scores, falling; as many as were asked for."""
        self._shrink()
        return np.sort(self._kept[0])[::-1]

    def mated(self) -> NDArray[np.float32]:
        """All mated scores."""
        return np.concatenate([np.empty(0, np.float32), *self._mated])
