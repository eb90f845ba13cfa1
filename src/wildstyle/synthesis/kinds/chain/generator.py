"""Two generators as one: the second sees what the first has made; the code is both codes, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from torch import Tensor

from wildstyle.errors import InputError
from wildstyle.synthesis.interface import StyleGenerator, check_images

_OTHER_NOISE = 0x2545F4914F6CDD1D


class ChainGenerator(StyleGenerator):
    """``second`` after ``first``; magnitudes are lengths of the whole code, K = K1 + K2.

    Args:
        first: e.g. a network.
        second: e.g. a camera.

    Raises:
        InputError: their ranges of magnitudes differ.
    """

    kind = "chain"

    def __init__(self, first: StyleGenerator, second: StyleGenerator) -> None:
        super().__init__()
        if first.max_magnitude != second.max_magnitude:
            raise InputError(
                f"magnitudes up to {first.max_magnitude:g} and up to {second.max_magnitude:g} don't make one range"
            )
        self.first, self.second = first, second

    @property
    def axes(self) -> int:
        """K1 + K2."""
        return self.first.axes + self.second.axes

    @property
    def axis_names(self) -> tuple[str, ...]:
        """Names of both."""
        return (*self.first.axis_names, *self.second.axis_names)

    @property
    def max_magnitude(self) -> float:
        """That of both."""
        return self.first.max_magnitude

    def describe(self) -> dict[str, Any]:
        """Kinds and descriptions of both."""
        return {
            name: {"kind": each.kind, "config": each.describe()}
            for name, each in (("first", self.first), ("second", self.second))
        }

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Self:
        """Fresh ones of the same kinds."""
        from wildstyle.synthesis.kinds import generator_class

        parts = [description["first"], description["second"]]
        return cls(*(generator_class(part["kind"]).from_description(part["config"]) for part in parts))

    def encode(self, images: Tensor) -> Tensor:
        """Content of the first; that of the second depends on the code."""
        return self.first.encode(images)

    def decode(
        self, images: Tensor, content: Tensor, code: Tensor, seed: Tensor, *, target: str | None = None
    ) -> Tensor:
        """The images through both.

        Raises:
            InputError: codes are not (N, K).
        """
        check_images(images)
        if code.shape != (len(images), self.axes):
            raise InputError(f"codes are {tuple(code.shape)}, expected ({len(images)}, {self.axes})")
        between = self.first.decode(images, content, code[:, : self.first.axes], seed, target=target)
        # Other noise than the first's, from the same seed.
        other = (seed ^ _OTHER_NOISE) & (2**62 - 1)
        return self.second(between, code[:, self.first.axes :], other, target=target)  # type: ignore[no-any-return]
