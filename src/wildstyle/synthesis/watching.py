"""Looking at a fit while it runs: how near it came to the footage, and whether it still comes nearer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wildstyle.randomness import item_rng
from wildstyle.synthesis.codes import sample_codes, sample_seeds
from wildstyle.synthesis.control import synthesise
from wildstyle.synthesis.distances import kernel_distance
from wildstyle.synthesis.interface import StyleGenerator
from wildstyle.synthesis.settings import FitSettings
from wildstyle.synthesis.statistics import style_statistics
from wildstyle.synthesis.window import picture_mask
from wildstyle.training import Progress

_FACES = 160


@dataclass(frozen=True)
class Look:
    """One look: at which step, kernel distance of style statistics to held-back footage."""

    step: int
    distance: float


@dataclass(frozen=True)
class Watch:
    """When a fit is looked at, and when it has learnt enough.

    Attributes:
        every: steps between looks; 0: never.
        patience: looks without a new best distance after which the fit ends; 0: it never ends early.
        seen: told of each look with the averaged generator of the moment; for sample sheets.
        before: looks of an earlier part of the same run.
        on_step: told of every step.
        on_complaint: told in words when something begins to go wrong.
    """

    every: int = 0
    patience: int = 0
    seen: Callable[[Look, StyleGenerator], None] | None = None
    before: Sequence[Look] = ()
    on_step: Callable[[Progress], None] | None = None
    on_complaint: Callable[[str], None] | None = None

    def complain(self, text: str) -> None:
        """Pass a complaint on, if anybody listens."""
        if self.on_complaint is not None:
            self.on_complaint(text)


def enough(looks: Sequence[Look], patience: int) -> bool:
    """Whether the last ``patience`` looks brought no new best."""
    if patience < 1 or len(looks) <= patience:
        return False
    best = min(look.distance for look in looks[:-patience])
    return all(look.distance >= best for look in looks[-patience:])


class Watcher:
    """Measures a generator against held-back footage, always on the same faces, codes and noise.

    Args:
        images: (N, 3, S, S) clean faces.
        held: (M, 3, S, S) held-back footage.
        settings: of the fit.
        watch: when.
    """

    def __init__(self, images: Tensor, held: Tensor, settings: FitSettings, watch: Watch) -> None:
        self._images, self._watch = images[:_FACES], watch
        rng = item_rng(settings.seed, "watch")
        generator = settings.generator
        codes = sample_codes(rng, len(self._images), generator.axes, generator.max_magnitude, zero_share=0.0)
        length = np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-6)
        low = settings.like_target[1]
        # Magnitudes that are asked to look like the footage.
        self._codes = (codes / length * (low + (1 - low / generator.max_magnitude) * length)).astype(np.float32)
        self._seeds = sample_seeds(rng, len(self._images))
        self._mask = picture_mask(self._images)
        self._held = style_statistics(held[: 2 * _FACES]).double()
        both = torch.cat([self._held, style_statistics(self._images, self._mask).double()])
        self._mean, self._deviation = both.mean(0), both.std(0).clamp_min(1e-3)
        self.looks = list(watch.before)

    def look(self, step: int, generator: StyleGenerator) -> bool:
        """Look where it is time to; whether the fit has learnt enough."""
        if step % self._watch.every:
            return False
        made = synthesise(generator, self._images, self._codes, self._seeds)
        statistics = style_statistics(made, self._mask).double()
        distance = kernel_distance(*(self._standard(part) for part in (statistics, self._held)))
        self.looks.append(Look(step, distance))
        if self._watch.seen is not None:
            self._watch.seen(self.looks[-1], generator)
        return enough(self.looks, self._watch.patience)

    def _standard(self, statistics: Tensor) -> np.ndarray:
        return ((statistics - self._mean) / self._deviation).numpy()
