"""How well scores of one person are told from scores of two: d', under drawn people.

d' is the difference of the mean mated and impostor scores over their pooled standard deviation (Green and Swets
1966). Unlike an accuracy near 100 % or a rate at a strict threshold it moves with every score, so that a few hundred
faces show causes that move those figures too little to be seen. Draws are of people, as everywhere here; two systems
meet the same draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.evaluation import Bootstrap
from wildstyle.evaluation.listed import listed_scores
from wildstyle.evaluation.outcome import Vectors

DRAWS = 400
FMR = 1e-2


@dataclass(frozen=True)
class Comparisons:
    """P comparisons of faces of people.

    Attributes:
        first, second: (P,) int64 faces.
        mated: (P,) bool.
        people: (N,) int64 person of each face, from 0.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    mated: NDArray[np.bool_]
    people: NDArray[np.int64]

    @property
    def count(self) -> int:
        """Number of people."""
        return int(self.people.max()) + 1

    def among(self, ok: NDArray[np.bool_]) -> Comparisons:
        """Only comparisons of two faces that are ``ok`` (N,)."""
        kept = ok[self.first] & ok[self.second]
        return Comparisons(self.first[kept], self.second[kept], self.mated[kept], self.people)

    def scores(self, vectors: Vectors) -> NDArray[np.float64]:
        """(P,) cosines of unit vectors (N, D)."""
        return listed_scores(vectors, self.first, self.second).astype(np.float64)

    def separations(self, scores: NDArray[np.float64], draws: NDArray[np.float64]) -> NDArray[np.float64]:
        """(B,) d' of ``scores`` (P,) under (B, people) weights.

        Sums of each pair of people are taken once; a draw weighs a pair by the product of its people, and a person's
        own comparisons by the person alone.
        """
        moments = [_moments(self, scores, draws, of) for of in (self.mated, ~self.mated)]
        (mean, spread), (other, others) = moments
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((mean - other) / np.sqrt(np.maximum((spread + others) / 2, 1e-12)))

    def hits(self, scores: NDArray[np.float64], fmr: float = FMR) -> float:
        """Share of the mated scores above the strict threshold at ``fmr``; NaN where too few impostors are there."""
        impostors, mated = scores[~self.mated], scores[self.mated]
        allowed = int(fmr * len(impostors) * (1 + 1e-9))
        if not len(mated) or allowed < 1:
            return float("nan")
        place = len(impostors) - 1 - allowed
        return float((mated > np.partition(impostors, place)[place]).mean())


def _moments(
    comparisons: Comparisons, scores: NDArray[np.float64], draws: NDArray[np.float64], of: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of some scores in each draw."""
    count = comparisons.count
    first, second = comparisons.people[comparisons.first[of]], comparisons.people[comparisons.second[of]]
    sums = []
    for values in (np.ones(len(first)), scores[of], scores[of] ** 2):
        table = np.bincount(first * count + second, values, count * count).reshape(count, count)
        single = np.einsum("bp,p->b", draws, np.diag(table))
        np.fill_diagonal(table, 0)
        sums.append(single + np.einsum("bp,bp->b", draws @ table, draws))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums[1] / sums[0]
        return mean, np.maximum(sums[2] / sums[0] - mean**2, 0)


def draws_of(people: int, seed: int) -> NDArray[np.float64]:
    """(1 + B, people) weights: everybody once, then the draws."""
    drawn = Bootstrap(draws=DRAWS, seed=seed).weights(people)
    return np.vstack([np.ones((1, people)), drawn]).astype(np.float64)


@dataclass(frozen=True)
class Gain:
    """How much one change raises d'.

    Attributes:
        before, after: d'.
        gain: their difference.
        low, high: 95 % interval of it.
        sure: lower end that holds for all changes tried together with this one (one-sided, 95 %).
    """

    before: float
    after: float
    gain: float
    low: float
    high: float
    sure: float

    @property
    def share(self) -> float:
        """Gain as a share of what was there."""
        return self.gain / max(abs(self.before), 1e-6)


def gains(before: NDArray[np.float64], after: Sequence[NDArray[np.float64]]) -> list[Gain]:
    """Gains of several changes over one state, each (1 + B,) with the point first.

    The best of many changes looks good by chance. ``sure`` allows for it: the quantile of the largest standardised
    deviation among all changes in the draws ("max-t", Romano and Wolf 2005) instead of that of one.
    """
    differences = np.stack([values - before for values in after])
    points, drawn = differences[:, 0], differences[:, 1:]
    drawn = drawn[:, np.isfinite(drawn).all(axis=0)]  # a draw of few people may hold no mated comparison
    if not drawn.shape[1]:
        drawn = points[:, None] + np.array([-np.inf, np.inf])
    with np.errstate(invalid="ignore"):
        spread = np.maximum(np.nan_to_num(drawn.std(axis=1), nan=np.inf), 1e-9)
        largest = np.nan_to_num((drawn - points[:, None]) / spread[:, None]).max(axis=0)
    factor = max(1.645, float(np.quantile(largest, 0.95)))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=1, method="nearest")
    return [
        Gain(float(before[0]), float(values[0]), float(p), float(a), float(b), float(p - factor * s))
        for values, p, a, b, s in zip(after, points, low, high, spread, strict=True)
    ]
