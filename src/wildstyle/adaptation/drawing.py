"""Other orders of faces than one after the other: several a person, and two sources at a fixed ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import LabelError, SettingError
from wildstyle.randomness import epoch_order, item_rng
from wildstyle.training import Draw
from wildstyle.training.draws import positions


class Order(Protocol):
    """Says which faces make up a step: a pure function of the step, the same for any number of processes.

    Attributes:
        batch: faces of a global step.
        seed: of the order.
        rank, world: which process this is, of how many.
    """

    @property
    def batch(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def rank(self) -> int: ...
    @property
    def world(self) -> int: ...
    def __call__(self, step: int) -> list[Draw]:
        """This process's share of 0-based ``step``, ``batch / world`` draws."""


@dataclass(frozen=True)
class PeopleDraws:
    """Batches of several faces of each of some people, for losses that compare a person's faces.

    People come in shuffled rounds of whole batches; each shows ``each`` faces, none again before all have been shown (a
    person of fewer faces repeats them).

    Attributes:
        labels: (N,) int64, -1 where the person is unknown: such faces never come.
        batch: faces of a global step, a multiple of ``each`` and of ``world``.
        each: faces of a person, >= 2.
        seed, rank, world: as for ``Draws``.

    Raises:
        LabelError: fewer people than a batch holds.
        SettingError: a batch that can't be divided.
    """

    labels: NDArray[np.int64]
    batch: int
    each: int
    seed: int
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if self.each < 2 or self.batch % self.each or self.batch % self.world:
            raise SettingError(
                f"a batch of {self.batch} can't hold {self.each} faces of each person for {self.world} processes",
                remedy=f"use a multiple of {self.each} and of {self.world}",
            )
        if len(self._people) < max(2, self.batch // self.each):
            raise LabelError(
                f"a batch of {self.batch} faces, {self.each} a person, needs {self.batch // self.each} people, and"
                f" {len(self._people)} have faces",
                remedy="use a smaller batch, or clean faces of more people",
            )

    @cached_property
    def _people(self) -> list[NDArray[np.int64]]:
        """Faces of each person."""
        known = np.flatnonzero(self.labels >= 0)
        order = known[np.argsort(self.labels[known], kind="stable")]
        return np.split(order, np.flatnonzero(np.diff(self.labels[order])) + 1) if len(order) else []

    def __call__(self, step: int) -> list[Draw]:
        """Draws of 0-based ``step`` for this process."""
        return [self._at(position) for position in positions(step, self.batch, self.rank, self.world)]

    def _at(self, position: int) -> Draw:
        turn, inside = divmod(position, self.each)
        # Whole batches only, so that no batch holds a person twice; who is left out of a round comes in the next.
        held = self.batch // self.each
        epoch, place = divmod(turn, len(self._people) // held * held)
        person = int(epoch_order(self.seed, epoch, len(self._people))[place])
        faces = self._people[person]
        # The person's faces in a shuffled row that is walked through from round to round.
        round_, at = divmod(epoch * self.each + inside, len(faces))
        row = item_rng(self.seed, "faces of a person", person, round_).permutation(len(faces))
        return Draw(epoch, int(faces[row[at]]))


@dataclass(frozen=True)
class MixedDraws:
    """Two orders at once: of each batch the second's faces are spread evenly among the first's.

    Attributes:
        first, second: orders of one process each, over their own faces.
        offset: what is added to the second's indices: where its faces begin in the joined source.
        rank, world: as for ``Draws``.
    """

    first: Order
    second: Order
    offset: int
    rank: int = 0
    world: int = 1

    @property
    def batch(self) -> int:
        """Faces of a global step."""
        return self.first.batch + self.second.batch

    @property
    def seed(self) -> int:
        """Of the order."""
        return self.first.seed

    def __call__(self, step: int) -> list[Draw]:
        """Draws of 0-based ``step`` for this process."""
        ours, theirs = self.first(step), self.second(step)
        mixed = _spread(ours, [Draw(draw.epoch, draw.index + self.offset) for draw in theirs])
        share = self.batch // self.world
        return mixed[self.rank * share : (self.rank + 1) * share]


def _spread(many: Sequence[Draw], few: Sequence[Draw]) -> list[Draw]:
    """Both, the second at even distances."""
    total = len(many) + len(few)
    one, other, mixed = iter(many), iter(few), []
    for slot in range(total):
        comes = (slot + 1) * len(few) // total > slot * len(few) // total
        mixed.append(next(other) if comes else next(one))
    return mixed
