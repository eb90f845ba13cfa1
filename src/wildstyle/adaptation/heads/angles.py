"""Cosines, and cosines of moved angles, with gradients that stay finite at both ends."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

_SINE_FLOOR = 1e-12
_SHORTEST = 1e-12


def directions(vectors: Tensor) -> Tensor:
    """Unit vectors (N, D) of vectors (N, D); zero stays zero."""
    return normalize(vectors, eps=_SHORTEST)


def cosines_to(vectors: Tensor, centres: Tensor) -> Tensor:
    """Cosine of each of (N, D) to each of (C, D), (N, C) in [-1, 1]."""
    return (directions(vectors) @ directions(centres).T).clamp(-1.0, 1.0)


def turned(cosines: Tensor, angle: Tensor | float) -> Tensor:
    """cos(theta + angle) of cos(theta), without acos, whose slope is infinite at both ends.

    Args:
        cosines: (N,) in [-1, 1].
        angle: in rad, (N,) or one for all; gradients pass through it too.
    """
    sine = (1.0 - cosines.square()).clamp_min(_SINE_FLOOR).sqrt()
    if isinstance(angle, Tensor):
        return cosines * angle.cos() - sine * angle.sin()
    return cosines * math.cos(angle) - sine * math.sin(angle)


def turned_with_fallback(cosines: Tensor, angle: float) -> Tensor:
    """cos(theta + angle) up to theta + angle = pi, beyond it cos(theta) - angle sin(pi - angle).

    Beyond pi the cosine would rise again and pull the wrong way. This is the original code's answer: it keeps
    falling with theta, but jumps at the switch.
    """
    fallback = cosines - angle * math.sin(math.pi - angle)
    return torch.where(cosines > math.cos(math.pi - angle), turned(cosines, angle), fallback)


def angles_of(cosines: Tensor, margin: float = 1e-7) -> Tensor:
    """Angles in rad of cosines, kept ``margin`` away from both ends, where acos has no slope."""
    return cosines.clamp(-1.0 + margin, 1.0 - margin).acos()
