"""Tells synthesised inner faces from the target's, at two scales.

No instance normalisation: it would take out contrast and colour, which are style. Spectral normalisation
(arXiv 1802.05957) keeps it smooth instead. Each scale has a map of several cells at its end, so no scale is dead.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm


class Discriminator(nn.Module):
    """Inner faces (N, 3, 64, 64) to one score a face and scale, (N, 2); higher is more target-like.

    Args:
        width: channels of the first layer.
    """

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.fine = _patch_critic(width)
        self.coarse = _patch_critic(width)

    def forward(self, faces: Tensor) -> Tensor:
        """Scores (N, 2) of inner faces in [0, 1], sides a multiple of 4 and at least 16."""
        half = functional.avg_pool2d(faces, 2)
        scores = [self.fine(_with_detail(faces)).mean(dim=(2, 3)), self.coarse(_with_detail(half)).mean(dim=(2, 3))]
        return torch.cat(scores, dim=1)


def _with_detail(faces: Tensor) -> Tensor:
    """Faces beside their own fine detail, enlarged: (N, 6, H, W). A smooth critic would not see it otherwise."""
    coarse = functional.interpolate(
        functional.avg_pool2d(faces, 2), scale_factor=2, mode="bilinear", align_corners=False
    )
    return torch.cat([2.0 * faces - 1.0, 8.0 * (faces - coarse)], dim=1)


def _patch_critic(width: int) -> nn.Sequential:
    def layer(inputs: int, outputs: int, stride: int) -> nn.Module:
        return spectral_norm(nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1))

    return nn.Sequential(
        nn.PixelUnshuffle(2),
        layer(24, width, 1),
        nn.LeakyReLU(0.2),
        layer(width, 2 * width, 2),
        nn.LeakyReLU(0.2),
        layer(2 * width, 2 * width, 2),
        nn.LeakyReLU(0.2),
        layer(2 * width, 1, 1),
    )
