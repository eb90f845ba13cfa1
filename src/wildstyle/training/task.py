"""What the loop asks of a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from accelerate import Accelerator
from torch import Tensor

Batch = TypeVar("Batch", contravariant=True)


class Task(Protocol[Batch]):
    """Something that can be trained step by step.

    A step is a function of the task's state, the batch and (step, total) alone; the loop seeds torch's
    generators anew for each step, so dropout and the like need no care.

    Attributes:
        name: short name, part of log lines and error messages; a checkpoint of another name is refused.
    """

    name: str

    def attach(self, accelerator: Accelerator) -> None:
        """Move modules to ``accelerator.device`` and pass modules and optimisers through ``accelerator.prepare``.

        Called once, before anything is loaded.
        """

    def step(self, batch: Batch, step: int, total: int) -> Mapping[str, float | Tensor]:
        """Do one whole step: forward, ``accelerator.backward``, optimiser step, learning rate from (step, total).

        Args:
            batch: this process's share, tensors already on the device.
            step: 0-based number of this step.
            total: number of steps of the whole run.

        Returns:
            Losses and diagnostics: detached one-element tensors, or floats. A NaN or infinity stops the run.
        """

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on: weights (unwrapped), optimiser states, averages.

        Only tensors, numbers, text, None, and dicts and lists of them.
        """

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""
