"""The accelerator of one run, and agreement between its processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast_object_list

from wildstyle.randomness import item_rng
from wildstyle.training.device import Choice, choose_device
from wildstyle.training.plan import LoopPlan

T = TypeVar("T")


def start_accelerator(plan: LoopPlan) -> tuple[Accelerator, Choice]:
    """An accelerator for ``plan``; several runs of one process may differ in precision.

    Raises:
        SettingError: the wanted device is not there.
    """
    choice = choose_device(plan.device)
    # accelerate keeps the first precision of a process for ever; the process group behind it stays.
    AcceleratorState._reset_state()
    accelerator = Accelerator(
        cpu=choice.device.type == "cpu",
        mixed_precision="no" if plan.precision == "fp32" else plan.precision,
    )
    return accelerator, choice


def agreed(accelerator: Accelerator, value: T) -> T:
    """The first process's ``value``, in every process."""
    if accelerator.num_processes == 1:
        return value
    return broadcast_object_list([value], from_process=0)[0]  # type: ignore[no-any-return]


def any_process(accelerator: Accelerator, flag: bool) -> bool:
    """Whether ``flag`` is set in at least one process."""
    if accelerator.num_processes == 1:
        return flag
    total = accelerator.reduce(torch.tensor(float(flag), device=accelerator.device), reduction="sum")
    return bool(total.item() > 0)


@contextmanager
def own_torch_randomness(device: torch.device) -> Iterator[None]:
    """Leave torch's global generators as they were found."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield


def seed_step(seed: int, step: int, rank: int) -> None:
    """Seed torch's generators for one step, so that a resumed run draws what an uninterrupted one does."""
    torch.manual_seed(int(item_rng(seed, "step", step, rank).integers(2**62)))
