"""Where the student's bad pictures come from: one protocol, so that rivals can take the generator's place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from wildstyle.adaptation.guidance import Objective, StylePoint, guide, untouched
from wildstyle.adaptation.settings import GuidanceSettings
from wildstyle.adaptation.weights import digest
from wildstyle.synthesis import StyleGenerator


class TwinRequest(NamedTuple):
    """Clean images whose bad-camera twins are wanted.

    Attributes:
        images: (N, 3, S, S) float32 in [0, 1].
        codes: (N, K) float32, drawn per item; a maker without style axes gets K = 0.
        seeds: (N,) int64 >= 0, drawn per item: all a maker needs to be a function of its input.
    """

    images: Tensor
    codes: Tensor
    seeds: Tensor


class Twins(NamedTuple):
    """Images (N, 3, S, S) without graph, and scalars worth logging."""

    images: Tensor
    diagnostics: Mapping[str, Tensor]


class TwinMaker(Protocol):
    """Makes bad-camera twins of clean images: a fitted generator, blind degradation, or anything else.

    A function of the request and, where it is guided, of the objective; it keeps no state between calls.
    """

    @property
    def axes(self) -> int:
        """K, length of the codes it wants; 0 if it wants none."""

    @property
    def max_magnitude(self) -> float:
        """End of the range of magnitudes in use."""

    def to(self, device: torch.device) -> None:
        """Move what it owns to ``device``."""

    def fingerprint(self) -> str:
        """Text that changes when the twins it makes change."""

    def __call__(self, request: TwinRequest, objective: Objective | None) -> Twins:
        """Twins of ``request``; may look for ones on which ``objective`` is high, None: as they were drawn."""


@dataclass(frozen=True, slots=True)
class StyleTwins:
    """Twins by a fitted generator, guided or as drawn.

    Attributes:
        generator: frozen while it is used; left as it was.
        guidance: the search for hard styles.
        target: whose basis of the generator, None for its first.
        limit: largest magnitude, None for the generator's own.
    """

    generator: StyleGenerator
    guidance: GuidanceSettings
    target: str | None = None
    limit: float | None = None

    @property
    def axes(self) -> int:
        """K of the generator."""
        return self.generator.axes

    @property
    def max_magnitude(self) -> float:
        """End of the range of magnitudes in use."""
        return min(self.limit or self.generator.max_magnitude, self.generator.max_magnitude)

    def to(self, device: torch.device) -> None:
        """Move the generator, in place."""
        self.generator.to(device)

    def fingerprint(self) -> str:
        """Digest of the generator's weights, with the settings."""
        return f"style {digest(self.generator.state_dict())} {self.target} {self.limit} {self.guidance}"

    def __call__(self, request: TwinRequest, objective: Objective | None) -> Twins:
        """The images in their drawn styles, or in the harder ones next to them."""
        precise = torch.autocast(request.images.device.type, enabled=False)
        with untouched([self.generator]), torch.no_grad(), precise:
            content = self.generator.encode(request.images)
            start = StylePoint(request.images, content, request.codes, request.seeds, self.target)
            if objective is None or not self.guidance.enabled:
                return Twins(start.shown(self.generator, request.codes), {})
            found = guide(self.generator, start, objective, self.guidance, max_magnitude=self.max_magnitude)
            shown = start.shown(self.generator, found.codes)
        seen = {"magnitude_before": found.magnitude_before, "magnitude_after": found.magnitude_after}
        if self.guidance.method != "random":
            seen |= {"zero_signs": found.zero_signs, "loss_before": found.loss_before}
        if self.guidance.least_similarity is not None:
            seen |= {"taken_back": found.taken_back}
        return Twins(shown, {f"guidance/{name}": value for name, value in seen.items()})
