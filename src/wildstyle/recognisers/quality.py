"""How good a face is, from its pixels alone: the size in px at which a sharp face would be as hard to recognise."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from wildstyle.errors import SettingError
from wildstyle.recognisers.contract import RecogniserContract

SMALLEST, LARGEST = 8.0, 128.0
"""Range of effective sizes in px; an aligned face has 112."""

SIZE_SHARE = 0.5
"""What a known size counts beside the quality that is read from the pixels."""

UNKNOWN_SIZE = 1e6
"""Given as the size of a face whose size before alignment nobody knows."""

FARTHEST = 4.0
"""Standard deviations; features of pictures unlike all that were seen count no more than this."""

_FILTER, _SCALES = 5, 3
_FEATURES = _SCALES * 2 * (_FILTER * _FILTER - 1) + 6
_LEAST = 1e-3  # mean response below which nothing is told apart: a quarter of a grey level


class QualityNetwork(nn.Module):
    """Effective size of faces, read from how strong each spatial frequency is.

    Nothing in it is trained by descent. The inner part of the face goes, in grey, through the cosine filters of 5x5 px
    at three scales; logarithms of the mean and of the mean square of each response, and brightness, contrast and colour
    cast, are the features; a quadratic form without cross terms, found by ridge regression, reads the size from them.
    Sharpness, noise and blocks differ in which frequencies they change, and in how peaked the responses are.
    Some 2 million multiplications for a picture of 112 px: it runs beside the recogniser for every face.

    Attributes:
        middle, spread: median and scaled median deviation of log2 of the effective size over the faces it was taught
            on, so that others can tell what is a good face here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.plain = nn.Conv2d(3, 3, 1)
        self.bands = nn.Conv2d(1, _FILTER * _FILTER - 1, _FILTER, stride=2, bias=False)
        self.shrink = nn.Conv2d(1, 1, 2, stride=2, bias=False)
        self.reading = nn.Linear(2 * _FEATURES, 1)
        self.shift: Tensor
        self.gain: Tensor
        self.middle: Tensor
        self.spread: Tensor
        self.register_buffer("shift", torch.zeros(_FEATURES))
        self.register_buffer("gain", torch.ones(_FEATURES))
        self.register_buffer("middle", torch.tensor(math.log2(48.0)))
        self.register_buffer("spread", torch.tensor(0.5))
        with torch.no_grad():
            self.plain.weight.copy_(_GREY_AND_CASTS[:, :, None, None])
            nn.init.zeros_(self.plain.bias)  # type: ignore[arg-type]
            self.bands.weight.copy_(cosine_filters(_FILTER)[1:, None])
            nn.init.constant_(self.shrink.weight, 0.25)
            nn.init.zeros_(self.reading.weight)
            nn.init.constant_(self.reading.bias, math.log2(48.0))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W), normalised as the recogniser's contract says, to log2 of the effective size in px, (N, 1)."""
        known = torch.clamp((self.features(images) - self.shift) * self.gain, -FARTHEST, FARTHEST)
        found: Tensor = self.reading(torch.cat([known, known * known], 1))
        return torch.clamp(found, math.log2(SMALLEST), math.log2(LARGEST))

    def features(self, images: Tensor) -> Tensor:
        """(N, 3, H, W), normalised, to (N, F): what the size is read from."""
        inner = self.plain(images[:, :, 16:-8, 16:-16])
        grey, casts = inner[:, :1], inner[:, 1:]
        brightness, cast = torch.mean(grey, (2, 3)), torch.mean(casts, (2, 3))
        contrast = torch.mean(torch.abs(grey - torch.mean(grey, (2, 3), True)), (2, 3))
        found = [
            brightness,
            cast,
            torch.log(contrast + _LEAST),
            torch.log(torch.mean(torch.abs(casts), (2, 3)) + _LEAST),
        ]
        for scale in range(_SCALES):
            grey = grey if scale == 0 else self.shrink(grey)
            response = self.bands(grey)
            found.append(torch.log(torch.mean(torch.abs(response), (2, 3)) + _LEAST))
            found.append(torch.log(torch.mean(response * response, (2, 3)) + _LEAST**2))
        return torch.cat(found, 1)

    @torch.no_grad()
    def read_pictures_of(self, contract: RecogniserContract) -> None:
        """Undo what a contract does to pictures, so that the features are those of the picture in [0, 1]."""
        corners = torch.cat([torch.zeros(1, 3), torch.eye(3)])[:, :, None, None]
        shown = contract.normalise(corners)[:, :, 0, 0].double()
        back = torch.linalg.inv((shown[1:] - shown[0]).T)
        weight = _GREY_AND_CASTS.double() @ back
        self.plain.weight.copy_(weight[:, :, None, None])
        assert self.plain.bias is not None
        self.plain.bias.copy_(-weight @ shown[0])


_GREY_AND_CASTS = torch.tensor([[0.299, 0.587, 0.114], [0.701, -0.587, -0.114], [-0.299, -0.587, 0.886]])
"""Grey, red less grey, blue less grey (ITU-R BT.601)."""


def cosine_filters(side: int) -> Tensor:
    """All filters of the orthonormal cosine transform (DCT-II) in the plane, (side^2, side, side); the mean first."""
    places = torch.arange(side)
    rows = torch.cos(math.pi * (places[None] + 0.5) * places[:, None] / side) * math.sqrt(2 / side)
    rows[0] /= math.sqrt(2)
    return torch.einsum("ay,bx->abyx", rows, rows).reshape(side * side, side, side)


class QualityGate(nn.Module):
    """Weight of the adapted branch: a clipped ramp of the effective size.

    ``w = clip((log2 upper - q) / (log2 upper - log2 lower), 0, 1)``: 0 above the upper knee, 1 below the lower one.
    Where the size before alignment is known, the mean of both logarithms counts: pixels that were never there can't be
    seen in an enlarged picture, and blur can't be told from the size.

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
            known = (UNKNOWN_SIZE - sizes).clamp(0.0, 1.0)
            side = torch.log(sizes.clamp(1.0, LARGEST)) * (1.0 / math.log(2.0))
            found = found + known * (side - found) * SIZE_SHARE
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
