"""Faces of every quality: clean ones through the learned camera, a blind recipe, or one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wildstyle.adaptation.weights import digest
from wildstyle.randomness import item_rng
from wildstyle.synthesis import StyleGenerator


@dataclass(frozen=True, slots=True)
class Worse:
    """Makes faces worse; a function of the picture, its seed and its place alone.

    Of each eight faces one stays as it is; the others go through ``camera``, through ``blind``, or through both.

    Attributes:
        camera: a fitted generator, or any other.
        blind: a second one, which knows nothing of the footage: so that what a camera never shows is judged too.
    """

    camera: StyleGenerator
    blind: StyleGenerator

    def to(self, device: torch.device) -> None:
        """Move both, in place."""
        self.camera.to(device)
        self.blind.to(device)

    def fingerprint(self) -> str:
        """Text that changes when the faces it makes change."""
        return f"worse {digest(self.camera.state_dict())} {self.blind.describe()}"

    @torch.no_grad()
    def __call__(self, images: Tensor, seeds: Tensor) -> Tensor:
        """Worse faces.

        Args:
            images: (N, 3, S, S) in [0, 1].
            seeds: (N,) int64 >= 0.

        Returns:
            (N, 3, S, S).
        """
        turn = torch.arange(len(images), device=images.device) % 8
        made = images.clone()
        for generator, name, chosen in (
            (self.camera, "camera", (turn >= 1) & (turn <= 4)),
            (self.blind, "blind", turn >= 3),
        ):
            rows = chosen.nonzero()[:, 0]
            if len(rows):
                codes = torch.from_numpy(drawn(seeds[rows], name, generator)).to(images)
                made[rows] = generator(made[rows], codes, seeds[rows])
        return made


def drawn(seeds: Tensor, name: str, generator: StyleGenerator) -> NDArray[np.float32]:
    """A code (N, K) for each seed: direction uniform on the sphere, magnitude uniform over the whole range."""
    codes = np.empty((len(seeds), generator.axes), np.float32)
    for row, seed in enumerate(seeds.tolist()):
        rng = item_rng(seed, name)
        direction = rng.standard_normal(generator.axes)
        codes[row] = direction * (rng.random() * generator.max_magnitude / max(float(np.linalg.norm(direction)), 1e-12))
    return codes
