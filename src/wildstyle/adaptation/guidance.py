"""Guided styles: nudge a style code to where the student finds the face harder.

After CFSM (Liu et al., ECCV 2022, arXiv 2207.10180), section "guided face synthesis": a sign step on the style
code up the recogniser's loss. It departs from the published code in cost and in trace, not in mathematics: only
images that will be used are guided, the content is encoded once, statistics are frozen, all is float32 (in half
precision small losses give exact zeros and no guidance), and the code's magnitude stays in range.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wildstyle.adaptation.settings import GuidanceSettings
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
    """

    per_image: Callable[[Tensor], Tensor]
    modules: tuple[nn.Module, ...]


@dataclass(frozen=True, slots=True)
class Guided:
    """Guided codes and what guidance did.

    Attributes:
        codes: (N, K) float32, each coordinate within the radius of where it began; a code that left the range
            of magnitudes is then shortened to its end.
        zero_signs: share of coordinates whose gradient was exactly zero in the first step; near 0 is healthy.
        loss_before: mean loss at the codes as drawn.
        magnitude_before, magnitude_after: mean magnitude of the codes.
    """

    codes: Tensor
    zero_signs: Tensor
    loss_before: Tensor
    magnitude_before: Tensor
    magnitude_after: Tensor


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
    backward passes to the code; no weight gradient is computed.

    Args:
        generator: its ``decode`` is used.
        start: images and codes as drawn.
        objective: the loss to ascend.
        settings: radius and steps.
        max_magnitude: codes are shortened to it where a step left them longer.
    """
    codes = start.codes.detach()
    stride = settings.radius / settings.steps
    with untouched([generator, *objective.modules]), torch.autocast(start.images.device.type, enabled=False):
        for step in range(settings.steps):
            loss, slope = _slope(generator, start, codes, objective)
            if step == 0:
                loss_before, zero_signs = loss.mean(), (slope == 0).float().mean()
            codes = torch.clamp(
                codes + stride * slope.sign(), start.codes - settings.radius, start.codes + settings.radius
            )
            codes = clip_magnitude(codes, max_magnitude)
    return Guided(
        codes=codes,
        zero_signs=zero_signs,
        loss_before=loss_before,
        magnitude_before=magnitude_of(start.codes).mean(),
        magnitude_after=magnitude_of(codes).mean(),
    )


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
