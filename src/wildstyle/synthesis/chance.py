"""What is random in a synthesised image, drawn from one number an image.

Drawn on the CPU whatever the device, one image at a time: the same seed gives the same noise in any batch.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from wildstyle.synthesis.blocks import BLOCK_SIZES


class Chance(NamedTuple):
    """Random parts of N images.

    Attributes:
        noise: (N, 3, S, S) float32, white, standard normal; luma, blue and red difference.
        texture: (N, 1, S/4, S/4) float32, white, standard normal; input of the residual decoder.
        phase: (N, 2, B) int64, where the block grid of each of the B block sizes starts, in rows and in columns.
    """

    noise: Tensor
    texture: Tensor
    phase: Tensor


def draw_chance(seed: Tensor, images: Tensor) -> Chance:
    """Random parts for ``seed`` (N,) int64 and ``images`` (N, 3, S, S), on their device and in their dtype."""
    size = images.shape[-1]
    quarter = size // 4
    pixels, cells = 3 * size * size, quarter * quarter
    normal = torch.empty(len(seed), pixels + cells)
    phase = torch.empty(len(seed), 2, len(BLOCK_SIZES), dtype=torch.int64)
    generator = torch.Generator()
    for row, one in enumerate(seed.tolist()):
        generator.manual_seed(one)
        torch.randn(pixels + cells, generator=generator, out=normal[row])
        for place, block in enumerate(BLOCK_SIZES):
            phase[row, :, place] = torch.randint(block, (2,), generator=generator)
    return Chance(
        normal[:, :pixels].view(-1, 3, size, size).to(images),
        normal[:, pixels:].view(-1, 1, quarter, quarter).to(images),
        phase.to(images.device),
    )
