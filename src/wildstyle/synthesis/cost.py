"""Multiply-accumulates of a forward pass, counted while it runs."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_macs(run: Callable[[], object]) -> int:
    """Multiply-accumulates of all convolutions and matrix products inside ``run()``.

    Elementwise work is not counted.
    """
    with FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops()) // 2


def count_parameters(module: nn.Module) -> int:
    """Trainable values of a module."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
