"""What every generator offers, so that users and benchmarks can swap them.

Content in, style code in, image out, differentiable in the code. The zero code means "as it is"; direction says which
kind of bad picture, magnitude how bad. Same image, code and seed: same picture, in any batch.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from wildstyle.errors import InputError


class StyleGenerator(nn.Module, ABC):
    """A generator: the default, the published one, a camera model, a blind recipe, or a chain of them.

    Images are (N, 3, S, S) float32, RGB, in [0, 1]. Codes are (N, K) float32; their length is the magnitude, in
    [0, ``max_magnitude``]. Seeds are (N,) int64 >= 0; one seed always gives one noise.

    Attributes:
        kind: name under which a stored generator is found again.
    """

    kind: ClassVar[str]

    @property
    @abstractmethod
    def axes(self) -> int:
        """K, the number of style axes."""

    @property
    @abstractmethod
    def max_magnitude(self) -> float:
        """End of the range of magnitudes that is offered."""

    @property
    def axis_names(self) -> tuple[str, ...]:
        """A name for each axis, known beforehand; "" where only measuring can tell."""
        return ("",) * self.axes

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Plain JSON values from which ``from_description`` builds an equal generator, weights apart."""

    @classmethod
    @abstractmethod
    def from_description(cls, description: Mapping[str, Any]) -> Self:
        """Inverse of ``describe``."""

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """Content of images; needs no code, so it can be kept while codes are tried.

        Raises:
            InputError: images are not (N, 3, S, S) with S a multiple of 4.
        """

    @abstractmethod
    def decode(
        self, images: Tensor, content: Tensor, code: Tensor, seed: Tensor, *, target: str | None = None
    ) -> Tensor:
        """The images in the styles of the codes.

        Args:
            images: (N, 3, S, S) in [0, 1].
            content: what ``encode(images)`` gave.
            code: (N, K).
            seed: (N,) int64.
            target: whose basis to use, None for the first.

        Returns:
            (N, 3, S, S) in [0, 1].

        Raises:
            InputError: shapes don't fit each other.
            SettingError: the target is unknown.
        """

    def forward(self, images: Tensor, code: Tensor, seed: Tensor, *, target: str | None = None) -> Tensor:
        """``decode`` of ``encode``."""
        return self.decode(images, self.encode(images), code, seed, target=target)

    def parts_for_fit(self, images: Tensor, code: Tensor, seed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What a step of a fit looks at.

        Args:
            images, code, seed: as for ``decode``.

        Returns:
            The synthesised images (N, 3, S, S); the part of the change that is to stay small, (N, 3, S, S); and the
            same images with the gradient that identity and direction may have.
        """
        made = self(images, code, seed)
        return made, torch.zeros_like(made), made

    @property
    def hash(self) -> str:
        """sha256 of description and weights, 64 hex digits; equal hash, equal images."""
        digest = hashlib.sha256(json.dumps(self.describe(), sort_keys=True).encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def check_images(images: Tensor) -> None:
    """Refuse what no generator takes."""
    if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3] or images.shape[2] % 4:
        raise InputError(f"images are {tuple(images.shape)}, expected (N, 3, S, S) with S a multiple of 4")
    if not images.is_floating_point():
        raise InputError(f"images are {images.dtype}, expected floating point in [0, 1]")
