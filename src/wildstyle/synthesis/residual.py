"""Narrow encoder and decoder of the learned change that no camera model explains.

The decoder is modulated by the style as in AdaIN (Huang & Belongie, ICCV 2017); enlarging is by 3x3 filters and
depth-to-space, the exact and cheaper form of nearest enlargement followed by a 5x5 filter.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


class ContentEncoder(nn.Module):
    """Images (N, 3, S, S) to content (N, width, S/4, S/4). No normalisation: contrast and colour are content too."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(48, width, 3, padding=1)
        self.first = _Block(width)
        self.second = _Block(width)

    def forward(self, images: Tensor) -> Tensor:
        """Content (N, width, S/4, S/4) of images in [0, 1]."""
        folded = functional.pixel_unshuffle(images - 0.5, 4)
        content: Tensor = self.second(self.first(functional.relu(self.enter(folded))))
        return content


class _Block(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.second(functional.relu(self.first(x)))
        return x + added


class _Modulated(nn.Module):
    """Convolution, instance normalisation, gain and shift from the style, ReLU."""

    def __init__(self, inputs: int, outputs: int, style: int) -> None:
        super().__init__()
        # No bias: the normalisation would take it out again.
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.modulation = nn.Linear(style, 2 * outputs)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        x = functional.instance_norm(self.convolution(x))
        gain, shift = self.modulation(style).unsqueeze(2).unsqueeze(3).chunk(2, dim=1)
        return functional.relu(x * (1.0 + gain) + shift)


class ResidualDecoder(nn.Module):
    """Content and style to a bounded change (N, 3, S, S): luma within 0.25, colour differences within 0.05."""

    def __init__(self, width: int, style: int) -> None:
        super().__init__()
        self.enter = _Modulated(width + 1, width, style)
        self.body = _Modulated(width, width, style)
        self.enlarge = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.fine = _Modulated(width // 2, width // 2, style)
        self.leave = nn.Conv2d(width // 2, 3, 3, padding=1)
        self.reach: Tensor
        self.register_buffer("reach", torch.tensor([0.25, 0.05, 0.05]).view(1, 3, 1, 1), persistent=False)
        # Begin with hardly any change: the camera should explain what it can.
        nn.init.normal_(self.leave.weight, std=0.01)
        nn.init.zeros_(cast(Tensor, self.leave.bias))

    def forward(self, content: Tensor, style: Tensor, texture: Tensor) -> Tensor:
        """Change (N, 3, S, S) from content, hidden style (N, style) and noise (N, 1, S/4, S/4)."""
        x = self.enter(torch.cat([content, texture], dim=1), style)
        x = content + self.body(x, style)
        x = self.fine(functional.pixel_shuffle(self.enlarge(x), 2), style)
        # Half resolution is enough, and can't carry the fine patterns that fool a recogniser.
        change = torch.tanh(self.leave(x)) * self.reach
        return functional.interpolate(change, scale_factor=2, mode="bilinear", align_corners=False)
