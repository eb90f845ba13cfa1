"""Clean faces, each time a little different, so that a few thousand last for a long training.

Teacher and student see the same variation, one clean and one through the camera: the teacher then says what is right
for any picture, even for a face that nobody has (patient teachers: Beyer et al., CVPR 2022, arXiv 2106.05237).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from wildstyle.randomness import item_rng

MOST_TURN, MOST_SCALE, MOST_SHIFT = math.radians(8.0), 0.08, 0.03
"""Radians, share of the size, share of the side: what imperfect alignment does at strength 1."""

MOST_OF_ANOTHER = 0.5


@dataclass(frozen=True, slots=True)
class Variation:
    """How faces are varied; a function of the faces and their seeds.

    Attributes:
        moves: strength of small turns, shifts and changes of scale, in [0, 1]; above 0, half of the faces are mirrored.
        morphs: share of the faces that are blended with the next one of the batch, by at most a half, in [0, 1].
    """

    moves: float = 0.0
    morphs: float = 0.0

    @property
    def varies(self) -> bool:
        """Whether anything changes at all."""
        return self.moves > 0 or self.morphs > 0

    def __call__(self, images: Tensor, seeds: list[int]) -> Tensor:
        """Varied faces, (N, 3, S, S) in [0, 1], of faces (N, 3, S, S) in [0, 1] and N seeds >= 0."""
        if not self.varies or len(images) == 0:
            return images
        drawn = np.stack([item_rng(seed, "variation").random(7) for seed in seeds])
        moved = _moved(images, drawn[:, :5], self.moves) if self.moves > 0 else images
        share = np.where(drawn[:, 5] < self.morphs, MOST_OF_ANOTHER * drawn[:, 6], 0.0)
        of_next = torch.from_numpy(share.astype(np.float32))[:, None, None, None]
        return (1.0 - of_next) * moved + of_next * moved.roll(-1, 0)


def _moved(images: Tensor, drawn: np.ndarray, strength: float) -> Tensor:
    """Faces after a similarity by five uniform numbers each: mirror, turn, scale, shift across and down."""
    mirror = np.where(drawn[:, 0] < 0.5, -1.0, 1.0)
    turn, scale, across, down = (
        strength * most * (2.0 * drawn[:, k] - 1.0)
        for k, most in enumerate((MOST_TURN, MOST_SCALE, 2 * MOST_SHIFT, 2 * MOST_SHIFT), 1)
    )
    cos, sin = (1.0 + scale) * np.cos(turn), (1.0 + scale) * np.sin(turn)
    rows = np.stack([mirror * cos, -sin, across, mirror * sin, cos, down], 1).reshape(len(images), 2, 3)
    grid = nn.functional.affine_grid(torch.from_numpy(rows).float(), list(images.shape), align_corners=False)
    return nn.functional.grid_sample(images, grid, padding_mode="zeros", align_corners=False)
