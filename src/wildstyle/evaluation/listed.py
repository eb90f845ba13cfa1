"""Scores of listed pairs of templates.

A list of millions of pairs among thousands of templates fills much of the grid of all pairs; there it is faster to
multiply blocks of the grid and pick the listed cells than to fetch two vectors a pair. Sparse lists are fetched.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError
from wildstyle.evaluation.blocks import in_threads, row_blocks

_DENSE = 1 / 40  # share of the grid's cells: a fetched pair costs about as much as forty cells of a product
_FETCHED = 32_768
_BAND = 256


def listed_scores(
    vectors: NDArray[np.float32],
    first: NDArray[np.integer],
    second: NDArray[np.integer],
    *,
    ok: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Cosines of listed pairs.

    Args:
        vectors: (T, D) float32 unit.
        first: (P,) rows of ``vectors``.
        second: (P,) rows of ``vectors``.
        ok: (T,) bool, False where a template failed.

    Returns:
        (P,) float32; minus infinity where either template failed.

    Raises:
        InputError: the lists differ in length or name a row that is not there.
    """
    first, second = np.asarray(first), np.asarray(second)
    if first.shape != second.shape or first.ndim != 1:
        raise InputError(f"pairs need two lists of one length, not {first.shape} and {second.shape}")
    if len(first) and not (min(first.min(), second.min()) >= 0 and max(first.max(), second.max()) < len(vectors)):
        raise InputError(f"a pair names a template that is not among the {len(vectors)}")
    scores = np.empty(len(first), np.float32)
    rows, columns = _used(first, len(vectors)), _used(second, len(vectors))
    if len(first) > _DENSE * len(rows) * len(columns):
        _by_grid(vectors, (rows, columns), (first, second), scores)
    else:
        _by_fetching(vectors, first, second, scores)
    if ok is not None and not ok.all():
        scores[~(ok[first] & ok[second])] = -np.inf
    return scores


def _used(ends: NDArray[np.integer], count: int) -> NDArray[np.int64]:
    seen = np.zeros(count, bool)
    seen[ends] = True
    return np.flatnonzero(seen)


def _by_fetching(
    vectors: NDArray[np.float32], first: NDArray[np.integer], second: NDArray[np.integer], out: NDArray[np.float32]
) -> None:
    def work(part: slice) -> None:
        np.einsum("pd,pd->p", vectors[first[part]], vectors[second[part]], out=out[part])

    for _ in in_threads(work, row_blocks(len(first), 1, _FETCHED)):
        pass


def _by_grid(
    vectors: NDArray[np.float32],
    ends: tuple[NDArray[np.int64], NDArray[np.int64]],
    pairs: tuple[NDArray[np.integer], NDArray[np.integer]],
    out: NDArray[np.float32],
) -> None:
    rows, columns = ends
    place = np.zeros((2, len(vectors)), np.int32)
    place[0, rows], place[1, columns] = np.arange(len(rows)), np.arange(len(columns))
    row, column = place[0][pairs[0]], place[1][pairs[1]]
    band = (row // _BAND).astype(np.uint16 if len(rows) // _BAND < 65536 else np.int64)
    order, edges = _sorted_by(band, len(rows) // _BAND + 1)
    right = np.ascontiguousarray(vectors[columns].T)

    def work(part: slice) -> None:
        for b in range(part.start, part.stop):
            listed = slice(0, 0) if edges[b] == edges[b + 1] else slice(edges[b], edges[b + 1])
            which = listed if order is None else order[listed]
            if listed.stop == listed.start:
                continue
            grid = vectors[rows[b * _BAND : (b + 1) * _BAND]] @ right
            cell = (row[which] - b * _BAND).astype(np.int64) * len(columns) + column[which]
            out[which] = grid.ravel()[cell]

    for _ in in_threads(work, [slice(b, b + 1) for b in range(len(edges) - 1)]):
        pass


def _sorted_by(band: NDArray[np.integer], count: int) -> tuple[NDArray[np.int64] | None, NDArray[np.int64]]:
    """Order that brings equal bands together (None where they are already), and the borders of the bands."""
    edges = np.concatenate([[0], np.cumsum(np.bincount(band, minlength=count))]).astype(np.int64)
    if bool(np.all(band[1:] >= band[:-1])):
        return None, edges
    # Stable sorting of 16-bit numbers is a radix sort: a second for 15 million.
    return np.argsort(band, kind="stable"), edges
