"""Probes against a gallery of people, in blocks of float32 products.

A person's score is the best of the person's templates. Only what the figures need is kept of a block: the mate's
score, the best other score, how many other people reach the mate's, and the highest impostor scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.evaluation.blocks import block_scores, in_threads, row_blocks
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.outcome import Vectors

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

    @classmethod
    def empty(cls, probes: int) -> Search:
        """Nobody found anybody yet."""
        mate, best_other = np.full((2, probes), -np.inf, np.float32)
        return cls(mate, best_other, np.zeros(probes, np.int64))

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
        The search and the kept impostor scores as items of (probe's person, gallery's person) with the probe's row.
    """
    (found,), _, kept = search_apart(probes, [gallery], impostors_kept=impostors_kept)
    return found, kept


def search_apart(
    probes: Side, galleries: Sequence[Side], *, impostors_kept: int = 0
) -> tuple[list[Search], Search, Items]:
    """Search each probe in several galleries without common people, and in all of them joined, at once.

    Returns:
        The search in each gallery, the search in the joined one, and the kept impostor scores of the joined one.
    """
    columns = [_Columns.of(gallery) for gallery in galleries]
    apart = [Search.empty(len(probes)) for _ in columns]
    joined = Search.empty(len(probes))
    kept = _Highest(impostors_kept)

    def work(block: slice) -> list[Items]:
        scores = [column.scores(probes.vectors[block]) for column in columns]
        people = probes.people[block]
        for column, own, found in zip(columns, scores, apart, strict=True):
            mate = _take_mates(own, people, column.people)
            found.mate[block] = mate
            if len(column.people):
                found.best_other[block] = own.max(axis=1)
            found.ahead[block] = np.count_nonzero(own >= mate[:, None], axis=1)
        mate = np.max([found.mate[block] for found in apart], axis=0)
        joined.mate[block] = mate
        joined.best_other[block] = np.max([found.best_other[block] for found in apart], axis=0)
        joined.ahead[block] = (
            apart[0].ahead[block]
            if len(columns) == 1
            else sum(np.count_nonzero(own >= mate[:, None], axis=1) for own in scores)
        )
        if not impostors_kept:
            return []
        picked = []
        for column, own in zip(columns, scores, strict=True):
            rows, places, values = kept.pick(own)
            picked.append(Items(values, people[rows], column.people[places], rows + block.start))
        return picked

    width = sum(len(column) for column in columns)
    for found in in_threads(work, row_blocks(len(probes), width, block_scores())):
        for items in found:
            kept.add(items)
    return apart, joined, kept.items()


@dataclass(frozen=True)
class _Columns:
    """A gallery by person, ready for products."""

    vectors: Vectors
    people: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, gallery: Side) -> _Columns:
        order = np.argsort(gallery.people, kind="stable")
        people, starts = np.unique(gallery.people[order], return_index=True)
        return cls(np.ascontiguousarray(gallery.vectors[order].T), people, starts)

    def __len__(self) -> int:
        return int(self.vectors.shape[1])

    def scores(self, probes: Vectors) -> NDArray[np.float32]:
        """(n, people) best score of each person."""
        scores = probes @ self.vectors
        return scores if len(self.people) == len(self) else np.maximum.reduceat(scores, self.starts, axis=1)


def count_at_or_above(probes: Vectors, limit: NDArray[np.float32], gallery: Vectors) -> NDArray[np.int64]:
    """How many of the gallery reach each probe's own limit, (n,) int64."""
    out = np.zeros(len(probes), np.int64)
    columns = np.ascontiguousarray(gallery.T)

    def work(block: slice) -> None:
        out[block] = np.count_nonzero(probes[block] @ columns >= limit[block, None], axis=1)

    for _ in in_threads(work, row_blocks(len(probes), len(gallery), block_scores())):
        pass
    return out


def ranks_of_mates(
    probes: Side, gallery: Side, distractors: Vectors | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Rank of every single mate of every probe among all images of the gallery, ties against the system.

    Args:
        probes: n probes.
        gallery: images with their people; a person may have several.
        distractors: (M, D) images of nobody who is searched.

    Returns:
        ``(probe, rank, score)``, each (m,), one entry a mate; by probe, ranks rising from 1. A mate's rank counts the
        other people's images at or above its score, and the probe's own better mates.
    """
    order = np.argsort(gallery.people, kind="stable")
    people = gallery.people[order]
    low, high = (np.searchsorted(people, probes.people, side=side) for side in ("left", "right"))
    columns = np.ascontiguousarray(np.vstack([gallery.vectors[order], *_given(distractors)]).T)

    def work(block: slice) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        scores = probes.vectors[block] @ columns
        rows, ranks, mates = [], [], []
        for row, (first, last) in enumerate(zip(low[block], high[block], strict=True)):
            own = np.sort(scores[row, first:last])[::-1]
            scores[row, first:last] = -np.inf
            # Row by row: it stays in the cache while it is counted for each of its few mates.
            ahead = [int(np.count_nonzero(scores[row] >= mate)) for mate in own]
            rows.append(np.full(len(own), row + block.start))
            ranks.append(np.array(ahead, np.int64) + np.arange(1, len(own) + 1))
            mates.append(own)
        return np.concatenate(rows), np.concatenate(ranks), np.concatenate(mates)

    found = list(in_threads(work, row_blocks(len(probes), columns.shape[1], block_scores())))
    if not found:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, np.zeros(0, np.float32)
    probe, rank, score = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return probe, rank, score


def _given(distractors: Vectors | None) -> list[Vectors]:
    return [] if distractors is None else [distractors]


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


_Found = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
"""Rows, columns and values of scores."""


class _Highest:
    """The highest impostor scores seen so far."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._floor = np.float32(-np.inf)
        self._parts: list[Items] = []
        self._size = 0

    def pick(self, scores: NDArray[np.float32]) -> _Found:
        """Scores of a block above the floor of the moment; safe in threads, as the floor only rises."""
        flat = scores.ravel()
        places = np.flatnonzero(flat > self._floor)
        if len(places) > 2 * self._keep:
            # In the first blocks the floor is low: what is not among the block's own highest can't be kept at all.
            found = flat[places]
            places = places[found >= np.partition(found, len(found) - self._keep)[len(found) - self._keep]]
        rows, columns = np.divmod(places, scores.shape[1])
        return rows, columns, flat[places]

    def add(self, items: Items) -> None:
        self._parts.append(items)
        self._size += len(items)
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
        parts = [Items(np.empty(0, np.float32), nothing, nothing, nothing), *self._parts]
        columns = ([getattr(part, name) for part in parts] for name in ("values", "first", "second", "rows"))
        return Items(*(np.concatenate(column) for column in columns))
