"""Do different style codes make different pictures? Measured face by face on a finished generator."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wildstyle.randomness import item_rng
from wildstyle.synthesis.codes import sample_codes, sample_seeds
from wildstyle.synthesis.control import synthesise
from wildstyle.synthesis.interface import StyleGenerator
from wildstyle.synthesis.statistics import style_statistics
from wildstyle.synthesis.window import picture_mask

COLLAPSED = 0.12
"""Spread below which styles count as one: healthy fits reached 0.18 to 0.50, collapsed ones 0.07 to 0.09."""


@dataclass(frozen=True, slots=True)
class Collapse:
    """How much the styles of one face differ.

    Attributes:
        spread: deviation of style statistics over codes of one magnitude, on one and the same face with one noise, as
            a share of the footage's deviation over its faces; median over the statistics, mean over faces.
        alike: share of faces whose own spread is below 12 %.
        faces: how many were looked at.
    """

    spread: float
    alike: float
    faces: int

    def as_record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def measure_collapse(
    generator: StyleGenerator, images: Tensor, footage: Tensor, *, faces: int = 16, codes: int = 24, seed: int = 0
) -> Collapse:
    """Measure whether the directions of a fitted generator make different pictures.

    Args:
        generator: fitted, on the CPU.
        images: (N, 3, S, S) clean faces in [0, 1].
        footage: (M, 3, S, S) target faces, M >= 2.
        faces: clean faces used at most.
        codes: directions tried on each, all at three quarters of the range, >= 2.
        seed: of directions and noise.
    """
    rng = item_rng(seed, "collapse")
    images = images[:faces]
    with torch.no_grad():
        real = torch.cat([style_statistics(part) for part in torch.split(footage, 64)])
    unit = real.double().std(dim=0).clamp_min(1e-3)
    direction = sample_codes(rng, codes, generator.axes, 1.0, zero_share=0.0)
    length = np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-6)
    code = (direction / length * 0.75 * generator.max_magnitude).astype(np.float32)
    noise = sample_seeds(rng, len(images))
    shares = [_spread_of(generator, face, code, int(one)) for face, one in zip(images, noise, strict=True)]
    each = (torch.stack(shares) / unit).median(dim=1).values
    return Collapse(float(each.mean()), float((each < COLLAPSED).double().mean()), len(images))


def _spread_of(generator: StyleGenerator, face: Tensor, code: NDArray[np.float32], noise: int) -> Tensor:
    """(F,) deviation of one face's style statistics over codes."""
    same = face[None].expand(len(code), -1, -1, -1).contiguous()
    made = synthesise(generator, same, code, np.full(len(code), noise, np.int64))
    return style_statistics(made, picture_mask(same)).double().std(dim=0)
