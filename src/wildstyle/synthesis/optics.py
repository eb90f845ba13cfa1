"""What happens to a picture before the sensor: focus, motion, few pixels. Each is one matrix an axis."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from wildstyle.synthesis.camera import CameraStrengths, blur_matrix, change_to_rgb, photograph, to_ycc
from wildstyle.synthesis.chance import Chance
from wildstyle.synthesis.window import black_outside

MOST_SHRINK = 9.0
_STEPS = 33  # sizes between which resampling is interpolated, evenly on a log scale


class Optics(NamedTuple):
    """Strengths for N images; all zero (``shrink`` one) leaves them as they are.

    Attributes:
        focus: (N,) standard deviation of a round blur, px.
        motion: (N, 2) length of a straight motion down and across, px.
        shrink: (N,) factor in [1, 9] by which the picture is made smaller and enlarged again.
        rough: (N,) in [0, 1], how far enlarging leaves steps instead of ramps.
    """

    focus: Tensor
    motion: Tensor
    shrink: Tensor
    rough: Tensor


def take_picture(images: Tensor, optics: Optics, strengths: CameraStrengths, chance: Chance) -> Tensor:
    """Images (N, 3, S, S) in [0, 1] through lens and camera; black outside a picture stays black.

    All strengths zero return the input, bit for bit.
    """
    ycc = to_ycc(images)
    picture = photograph(through(ycc, optics), strengths, torch.zeros_like(ycc), chance)
    change = (picture - ycc) * (1.0 - black_outside(images))
    return (images + change_to_rgb(change)).clamp(0.0, 1.0)


def through(ycc: Tensor, optics: Optics) -> Tensor:
    """Planes (N, C, S, S) as they reach the sensor and come back to full size."""
    size = ycc.shape[-1]
    few = shrink_matrix(optics.shrink, optics.rough, size)
    focus = blur_matrix(optics.focus, size)
    down = (few @ motion_matrix(optics.motion[:, 0], size) @ focus).unsqueeze(1)
    across = (few @ motion_matrix(optics.motion[:, 1], size) @ focus).unsqueeze(1)
    return down @ ycc @ across.mT


def motion_matrix(length: Tensor, size: int) -> Tensor:
    """A point smeared over ``length`` + 1 (N,) px of one axis, (N, S, S), rows sum to 1; the identity at length 0."""
    place = torch.arange(size, device=length.device, dtype=length.dtype)
    distance = (place[:, None] - place[None]).abs()
    weight = (0.5 * length.view(-1, 1, 1) + 1.0 - distance).clamp(0.0, 1.0)
    return weight / weight.sum(dim=2, keepdim=True)


def shrink_matrix(factor: Tensor, rough: Tensor, size: int) -> Tensor:
    """Shrinking by ``factor`` (N,) and enlarging along one axis, (N, S, S); the identity at factor 1.

    Between the sizes that are prepared it is interpolated, so that it can be differentiated in the factor.
    """
    place = factor.clamp(1.0, MOST_SHRINK).log() / torch.tensor(MOST_SHRINK).log() * (_STEPS - 1)
    low = place.detach().floor().long().clamp(0, _STEPS - 2)
    share = (place - low).view(-1, 1, 1)
    mix = rough.view(-1, 1, 1)
    smooth, stepped = (each.to(factor) for each in _resampling(size))
    table = [(1.0 - mix) * smooth[at] + mix * stepped[at] for at in (low, low + 1)]
    return (1.0 - share) * table[0] + share * table[1]


@lru_cache(maxsize=8)
def _resampling(size: int) -> tuple[Tensor, Tensor]:
    """Down and up again along one axis for every prepared size, enlarged by ramps and by steps, (steps, S, S) each."""
    identity = torch.eye(size)[None, None]
    smooth, stepped = [], []
    for step in range(_STEPS):
        small = max(2, round(size / MOST_SHRINK ** (step / (_STEPS - 1))))
        if small == size:
            smooth.append(identity[0, 0])
            stepped.append(identity[0, 0])
            continue
        down = functional.interpolate(identity, (small, size), mode="bilinear", antialias=True, align_corners=False)
        smooth.append(functional.interpolate(down, (size, size), mode="bilinear", align_corners=False)[0, 0])
        stepped.append(functional.interpolate(down, (size, size), mode="nearest-exact")[0, 0])
    return torch.stack(smooth), torch.stack(stepped)
