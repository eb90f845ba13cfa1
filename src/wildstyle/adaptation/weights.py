"""Weights as values: digests and averages."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor


def digest(state: Mapping[str, Tensor]) -> str:
    """32 hex digits over names, shapes and bits of tensors, the order of names not counted."""
    found = hashlib.blake2b(digest_size=16)
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        found.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


class WeightAverage:
    """Exponential moving average of a state dict's floating-point tensors; others are taken as they are.

    Args:
        state: where it starts.
        decay: share of the old average kept per update, in (0, 1).
    """

    def __init__(self, state: Mapping[str, Tensor], decay: float) -> None:
        self.decay = decay
        self.state = {name: tensor.detach().clone() for name, tensor in state.items()}

    @torch.no_grad()
    def update(self, state: Mapping[str, Tensor], done: int) -> None:
        """Move towards ``state`` after ``done`` >= 1 updates; early on the decay is smaller, to forget the start."""
        decay = min(self.decay, done / (done + 9))
        for name, tensor in state.items():
            if tensor.is_floating_point():
                self.state[name].lerp_(tensor.detach(), 1.0 - decay)
            else:
                self.state[name].copy_(tensor)
