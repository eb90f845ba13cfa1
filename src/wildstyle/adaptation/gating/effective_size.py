"""What a cosine is worth in px: how far shrinking alone moves the embeddings of a recogniser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wildstyle.errors import InputError

SIDES = (10, 12, 14, 17, 20, 24, 28, 34, 40, 48, 57, 68, 80, 96, 112)
"""Sides in px to which faces are shrunk."""


@dataclass(frozen=True)
class SizeCurve:
    """Mean cosine of a face to itself, shrunk, by the side it was shrunk to; both rise.

    Attributes:
        log_sides: (P,) float64, log2 px.
        cosines: (P,) float64.
    """

    log_sides: NDArray[np.float64]
    cosines: NDArray[np.float64]

    def log_size(self, cosine: Tensor) -> Tensor:
        """log2 of the side in px at which a shrunk face would, on average, have these cosines; clipped to the ends."""
        found = np.interp(cosine.detach().double().cpu().numpy(), self.cosines, self.log_sides)
        return torch.from_numpy(found).to(cosine)


@torch.no_grad()
def size_curve(embed: Callable[[Tensor], Tensor], faces: Tensor, sides: Sequence[int] = SIDES) -> SizeCurve:
    """Measure the curve of a recogniser.

    Args:
        embed: faces (N, 3, S, S) in [0, 1] to unit embeddings (N, D).
        faces: clean, (N, 3, S, S); some hundred.
        sides: px, rising.

    Raises:
        InputError: shrinking moves nothing, so that no size can be told.
    """
    clean = _in_parts(embed, faces)
    cosines = [float((clean * _in_parts(embed, shrunk(faces, side))).sum(1).mean()) for side in sides]
    # Averages of few faces may dip; a curve that is read backwards has to rise.
    rising = np.maximum.accumulate(cosines) + 1e-9 * np.arange(len(cosines))
    if rising[-1] - rising[0] < 0.05:
        raise InputError(
            f"shrinking faces to {sides[0]} px moves their embeddings by {1 - rising[0]:.3f} only, so no quality can be"
            " taught",
            remedy="check the recogniser's contract (colour order, mean and scale)",
        )
    return SizeCurve(np.log2(np.array(sides, np.float64)), rising)


def shrunk(faces: Tensor, side: int) -> Tensor:
    """Faces (N, 3, S, S) made ``side`` px wide and enlarged again, (N, 3, S, S)."""
    if side == faces.shape[-1]:
        return faces
    small = torch.nn.functional.interpolate(faces, (side, side), mode="bilinear", antialias=True, align_corners=False)
    large = torch.nn.functional.interpolate(small, faces.shape[-2:], mode="bicubic", align_corners=False)
    return large.clamp(0.0, 1.0)


def _in_parts(embed: Callable[[Tensor], Tensor], faces: Tensor) -> Tensor:
    return torch.cat([embed(part) for part in torch.split(faces, 64)])
