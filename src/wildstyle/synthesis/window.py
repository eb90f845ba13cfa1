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
_CELL = 4


def inner_face(images: Tensor, shift: tuple[int, int] = (0, 0)) -> Tensor:
    """Cut the inner face out of (N, C, S, S), moved by ``shift`` px (down, right).

    Returns:
        (N, C, T, T), T about 4S/7, a multiple of 16 so that it can be halved four times (64 of 112).
    """
    size = images.shape[-1]
    side = 16 * max(1, round(_SIDE * size / 16))
    top, left = round(_TOP * size) + shift[0], round(_LEFT * size) + shift[1]
    top, left = min(max(top, 0), size - side), min(max(left, 0), size - side)
    return images[:, :, top : top + side, left : left + side]


def black_outside(images: Tensor) -> Tensor:
    """Black pixels in or next to a stretch of nothing but black: 1 there, 0 in the picture.

    A stretch is 3 x 3 cells of 4 x 4 px or more, wherever it is.

    Args:
        images: (N, 3, S, S) in [0, 1], untouched faces, S a multiple of 4.

    Returns:
        (N, 1, S, S) of the images' dtype, without gradient.
    """
    with torch.no_grad():
        black = images.amax(1, keepdim=True) < _BLACK
        return black * _enlarged(_grown(_black_cells(images), 3))


def picture_mask(images: Tensor) -> Tensor:
    """Where a picture is, apart from black outside it and a margin: 1 inside, 0 outside.

    Args:
        images: as for ``black_outside``.

    Returns:
        (N, 1, S, S) of the images' dtype, without gradient.
    """
    # One cell covers the black itself, two more are the margin.
    return 1.0 - _enlarged(_grown(_black_cells(images), 3))


@torch.no_grad()
def _black_cells(images: Tensor) -> Tensor:
    """Cells that are black together with all their neighbours."""
    cells = functional.max_pool2d(images.amax(1, keepdim=True), _CELL)
    return (functional.max_pool2d(cells, 3, 1, 1) < _BLACK).to(images.dtype)


def _grown(cells: Tensor, reach: int) -> Tensor:
    return functional.max_pool2d(cells, 2 * reach + 1, 1, reach)


def _enlarged(cells: Tensor) -> Tensor:
    return functional.interpolate(cells, scale_factor=_CELL, mode="nearest")
