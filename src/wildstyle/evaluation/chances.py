"""Likelihood that a score is of one person, learnt from answers.

A logistic curve by maximum a posteriori: besides the answers it is fitted to a few made-up ones that stand for what
is believed before any answer, so that two answers don't turn it around (Gelman et al. 2008 on weak priors).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LEAST_SLOPE = 4.0
_STEPS = 25


@dataclass(frozen=True, slots=True)
class Chances:
    """The likelihood 1 / (1 + exp(-slope * (score - middle))).

    Attributes:
        middle: score at which it is one half.
        slope: per unit of score, above 0.
    """

    middle: float = 0.4
    slope: float = 15.0

    def of(self, score: float) -> float:
        """Likelihood of a score."""
        return 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, self.slope * (score - self.middle)))))

    def score_at(self, likelihood: float) -> float:
        """Score with a likelihood in (0, 1)."""
        return self.middle + math.log(likelihood / (1 - likelihood)) / self.slope

    def after(self, scores: Sequence[float], same: Sequence[bool]) -> Chances:
        """The curve after answers; this one counts like six of them.

        Args:
            scores: n scores.
            same: n answers.
        """
        believed = np.array([self.score_at(p) for p in (0.1, 0.5, 0.9)])
        x = np.concatenate([believed, np.asarray(scores, np.float64)])
        y = np.concatenate([[0.1, 0.5, 0.9], np.asarray(same, np.float64)])
        weight = np.concatenate([np.full(3, 2.0), np.ones(len(scores))])
        start = np.array([-self.slope * self.middle, self.slope])
        offset, slope = _fit(x, y, weight, start)
        slope = max(slope, _LEAST_SLOPE)
        return Chances(-offset / slope, slope)


def _fit(
    x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64], start: NDArray[np.float64]
) -> tuple[float, float]:
    """Offset and slope of the weighted logistic fit, by damped Newton steps."""
    design = np.stack([np.ones(len(x)), x], axis=1)
    found = start

    def loss(at: NDArray[np.float64]) -> float:
        z = design @ at
        return float((weight * (np.logaddexp(0, z) - y * z)).sum())

    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ found, -50, 50)))
        gradient = design.T @ (weight * (p - y))
        curvature = design.T @ (design * (weight * p * (1 - p))[:, None]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while size > 1e-3 and loss(found - size * step) > loss(found):
            size /= 2
        found = found - size * step
        if np.abs(size * step).max() < 1e-6:
            break
    return float(found[0]), float(found[1])
