"""Random numbers of a head: new ones each training step, the same after a resume, on any device."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wildstyle.errors import SettingError
from wildstyle.randomness import item_rng


class Draws(nn.Module):
    """Uniform numbers that depend on a seed and on how many training steps have drawn.

    Args:
        purpose: what they are for; other purposes draw other numbers.
        seed: >= 0.

    Attributes:
        step: int64 scalar, kept in the state dict; counts in training mode only.

    Raises:
        SettingError: the seed is negative.
    """

    step: Tensor

    def __init__(self, purpose: str, seed: int) -> None:
        super().__init__()
        if seed < 0:
            raise SettingError(f"the seed of a head is {seed}, it must not be negative")
        self.purpose, self.seed = purpose, seed
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def forward(self, shape: tuple[int, ...], stream: int = 0) -> Tensor:
        """Numbers in [0, 1) of a shape, float32, on the CPU.

        Args:
            shape: their shape.
            stream: >= 0; processes that shall draw apart give other ones.
        """
        seed = int(item_rng(self.seed, self.purpose, int(self.step), stream).integers(2**62))
        if self.training:
            self.step += 1
        return torch.rand(shape, generator=torch.Generator().manual_seed(seed))
