"""Shares under weighted people: one formula for the figure itself and for every bootstrap draw.

Each figure is a share of *items* (probes or comparisons) whose value lies above a threshold. The figure has all
weights one; a draw has whole-number weights. A threshold that depends on impostor scores is chosen anew in every
draw, from the same draw's impostors, by the strict rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wildstyle.evaluation.bootstrap import Weights
from wildstyle.evaluation.rates import reliability_note

HIT = 0.5
"""Fixed threshold for values that are 1 for a hit and 0 for a miss."""

_BLOCK = 4_000_000  # elements of a (draws, items) block: 16 MB in float32
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Items:
    """Things that are counted, each belonging to one person or to two.

    Attributes:
        values: (n,) float32, higher is better; minus infinity for what failed.
        first: (n,) int64, index of the person.
        second: (n,) int64 index of the other person, -1 where there is none; or None where no item has one.
    """

    values: NDArray[np.float32]
    first: NDArray[np.int64]
    second: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def weights(self, people: Weights, part: slice = slice(None)) -> Weights:
        """(B, n) weights of the items in ``part`` for (B, P) weights of people."""
        own = people[:, self.first[part]]
        if self.second is None:
            return own
        alone = np.ones((len(people), 1), np.float32)
        return own * np.hstack([people, alone])[:, self.second[part]]

    def take(self, order: NDArray[np.int64]) -> Items:
        """The items at ``order``."""
        return Items(self.values[order], self.first[order], None if self.second is None else self.second[order])


Totals = Callable[[Weights], NDArray[np.float64]]
"""(B,) total weight of all impostor scores for (B, P) weights of people."""


@dataclass(frozen=True)
class Impostors:
    """Impostor scores, prepared for strict thresholds under weights.

    Attributes:
        top: the highest scores, falling; all of them unless there are very many.
        total: number of all scores.
        totals: their total weight in each draw.
    """

    top: Items
    total: int
    totals: Totals

    @classmethod
    def of(cls, items: Items) -> Impostors:
        """All impostor scores, each of one person or of two."""
        second = np.full(len(items), -1, np.int64) if items.second is None else items.second
        return cls(_falling(items), len(items), _listed_totals(items.first, second))

    @classmethod
    def crossed(cls, top: Items, probes: NDArray[np.int64], candidates: NDArray[np.int64]) -> Impostors:
        """Scores of every probe against every candidate of other people.

        Args:
            top: the highest of these scores.
            probes: (P,) number of probes of each person.
            candidates: (P,) number of candidates of each person.
        """
        total = int(probes.sum() * candidates.sum() - (probes * candidates).sum())
        n, g = probes.astype(np.float64), candidates.astype(np.float64)

        def totals(people: Weights) -> NDArray[np.float64]:
            return np.asarray((people @ n) * (people @ g) - np.square(people) @ (n * g))

        return cls(_falling(top), total, totals)

    def thresholds(self, people: Weights, target: float) -> NDArray[np.float64]:
        """Highest impostor score that must be rejected, for each draw; accept *above* it.

        Args:
            people: (B, P) weights.
            target: share of the impostor weight that may lie above.

        Returns:
            (B,) float64; minus infinity where all may be accepted, NaN where a draw holds no impostors.
        """
        allowed = target * self.totals(people) * (1 + _ROUNDING)
        found = np.full(len(people), -np.inf)
        found[allowed == 0] = np.nan
        pending = np.flatnonzero(allowed > 0)
        reach = min(len(self.top), max(1024, int(4 * target * self.total)))
        while len(pending):
            for block in _blocks(len(pending), reach):
                rows = pending[block]
                passed = np.cumsum(self.top.weights(people[rows], slice(reach)), axis=1, dtype=np.float64)
                beyond = passed > allowed[rows, None]
                hit = beyond.any(axis=1)
                found[rows[hit]] = self.top.values[beyond.argmax(axis=1)[hit]]
            pending = pending[np.isneginf(found[pending])]
            if reach == len(self.top):
                break
            reach = min(len(self.top), 4 * reach)
        return found


def _falling(items: Items) -> Items:
    return items.take(np.argsort(-items.values, kind="stable"))


def _listed_totals(first: NDArray[np.int64], second: NDArray[np.int64]) -> Totals:
    width = int(max(first.max(initial=0), second.max(initial=0))) + 2
    codes, counts = np.unique(first * width + second + 1, return_counts=True)
    own, other = codes // width, codes % width - 1

    def totals(people: Weights) -> NDArray[np.float64]:
        padded = np.hstack([people, np.ones((len(people), 1), np.float32)])
        out = np.zeros(len(people))
        for block in _blocks(len(codes), len(people)):
            out += (padded[:, own[block]] * padded[:, other[block]]) @ counts[block]
        return out

    return totals


@dataclass(frozen=True)
class Question:
    """One figure that is asked of a system, for all items and for groups of them.

    Attributes:
        name: as in ``Measure``.
        items: what is counted; a hit is a value above the threshold.
        groups: (n,) bool masks by name.
        impostors: where the threshold comes from, or None for the fixed ``HIT``.
        target: share of the impostors that may be accepted; used with ``impostors``.
        strata: (n,) int64 stratum of each item whose share of the whole is kept fixed in every draw, or None.
    """

    name: str
    items: Items
    groups: Mapping[str, NDArray[np.bool_]]
    impostors: Impostors | None = None
    target: float = 1.0
    strata: NDArray[np.int64] | None = None

    @cached_property
    def people_of(self) -> dict[str, int]:
        """Number of people in each group."""
        return {name: len(np.unique(self.items.first[mask])) for name, mask in self.groups.items()}

    def check(self) -> str | None:
        """A remark on weak measurement or None; raises NotMeasurable where there are too few impostors."""
        return None if self.impostors is None else reliability_note(self.target, self.impostors.total)

    def shares(self, people: Weights) -> dict[str, NDArray[np.float64]]:
        """(B,) share of hits by group for (B, P) weights; NaN where a draw has nothing to count."""
        thresholds = self._thresholds(people)
        parts = _parts(self.groups, self.strata)
        masks = np.stack([mask for _, mask, _ in parts], axis=1).astype(np.float32)
        hits, weights = np.zeros((2, len(people), len(parts)))
        for block in _blocks(len(people), len(self.items)):
            weight = self.items.weights(people[block])
            weights[block] = weight @ masks
            hits[block] = (weight * (self.items.values > thresholds[block, None])) @ masks
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(np.isnan(thresholds)[:, None], np.nan, hits / weights)
        out = {name: np.zeros(len(people)) for name in self.groups}
        for column, (name, _, fraction) in enumerate(parts):
            out[name] += fraction * share[:, column]
        return out

    def _thresholds(self, people: Weights) -> NDArray[np.float64]:
        if self.impostors is None:
            return np.full(len(people), HIT)
        return self.impostors.thresholds(people, self.target)


def _parts(
    groups: Mapping[str, NDArray[np.bool_]], strata: NDArray[np.int64] | None
) -> list[tuple[str, NDArray[np.bool_], float]]:
    """(group, mask, fraction of the group) for each group and stratum that has items."""
    if strata is None:
        return [(name, mask, 1.0) for name, mask in groups.items()]
    return [
        (name, mask & (strata == s), float(np.mean(strata[mask] == s)))
        for name, mask in groups.items()
        for s in np.unique(strata[mask])
    ]


def _blocks(count: int, width: int) -> Iterator[slice]:
    step = max(1, _BLOCK // max(1, width))
    return (slice(start, start + step) for start in range(0, count, step))
