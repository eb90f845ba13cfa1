"""Style codes: direction says which kind of bad picture, magnitude says how bad."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wildstyle.errors import SettingError


def sample_codes(
    rng: np.random.Generator,
    count: int,
    axes: int,
    max_magnitude: float = 6.0,
    *,
    zero_share: float = 0.02,
) -> NDArray[np.float32]:
    """Draw style codes whose magnitudes cover the whole range evenly.

    Direction uniform on the sphere. Magnitude stratified: of ``count`` codes one falls into each of ``count``
    equally probable strata, so that a small batch already spans [0, max]; a ``zero_share`` of the probability
    sits on exactly zero. (CFSM draws N(0, I): magnitudes below 1 and above 5 then hardly occur.)

    Args:
        rng: source of randomness.
        count: codes to draw, >= 0.
        axes: K, style axes.
        max_magnitude: largest magnitude, > 0.
        zero_share: probability of the exact zero code, in [0, 1).

    Returns:
        (count, K) float32, in random order.

    Raises:
        SettingError: an argument is out of its range.
    """
    if count < 0 or axes < 1 or max_magnitude <= 0 or not 0 <= zero_share < 1:
        raise SettingError(
            f"can't draw {count} codes of {axes} axes up to magnitude {max_magnitude} with zero share {zero_share}"
        )
    direction = rng.standard_normal((count, axes))
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-12)
    level = (rng.permutation(count) + rng.random(count)) / max(count, 1)
    magnitude = max_magnitude * np.clip((level - zero_share) / (1.0 - zero_share), 0.0, 1.0)
    codes: NDArray[np.float32] = (direction * magnitude[:, None]).astype(np.float32)
    return codes


def sample_seeds(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Noise seeds, (count,) int64, each in [0, 2^62)."""
    return rng.integers(0, 2**62, size=count, dtype=np.int64)


def magnitude_of(codes: Tensor) -> Tensor:
    """Length of each code, (N,) from (N, K); differentiable everywhere, with gradient 0 at the zero code."""
    squared = codes.square().sum(dim=1)
    positive = squared > 0
    return torch.where(positive, torch.where(positive, squared, torch.ones_like(squared)).sqrt(), squared)


def clip_magnitude(codes: Tensor, max_magnitude: float) -> Tensor:
    """Codes (N, K) shortened to at most ``max_magnitude``, direction kept."""
    length = magnitude_of(codes)
    factor = max_magnitude / length.clamp_min(max_magnitude)
    return codes * factor.unsqueeze(1)
