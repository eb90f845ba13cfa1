"""What a likeness says, in words, and whether an independent distance agrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import rankdata

from wildstyle.synthesis.likeness_draws import AxisDifference, Halves, PairLikeness

State = Literal["alike", "unsettled", "differs"]

SLIGHT, STRONG = 0.9, 2.0 / 3.0
"""Similarities above which a difference is slight (under half a deviation), and below which it is strong (over one)."""

_TOLD = 3
_SHIFT, _RATIO = 0.2, 1.25  # what is smaller is not told as a reason
FEWEST_PAIRS = 4


@dataclass(frozen=True, slots=True)
class AxisWords:
    """What the two ends of an axis do, "" where unknown."""

    plus: str = ""
    minus: str = ""

    def towards(self, shift: float) -> str:
        """The end that a shift goes to."""
        return self.plus if shift > 0 else self.minus


@dataclass(frozen=True, slots=True)
class Verdict:
    """One pair in words.

    Attributes:
        state: "alike": within what halves of one set differ by; "differs": beyond that for sure; "unsettled": beyond
            it, but the interval reaches back.
        text: one line.
    """

    state: State
    text: str


def verdict_of(
    pair: PairLikeness, names: tuple[str, str], halves: tuple[Halves, Halves], words: Sequence[AxisWords]
) -> Verdict:
    """Judge the second set against the first.

    The pair is measured with the halves of whichever set differs more within itself: a set of a few films can't show
    that another is unlike it by less than its own films are unlike each other.

    Args:
        pair: of ``pair_likeness``.
        names: of both sets.
        halves: of both sets.
        words: for each axis.
    """
    wider = 0 if halves[0].low <= halves[1].low else 1
    low = halves[wider].low
    if pair.similarity >= low:
        return Verdict("alike", f"alike: within what two halves of {names[wider]} differ by")
    reasons = "; ".join(_reasons(pair.axes, words)) or "no single axis stands out"
    if pair.ends[1] >= low:
        return Verdict("unsettled", f"perhaps different, but the interval reaches what halves reach: {reasons}")
    amount = "slightly" if pair.similarity >= SLIGHT else "strongly" if pair.similarity < STRONG else "clearly"
    return Verdict("differs", f"differs {amount}: {reasons}")


def _reasons(axes: Sequence[AxisDifference], words: Sequence[AxisWords]) -> list[str]:
    """Axes that surely lie elsewhere, by size; where there is none, those that surely vary more or less."""
    moved = [axis for axis in axes if abs(axis.shift) >= _SHIFT and not axis.shift_ends[0] <= 0 <= axis.shift_ends[1]]
    if moved:
        return [f"{_named(axis, words, axis.shift)} by {abs(axis.shift):.1f} sd" for axis in moved[:_TOLD]]
    spread = [axis for axis in axes if _varies(axis)]
    spread.sort(key=lambda axis: -abs(float(np.log(max(axis.ratio, 1e-9)))))
    return [f"axis {axis.axis} varies {axis.ratio:.1f} times as much" for axis in spread[:_TOLD]]


def _varies(axis: AxisDifference) -> bool:
    large = axis.ratio >= _RATIO or axis.ratio <= 1 / _RATIO
    return large and not axis.ratio_ends[0] <= 1 <= axis.ratio_ends[1]


def _named(axis: AxisDifference, words: Sequence[AxisWords], shift: float) -> str:
    told = words[axis.axis - 1].towards(shift) if axis.axis <= len(words) else ""
    sign = "+" if shift > 0 else "−"
    return f"{sign}axis {axis.axis} ({told})" if told else f"{sign}axis {axis.axis}"


def rank_agreement(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rank correlation in [-1, 1], ties share a rank; None for under four pairs or constants."""
    if len(first) != len(second) or len(first) < FEWEST_PAIRS:
        return None
    ranks = [rankdata(values) for values in (first, second)]
    if any(np.ptp(one) == 0 for one in ranks):
        return None
    return float(np.corrcoef(*ranks)[0, 1])
