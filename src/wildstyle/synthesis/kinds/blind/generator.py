"""Blind degradation behind the interface of a generator: ranges taken from recipes, nothing learned.

"compound": blur, resizing, noise and JPEG as in Real-ESRGAN (Wang et al., ICCVW 2021, arXiv 2107.10833) and FANVID,
with kernels scaled to small faces, and photometric change. "adaface": crop in place, low resolution and photometric
change with the ranges of AdaFace (Kim et al., CVPR 2022, arXiv 2204.00964).

At full magnitude each coordinate of a code is about standard normal, so that its distribution function is uniform: a
step is applied for half of the codes, with a strength drawn evenly from the recipe's range. Smaller magnitudes shrink
all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor

from wildstyle.errors import InputError
from wildstyle.synthesis.blocks import BLOCK_SIZES
from wildstyle.synthesis.camera import CameraStrengths
from wildstyle.synthesis.chance import draw_chance
from wildstyle.synthesis.interface import StyleGenerator, check_images
from wildstyle.synthesis.optics import Optics, take_picture

RECIPES: dict[str, tuple[str, ...]] = {
    "compound": (
        "blur / motion across",
        "few pixels / few pixels, stepped",
        "noise / noise in the light",
        "fine blocks / coarse blocks",
        "bright / dark",
        "contrast",
        "saturation",
    ),
    "adaface": (
        "crop / crop",
        "few pixels / few pixels, stepped",
        "bright / dark",
        "contrast",
        "saturation",
    ),
}
"""Recipe to the names of its axes."""

MAX_MAGNITUDE = 6.0


class BlindGenerator(StyleGenerator):
    """A recipe of degradations steered by a code.

    Args:
        recipe: one of ``RECIPES``.

    Raises:
        InputError: there is no such recipe.
    """

    kind = "blind"

    def __init__(self, recipe: str = "compound") -> None:
        super().__init__()
        if recipe not in RECIPES:
            raise InputError(f"there is no recipe {recipe!r}", remedy=f"known are {', '.join(RECIPES)}")
        self.recipe = recipe

    @property
    def axes(self) -> int:
        """K, the number of steps of the recipe."""
        return len(RECIPES[self.recipe])

    @property
    def axis_names(self) -> tuple[str, ...]:
        """The step at either end of each axis."""
        return RECIPES[self.recipe]

    @property
    def max_magnitude(self) -> float:
        """Where the recipe's own ranges are reached."""
        return MAX_MAGNITUDE

    def describe(self) -> dict[str, Any]:
        """The recipe."""
        return {"recipe": self.recipe}

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Self:
        """The same recipe."""
        return cls(description["recipe"])

    def encode(self, images: Tensor) -> Tensor:
        """Nothing is kept, (N, 0).

        Raises:
            InputError: images are not (N, 3, S, S) with S a multiple of 4.
        """
        check_images(images)
        return images.new_zeros(len(images), 0)

    def decode(
        self, images: Tensor, content: Tensor, code: Tensor, seed: Tensor, *, target: str | None = None
    ) -> Tensor:
        """The images after the recipe; ``target`` is not used.

        Raises:
            InputError: codes are not (N, K).
        """
        check_images(images)
        if code.shape != (len(images), self.axes):
            raise InputError(f"codes are {tuple(code.shape)}, expected ({len(images)}, {self.axes})")
        share = torch.erf(code * (self.axes**0.5 / MAX_MAGNITUDE) / 2.0**0.5)
        plus, minus = share.clamp_min(0.0), (-share).clamp_min(0.0)
        step = {name: (plus[:, k], minus[:, k], share[:, k]) for k, name in enumerate(RECIPES[self.recipe])}
        made = take_picture(images, *_strengths(step, code.new_zeros(len(code))), draw_chance(seed, images))
        if "crop / crop" in step:
            kept = crop_mask(step["crop / crop"][0] + step["crop / crop"][1], seed, images.shape[-1])
            made = images + (made - images) * kept - images * (1.0 - kept)
        return made


def _strengths(step: Mapping[str, tuple[Tensor, Tensor, Tensor]], none: Tensor) -> tuple[Optics, CameraStrengths]:
    def of(name: str) -> tuple[Tensor, Tensor, Tensor]:
        return step.get(name, (none, none, none))

    blur, motion, _ = of("blur / motion across")
    few, stepped, _ = of("few pixels / few pixels, stepped")
    grain, light_grain, _ = of("noise / noise in the light")
    fine, coarse, _ = of("fine blocks / coarse blocks")
    bright, contrast, saturation = (of(name)[2] for name in ("bright / dark", "contrast", "saturation"))
    optics = Optics(
        focus=2.0 * blur,
        motion=torch.stack([none, 6.0 * motion], dim=1),
        # Sides down to a fifth, drawn evenly.
        shrink=1.0 / (1.0 - 0.8 * (few + stepped)),
        rough=(stepped / (few + stepped).clamp_min(1e-6)).detach(),
    )
    noise = 25.0 / 255.0 * (grain + light_grain)
    slope = light_grain / (grain + light_grain).clamp_min(1e-6)
    strengths = CameraStrengths(
        blur=torch.stack([none, none], dim=1),
        colour_blur=none.unsqueeze(1),
        tone=torch.stack([none, none], dim=1),
        # Factors 0.5 to 1.5 about mid grey.
        colour=torch.diag_embed(0.5 * torch.stack([contrast, saturation, saturation], dim=1)),
        shift=torch.stack([0.25 * bright, none, none], dim=1),
        noise=torch.stack([noise, 0.3 * noise, 0.3 * noise], dim=1),
        noise_shape=torch.stack([0.9 * slope, none], dim=1),
        # About JPEG 30 at the end, whose middle steps are a third of the range.
        block=0.35 * torch.stack([fine, coarse], dim=1)[:, : len(BLOCK_SIZES)],
    )
    return optics, strengths


def crop_mask(strength: Tensor, seed: Tensor, size: int) -> Tensor:
    """Where a crop in place lies, (N, 1, S, S) in [0, 1]: its area falls from 1 to 0.2 with strength (N,) in [0, 1).

    Position and shape are drawn from the seeds; edges are a pixel wide, so that it can be differentiated.
    """
    place = torch.arange(size, dtype=strength.dtype, device=strength.device)
    drawn = torch.stack([_three(one) for one in seed.tolist()]).to(strength)
    ratio = torch.exp((drawn[:, 2] - 0.5) * 0.57 * (strength > 0))  # sides 3:4 to 4:3
    side = (1.0 - 0.8 * strength).sqrt()
    lengths = torch.stack([(side * ratio.sqrt()).clamp(max=1.0), (side / ratio.sqrt()).clamp(max=1.0)], dim=1) * size
    starts = drawn[:, :2] * (size - lengths)
    inside = []
    for axis in range(2):
        low, high = starts[:, axis, None], (starts + lengths)[:, axis, None]
        inside.append(((place[None] + 1.0 - low).clamp(0, 1)) * ((high - place[None]).clamp(0, 1)))
    return (inside[0][:, :, None] * inside[1][:, None, :]).unsqueeze(1)


def _three(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed ^ 0x5EED)
    return torch.rand(3, generator=generator)
