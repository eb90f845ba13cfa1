"""Unit embeddings with scores chosen by hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def with_scores(scores: list[list[float]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Probes (n, G+n) and gallery (G, G+n) of unit length with the (n, G) cosines asked for."""
    wanted = np.array(scores, np.float64)
    n, size = wanted.shape
    rest = 1 - (wanted**2).sum(axis=1)
    if (rest < 0).any():
        raise ValueError("a unit vector can't have these scores with an orthogonal gallery")
    probes = np.hstack([wanted, np.diag(np.sqrt(rest))])
    return probes.astype(np.float32), np.eye(size, size + n, dtype=np.float32)


def noisy_people(
    people: int, each: int, width: int, noise: float, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(people * each, width) unit embeddings around random centres, and their people."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(people), each)
    vectors = rng.standard_normal((people, width))[labels] + noise * rng.standard_normal((len(labels), width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels
