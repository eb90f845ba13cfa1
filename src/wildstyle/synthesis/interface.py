"""What every generator offers, so that users and benchmarks can swap them.

Content in, style code in, image out, differentiable in the code. The zero code means "as it is"; direction says which
kind of bad picture, magnitude how bad. Same image, code and seed: same picture, in any batch.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Synthesiser(Protocol):
    """A generator: the default, the published one, a camera model, a blind recipe, or a chain of them."""

    @property
    def axes(self) -> int:
        """K, the number of style axes."""

    @property
    def max_magnitude(self) -> float:
        """End of the range of magnitudes that is offered."""

    @property
    def hash(self) -> str:
        """Hex digest: equal hash, equal pictures."""

    def encode(self, images: Tensor) -> Tensor:
        """Content of images (N, 3, S, S) in [0, 1]; needs no code, so it can be kept while codes are tried."""

    def decode(
        self, images: Tensor, content: Tensor, code: Tensor, seed: Tensor, *, target: str | None = None
    ) -> Tensor:
        """Images (N, 3, S, S) in [0, 1] in the styles ``code`` (N, K) under noise seeds (N,) int64."""
