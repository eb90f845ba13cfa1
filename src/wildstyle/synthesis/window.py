"""The part of an aligned face that is compared: the inner face, without the black outside the picture.

Black corners come from alignment, not from a camera. A judge that sees them learns how tightly a set was
cropped; so both sides are compared on the inner face and under the same mask.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# Of the 112 px template: eyes at rows 51, mouth at rows 92, face centre at column 56.
_TOP, _LEFT, _SIDE = 38 / 112, 24 / 112, 64 / 112
_BLACK = 10 / 255


def inner_face(images: Tensor, shift: tuple[int, int] = (0, 0)) -> Tensor:
    """Cut the inner face out of (N, C, S, S), moved by ``shift`` px (down, right): (N, C, 4S/7, 4S/7)."""
    size = images.shape[-1]
    top, left, side = round(_TOP * size) + shift[0], round(_LEFT * size) + shift[1], round(_SIDE * size)
    return images[:, :, top : top + side, left : left + side]


def picture_mask(images: Tensor) -> Tensor:
    """Where a picture is, apart from black outside it and a margin: 1 inside, 0 outside.

    Large uniform black (9 x 9 px at 112) counts as outside, wherever it is.

    Args:
        images: (N, 3, S, S) in [0, 1], untouched faces.

    Returns:
        (N, 1, S, S) float32, without gradient.
    """
    with torch.no_grad():
        reach = round(4 * images.shape[-1] / 112)
        brightest = functional.max_pool2d(images.amax(1, keepdim=True), 2 * reach + 1, 1, reach)
        outside = (brightest < _BLACK).to(images.dtype)
        grown = 2 * reach + 2
        return 1.0 - functional.max_pool2d(outside, 2 * grown + 1, 1, grown)
