"""A differentiable camera whose parameters are the style axes.

Direction d of a code (uniform on the sphere, scaled to unit variance) gives parameters p = m + S d: a distribution with
mean m and deviations S, a symmetric positive matrix, so that each axis stays as near as can be to the parameter it
is named for while parameters may still go together. The magnitude opens the shutter: at 0 the picture is untouched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from wildstyle.errors import InputError
from wildstyle.synthesis.blocks import BLOCK_SIZES
from wildstyle.synthesis.camera import CameraStrengths, to_ycc
from wildstyle.synthesis.chance import draw_chance
from wildstyle.synthesis.codes import magnitude_of
from wildstyle.synthesis.interface import StyleGenerator, check_images
from wildstyle.synthesis.optics import MOST_SHRINK, Optics, take_picture

AXES = (
    "few pixels",
    "blur",
    "motion across / down",
    "bright / dark",
    "contrast",
    "saturation",
    "warm / cool",
    "noise",
    "colour noise",
    "blocks",
)
MAX_MAGNITUDE = 6.0


class CameraGenerator(StyleGenerator):
    """Lens, motion, few pixels, tone, colour, noise and compression, with a fitted distribution of strengths.

    It costs next to nothing, its axes have names, and it can't invent a face; it can't leave its family either.
    """

    kind = "camera"

    def __init__(self) -> None:
        super().__init__()
        count = len(AXES)
        self.mean = nn.Parameter(torch.zeros(count))
        # S = exp of a symmetric matrix.
        self.free = nn.Parameter(-0.3 * torch.eye(count))
        self.noise_slope = nn.Parameter(torch.zeros(()))
        self.grid = nn.Parameter(torch.zeros(len(BLOCK_SIZES)))
        last = nn.Linear(24, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.response = nn.Sequential(nn.Linear(count + 3, 24), nn.SiLU(), last)

    @property
    def axes(self) -> int:
        """K = 10, one a parameter."""
        return len(AXES)

    @property
    def axis_names(self) -> tuple[str, ...]:
        """The parameter that each axis moves."""
        return AXES

    @property
    def max_magnitude(self) -> float:
        """End of the range of magnitudes that is trained."""
        return MAX_MAGNITUDE

    def describe(self) -> dict[str, Any]:
        """Nothing: there is one size."""
        return {}

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Self:
        """A fresh camera."""
        return cls()

    def deviations(self) -> Tensor:
        """S, (K, K), symmetric and positive."""
        spread: Tensor = torch.linalg.matrix_exp(0.5 * (self.free + self.free.T))
        return spread

    def encode(self, images: Tensor) -> Tensor:
        """Brightness, contrast and detail, (N, 3): some pictures lose a face sooner than others.

        Raises:
            InputError: images are not (N, 3, S, S) with S a multiple of 4.
        """
        check_images(images)
        luma = to_ycc(images)[:, 0]
        detail = luma.diff(dim=2).abs().mean((1, 2)) + luma.diff(dim=1).abs().mean((1, 2))
        return torch.stack([luma.mean((1, 2)), 4.0 * luma.std((1, 2)), 20.0 * detail], dim=1)

    def decode(
        self, images: Tensor, content: Tensor, code: Tensor, seed: Tensor, *, target: str | None = None
    ) -> Tensor:
        """The images as this camera shows them; there is one target only, ``target`` is not used.

        Raises:
            InputError: codes are not (N, 10).
        """
        check_images(images)
        if code.shape != (len(images), self.axes):
            raise InputError(f"codes are {tuple(code.shape)}, expected ({len(images)}, {self.axes})")
        return take_picture(images, *self.strengths(content, code), draw_chance(seed, images))

    def strengths(self, content: Tensor, code: Tensor) -> tuple[Optics, CameraStrengths]:
        """What the camera does for content (N, 3) and codes (N, 10)."""
        length = magnitude_of(code)
        level = (length / MAX_MAGNITUDE).unsqueeze(1)
        direction = code / length.clamp_min(1e-6).unsqueeze(1) * self.axes**0.5
        raw = self.mean + direction @ self.deviations()
        gate = 3.0 * level / (1.0 + 2.0 * level)
        gate = gate * torch.exp(0.7 * torch.tanh(self.response(torch.cat([direction, content], dim=1))))
        return self._physical(raw, gate[:, 0])

    def _physical(self, raw: Tensor, gate: Tensor) -> tuple[Optics, CameraStrengths]:
        few, blur, motion, light, contrast, saturation, tint, noise, speckle, blocks = raw.unbind(1)
        shrink = torch.exp((1.4 * gate * torch.sigmoid(few)).clamp(max=float(torch.tensor(MOST_SHRINK).log())))
        moved = 6.0 * gate * functional.softsign(motion)
        none = torch.zeros_like(gate)
        optics = Optics(
            focus=2.5 * gate * torch.sigmoid(blur - 1.0),
            motion=torch.stack([functional.relu(-moved), functional.relu(moved)], dim=1),
            shrink=shrink,
            rough=none,
        )
        # Both ways: softsign, as a tanh pushed to its end early would not come back.
        both = torch.tanh(gate)
        colour = both * 0.7 * functional.softsign(saturation)
        warm = both * 0.08 * functional.softsign(tint)
        lifted = 0.4 * both * functional.softsign(light)
        level = 0.15 * gate * torch.sigmoid(noise - 4.0)
        blotch = 0.15 * gate * torch.sigmoid(speckle - 4.0)
        strengths = CameraStrengths(
            blur=torch.stack([none, none], dim=1),
            colour_blur=none.unsqueeze(1),
            tone=torch.stack([both * functional.softsign(light), both * functional.softsign(contrast)], dim=1),
            colour=torch.diag_embed(torch.stack([both * 0.5 * functional.softsign(contrast), colour, colour], dim=1)),
            shift=torch.stack([lifted, -warm, warm], dim=1),
            noise=torch.stack([level, blotch, blotch], dim=1),
            # Noise arises at the sensor's few pixels and is enlarged with the picture.
            noise_shape=torch.stack([torch.tanh(self.noise_slope).expand_as(gate), 0.4 * (shrink - 1.0)], dim=1),
            block=2.0 * (gate * torch.sigmoid(blocks - 4.0)).unsqueeze(1) * torch.softmax(self.grid, dim=0),
        )
        return optics, strengths
