"""A picture of a style space: what each axis does at each magnitude."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wildstyle.synthesis.interface import StyleGenerator


def style_sheet(
    generator: StyleGenerator,
    images: Tensor,
    magnitudes: Sequence[float] = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0),
    *,
    seed: int = 0,
    target: str | None = None,
) -> NDArray[np.uint8]:
    """Rows are signed axes (+1, -1, +2, -2, ...), columns are magnitudes.

    Args:
        generator: in evaluation mode or not, nothing depends on it.
        images: (N, 3, S, S) faces in [0, 1]; row r shows face r mod N.
        magnitudes: one a column.
        seed: noise seed of the first row.
        target: whose basis to use.

    Returns:
        (2K S, len(magnitudes) S, 3) uint8 RGB.
    """
    rows = []
    with torch.no_grad():
        for row in range(2 * generator.axes):
            direction = torch.zeros(generator.axes, device=images.device)
            direction[row // 2] = 1.0 if row % 2 == 0 else -1.0
            code = torch.tensor(magnitudes, device=images.device)[:, None] * direction
            face = images[row % len(images)].expand(len(magnitudes), -1, -1, -1)
            seeds = torch.full((len(magnitudes),), seed + row, dtype=torch.int64)
            rows.append(tile(generator(face, code, seeds, target=target), len(magnitudes)))
    return np.concatenate(rows)


@torch.no_grad()
def style_matrix(
    generator: StyleGenerator,
    images: Tensor,
    codes: Tensor,
    seeds: Tensor,
    *,
    frames: Tensor | None = None,
    target: str | None = None,
) -> NDArray[np.uint8]:
    """Rows are source faces, the untouched one first; columns are styles.

    Args:
        generator: any.
        images: (N, 3, S, S) faces in [0, 1].
        codes: (M, K), one a column.
        seeds: (M,) int64 noise seeds of the columns.
        frames: (M, 3, S, S) real frames the styles were read from, shown as the first row.
        target: whose basis to use.

    Returns:
        ((N or N + 1) S, (M + 1) S, 3) uint8 RGB.
    """
    count = len(codes)
    rows = [] if frames is None else [tile(torch.cat([torch.zeros_like(frames[:1]), frames]), count + 1)]
    for image in images:
        made = generator(image.expand(count, -1, -1, -1), codes, seeds, target=target)
        rows.append(tile(torch.cat([image[None], made]), count + 1))
    return np.concatenate(rows)


def tile(images: Tensor, columns: int) -> NDArray[np.uint8]:
    """(N, 3, S, S) in [0, 1] as one picture with so many columns, uint8 RGB; missing places are black."""
    pixels = (images.detach().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    gap = -len(pixels) % columns
    filled = np.concatenate([pixels, np.zeros((gap, *pixels.shape[1:]), np.uint8)])
    lines = [np.concatenate(list(filled[i : i + columns]), axis=1) for i in range(0, len(filled), columns)]
    sheet: NDArray[np.uint8] = np.concatenate(lines)
    return sheet
