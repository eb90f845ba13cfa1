"""Embeddings of a whole source, computed once and remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.faces.source import FaceSource
from wildstyle.recognisers.cache import EmbeddingCache
from wildstyle.recognisers.recogniser import Recogniser


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of N faces.

    Attributes:
        vectors: (N, D) float32, unit length where ``ok``, NaN elsewhere (so that a failure can't pass for a face).
        norms: (N,) float32, length before normalisation; NaN where not ``ok``.
        ok: (N,) bool.
        failures: (position in this result, reason) of every face that could not be read or embedded.
    """

    vectors: NDArray[np.float32]
    norms: NDArray[np.float32]
    ok: NDArray[np.bool_]
    failures: list[tuple[int, str]]


def embed_source(
    recogniser: Recogniser,
    source: FaceSource,
    *,
    indices: Sequence[int] | None = None,
    batch: int = 64,
    cache: EmbeddingCache | None = None,
    workers: int = 2,
) -> Embeddings:
    """Embed faces of ``source`` (all, or ``indices`` in that order)."""
    raise NotImplementedError
