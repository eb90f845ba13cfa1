"""Intervals by drawing people again.

Faces of one person are alike, so the number of independent trials is the number of people, not of pairs (Efron
1979 on the bootstrap; ISO/IEC 19795-1 on clustered trials). A draw takes as many people as there are, with
replacement, and keeps all their comparisons: it is a vector of whole-number weights, one a person. A comparison
of two people weighs the product of both weights ("pigeonhole bootstrap", Owen 2007: not too narrow in the long
run, somewhat too wide where pairs share no people).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import SettingError
from wildstyle.randomness import item_rng

Weights = NDArray[np.float32]
"""(B, P) float32: how often each of P people is in each of B draws."""

FEW_PEOPLE = 10
_TAILS = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How intervals are drawn.

    Attributes:
        draws: number of draws, at least 100; 1000 settles the ends to about a tenth of the interval.
        seed: names the draws; the same seed and number of people give the same draws for every system.
    """

    draws: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.draws < 100:
            raise SettingError(f"an interval needs at least 100 draws, not {self.draws}")
        if self.seed < 0:
            raise SettingError(f"a seed is 0 or more, not {self.seed}")

    @property
    def rule(self) -> str:
        """The rule in words, for a result's ``rules``."""
        return f"95 %, percentile bootstrap over people, {self.draws} draws, seed {self.seed}"

    def weights(self, people: int) -> Weights:
        """Draws for ``people`` people, (B, P) float32; each row sums to P."""
        rng = item_rng(self.seed, "people", people)
        return rng.multinomial(people, np.full(people, 1 / people), size=self.draws).astype(np.float32)


def percentile_interval(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """Middle 95 % of the draws, (B,); None where most draws can't tell (NaN)."""
    told = values[np.isfinite(values)]
    if len(told) * 2 < len(values) or not len(told):
        return None
    low, high = np.percentile(told, _TAILS)
    return float(low), float(high)
