"""Guided styles: nudge a style code to where the student finds the face harder.

After CFSM (Liu et al., ECCV 2022, arXiv 2207.10180), section "guided face synthesis": a sign step on the style
code up the recogniser's loss. It departs from the published code in cost and in trace, not in mathematics: only
images that will be used are guided, the content is encoded once, statistics are frozen, all is float32 (in half
precision small losses give exact zeros and no guidance), and the code's magnitude stays in range.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from wildstyle.adaptation.settings import GuidanceSettings
from wildstyle.randomness import item_rng
from wildstyle.synthesis import StyleGenerator, clip_magnitude, magnitude_of


@dataclass(frozen=True, slots=True)
class StylePoint:
    """Images and the styles they would be shown in.

    Attributes:
        images: (N, 3, S, S) float32 in [0, 1].
        content: what the generator's ``encode`` gave for them.
        codes: (N, K) float32.
        seeds: (N,) int64.
        target: whose basis, None for the generator's first.
    """

    images: Tensor
    content: Tensor
    codes: Tensor
    seeds: Tensor
    target: str | None = None

    def shown(self, generator: StyleGenerator, codes: Tensor) -> Tensor:
        """These images in the styles ``codes``, (N, 3, S, S); differentiable in the codes."""
        return generator.decode(self.images, self.content, codes, self.seeds, target=self.target)


@dataclass(frozen=True, slots=True)
class Objective:
    """What guidance ascends.

    Attributes:
        per_image: loss (N,) of synthesised images (N, 3, S, S); differentiable, images independent of each other.
        modules: the networks it runs through; they are held frozen while it is called.
        similarity: cosine (N,) of synthesised images to their clean faces by the untouched recogniser, or None where
            nobody asks.
    """

    per_image: Callable[[Tensor], Tensor]
    modules: tuple[nn.Module, ...]
    similarity: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True, slots=True)
class Guided:
    """Guided codes and what guidance did.

    Attributes:
        codes: (N, K) float32, each coordinate within the radius of where it began (for ``gradient``: the code within
            the length of such a box's diagonal); a code that left the range of magnitudes is then shortened to its end.
        zero_signs: share of coordinates whose gradient was exactly zero in the first step; near 0 is healthy, NaN
            where no gradient was taken.
        loss_before: mean loss at the codes as drawn; NaN where it was not looked at.
        magnitude_before, magnitude_after: mean magnitude of the codes.
        taken_back: share of the codes that the bound on similarity sent back to where they began.
    """

    codes: Tensor
    zero_signs: Tensor
    loss_before: Tensor
    magnitude_before: Tensor
    magnitude_after: Tensor
    taken_back: Tensor


def guide(
    generator: StyleGenerator,
    start: StylePoint,
    objective: Objective,
    settings: GuidanceSettings,
    *,
    max_magnitude: float,
) -> Guided:
    """Move ``start.codes`` up the objective; leave no trace in any network.

    Parameters, buffers, gradients, ``requires_grad`` and train / eval modes of the generator and of
    ``objective.modules`` are as before afterwards. Costs per step one decoding, one recogniser pass and their
    backward passes to the code; no weight gradient is computed. A restart costs the same again and, like the bound on
    similarity, one more pass forward.

    Args:
        generator: its ``decode`` is used.
        start: images and codes as drawn.
        objective: the loss to ascend.
        settings: how to search.
        max_magnitude: codes are shortened to it where a step left them longer.
    """
    search = _Search(generator, start, objective, settings, max_magnitude)
    with untouched([generator, *objective.modules]), torch.autocast(start.images.device.type, enabled=False):
        codes = search.best()
        codes, back = search.bounded(codes)
    return Guided(
        codes=codes,
        zero_signs=search.zero_signs,
        loss_before=search.loss_before,
        magnitude_before=magnitude_of(start.codes).mean(),
        magnitude_after=magnitude_of(codes).mean(),
        taken_back=back,
    )


class _Search:
    """One search for hard styles, and what was seen on the way."""

    def __init__(
        self,
        generator: StyleGenerator,
        start: StylePoint,
        objective: Objective,
        settings: GuidanceSettings,
        max_magnitude: float,
    ) -> None:
        self.generator, self.start, self.objective, self.settings = generator, start, objective, settings
        self.max_magnitude = max_magnitude
        self.drawn = start.codes.detach()
        self.zero_signs = self.loss_before = self.drawn.new_full((), math.nan)

    def best(self) -> Tensor:
        """Codes (N, K) at the hardest end of all searches; the search from the codes as drawn is the first."""
        if self.settings.method == "random":
            return self._kept(self.drawn + self.settings.radius * self._corners("random"))
        found = self._climbed(self.drawn)
        if self.settings.restarts == 0:
            return found
        hardest = self._loss(found)
        for restart in range(self.settings.restarts):
            place = self.settings.radius * self._corners(f"restart {restart}", inside=True)
            other = self._climbed(self._kept(self.drawn + place))
            loss = self._loss(other)
            better = loss > hardest
            found = torch.where(better[:, None], other, found)
            hardest = torch.where(better, loss, hardest)
        return found

    def bounded(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Codes that leave too little of the person, back where they began; and their share."""
        least = self.settings.least_similarity
        if least is None or self.objective.similarity is None:
            return codes, codes.new_zeros(())
        with torch.no_grad():
            lost = self.objective.similarity(self.start.shown(self.generator, codes)) < least
        return torch.where(lost[:, None], self.drawn, codes), lost.float().mean()

    def _climbed(self, codes: Tensor) -> Tensor:
        stride = self.settings.radius / self.settings.steps
        for _ in range(self.settings.steps):
            loss, slope = _slope(self.generator, self.start, codes, self.objective)
            if self.loss_before.isnan():
                self.loss_before, self.zero_signs = loss.mean(), (slope == 0).float().mean()
            codes = self._kept(codes + stride * self._direction(slope))
        return codes

    def _direction(self, slope: Tensor) -> Tensor:
        """Which way to step; of the same length for either method, where no coordinate is without gradient."""
        if self.settings.method == "sign":
            return slope.sign()
        length = float(slope.shape[1]) ** 0.5
        return torch.nn.functional.normalize(slope, eps=1e-30).mul(length)

    def _kept(self, codes: Tensor) -> Tensor:
        """Codes no farther from where they began than the radius lets them, and inside the range of magnitudes."""
        moved, radius = codes - self.drawn, self.settings.radius
        if self.settings.method == "gradient":
            moved = clip_magnitude(moved, radius * moved.shape[1] ** 0.5)
        else:
            moved = moved.clamp(-radius, radius)
        return clip_magnitude(self.drawn + moved, self.max_magnitude)

    def _loss(self, codes: Tensor) -> Tensor:
        with torch.no_grad():
            return self.objective.per_image(self.start.shown(self.generator, codes))

    def _corners(self, name: str, *, inside: bool = False) -> Tensor:
        """A corner of the unit box for each image, or a point inside; a function of the image's seed alone."""
        rows = []
        for seed in self.start.seeds.tolist():
            drawn = item_rng(seed, "guidance", name).random(self.drawn.shape[1])
            rows.append(2.0 * drawn - 1.0 if inside else np.where(drawn < 0.5, -1.0, 1.0))
        return torch.from_numpy(np.array(rows, np.float32).reshape(self.drawn.shape)).to(self.drawn)


def _slope(generator: StyleGenerator, start: StylePoint, codes: Tensor, objective: Objective) -> tuple[Tensor, Tensor]:
    """Loss (N,) and its gradient (N, K) at ``codes``, both without graph."""
    with torch.enable_grad():
        moving = codes.clone().requires_grad_(True)
        loss = objective.per_image(start.shown(generator, moving))
        (slope,) = torch.autograd.grad(loss.sum(), moving)
    return loss.detach(), slope


@contextmanager
def untouched(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Hold networks in eval mode without weight gradients, then give every flag back as it was."""
    kept = list(modules)
    modes = [(part, part.training) for module in kept for part in module.modules()]
    flags = [(weight, weight.requires_grad) for module in kept for weight in module.parameters()]
    try:
        for part, _ in modes:
            part.training = False
        for weight, _ in flags:
            weight.requires_grad_(False)
        yield
    finally:
        for part, mode in modes:
            part.training = mode
        for weight, flag in flags:
            weight.requires_grad_(flag)
