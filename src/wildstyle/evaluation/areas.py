"""The area under a curve of hits against false alarms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.evaluation.bootstrap import Weights
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.shares import Question

_BLOCK = 4_000_000  # weights held at a time: 32 MB
_NOBODY = Items(np.zeros(0, np.float32), np.zeros(0, np.int64))


@dataclass(frozen=True)
class AreaQuestion(Question):
    """Area under the share of hits against the share of ``others`` above the same threshold, straight between points.

    It is the share of (item, other) in which the item lies higher, equal values counting half. What is minus infinity
    is no hit at any threshold and adds nothing.

    Attributes:
        others: impostor scores, or the highest score of each non-mated probe; all of them.
    """

    others: Items = _NOBODY

    def shares(self, people: Weights, thresholds: NDArray[np.float64] | None = None) -> dict[str, NDArray[np.float64]]:
        """(B,) area by group for (B, P) weights; NaN where a draw has no items or no others."""
        rising = self.others.take(np.argsort(self.others.values, kind="stable"))
        below, upto = (np.searchsorted(rising.values, self.items.values, side=side) for side in ("left", "right"))
        upto[np.isneginf(self.items.values)] = 0
        masks = np.stack(list(self.groups.values()), axis=1).astype(np.float64)
        out = np.zeros((len(people), len(self.groups)))
        step = max(1, _BLOCK // max(1, len(self.items) + len(rising)))
        for start in range(0, len(people), step):
            block = slice(start, start + step)
            lower = np.zeros((len(people[block]), len(rising) + 1))
            np.cumsum(rising.weights(people[block]), axis=1, out=lower[:, 1:], dtype=np.float64)
            weight = self.items.weights(people[block]).astype(np.float64)
            passed = weight * (lower[:, below] + lower[:, upto]) / 2
            with np.errstate(invalid="ignore", divide="ignore"):
                out[block] = (passed @ masks) / (weight @ masks) / lower[:, -1:]
        return {name: out[:, column] for column, name in enumerate(self.groups)}
