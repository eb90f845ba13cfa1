"""Noise textures of a person, and looking them up."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from wildstyle.madeup.basis import Floats
from wildstyle.randomness import item_rng

SIDE = 256
_ROW = 512


def _wrapped(grid: Floats) -> Floats:
    """Enlarge a small periodic grid to (SIDE, SIDE), periodic."""
    rows, columns = grid.shape
    padded = np.pad(grid, 2, mode="wrap")
    big = cv2.resize(padded, None, fx=SIDE / columns, fy=SIDE / rows, interpolation=cv2.INTER_CUBIC)
    top, left = 2 * SIDE // rows, 2 * SIDE // columns
    return np.ascontiguousarray(big[top : top + SIDE, left : left + SIDE], np.float32)


def _unit(texture: Floats) -> Floats:
    return np.asarray((texture - texture.mean()) / (2.0 * texture.std()), np.float32)


@lru_cache(maxsize=16)
def person_textures(seed: int) -> Floats:
    """(2, SIDE, SIDE) float32: cloudy noise of six octaves, and strands along the rows; sd 0.5, periodic."""
    rng = item_rng(seed, "texture")
    clouds = np.zeros((SIDE, SIDE), np.float32)
    for octave in range(6):
        cells = 4 * 2**octave
        clouds += 0.72**octave * _wrapped(rng.standard_normal((cells, cells), dtype=np.float32))
    strands = np.zeros((SIDE, SIDE), np.float32)
    for cells, share in ((64, 0.6), (128, 0.8), (256, 0.7)):
        strands += share * _wrapped(rng.standard_normal((16, cells), dtype=np.float32))
    both = np.stack([_unit(clouds), _unit(strands)])
    both.setflags(write=False)
    return both


def look_up(texture: Floats, u: Floats, v: Floats) -> Floats:
    """Bilinear look-up of periodic coordinates.

    Args:
        texture: (SIDE, SIDE) float32.
        u, v: (P,) column and row in turns; 1 is one period.

    Returns:
        (P,) float32.
    """
    count = len(u)
    rows = -(-max(count, 1) // _ROW)
    # OpenCV takes at most 32,767 rows, so the list is folded.
    x = np.zeros(rows * _ROW, np.float32)
    y = np.zeros(rows * _ROW, np.float32)
    x[:count] = np.mod(u, 1.0) * SIDE
    y[:count] = np.mod(v, 1.0) * SIDE
    folded = cv2.remap(
        texture, x.reshape(rows, _ROW), y.reshape(rows, _ROW), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
    return np.asarray(folded, np.float32).ravel()[:count]
