"""Where the adapted weights take over, chosen without any label of the target.

Clean faces that were put aside are made worse, and each side of the gate tries to find the clean original of each among
all originals. The knees are those with which most are found, when the degraded faces are weighted to be of the
qualities that the footage has, and while clean faces stay where they were, all but a little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import NotMeasurable

Vectors = NDArray[np.floating]

UPPERS = (32.0, 38.0, 45.0, 54.0, 64.0, 76.0, 90.0, 107.0)
RATIOS = (1.4, 2.0, 2.8)
SAME_PERSON = 0.35
MOST_MOVED = 0.004
"""Mean 1 - cosine: with twice as much, pairs of clean faces begin to be missed at strict thresholds."""

_BIN = 0.25  # octaves
_MOST_WEIGHT = 10.0


@dataclass(frozen=True, slots=True)
class Trial:
    """Faces on which knees are tried.

    Attributes:
        clean: (N, D) unit embeddings of clean faces by the untouched recogniser.
        untouched, adapted: (N, D) unit embeddings of the same faces made worse, by both.
        quality: (N,) log2 effective size of the worse faces.
        clean_adapted: (N, D) unit embeddings of the clean faces by the adapted recogniser.
        clean_quality: (N,) log2 effective size of the clean faces.
        footage_quality: (F,) the same of the footage, or empty.
    """

    clean: Vectors
    untouched: Vectors
    adapted: Vectors
    quality: Vectors
    clean_adapted: Vectors
    clean_quality: Vectors
    footage_quality: Vectors


@dataclass(frozen=True, slots=True)
class Knees:
    """A choice of knees.

    Attributes:
        lower, upper: px; below the first the adapted weights alone decide, above the second the untouched ones.
        found: share of originals found with them; ``found_untouched`` and ``found_adapted`` with one side alone.
        clean_above: share of clean faces above the upper knee: they stay exactly as they were.
        clean_moved: mean 1 - cosine of clean faces to where they were.
        tried: (lower, upper, share found) of every pair that was allowed.
    """

    lower: float
    upper: float
    found: float
    found_untouched: float
    found_adapted: float
    clean_above: float
    clean_moved: float
    tried: tuple[tuple[float, float, float], ...]


def choose_knees(trial: Trial, *, most_moved: float = MOST_MOVED) -> Knees:
    """The knees with which most originals are found.

    Args:
        trial: what to try them on.
        most_moved: mean 1 - cosine by which clean faces may be moved, > 0.

    Raises:
        NotMeasurable: fewer than 30 faces, or all knees move the clean faces by more.
    """
    if len(trial.quality) < 30:
        raise NotMeasurable(f"knees are chosen on at least 30 faces, there are {len(trial.quality)}")
    weights = footage_weights(trial.quality, trial.footage_quality)
    strangers = trial.clean @ trial.clean.T < SAME_PERSON
    pairs = [(upper / ratio, upper) for upper in UPPERS for ratio in RATIOS]
    moved = {pair: clean_moved(trial, *pair) for pair in pairs}
    tried = [
        (*pair, originals_found(trial, ramp(trial.quality, *pair), strangers, weights))
        for pair in pairs
        if moved[pair] <= most_moved
    ]
    if not tried:
        raise NotMeasurable(
            f"every gate moves the clean faces by more than {most_moved:g} (1 - cosine, on average; the gentlest by"
            f" {min(moved.values()):.3g}): the clean set is not clean, or the adaptation went too far",
            remedy="give sharper clean faces, or set the knees by hand",
        )
    # Of equals the gate that touches least.
    lower, upper, found = max(tried, key=lambda each: (round(each[2], 4), -each[1], -each[0]))
    none, all_ = np.zeros(len(trial.quality)), np.ones(len(trial.quality))
    return Knees(
        lower,
        upper,
        found,
        originals_found(trial, none, strangers, weights),
        originals_found(trial, all_, strangers, weights),
        float((trial.clean_quality > np.log2(upper)).mean()),
        moved[lower, upper],
        tuple(tried),
    )


def clean_moved(trial: Trial, lower: float, upper: float) -> float:
    """Mean 1 - cosine of clean faces, through the gate, to where they were."""
    share = ramp(trial.clean_quality, lower, upper)
    return float((1.0 - (between(trial.clean, trial.clean_adapted, share) * trial.clean).sum(axis=1)).mean())


def between(old: Vectors, new: Vectors, share: Vectors) -> Vectors:
    """Unit vectors (N, D) between two, at shares (N,) of the second."""
    mixed = (1.0 - share[:, None]) * old + share[:, None] * new
    return np.asarray(mixed / np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-12))


def ramp(quality: Vectors, lower: float, upper: float) -> Vectors:
    """Weights of the adapted side for log2 effective sizes, as ``QualityGate`` has them."""
    high, low = np.log2(upper), np.log2(lower)
    return np.asarray(np.clip((high - quality) / (high - low), 0.0, 1.0))


def originals_found(trial: Trial, share: Vectors, strangers: NDArray[np.bool_], weights: Vectors) -> float:
    """Weighted share of worse faces that are nearer to their own original than to any stranger's."""
    scores = between(trial.untouched, trial.adapted, share) @ trial.clean.T
    own = np.diag(scores)
    rival = np.where(strangers, scores, -np.inf).max(axis=1)
    return float((weights * (own > rival)).sum() / weights.sum())


def footage_weights(quality: Vectors, footage: Vectors) -> Vectors:
    """Weights (N,) that make the qualities of tried faces distributed as the footage's; even where it is unknown.

    No face counts more than ten times the average one.
    """
    if len(footage) == 0:
        return np.ones(len(quality))
    edges = np.arange(2.0, 8.0 + _BIN, _BIN)
    here, there = (np.histogram(np.clip(q, 2.0, 7.99), edges)[0].astype(float) for q in (quality, footage))
    ratio = (there / max(there.sum(), 1.0)) / np.maximum(here / here.sum(), 1e-9)
    place = np.clip(((np.clip(quality, 2.0, 7.99) - 2.0) / _BIN).astype(int), 0, len(ratio) - 1)
    weights = np.asarray(ratio[place], float)
    weights = np.minimum(weights / max(weights.mean(), 1e-12), _MOST_WEIGHT)
    return weights if weights.sum() > 0 else np.ones(len(quality))
