"""What is counted: scores or hits, each belonging to one person or to two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.evaluation.bootstrap import Weights


@dataclass(frozen=True)
class Items:
    """Things that are counted, each belonging to one person or to two.

    Attributes:
        values: (n,) float32, higher is better; minus infinity for what failed.
        first: (n,) int64, index of the person.
        second: (n,) int64 index of the other person, -1 where there is none; or None where no item has one.
        rows: (n,) int64, the probe or pair each came from, where that is known.
    """

    values: NDArray[np.float32]
    first: NDArray[np.int64]
    second: NDArray[np.int64] | None = None
    rows: NDArray[np.int64] | None = None

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
        second, rows = (None if column is None else column[order] for column in (self.second, self.rows))
        return Items(self.values[order], self.first[order], second, rows)

    def highest(self, count: int) -> Items:
        """The ``count`` highest items and all that equal the last of them, by falling value."""
        if count < len(self):
            place = len(self) - count
            chosen = np.flatnonzero(self.values >= np.partition(self.values, place)[place])
        else:
            chosen = np.arange(len(self))
        return self.take(chosen[np.argsort(-self.values[chosen], kind="stable")])
