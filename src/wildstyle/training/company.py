"""The processes that do one run together: those ``torchrun`` started, or this one alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from wildstyle.training.device import choose_device
from wildstyle.training.draws import processes

_PATIENCE = timedelta(hours=24)
"""The others wait while the first measures; a group's usual half hour is too short for that."""


@dataclass(frozen=True, slots=True)
class Company:
    """This process among its fellows.

    Attributes:
        rank: this process, in [0, world).
        world: number of processes.
    """

    rank: int = 0
    world: int = 1

    @classmethod
    def join(cls, device: str = "auto") -> Company:
        """Join the group that ``torchrun`` describes in the environment, or be alone."""
        rank, world = processes()
        if world > 1:
            from accelerate import PartialState

            PartialState(cpu=choose_device(device).device.type == "cpu", timeout=_PATIENCE)
        return cls(rank, world)

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.rank == 0

    def wait(self) -> None:
        """Return when every process has come here."""
        if self.world > 1:
            from accelerate import PartialState

            PartialState().wait_for_everyone()

    @contextmanager
    def first_goes_ahead(self) -> Iterator[None]:
        """The first process runs the block, then the others do, and find what it left."""
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()
