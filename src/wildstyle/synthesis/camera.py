"""A differentiable camera: lens blur, tone and colour, sensor noise, block compression.

It works on luma and colour differences and returns only the *change* it makes, which is exactly zero
where all its strengths are zero.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from wildstyle.synthesis.blocks import BLOCK_SIZES, compress_blocks
from wildstyle.synthesis.chance import Chance

CAMERA_PARAMETERS = 2 + 1 + 2 + 9 + 3 + 3 + 2 + len(BLOCK_SIZES)

# BT.601 luma and colour differences, full range.
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
# How far colour can move: contrast and saturation much, tints little, as cameras do.
_COLOUR_REACH = ((0.7, 0.2, 0.2), (0.1, 0.7, 0.2), (0.1, 0.2, 0.7))
_SHIFT_REACH = (0.4, 0.08, 0.08)
_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


class CameraStrengths(NamedTuple):
    """What the camera does to N images.

    Attributes:
        blur: (N, 2) standard deviation of the luma blur in px, down and across, >= 0.
        colour_blur: (N, 1) the same for both colour differences, both ways.
        tone: (N, 2) mid-tone lift and contrast curve, in (-1, 1).
        colour: (N, 3, 3) change of the matrix on (luma, blue, red difference) about mid grey.
        shift: (N, 3) added to luma and colour differences.
        noise: (N, 3) standard deviation of the noise of luma and of each colour difference.
        noise_shape: (N, 2) how much more noise in the light than in the dark, in (-1, 1); and noise blur in px.
        block: (N, B) shrinking threshold of each block size.
    """

    blur: Tensor
    colour_blur: Tensor
    tone: Tensor
    colour: Tensor
    shift: Tensor
    noise: Tensor
    noise_shape: Tensor
    block: Tensor


def to_ycc(images: Tensor) -> Tensor:
    """(N, 3, H, W) RGB to luma in [0, 1] and colour differences in [-0.5, 0.5]."""
    return _mix(images, torch.tensor(_TO_YCC, dtype=images.dtype, device=images.device).expand(len(images), 3, 3))


def change_to_rgb(change: Tensor) -> Tensor:
    """A change (N, 3, H, W) in luma and colour differences as a change in RGB."""
    return _mix(change, torch.tensor(_TO_RGB, dtype=change.dtype, device=change.device).expand(len(change), 3, 3))


def strengths_of(raw: Tensor, gate: Tensor) -> CameraStrengths:
    """Network outputs to strengths in physical units; all effects vanish where the gate is 0.

    Args:
        raw: (N, CAMERA_PARAMETERS) unbounded.
        gate: (N, 1) >= 0, overall strength, about 1 at full magnitude.
    """
    # Softsign where an effect goes both ways: a tanh that was pushed to its end early would not come back.
    blur, colour_blur, tone, colour, shift, noise, shape, block = torch.split(
        raw, [2, 1, 2, 9, 3, 3, 2, len(BLOCK_SIZES)], dim=1
    )
    return CameraStrengths(
        blur=gate * 5.0 * torch.sigmoid(blur[:, :1] - 0.5) * _ratios(blur[:, 1:]),
        colour_blur=gate * 8.0 * torch.sigmoid(colour_blur - 1.0),
        tone=torch.tanh(gate) * functional.softsign(tone),
        colour=torch.tanh(gate).unsqueeze(2) * functional.softsign(colour).view(-1, 3, 3) * _reach(_COLOUR_REACH, raw),
        shift=torch.tanh(gate) * functional.softsign(shift) * _reach(_SHIFT_REACH, raw),
        noise=gate * 0.15 * torch.sigmoid(noise - 3.0),
        noise_shape=torch.cat([torch.tanh(shape[:, :1]), 1.2 * torch.sigmoid(shape[:, 1:])], dim=1),
        block=gate * 2.0 * torch.sigmoid(block - 3.0),
    )


def _ratios(lean: Tensor) -> Tensor:
    """Shares of the blur down and across, at most 1.5 to 1 apart either way; (N, 2)."""
    ratio = torch.exp(0.2 * torch.tanh(lean))
    return torch.cat([ratio, 1.0 / ratio], dim=1)


def _reach(reach: tuple[object, ...], like: Tensor) -> Tensor:
    return torch.tensor(reach, dtype=like.dtype, device=like.device)


def photograph(ycc: Tensor, strengths: CameraStrengths, added: Tensor, chance: Chance) -> Tensor:
    """Send images through the camera.

    Args:
        ycc: (N, 3, S, S) luma and colour differences.
        strengths: what to do.
        added: (N, 3, S, S) a change that happens in front of the sensor, before noise and compression.
        chance: noise and block grids.

    Returns:
        (N, 3, S, S) luma and colour differences afterwards, unclipped.
    """
    picture = _blur(ycc, strengths) + added
    picture = _tone(picture, strengths)
    picture = picture + _noise(picture[:, :1], strengths, chance.noise)
    luma = compress_blocks(picture[:, 0], strengths.block, chance.phase)
    return torch.cat([luma.unsqueeze(1), picture[:, 1:]], dim=1)


def blur_matrix(deviation: Tensor, size: int) -> Tensor:
    """Gaussian blur along one axis as a matrix whose rows sum to 1; the identity, exactly, at deviation 0.

    Args:
        deviation: (N,) px, >= 0.
        size: S.

    Returns:
        (N, S, S).
    """
    place = torch.arange(size, device=deviation.device, dtype=deviation.dtype)
    squared = (place[:, None] - place[None]).square()
    # Floor: exp(-1 / 0.006) is 0 in float32, so that no blur is no blur.
    weight = torch.exp(-squared / (2.0 * deviation.square() + 0.006).view(-1, 1, 1))
    return weight / weight.sum(dim=2, keepdim=True)


def _blur(ycc: Tensor, strengths: CameraStrengths) -> Tensor:
    size = ycc.shape[-1]
    down = blur_matrix(strengths.blur[:, 0], size)
    across = blur_matrix(strengths.blur[:, 1], size)
    both = blur_matrix(strengths.colour_blur[:, 0], size).unsqueeze(1)
    luma = down @ ycc[:, 0] @ across.mT
    return torch.cat([luma.unsqueeze(1), both @ ycc[:, 1:] @ both.mT], dim=1)


def _tone(ycc: Tensor, strengths: CameraStrengths) -> Tensor:
    luma = ycc[:, :1].clamp(0.0, 1.0)
    lift, contrast = (part.view(-1, 1, 1, 1) for part in strengths.tone.unbind(1))
    bend = luma * (1.0 - luma)
    # Both curves keep black and white where they are; the shares 0.6 and 0.4 keep their sum monotone.
    curve = bend * (0.6 * lift + 0.4 * contrast * (2.0 * luma - 1.0))
    curved = ycc + torch.cat([curve, torch.zeros_like(ycc[:, 1:])], dim=1)
    grey = torch.tensor([0.5, 0.0, 0.0], dtype=ycc.dtype, device=ycc.device).view(1, 3, 1, 1)
    return curved + _mix(curved - grey, strengths.colour) + strengths.shift.view(-1, 3, 1, 1)


def _noise(luma: Tensor, strengths: CameraStrengths, white: Tensor) -> Tensor:
    slope, spread = strengths.noise_shape[:, 0], strengths.noise_shape[:, 1]
    matrix = blur_matrix(spread, white.shape[-1])
    matrix = (matrix / matrix.square().sum(dim=2, keepdim=True).sqrt()).unsqueeze(1)
    level = 1.0 + slope.view(-1, 1, 1, 1) * (2.0 * luma.clamp(0.0, 1.0) - 1.0)
    return (matrix @ white @ matrix.mT) * level * strengths.noise.view(-1, 3, 1, 1)


def _mix(images: Tensor, matrix: Tensor) -> Tensor:
    return torch.bmm(matrix, images.flatten(2)).view_as(images)
