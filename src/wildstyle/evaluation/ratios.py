"""Figures that are a sum over a sum: mean precisions, boxes found in clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from wildstyle.evaluation.bootstrap import Weights
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.shares import Question

_BLOCK = 4_000_000  # weights held at a time: 16 MB


@dataclass(frozen=True)
class RatioQuestion(Question):
    """Weighted sum of numerators over weighted sum of denominators.

    Attributes:
        denominators: (n,) float64 >= 0; the numerators are the items' values.
    """

    denominators: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def mean(cls, name: str, items: Items, groups: Mapping[str, NDArray[np.bool_]]) -> Self:
        """The plain mean of the items' values."""
        return cls(name, items, groups, denominators=np.ones(len(items)))

    def shares(self, people: Weights, thresholds: NDArray[np.float64] | None = None) -> dict[str, NDArray[np.float64]]:
        """(B,) ratio by group for (B, P) weights; NaN where a draw has nothing to count."""
        masks = np.stack(list(self.groups.values()), axis=1).astype(np.float64)
        above, below = np.zeros((2, len(people), len(self.groups)))
        step = max(1, _BLOCK // max(1, len(self.items)))
        for start in range(0, len(people), step):
            block = slice(start, start + step)
            weight = self.items.weights(people[block]).astype(np.float64)
            above[block] = weight @ (masks * self.items.values[:, None])
            below[block] = weight @ (masks * self.denominators[:, None])
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = above / below
        return {name: ratio[:, column] for column, name in enumerate(self.groups)}
