"""Strict thresholds under weights: the same rule in every draw of people, without looking at every score anew.

Impostor scores in falling order are cut into chunks. The weight of a chunk in all draws at once is a product with the
chunk's table of counts, person by person: w' C w for pairs of people, C w for single ones. The chunk in which a
draw's allowance runs out is then gone through score by score, so the result is the one of a full count.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from wildstyle.evaluation.blocks import in_threads
from wildstyle.evaluation.bootstrap import Weights
from wildstyle.evaluation.items import Items

_BLOCK = 4_000_000  # elements of a block: 16 MB in float32
_CHUNKS = 96
_CHUNK_ITEMS = 2_000_000
_CUTS = 49  # a crossed chunk is cut again
_LEAST = 1024  # scores that are gone through one by one
_FEW = 256  # scores for which a table doesn't pay
_SLACK = 1.6  # draws need more scores than the figure itself: their own people may be the ones that are alike


def thresholds_under(
    scores: Items, people: Weights, allowed: NDArray[np.float64], expected: Sequence[float]
) -> NDArray[np.float64]:
    """Highest score that must be rejected, for each target and draw.

    Args:
        scores: impostor scores in any order.
        people: (B, P) weights.
        allowed: (T, B) weight that may lie above the threshold; where 0, nothing is known of the draw.
        expected: about how many scores each of the T targets needs.

    Returns:
        (T, B) float64; minus infinity where the scores end before the allowance does.
    """
    found = np.full(allowed.shape, -np.inf)
    found[allowed == 0] = np.nan
    spread = _spread(people)
    wanted = min(len(scores), max(2048, int(_SLACK * max(expected, default=0))))
    while len(scores) and np.isneginf(found).any():
        top = scores.highest(wanted)
        edges = _chunk_edges(len(top))
        above = _weights_above(top, edges, spread)
        for target, limit in enumerate(allowed):
            pending = np.flatnonzero(np.isneginf(found[target]) & (above[-1] > limit))
            found[target, pending] = _crossing(top, edges, spread, above, (pending, limit[pending]))
        if len(top) == len(scores):
            break
        wanted = 3 * len(top)
    return found


def plain_thresholds(scores: Items, allowed: Sequence[int]) -> NDArray[np.float64]:
    """Highest score that must be rejected where so many may be accepted, each score counting once; (T,) float64."""
    wanted = [len(scores) - 1 - k for k in allowed if k < len(scores)]
    ordered = np.partition(scores.values, wanted) if wanted else scores.values
    return np.array([ordered[len(scores) - 1 - k] if k < len(scores) else -np.inf for k in allowed], np.float64)


def total_weight(items: Items, people: Weights) -> NDArray[np.float64]:
    """(B,) weight of all items for (B, P) weights of people."""
    spread = _spread(people)
    edges = np.unique(np.append(np.arange(0, len(items), _CHUNK_ITEMS), len(items))).astype(np.int64)
    return np.asarray(_weights_above(items, edges, spread)[-1])


def _spread(people: Weights) -> Weights:
    """(P + 1, B): one row a person, and one of ones for "nobody else"."""
    return np.ascontiguousarray(np.hstack([people, np.ones((len(people), 1), np.float32)]).T)


def _chunk_edges(stop: int) -> NDArray[np.int64]:
    """Borders of chunks: small at the top, where rare false matches are counted, then in proportion."""
    inner = np.geomspace(1, max(stop, 2), _CHUNKS)
    return np.unique(np.concatenate([[0, stop], inner]).astype(np.int64).clip(0, stop))


def _weights_above(top: Items, edges: NDArray[np.int64], spread: Weights) -> NDArray[np.float64]:
    """(C + 1, B) weight from the first border to each of the C + 1 borders."""
    out = np.zeros((len(edges), spread.shape[1]))
    parts = [slice(int(a), int(b)) for a, b in pairwise(edges)]

    def work(some: slice) -> None:
        for c in range(some.start, some.stop):
            out[c + 1] = _chunk_weight(top, parts[c], spread)

    for _ in in_threads(work, [slice(c, c + 1) for c in range(len(parts))]):
        pass
    return np.asarray(np.cumsum(out, axis=0))


def _crossing(
    top: Items,
    edges: NDArray[np.int64],
    spread: Weights,
    above: NDArray[np.float64],
    wanted: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Scores at which the draws ``wanted`` (numbers, limits) run out; ``above`` are the weights at the borders."""
    draws, limit = wanted
    out = np.empty(len(draws))
    chunk = (above[1:, draws] > limit).argmax(axis=0)
    for c in np.unique(chunk):
        some = np.flatnonzero(chunk == c)
        part = slice(int(edges[c]), int(edges[c + 1]))
        left = limit[some] - above[c, draws[some]]
        out[some] = _inside(top, part, np.ascontiguousarray(spread[:, draws[some]]), left)
    return out


def _numbered(values: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The values that occur, rising, and the place of each among them; like np.unique, without sorting."""
    seen = np.zeros(count, bool)
    seen[values] = True
    found = np.flatnonzero(seen)
    place = np.empty(count, np.int32)
    place[found] = np.arange(len(found), dtype=np.int32)
    return found, place[values]


def _inside(top: Items, part: slice, spread: Weights, left: NDArray[np.float64]) -> NDArray[np.float64]:
    """Score at which each of the draws in ``spread`` (P + 1, B) uses up what is ``left``, inside one chunk."""
    size = part.stop - part.start
    if size > _LEAST:
        edges = np.unique(np.linspace(part.start, part.stop, _CUTS).astype(np.int64))
        everyone = np.arange(len(left)), left
        return _crossing(top, edges, spread, _weights_above(top, edges, spread), everyone)
    passed = np.cumsum(_item_weights(top, part, spread), axis=0, dtype=np.float64)
    beyond = passed > left
    place = np.where(beyond.any(axis=0), beyond.argmax(axis=0), size - 1)
    return np.asarray(top.values[part][place], np.float64)


def _item_weights(top: Items, part: slice, spread: Weights) -> Weights:
    """(n, B) weights of single scores."""
    own = spread[top.first[part]]
    if top.second is None:
        return own
    people = len(spread) - 1
    weights: Weights = own * spread[np.where(top.second[part] < 0, people, top.second[part])]
    return weights


def _chunk_weight(top: Items, part: slice, spread: Weights) -> NDArray[np.float64]:
    """(B,) weight of a chunk; ``spread`` is (P + 1, B), its last row ones."""
    if part.stop - part.start <= _FEW:
        return np.asarray(_item_weights(top, part, spread).sum(axis=0, dtype=np.float64))
    people = len(spread) - 1
    first = top.first[part]
    if top.second is None:
        counts = np.bincount(first, minlength=people + 1)
        used = np.flatnonzero(counts)
        return np.asarray(counts[used].astype(np.float32) @ spread[used], np.float64)
    second = np.where(top.second[part] < 0, people, top.second[part])
    # Only the people of the chunk: its table is small however many there are.
    (rows, row), (columns, column) = _numbered(first, people + 1), _numbered(second, people + 1)
    table = coo_array((np.ones(len(first), np.float32), (row, column)), shape=(len(rows), len(columns))).tocsr()
    total = np.zeros(spread.shape[1])
    step = max(1, _BLOCK // max(len(rows), len(columns)))
    for low in range(0, spread.shape[1], step):
        draws = slice(low, low + step)
        across = table @ np.ascontiguousarray(spread[columns, draws])
        total[draws] = np.einsum("pb,pb->b", across, spread[rows, draws], dtype=np.float64)
    return total
