"""Does the style code do what it promises? Figures on faces that a generator has not seen.

Any generator with ``encode`` and ``decode`` can be measured. Identity is measured by functions from images to unit
embeddings, so that one network can steer a fit and another, which it never saw, can judge it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wildstyle.errors import NotMeasurable
from wildstyle.randomness import item_rng
from wildstyle.synthesis.codes import sample_codes, sample_seeds
from wildstyle.synthesis.interface import StyleGenerator

Embed = Callable[[Tensor], Tensor]
"""Working images (N, 3, S, S) to unit embeddings (N, D)."""

PSNR_CAP = 100.0
_BLOCK = 32


@torch.no_grad()
def synthesise(
    generator: StyleGenerator, images: Tensor, codes: NDArray[np.float32], seeds: NDArray[np.int64]
) -> Tensor:
    """Images (N, 3, S, S) in the styles ``codes`` (N, K), in blocks."""
    code, seed = torch.from_numpy(codes), torch.from_numpy(seeds)
    parts = torch.split(torch.arange(len(images)), _BLOCK)
    return torch.cat([generator.decode(images[p], generator.encode(images[p]), code[p], seed[p]) for p in parts])


@torch.no_grad()
def embedded(embed: Embed, images: Tensor) -> Tensor:
    """Unit embeddings (N, D) of images, in blocks."""
    return torch.cat([embed(part) for part in torch.split(images, _BLOCK)])


@dataclass(frozen=True, slots=True)
class IdentityControl:
    """How identity distance follows magnitude.

    Attributes:
        correlation: over faces, between the wanted and the reached distance 1 - cosine.
        wanted: mean wanted distance of each of six equal ranges of magnitude.
        reached: mean reached distance of each.
    """

    correlation: float
    wanted: tuple[float, ...]
    reached: tuple[float, ...]

    @property
    def worst_bin(self) -> float:
        """Largest distance between a range's wanted and reached mean."""
        return max(abs(a - b) for a, b in zip(self.wanted, self.reached, strict=True))


def identity_control(magnitude: NDArray[np.float64], distance: NDArray[np.float64], at_max: float) -> IdentityControl:
    """From magnitudes (N,) as shares of the range and identity distances (N,), with the target ``at_max`` at 1.

    Raises:
        NotMeasurable: one of the six ranges has no face.
    """
    place = np.clip((magnitude * 6).astype(int), 0, 5)
    if len(np.unique(place)) < 6:
        raise NotMeasurable("identity control needs faces in all six ranges of magnitude", remedy="give more faces")
    wanted = magnitude * at_max
    return IdentityControl(
        correlation=float(np.corrcoef(wanted, distance)[0, 1]),
        wanted=tuple(float(wanted[place == b].mean()) for b in range(6)),
        reached=tuple(float(distance[place == b].mean()) for b in range(6)),
    )


def psnr(images: Tensor, others: Tensor) -> NDArray[np.float64]:
    """Peak signal to noise ratio in dB of each pair of images (N, 3, S, S) in [0, 1], at most 100: (N,)."""
    error = (images.double() - others.double()).square().mean(dim=(1, 2, 3)).clamp_min(10 ** (-PSNR_CAP / 10))
    return np.asarray((-10 * error.log10()).numpy())


@dataclass(frozen=True, slots=True)
class ZeroControl:
    """What the zero code and a tiny one do.

    Attributes:
        psnr: mean PSNR to the input at magnitude 0, dB, at most 100.
        cosine: mean cosine of the judge's embeddings at magnitude 0.
        small_step: mean change of pixels at 1 % of the range, as a share of that at the full range.
    """

    psnr: float
    cosine: float
    small_step: float


def zero_control(generator: StyleGenerator, images: Tensor, embed: Embed, *, seed: int = 0) -> ZeroControl:
    """Measure magnitude 0 and 1 % of the range on images (N, 3, S, S)."""
    rng = item_rng(seed, "zero control")
    codes = sample_codes(rng, len(images), generator.axes, 1.0, zero_share=0.0)
    codes /= np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-12)
    seeds = sample_seeds(rng, len(images))
    at = {
        share: synthesise(generator, images, (codes * share * generator.max_magnitude).astype(np.float32), seeds)
        for share in (0.0, 0.01, 1.0)
    }
    # Against magnitude 0, so that a generator that never returns the input isn't judged twice for it.
    small = float((at[0.01] - at[0.0]).abs().mean())
    full = float((at[1.0] - at[0.0]).abs().mean())
    same = (embedded(embed, images) * embedded(embed, at[0.0])).sum(1)
    return ZeroControl(float(psnr(images, at[0.0]).mean()), float(same.mean()), small / max(full, 1e-12))


def magnitude_for_cosine(
    cosine_at: Callable[[float], float], wanted: float, max_magnitude: float, *, steps: int = 8
) -> float:
    """Magnitude in [0, ``max_magnitude``] at which the mean cosine falls to ``wanted``, by halving.

    The largest magnitude where even that keeps more identity, and 0 where even that keeps less.
    """
    low, high = 0.0, max_magnitude
    if cosine_at(low) < wanted:
        return low
    if cosine_at(high) >= wanted:
        return high
    for _ in range(steps):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if cosine_at(middle) >= wanted else (low, middle)
    return 0.5 * (low + high)


def coverage(real: NDArray[np.floating], made: NDArray[np.floating], count: int = 5) -> float:
    """Share of real points with a made one among their ``count`` nearest real ones' distance (Naeem et al., ICML 2020).

    Args:
        real: (N, F), N > ``count``.
        made: (M, F).
    """
    if len(real) <= count or not len(made):
        raise NotMeasurable(f"coverage needs more than {count} real points and one made, got {len(real)}, {len(made)}")
    a, b = np.asarray(real, np.float64), np.asarray(made, np.float64)
    within = np.partition(_squared(a, a), count, axis=1)[:, count]  # the point itself is the nearest
    return float((_squared(a, b).min(axis=1) <= within).mean())


def _squared(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T, 0.0))
