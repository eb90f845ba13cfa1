"""How good a face is, from its pixels alone: the size in px at which a sharp face would be as hard to recognise."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from wildstyle.errors import SettingError

SMALLEST, LARGEST = 8.0, 128.0
"""Range of effective sizes in px; an aligned face has 112."""

UNKNOWN_SIZE = 1e6
"""Given as the size of a face whose size before alignment nobody knows."""

_WIDTHS = (16, 24, 48, 48)


class QualityNetwork(nn.Module):
    """Effective size of faces.

    Attributes:
        middle, spread: median and scaled median deviation of log2 of the effective size over the faces it was taught
            on, so that others can tell what is a good face here.

    Small on purpose (some 12 million multiplications for a picture of 112 px): it runs beside the recogniser for every
    face. The first filters are 5x5, because sharpness lies in differences of near pixels.
    """

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = _WIDTHS
        self.features = nn.Sequential(
            nn.Conv2d(3, a, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(a, b, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(b, c, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(c, d, 3, stride=1, padding=1),
            nn.ReLU(),
        )
        self.reading = nn.Linear(d, 1)
        self.middle: Tensor
        self.spread: Tensor
        self.register_buffer("middle", torch.tensor(math.log2(48.0)))
        self.register_buffer("spread", torch.tensor(0.5))
        nn.init.zeros_(self.reading.weight)
        nn.init.constant_(self.reading.bias, math.log2(48.0))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W), normalised as the recogniser's contract says, to log2 of the effective size in px, (N, 1)."""
        found: Tensor = self.reading(torch.mean(self.features(images), (2, 3)))
        return torch.clamp(found, math.log2(SMALLEST), math.log2(LARGEST))


class QualityGate(nn.Module):
    """Weight of the adapted branch: a clipped ramp of the effective size.

    ``w = clip((log2 upper - q) / (log2 upper - log2 lower), 0, 1)``: 0 above the upper knee, 1 below the lower one.
    Where the size before alignment is known the smaller of both counts: a face can't be better than its pixels.

    Args:
        quality: pixels to log2 of the effective size.
        lower, upper: knees in px, 0 < ``lower`` < ``upper``.

    Raises:
        SettingError: knees that make no falling ramp.
    """

    def __init__(self, quality: nn.Module, lower: float, upper: float) -> None:
        super().__init__()
        if not 0 < lower < upper:
            raise SettingError(f"knees of {lower:g} and {upper:g} px: the lower one must be above 0, below the upper")
        self.quality = quality
        self.lower, self.upper = float(lower), float(upper)

    def forward(self, images: Tensor, sizes: Tensor | None = None) -> Tensor:
        """Weights (N, 1) in [0, 1].

        Args:
            images: (N, 3, H, W), normalised.
            sizes: (N, 1) smaller side in px of each face before alignment, ``UNKNOWN_SIZE`` where nobody knows;
                None: known of no face.
        """
        found = self.quality(images)
        if sizes is not None:
            found = torch.minimum(found, torch.log(sizes.clamp_min(1.0)) * (1.0 / math.log(2.0)))
        return self.ramp(found)

    def ramp(self, quality: Tensor) -> Tensor:
        """Weights of log2 effective sizes, same shape."""
        high, low = math.log2(self.upper), math.log2(self.lower)
        return ((high - quality) * (1.0 / (high - low))).clamp(0.0, 1.0)


def describe_gate(gate: nn.Module) -> dict[str, Any] | None:
    """What a gate is made of, or None where it could not be built again."""
    if type(gate) is QualityGate and type(gate.quality) is QualityNetwork:
        return {"lower": gate.lower, "upper": gate.upper}
    return None


def gate_from(description: dict[str, Any]) -> QualityGate:
    """The gate of a description, with arbitrary weights."""
    return QualityGate(QualityNetwork(), float(description["lower"]), float(description["upper"]))
