"""One recogniser made of two: untouched and adapted weights, mixed face by face."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wildstyle.recognisers.recogniser import unit


class BranchedNetwork(nn.Module):
    """Mixes the unit embeddings of two networks by a weight computed from the picture.

    The embedding is ``unit((1 - w) * unit(untouched(x)) + w * unit(adapted(x)))`` with w in [0, 1]
    for each face, so that w = 0 gives exactly the untouched direction.

    Args:
        untouched, adapted: normalised NCHW to raw embeddings (N, D), both of one D.
        gate: normalised NCHW to the weight of the adapted branch, (N, 1) in [0, 1].
    """

    def __init__(self, untouched: nn.Module, adapted: nn.Module, gate: nn.Module) -> None:
        super().__init__()
        self.untouched = untouched
        self.adapted = adapted
        self.gate = gate

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalised to unit embeddings (N, D)."""
        weight: Tensor = self.gate(images).clamp(0.0, 1.0)
        old, new = unit(self.untouched(images)), unit(self.adapted(images))
        return unit(torch.lerp(old, new, weight))
