"""How alike two sets of faces are in style, from the style codes read off them; arrays in, numbers out.

CFSM (Liu et al., ECCV 2022, arXiv 2207.10180) compares data sets by the bases of generators that were trained one a
set. Each of those has a style space of its own, in which axes may be turned and renumbered at will, so their bases
can't be held against each other. Here one generator reads all sets: one space, and a Gaussian N(m, S) of codes a set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import NotMeasurable

Codes = NDArray[np.floating]
"""(N, K) style codes of one set, one row a face."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StyleGaussian:
    """One or many Gaussians of style codes.

    Attributes:
        mean: (..., K).
        covariance: (..., K, K), symmetric, no negative eigenvalue.
    """

    mean: Numbers
    covariance: Numbers

    @property
    def spread(self) -> Numbers:
        """Trace of the covariance, (...): mean squared distance of a code from the set's mean."""
        return np.asarray(np.trace(self.covariance, axis1=-2, axis2=-1))

    @property
    def deviations(self) -> Numbers:
        """Standard deviation along each axis, (..., K)."""
        return np.asarray(np.sqrt(np.diagonal(self.covariance, axis1=-2, axis2=-1)))


def style_gaussian(codes: Codes, shrinkage: float | None = None) -> StyleGaussian:
    """Mean and shrunk covariance of codes.

    Args:
        codes: (N, K), N >= 2.
        shrinkage: share in [0, 1] of a round covariance that is mixed in; by default ``shrinkage_of(codes)``.

    Raises:
        NotMeasurable: fewer than two codes, or one that is not finite.
    """
    values = checked(codes)
    share = shrinkage_of(values) if shrinkage is None else shrinkage
    return StyleGaussian(values.mean(axis=0), shrunk(np.atleast_2d(np.cov(values, rowvar=False)), share))


def shrinkage_of(codes: Codes) -> float:
    """Best share of a round covariance to mix in, in [0, 1] (Ledoit & Wolf, J. Multivariate Analysis 2004).

    b²/d² with d² = |S - s I|² and b² = sum |x x' - S|² / N², at most d²; near 0 for many codes.
    """
    values = checked(codes)
    centred = values - values.mean(axis=0)
    count, axes = centred.shape
    covariance = centred.T @ centred / count
    gap = np.square(covariance - np.trace(covariance) / axes * np.eye(axes)).sum()
    noise = (np.square(np.square(centred).sum(axis=1)).sum() - count * np.square(covariance).sum()) / count**2
    return float(np.clip(noise / gap, 0.0, 1.0)) if gap > 0 else 0.0


def shrunk(covariance: Numbers, share: float) -> Numbers:
    """(1 - share) S + share (tr S / K) I for covariances (..., K, K); the trace stays."""
    axes = covariance.shape[-1]
    round_part = np.trace(covariance, axis1=-2, axis2=-1)[..., None, None] / axes * np.eye(axes)
    return np.asarray((1.0 - share) * covariance + share * round_part)


def squared_distance(first: StyleGaussian, second: StyleGaussian) -> Numbers:
    """Squared 2-Wasserstein (Fréchet) distance of Gaussians, (...), >= 0 (Dowson & Landau, JMA 1982).

    |m_A - m_B|² + tr(S_A + S_B - 2 (S_A^½ S_B S_A^½)^½): the least mean squared way that codes of one set must go
    to become codes of the other. It does not change when the style space is turned, so it does not matter how axes
    are numbered or signed.
    """
    values, vectors = np.linalg.eigh(first.covariance)
    root = (vectors * np.sqrt(np.clip(values, 0.0, None))[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ second.covariance @ root), 0.0, None)).sum(axis=-1)
    gap = np.square(first.mean - second.mean).sum(axis=-1)
    return np.asarray(np.maximum(gap + first.spread + second.spread - 2.0 * cross, 0.0))


def similarity_from(distance: Numbers | float, spread: Numbers | float) -> Numbers:
    """T / (T + W²) in [0, 1] for squared distances W² and spreads T = tr S_A + tr S_B, (...).

    1 exactly where W² = 0, which is so exactly where both Gaussians are equal, as W is a metric on them. Turning the
    style space or scaling it changes nothing. Sets of one shape whose means lie r deviations apart (of a whole set,
    over all axes) have 1 / (1 + r²/2): 0.89 at half a deviation, 0.67 at one, 0.33 at two. Two points (T = 0) have 1
    where they coincide, else 0. A distance below 0, as a correction may leave it, counts as 0.
    """
    gap, total = np.maximum(distance, 0.0), np.asarray(spread, np.float64)
    whole = total + gap
    return np.where(whole > 0, total / np.where(whole > 0, whole, 1.0), 1.0)


def similarity(first: StyleGaussian, second: StyleGaussian) -> Numbers:
    """``similarity_from`` the distance and spreads of Gaussians, (...), uncorrected: too small for few codes."""
    return similarity_from(squared_distance(first, second), first.spread + second.spread)


def leading_subspace(codes: Codes, size: int) -> Numbers:
    """Orthonormal rows that span the ``size`` strongest directions of the second moment of codes, (size, K).

    About zero, not about the mean: a set that is blurred throughout uses the direction of blur though it hardly
    varies along it.

    Raises:
        NotMeasurable: fewer than two codes, or ``size`` is not 1 to K.
    """
    values = checked(codes)
    if not 1 <= size <= values.shape[1]:
        raise NotMeasurable(f"codes of {values.shape[1]} axes have no subspace of {size} dimensions")
    _, vectors = np.linalg.eigh(values.T @ values / len(values))
    return np.asarray(vectors[:, ::-1][:, :size].T)


def subspace_overlap(first: Numbers, second: Numbers) -> float:
    """|V_A V_B'|² / q in [0, 1]: mean squared cosine of the principal angles of two subspaces (q, K).

    1 where they are one, 0 where they are at right angles, q / K on average where they are drawn at random.
    """
    return float(np.square(first @ second.T).sum() / len(first))


def axis_differences(first: StyleGaussian, second: StyleGaussian) -> tuple[Numbers, Numbers]:
    """Per axis how much further the second set lies, and how much more it varies.

    Returns:
        ``(shift, ratio)``, each (..., K): difference of means in pooled standard deviations, the root of the mean of
        both variances (Cohen's d); and the second set's standard deviation divided by the first's. An axis on which
        neither varies has shift 0 and ratio 1.
    """
    ours, theirs = first.deviations, second.deviations
    pooled = np.sqrt((ours**2 + theirs**2) / 2.0)
    still = pooled <= 0
    shift = np.where(still, 0.0, (second.mean - first.mean) / np.where(still, 1.0, pooled))
    ratio = np.where(still, 1.0, theirs / np.maximum(ours, 1e-12))
    return shift, ratio


def checked(codes: Codes) -> Numbers:
    """The codes as (N, K) float64.

    Raises:
        NotMeasurable: fewer than two codes, or one that is not finite.
    """
    values = np.asarray(codes, np.float64)
    if values.ndim != 2 or len(values) < 2 or values.shape[1] < 1:
        raise NotMeasurable(f"a set's style needs at least two codes as rows, got {values.shape}")
    if not np.isfinite(values).all():
        raise NotMeasurable("a style code is not finite", remedy="teach the reader again")
    return values
