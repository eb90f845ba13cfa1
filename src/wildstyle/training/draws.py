"""Which items make up step k: a pure function of k, so that read-ahead, resume and processes agree."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from wildstyle.errors import SettingError
from wildstyle.randomness import epoch_order


@dataclass(frozen=True, slots=True)
class Draw:
    """One item of a batch: which pass over the data, and which item."""

    epoch: int
    index: int


@dataclass(frozen=True, slots=True)
class Draws:
    """Walks shuffled epochs one after another; every item comes once an epoch, none is dropped.

    Call it with a step to get that step's draws for this process: a contiguous share of the global batch,
    so that the processes together see exactly what one process would.

    Attributes:
        count: items in the data, >= 1.
        batch: items of a global step (all processes together), a multiple of ``world``.
        seed: seed of the order.
        rank: this process, in [0, world).
        world: number of processes.
    """

    count: int
    batch: int
    seed: int
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise SettingError("there is nothing to draw from", remedy="give a source with at least one usable face")
        if self.batch < 1 or self.batch % self.world:
            raise SettingError(
                f"a batch of {self.batch} can't be shared by {self.world} processes",
                remedy=f"use a multiple of {self.world}",
            )

    def __call__(self, step: int) -> list[Draw]:
        """Draws of 0-based ``step`` for this process, ``batch / world`` of them."""
        return [self._at(position) for position in positions(step, self.batch, self.rank, self.world)]

    def _at(self, position: int) -> Draw:
        epoch, place = divmod(position, self.count)
        return Draw(epoch, int(_order(self.seed, epoch, self.count)[place]))


def positions(step: int, batch: int, rank: int, world: int) -> range:
    """Places in the endless row of draws that make up a process's share of 0-based ``step``."""
    share = batch // world
    first = step * batch + rank * share
    return range(first, first + share)


@lru_cache(maxsize=8)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    return epoch_order(seed, epoch, count)


def processes() -> tuple[int, int]:
    """(rank, world) as ``torchrun`` and ``accelerate launch`` set them; (0, 1) without them."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
