"""How sure a likeness is: halves of one set for what chance does, drawing groups again for intervals.

Frames of one film are alike, so what is drawn are whole groups. Few faces make every distance too large; that excess
is estimated from the same draws and taken off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import NotMeasurable
from wildstyle.randomness import item_rng
from wildstyle.synthesis.likeness import (
    Codes,
    Numbers,
    StyleGaussian,
    axis_differences,
    checked,
    shrinkage_of,
    shrunk,
    similarity_from,
    squared_distance,
    style_gaussian,
)

FEWEST_GROUPS = 6
"""Groups below which faces are drawn one by one instead: 6 have ten splits into halves, fewer say nothing."""

_ENDS = (2.5, 97.5)


@dataclass(frozen=True)
class CodedSet:
    """A set as groups of style codes.

    Attributes:
        name: of the set.
        codes: (N, K).
        groups: (N,) number of each face's group, 0 to G - 1.
        counts: (G,) faces of each group.
        shrinkage: of the whole set's covariance; kept in all draws, so that draws are like the set.
        whole: Gaussian of all codes.
    """

    name: str
    codes: Numbers
    groups: NDArray[np.int64]
    counts: Numbers
    shrinkage: float
    whole: StyleGaussian

    @classmethod
    def of(cls, name: str, codes: Codes, owners: Sequence[str | None] | None = None) -> CodedSet:
        """Group codes (N, K) by owner, N >= 4; a face without one is a group of its own, as are all if groups are few.

        Raises:
            NotMeasurable: fewer than four codes, or one that is not finite.
        """
        values = checked(codes)
        if len(values) < 4:
            raise NotMeasurable(f"{len(values)} style codes are too few to compare", where=name)
        named = [
            f"face {i}" if owner is None else f"of {owner}" for i, owner in enumerate(owners or [None] * len(values))
        ]
        groups = np.unique(named, return_inverse=True)[1].astype(np.int64)
        if groups.max() + 1 < FEWEST_GROUPS:
            groups = np.arange(len(values))
        share = shrinkage_of(values)
        counts = np.bincount(groups).astype(np.float64)
        return cls(name, values, groups, counts, share, style_gaussian(values, share))

    def drawn(self, weights: Numbers) -> StyleGaussian:
        """Gaussians of draws: group g counts ``weights[b, g]`` times in draw b; (B, G) gives (B, K) and (B, K, K)."""
        # About the set's mean, so that squares don't cancel.
        centred = self.codes - self.whole.mean
        groups, axes = len(self.counts), centred.shape[1]
        sums, squares = np.zeros((groups, axes)), np.zeros((groups, axes, axes))
        np.add.at(sums, self.groups, centred)
        np.add.at(squares, self.groups, centred[:, :, None] * centred[:, None, :])
        faces = (weights @ self.counts)[:, None]
        mean = weights @ sums / faces
        second = (weights @ squares.reshape(groups, -1)).reshape(-1, axes, axes) / faces[..., None]
        covariance = (second - mean[:, :, None] * mean[:, None, :]) * (faces / np.maximum(faces - 1, 1))[..., None]
        return StyleGaussian(mean + self.whole.mean, shrunk(covariance, self.shrinkage))


@dataclass(frozen=True, slots=True)
class Halves:
    """What two random halves of one set reach.

    Attributes:
        low: similarity that 95 % of the splits reach.
        median: that half of them reach.
        excess: mean squared distance of two halves: what chance alone makes of no difference.
        splits: how many were drawn.
    """

    low: float
    median: float
    excess: float
    splits: int


def halves_of(one: CodedSet, *, splits: int = 300, seed: int = 0) -> Halves:
    """Split a set into random halves, groups kept whole, and hold them against each other.

    The mean distance of the splits is taken off each, as a pair's excess is, so that both kinds of figures compare.
    Halves have half the faces each and differ more by chance than two whole sets do: a test against them errs on
    the side of "alike".
    """
    rng = item_rng(seed, "halves", one.name)
    groups = len(one.counts)
    places = np.argsort(rng.random((splits, groups)), axis=1)
    left = (places < groups // 2).astype(np.float64)
    # A half needs two faces for a covariance; groups of one face, four of them, give that.
    first, second = one.drawn(left), one.drawn(1.0 - left)
    distance = squared_distance(first, second)
    excess = float(distance.mean())
    reached = similarity_from(distance - excess, first.spread + second.spread)
    low, median = np.percentile(reached, (5.0, 50.0))
    return Halves(float(low), float(median), excess, splits)


@dataclass(frozen=True)
class AxisDifference:
    """One axis of a pair, second set against first; all with 95 % intervals.

    Attributes:
        axis: number from 1.
        shift: how much further the second set lies, in pooled standard deviations.
        shift_ends: its interval.
        ratio: how many times as much the second set varies.
        ratio_ends: its interval.
    """

    axis: int
    shift: float
    shift_ends: tuple[float, float]
    ratio: float
    ratio_ends: tuple[float, float]


@dataclass(frozen=True)
class PairLikeness:
    """Two sets against each other.

    Attributes:
        similarity: in [0, 1], corrected for the excess.
        ends: its 95 % interval.
        distance: squared distance, corrected, >= 0.
        plain: the same uncorrected.
        axes: differences of all axes, largest shift first.
    """

    similarity: float
    ends: tuple[float, float]
    distance: float
    plain: float
    axes: tuple[AxisDifference, ...]


def draws_of(one: CodedSet, *, draws: int = 400, seed: int = 0) -> StyleGaussian:
    """Gaussians of ``draws`` bootstrap draws of a set's groups.

    G - 1 of G groups are drawn with replacement, not G: then the variance of a mean over draws is the unbiased one
    (Rao & Wu, JASA 1988), which matters where films are few.
    """
    groups = len(one.counts)
    rng = item_rng(seed, "likeness", one.name)
    weights = rng.multinomial(groups - 1, np.full(groups, 1.0 / groups), size=draws).astype(np.float64)
    return one.drawn(weights)


def pair_likeness(first: CodedSet, second: CodedSet, draws: tuple[StyleGaussian, StyleGaussian]) -> PairLikeness:
    """Similarity of two sets with its interval, and the differences of their axes.

    A draw is to its set as the set is to its camera. So the mean distance of draws less the sets' distance is the
    excess that few faces cause, a draw bears it twice, and taking it off once (draws: twice) centres the figures.

    Args:
        first, second: the sets.
        draws: of ``draws_of`` for either set, equally many.
    """
    plain = float(squared_distance(first.whole, second.whole))
    drawn = squared_distance(*draws)
    excess = max(float(drawn.mean()) - plain, 0.0)
    distance = max(plain - excess, 0.0)
    reached = similarity_from(drawn - 2.0 * excess, draws[0].spread + draws[1].spread)
    point = float(similarity_from(distance, first.whole.spread + second.whole.spread))
    low, high = np.percentile(reached, _ENDS)
    # The interval is of draws, which may lean to one side near 1; it always holds the figure.
    ends = (min(float(low), point), max(float(high), point))
    return PairLikeness(point, ends, distance, plain, _axes(first, second, draws))


def _axes(first: CodedSet, second: CodedSet, draws: tuple[StyleGaussian, StyleGaussian]) -> tuple[AxisDifference, ...]:
    shift, ratio = axis_differences(first.whole, second.whole)
    shifts, ratios = (np.percentile(values, _ENDS, axis=0) for values in axis_differences(*draws))
    found = [
        AxisDifference(
            k + 1,
            float(shift[k]),
            (float(shifts[0, k]), float(shifts[1, k])),
            float(ratio[k]),
            (float(ratios[0, k]), float(ratios[1, k])),
        )
        for k in range(len(shift))
    ]
    return tuple(sorted(found, key=lambda one: -abs(one.shift)))
