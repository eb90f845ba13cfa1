"""Shares under weighted people: one formula for the figure itself and for every bootstrap draw.

Each figure is a share of *items* (probes or comparisons) whose value lies above a threshold. The figure has all
weights one; a draw has whole-number weights. A threshold that depends on impostor scores is chosen anew in every
draw, from the same draw's impostors, by the strict rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import NotMeasurable
from wildstyle.evaluation.bootstrap import Weights
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.rates import just_above, reliability_note
from wildstyle.evaluation.thresholds import plain_thresholds, thresholds_under, total_weight

HIT = 0.5
"""Fixed threshold for values that are 1 for a hit and 0 for a miss."""

_BLOCK = 4_000_000  # elements of a (draws, items) block: 16 MB in float32
_ROUNDING = 1e-9
_KEPT_SHARE = 0.7  # of the kept scores may be needed: draws need more than the figure itself


Totals = Callable[[Weights], NDArray[np.float64]]
"""(B,) total weight of all impostor scores for (B, P) weights of people."""


@dataclass(frozen=True)
class Impostors:
    """Impostor scores, prepared for strict thresholds under weights.

    Attributes:
        scores: in any order; all of them, or the highest where there are very many.
        total: number of all scores.
        totals: their total weight in each draw.
    """

    scores: Items
    total: int
    totals: Totals

    def limits(self, targets: Sequence[float]) -> NDArray[np.float64]:
        """(T,) highest scores that must be rejected, every person counting once."""
        whole = [int(target * self.total * (1 + _ROUNDING)) for target in targets]
        found = plain_thresholds(self.scores, whole)
        return np.where(np.isneginf(found) & (len(self.scores) < self.total), np.nan, found)

    def rate_above(self, limit: float) -> float:
        """Share of all impostor scores above ``limit``; NaN where there are none or so low ones were not kept."""
        if not self.total or (len(self.scores) < self.total and limit < self.scores.values.min(initial=np.inf)):
            return float("nan")
        return int(np.count_nonzero(self.scores.values > np.float32(limit))) / self.total

    @classmethod
    def of(cls, items: Items) -> Impostors:
        """All impostor scores, each of one person or of two."""
        return cls(items, len(items), _listed_totals(items))

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

        return cls(top, total, totals)

    def thresholds(self, people: Weights, targets: Sequence[float]) -> NDArray[np.float64]:
        """Highest impostor score that must be rejected, for each target and draw; accept *above* it.

        Args:
            people: (B, P) weights.
            targets: T shares of the impostor weight that may lie above.

        Returns:
            (T, B) float64; minus infinity where all may be accepted, NaN where a draw holds no impostors or needs
            lower scores than were kept.
        """
        if len(people) == 1 and bool((people == 1).all()) and self.total:
            return self.limits(targets)[:, None]
        totals = self.totals(people)
        allowed = np.multiply.outer(np.asarray(targets, np.float64) * (1 + _ROUNDING), totals)
        found = thresholds_under(self.scores, people, allowed, [target * self.total for target in targets])
        if len(self.scores) < self.total:
            found[np.isneginf(found)] = np.nan
        return found


def _listed_totals(items: Items) -> Totals:
    def totals(people: Weights) -> NDArray[np.float64]:
        return total_weight(items, people)

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
        at: a hit lies above this, where there are no impostors to choose a threshold by.
        misses: count what is no hit instead: FNMR for TAR.
        strata: (n,) int64 stratum of each item whose share of the whole is kept fixed in every draw, or None.
    """

    name: str
    items: Items
    groups: Mapping[str, NDArray[np.bool_]]
    impostors: Impostors | None = None
    target: float = 1.0
    strata: NDArray[np.int64] | None = None
    at: float = HIT
    misses: bool = False

    @cached_property
    def people_of(self) -> dict[str, int]:
        """Number of people in each group."""
        return {name: len(np.unique(self.items.first[mask])) for name, mask in self.groups.items()}

    def counted(self) -> tuple[NDArray[np.int64], NDArray[np.int64] | None] | None:
        """People of what is counted, equal in two systems that can be compared; None where it may differ."""
        return self.items.first, self.items.second

    def count(self, group: str) -> int:
        """Comparisons or probes in a group."""
        return int(self.groups[group].sum())

    def remark_on(self, group: str) -> str | None:
        """What must be known of one group, or None."""
        return None

    def check(self) -> str | None:
        """A remark on weak measurement or None; raises NotMeasurable where there are too few impostors."""
        if self.impostors is None:
            return None
        kept, total = len(self.impostors.scores), self.impostors.total
        if kept < total and self.target * total > _KEPT_SHARE * kept:
            raise NotMeasurable(
                f"a rate of {self.target:g} needs {int(self.target * total):,} impostor scores, the {kept:,} highest"
                " were kept",
                remedy="ask for a smaller rate",
            )
        return reliability_note(self.target, total)

    def shares(self, people: Weights, thresholds: NDArray[np.float64] | None = None) -> dict[str, NDArray[np.float64]]:
        """(B,) share of hits by group for (B, P) weights; NaN where a draw has nothing to count.

        Args:
            people: (B, P) weights.
            thresholds: (B,) from ``Impostors.thresholds`` where they are known already.
        """
        if thresholds is None:
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
        return {name: 1.0 - share for name, share in out.items()} if self.misses else out

    def operating_point(self) -> tuple[float | None, float, int] | None:
        """Threshold from which on is accepted, rate reached and number of impostor scores; None without impostors."""
        if self.impostors is None:
            return None
        limit = float(self.impostors.limits([self.target])[0])
        if np.isnan(limit):
            return None
        threshold = just_above(limit) if np.isfinite(limit) else None
        return threshold, self.impostors.rate_above(limit), self.impostors.total

    def _thresholds(self, people: Weights) -> NDArray[np.float64]:
        if self.impostors is None:
            return np.full(len(people), self.at)
        found: NDArray[np.float64] = self.impostors.thresholds(people, [self.target])[0]
        return found


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
