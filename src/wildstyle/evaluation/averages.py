"""A figure that is the mean of several: open-set search over two galleries, each with a threshold of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from wildstyle.evaluation.bootstrap import Weights
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.shares import Question


@dataclass(frozen=True)
class MeanQuestion(Question):
    """The plain mean of the same figure in several parts, under the same drawn people.

    Attributes:
        parts: questions with one group, ``all``; each keeps its own impostors.
    """

    parts: tuple[Question, ...] = ()

    @classmethod
    def of(cls, name: str, parts: Sequence[Question]) -> Self:
        """The mean of ``parts`` under a name of its own."""
        items = Items(*(np.concatenate([getattr(q.items, column) for q in parts]) for column in ("values", "first")))
        return cls(name, items, {"all": np.ones(len(items), bool)}, parts=tuple(parts))

    def check(self) -> str | None:
        """The remarks of all parts; raises NotMeasurable where one of them can't be measured."""
        notes = [note for part in self.parts if (note := part.check())]
        return "; ".join(dict.fromkeys(notes)) or None

    def operating_point(self) -> None:
        """None: each part has its own."""
        return None

    def shares(self, people: Weights, thresholds: NDArray[np.float64] | None = None) -> dict[str, NDArray[np.float64]]:
        """(B,) mean of the parts' shares; NaN where a draw leaves one of them nothing to count."""
        return {"all": np.mean([part.shares(people)["all"] for part in self.parts], axis=0)}
