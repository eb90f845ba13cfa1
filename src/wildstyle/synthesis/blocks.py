"""Block compression as a differentiable shrinking of block-DCT coefficients.

JPEG and video codecs drop small coefficients of a blockwise cosine transform; that loses fine detail and shows
the block grid. In aligned footage blocks are enlarged and the grid starts anywhere, so several block sizes and
all phases are kept, each as one orthogonal S x S matrix: transforming a whole image is two matrix products.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import torch
from torch import Tensor

BLOCK_SIZES = (8, 16)


def cosine_matrix(size: int) -> Tensor:
    """Orthonormal DCT-II matrix, (size, size) float64, rows are frequencies."""
    place = torch.arange(size, dtype=torch.float64)
    matrix = torch.cos(math.pi / size * (place[None] + 0.5) * place[:, None]) * math.sqrt(2.0 / size)
    matrix[0] /= math.sqrt(2.0)
    return matrix


@lru_cache(maxsize=16)
def _grids(size: int, block: int) -> tuple[Tensor, Tensor]:
    """All phases of one block size: (block, size, size) transforms and (block, size) frequencies in [0, 1)."""
    transforms = torch.zeros(block, size, size, dtype=torch.float64)
    frequency = torch.zeros(block, size, dtype=torch.float64)
    for phase in range(block):
        edges = [0, *range(phase, size, block), size] if phase else [*range(0, size, block), size]
        for low, high in itertools.pairwise(edges):
            transforms[phase, low:high, low:high] = cosine_matrix(high - low)
            frequency[phase, low:high] = torch.arange(high - low) / (high - low)
    return transforms.float(), frequency.float()


def compress_blocks(luma: Tensor, threshold: Tensor, phase: Tensor) -> Tensor:
    """Shrink small block-DCT coefficients.

    A coefficient c becomes c - c t² / (c² + t²), with t = threshold x (spatial frequency of c): about 0 where
    |c| is far below t, about c where it is far above. The block means stay. Threshold 0 returns the input exactly.

    Args:
        luma: (N, S, S) float32.
        threshold: (N, B) float32 >= 0, one for each of ``BLOCK_SIZES``, in units of the orthonormal DCT.
        phase: (N, 2, B) int64, grid start in rows and columns, in [0, block size).

    Returns:
        (N, S, S) float32.
    """
    for place, block in enumerate(BLOCK_SIZES):
        transforms, frequencies = (part.to(luma) for part in _grids(luma.shape[-1], block))
        rows, columns = phase[:, 0, place], phase[:, 1, place]
        down, across = transforms[rows], transforms[columns]
        coefficient = down @ luma @ across.mT
        frequency = frequencies[rows].unsqueeze(2) + frequencies[columns].unsqueeze(1)
        squared = (threshold[:, place, None, None] * frequency).square()
        # The tiny term keeps 0 / 0 apart; it vanishes beside any coefficient that can be seen.
        lost = coefficient * squared / (coefficient.square() + squared + 1e-12)
        luma = luma - down.mT @ lost @ across
    return luma
