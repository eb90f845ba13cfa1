"""Probes against a gallery of people, in blocks of float32 products.

A person's score is the best of the person's templates. Only what the figures need is kept of a block: the mate's
score, the best other score, how many other people reach the mate's, and the highest impostor scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.evaluation.items import Items
from wildstyle.evaluation.outcome import Vectors

_BLOCK = 16_000_000  # scores held at a time: 64 MB
KEPT_IMPOSTORS = 4_000_000
"""Impostor scores that are always kept; beyond it only the highest."""


@dataclass(frozen=True)
class Search:
    """n probes against a gallery.

    Attributes:
        mate: (n,) float32 score of the probe's own person; minus infinity where the person isn't in the gallery.
        best_other: (n,) float32 highest score of any other person; minus infinity in a gallery of one.
        ahead: (n,) int64, other people with a score at or above the mate's: rank - 1, ties against the system.
    """

    mate: NDArray[np.float32]
    best_other: NDArray[np.float32]
    ahead: NDArray[np.int64]

    def spread(self, ok: NDArray[np.bool_]) -> Search:
        """The same over all (T,) probes of which those in ``ok`` were searched; the others find nobody."""
        mate, best_other = np.full((2, len(ok)), -np.inf, np.float32)
        ahead = np.zeros(len(ok), np.int64)
        mate[ok], best_other[ok], ahead[ok] = self.mate, self.best_other, self.ahead
        return Search(mate, best_other, ahead)


@dataclass(frozen=True)
class Side:
    """Embeddings with their people: (n, D) float32 unit vectors and (n,) int64 person indices."""

    vectors: Vectors
    people: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.people)

    def part(self, mask: NDArray[np.bool_]) -> Side:
        """Those that ``mask`` names."""
        return Side(self.vectors[mask], self.people[mask])


def search(probes: Side, gallery: Side, *, impostors_kept: int = 0) -> tuple[Search, Items]:
    """Search each probe in the gallery.

    Args:
        probes: n probes.
        gallery: one or more templates a person.
        impostors_kept: how many of the highest impostor scores to return.

    Returns:
        The search and the kept impostor scores as items of (probe's person, gallery's person).
    """
    order = np.argsort(gallery.people, kind="stable")
    candidates, starts = np.unique(gallery.people[order], return_index=True)
    columns = np.ascontiguousarray(gallery.vectors[order].T)
    mate, best_other = np.full((2, len(probes)), -np.inf, np.float32)
    ahead = np.zeros(len(probes), np.int64)
    kept = _Highest(impostors_kept)
    for block in _row_blocks(len(probes), len(order)):
        scores = probes.vectors[block] @ columns
        if len(candidates) < len(order):
            scores = np.maximum.reduceat(scores, starts, axis=1)
        people = probes.people[block]
        mate[block] = _take_mates(scores, people, candidates)
        if len(candidates):
            best_other[block] = scores.max(axis=1)
        ahead[block] = np.count_nonzero(scores >= mate[block, None], axis=1)
        if impostors_kept:
            kept.add(scores, people, candidates)
    return Search(mate, best_other, ahead), kept.items()


def count_at_or_above(probes: Vectors, limit: NDArray[np.float32], gallery: Vectors) -> NDArray[np.int64]:
    """How many of the gallery reach each probe's own limit, (n,) int64."""
    out = np.zeros(len(probes), np.int64)
    columns = np.ascontiguousarray(gallery.T)
    for block in _row_blocks(len(probes), len(gallery)):
        out[block] = np.count_nonzero(probes[block] @ columns >= limit[block, None], axis=1)
    return out


def _take_mates(
    scores: NDArray[np.float32], people: NDArray[np.int64], candidates: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Move the mates' scores out of a block: returned, and minus infinity in the block."""
    mate = np.full(len(people), -np.inf, np.float32)
    column = np.searchsorted(candidates, people)
    inside = np.flatnonzero(column < len(candidates))
    rows = inside[candidates[column[inside]] == people[inside]]
    mate[rows] = scores[rows, column[rows]]
    scores[rows, column[rows]] = -np.inf
    return mate


class _Highest:
    """The highest impostor scores seen so far."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._floor = np.float32(-np.inf)
        self._parts: list[Items] = []
        self._size = 0

    def add(self, scores: NDArray[np.float32], people: NDArray[np.int64], candidates: NDArray[np.int64]) -> None:
        rows, columns = np.nonzero(scores > self._floor)
        self._parts.append(Items(scores[rows, columns], people[rows], candidates[columns]))
        self._size += len(rows)
        if self._size > 2 * self._keep:
            self._shrink()

    def items(self) -> Items:
        if self._size > self._keep:
            self._shrink()
        return self._joined()

    def _shrink(self) -> None:
        every = self._joined()
        cut = len(every) - self._keep
        floor = np.partition(every.values, cut - 1)[cut - 1]
        # Strictly above: equal scores go together, so what is kept is exactly all above the floor.
        every = every.take(np.flatnonzero(every.values > floor))
        self._floor, self._parts, self._size = floor, [every], len(every)

    def _joined(self) -> Items:
        nothing = np.empty(0, np.int64)
        parts = [Items(np.empty(0, np.float32), nothing, nothing), *self._parts]
        second = [part.second for part in parts if part.second is not None]
        return Items(
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.first for part in parts]),
            np.concatenate(second),
        )


def _row_blocks(rows: int, width: int) -> Iterator[slice]:
    step = max(1, _BLOCK // max(1, width))
    return (slice(start, start + step) for start in range(0, rows, step))
