"""Distances between two sets of feature vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wildstyle.errors import NotMeasurable

Vectors = NDArray[np.floating]


def kernel_distance(first: Vectors, second: Vectors) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x·y / F + 1)³ (KID, arXiv 1801.01401).

    Features are taken as they come: standardise them before, by one common rule for all sets compared.

    Args:
        first: (N, F), N >= 2.
        second: (M, F), M >= 2.

    Returns:
        About 0 for samples of one distribution (it may be slightly negative), larger the more they differ.

    Raises:
        NotMeasurable: fewer than two vectors on a side.
    """
    a, b = _both(first, second)
    within = [(_cubic(x, x).sum() - np.trace(_cubic(x, x))) / (len(x) * (len(x) - 1)) for x in (a, b)]
    return float(within[0] + within[1] - 2.0 * _cubic(a, b).mean())


def jackknifed_distance(first: Vectors, second: Vectors, *, groups: int = 20) -> tuple[float, float]:
    """Kernel distance and its standard error by leaving out groups of vectors, of both sets at once.

    Args:
        first, second: as in ``kernel_distance``, each of at least 2 ``groups`` vectors in random order.
        groups: how many groups, >= 2.

    Raises:
        NotMeasurable: too few vectors.
    """
    a, b = _both(first, second)
    if min(len(a), len(b)) < 2 * groups:
        raise NotMeasurable(f"an interval needs {2 * groups} vectors a set, got {len(a)} and {len(b)}")
    kernel = _cubic(*(np.concatenate([a, b]),) * 2)
    place = [np.arange(len(a)), len(a) + np.arange(len(b))]
    left = [_from_kernel(kernel, *(p[p % groups != g] for p in place)) for g in range(groups)]
    error = np.sqrt((groups - 1) * np.var(left))
    return _from_kernel(kernel, *place), float(error)


def halves_distances(
    vectors: Vectors, owners: Sequence[str], rng: np.random.Generator, *, draws: int = 60
) -> NDArray[np.float64]:
    """Kernel distances of random halves of one set, split between owners (people, say): (draws,).

    Args:
        vectors: (N, F), N >= 4.
        owners: N names; all vectors of one name lie in one half.
        rng: draws the halves.
        draws: how many.

    Raises:
        NotMeasurable: fewer than four owners.
    """
    a, _ = _both(vectors, vectors)
    names, owner = np.unique(np.asarray(owners), return_inverse=True)
    if len(names) < 4:
        raise NotMeasurable(f"halves need vectors of four owners, got {len(names)}")
    kernel = _cubic(a, a)
    out = []
    for _ in range(draws):
        side = np.isin(owner, rng.permutation(len(names))[: len(names) // 2])
        out.append(_from_kernel(kernel, np.flatnonzero(side), np.flatnonzero(~side)))
    return np.array(out)


def _from_kernel(kernel: NDArray[np.float64], one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Unbiased distance of two parts of the vectors between which ``kernel`` was taken."""
    within = 0.0
    for part in (one, other):
        block = kernel[np.ix_(part, part)]
        within += (block.sum() - np.trace(block)) / max(1, len(part) * (len(part) - 1))
    return float(within - 2.0 * kernel[np.ix_(one, other)].mean())


def frechet_distance(first: Vectors, second: Vectors) -> float:
    """Fréchet distance of the Gaussians fitted to two sets (FID, arXiv 1706.08500); >= 0, biased upwards for few.

    Args:
        first: (N, F), N >= 2.
        second: (M, F), M >= 2.

    Raises:
        NotMeasurable: fewer than two vectors on a side.
    """
    a, b = _both(first, second)
    cov_a, cov_b = np.atleast_2d(np.cov(a, rowvar=False)), np.atleast_2d(np.cov(b, rowvar=False))
    # trace sqrt(A B) = sum of the roots of the eigenvalues of sqrt(A) B sqrt(A), which is symmetric.
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ cov_b @ root), 0.0, None)).sum()
    gap = np.square(a.mean(0) - b.mean(0)).sum()
    return float(max(0.0, gap + np.trace(cov_a) + np.trace(cov_b) - 2.0 * cross))


def energy_distance(points: Tensor, weight: Tensor, reference: Tensor) -> Tensor:
    """Weighted energy distance to a reference set (Székely & Rizzo 2013) up to a constant; differentiable.

    2 E|x - y| - E|x - x'| with x, x' independent draws of ``points`` by ``weight``; the missing term - E|y - y'|
    depends on the reference only.

    Args:
        points: (N, F).
        weight: (N,) >= 0.
        reference: (M, F).

    Returns:
        0-d tensor.
    """
    share = weight / weight.sum().clamp_min(1e-6)
    across = (share * _gap(points, reference).mean(1)).sum()
    pair = share[:, None] * share[None, :]
    pair = pair - torch.diag(torch.diagonal(pair))
    within = (pair * _gap(points, points)).sum() / pair.sum().clamp_min(1e-6)
    return 2.0 * across - within


def nearest_distance(points: Tensor, weight: Tensor, reference: Tensor, count: int = 5) -> Tensor:
    """Weighted mean distance of points to their nearest reference points; differentiable.

    The energy distance forgives a few points that are like none of the reference; this does not.

    Args:
        points: (N, F).
        weight: (N,) >= 0.
        reference: (M, F).
        count: nearest points averaged over, at most M are used.

    Returns:
        0-d tensor.
    """
    share = weight / weight.sum().clamp_min(1e-6)
    closest = _gap(points, reference).topk(min(count, len(reference)), dim=1, largest=False).values
    return (share * closest.mean(1)).sum()


def spread(points: Tensor) -> Tensor:
    """Mean distance of two different points of (M, F), M >= 2; 0-d."""
    count = len(points)
    gaps = _gap(points, points)
    return (gaps.sum() - torch.diagonal(gaps).sum()) / (count * (count - 1))


def _gap(a: Tensor, b: Tensor) -> Tensor:
    # Not torch.cdist: its gradient at distance 0 and its fast path differ between devices.
    squared = a.square().sum(1)[:, None] + b.square().sum(1)[None] - 2.0 * (a @ b.T)
    return (squared.clamp_min(0.0) + 1e-4).sqrt()


def _both(first: Vectors, second: Vectors) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise NotMeasurable(
            f"a distance needs two sets of at least two vectors of one length, got {a.shape} and {b.shape}"
        )
    return a, b


def _cubic(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((a @ b.T / a.shape[1] + 1.0) ** 3)
