"""Reads a step's losses without making an accelerator wait, and stops at the first that is not finite."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from wildstyle.errors import Diverged


class Vitals:
    """Holds the newest step's values; on an accelerator they are read one step late.

    Args:
        task: name of the task, for messages.
        lag: keep values of the newest step unread until the next one (for accelerators).
    """

    def __init__(self, task: str, *, lag: bool) -> None:
        self._task = task
        self._lag = lag
        self._pending: tuple[int, tuple[str, ...], Tensor] | None = None
        self.values: dict[str, float] = {}

    def take(self, step: int, values: Mapping[str, float | Tensor]) -> None:
        """Accept the values of 0-based ``step``.

        Raises:
            Diverged: a value of this step, or with lag of the one before, is NaN or infinite.
        """
        self.settle()
        self._pending = (step, tuple(values), _stack(list(values.values())))
        if not self._lag:
            self.settle()

    def settle(self) -> None:
        """Read and check what is pending, so that ``values`` belongs to the newest step.

        Raises:
            Diverged: as in ``take``.
        """
        if self._pending is None:
            return
        step, names, stacked = self._pending
        self._pending = None
        self.values = dict(zip(names, stacked.tolist(), strict=True))
        for name, value in self.values.items():
            if not math.isfinite(value):
                raise Diverged(
                    f"{name} of task {self._task!r} became {value} at step {step + 1}",
                    remedy="lower the learning rate, or use fp32 if this ran in fp16; "
                    "the last checkpoint was written before it happened",
                )


def _stack(values: list[float | Tensor]) -> Tensor:
    """One vector on the device of the first tensor, so that reading it costs one transfer."""
    device = next((v.device for v in values if isinstance(v, Tensor)), torch.device("cpu"))
    kind = torch.float32 if device.type != "cpu" else torch.float64
    scalars = [
        v.detach().to(kind).reshape(()) if isinstance(v, Tensor) else torch.tensor(v, dtype=kind, device=device)
        for v in values
    ]
    return torch.stack(scalars) if scalars else torch.zeros(0)
