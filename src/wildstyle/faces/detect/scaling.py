"""Pictures brought to the size a network wants."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Values = TypeVar("Values", np.uint8, np.float32)


def scaled(image: NDArray[Values], scale: float) -> NDArray[Values]:
    """``image`` (H, W, C) resized by ``scale``, sides rounded, at least one px.

    Area sampling when shrinking, so that nothing aliases; bilinear when enlarging.
    """
    height, width = image.shape[:2]
    return resized(image, max(1, round(width * scale)), max(1, round(height * scale)))


def resized(image: NDArray[Values], width: int, height: int) -> NDArray[Values]:
    """``image`` (H, W, C) as (height, width, C); the same array where the size fits already."""
    if image.shape[:2] == (height, width):
        return image
    shrinks = width * height < image.shape[0] * image.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), image.dtype)
