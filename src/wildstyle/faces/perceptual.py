"""Pictures that look the same although their bytes differ: a 64-bit difference hash and who lies near whom.

The hash ("dHash", Krawetz 2013) says for each of 8 x 8 places of a tiny grey picture whether brightness rises to the
right. Saving again, resizing and small changes of brightness turn a few bits at most; a distance of at most 4 of 64
bits counts as near. Aligned faces resemble each other as wholes, so nearness is confirmed on a 16 x 16 thumbnail.

Neighbours are found by the pigeonhole principle: two hashes that differ in at most d bits agree in at least one of
d + 1 bands of bits, so only hashes that share a band are compared (multi-index hashing, Norouzi et al. 2012).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import SettingError
from wildstyle.faces.record import Pixels

BITS = 64
NEAR = 4
"""Bits in which hashes of near-identical pictures may differ."""

THUMB = 16
_UNLIKE = 6.0
"""Mean difference of thumbnails in grey levels above which two pictures are not one. On 21,000 aligned real faces the
hash alone joined 17,000 pairs of different people; with this bound one, and that is one picture under two names."""

_BLOCK = 8_000_000  # comparisons held at a time

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]


def dhash(image: Pixels) -> int:
    """The difference hash of an (H, W, 3) uint8 RGB picture, 0 to 2**64 - 1; the first bit is the top left one."""
    small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (9, 8), interpolation=cv2.INTER_AREA)
    rises = small[:, 1:] > small[:, :-1]
    return int.from_bytes(np.packbits(rises.ravel()).tobytes(), "big")


def thumbnail(image: Pixels) -> NDArray[np.float32]:
    """(256,) float32: the grey 16 x 16 picture with its mean taken off, for confirming that two hashes mean one."""
    small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (THUMB, THUMB), interpolation=cv2.INTER_AREA)
    flat = small.astype(np.float32).ravel()
    return np.asarray(flat - flat.mean(), np.float32)


def near_pairs(hashes: Hashes, distance: int = NEAR) -> tuple[Indices, Indices]:
    """All pairs whose hashes differ in at most ``distance`` bits.

    Args:
        hashes: (N,) uint64.
        distance: 0 to 15.

    Returns:
        (first, second): two (P,) int64 with first < second, sorted. Among equal hashes each is joined to the first of
        them only, and so is whatever is near to them: groups are complete, and thousands of equal pictures give no
        millions of pairs.

    Raises:
        SettingError: ``distance`` is out of range.
    """
    _check_distance(distance)
    unique, first, inverse = np.unique(np.asarray(hashes, np.uint64), return_index=True, return_inverse=True)
    repeats = np.setdiff1d(np.arange(len(inverse)), first)
    found = [(first[inverse[repeats]], repeats)]
    for a, b in _near_unique(unique, distance):
        low, high = first[a], first[b]
        found.append((np.minimum(low, high), np.maximum(low, high)))
    one, other = (np.concatenate(side).astype(np.int64) for side in zip(*found, strict=True))
    pairs = np.unique(one * len(inverse) + other)
    return pairs // max(1, len(inverse)), pairs % max(1, len(inverse))


def near_across(one: Hashes, other: Hashes, distance: int = NEAR) -> Iterator[tuple[Indices, Indices]]:
    """Pairs between two sets whose hashes differ in at most ``distance`` bits, each once, in blocks of bounded memory.

    Args:
        one, other: (N,) and (M,) uint64.
        distance: 0 to 15.

    Yields:
        (first, second): two (P,) int64 into ``one`` and ``other``; at most some eight million pairs.

    Raises:
        SettingError: ``distance`` is out of range.
    """
    _check_distance(distance)
    one, other = np.asarray(one, np.uint64), np.asarray(other, np.uint64)
    bands = _bands(distance + 1)
    for number in range(len(bands)):
        left, right = _by_key(one, bands[number]), _by_key(other, bands[number])
        for key in sorted(left.keys() & right.keys()):
            for first, second in _near_between(one, other, (left[key], right[key]), distance):
                # A pair comes once for every band it shares: the first of them counts.
                new = ~_share_a_band(one[first] ^ other[second], bands[:number])
                if new.any():
                    yield first[new], second[new]


def _check_distance(distance: int) -> None:
    if not 0 <= distance <= 15:
        raise SettingError(f"hashes are compared up to 15 bits apart, not {distance}")


def _by_key(hashes: Hashes, band: tuple[int, int]) -> dict[int, Indices]:
    """Places of hashes by the bits of one band."""
    if not len(hashes):
        return {}
    shift, width = band
    key = (hashes >> np.uint64(shift)) & np.uint64((1 << width) - 1)
    order = np.argsort(key, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(key[order])) + 1)
    return {int(key[part[0]]): part for part in parts}


def _near_between(
    one: Hashes, other: Hashes, members: tuple[Indices, Indices], distance: int
) -> Iterator[tuple[Indices, Indices]]:
    rows, columns = members
    for start in range(0, len(columns), _BLOCK):
        some = columns[start : start + _BLOCK]
        step = max(1, _BLOCK // len(some))
        for first in range(0, len(rows), step):
            part = rows[first : first + step]
            i, j = np.nonzero(np.bitwise_count(one[part, None] ^ other[None, some]) <= distance)
            if len(i):
                yield part[i], some[j]


def _share_a_band(apart: Hashes, bands: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    out = np.zeros(len(apart), bool)
    for shift, width in bands:
        out |= (apart >> np.uint64(shift)) & np.uint64((1 << width) - 1) == 0
    return out


def groups_of(count: int, first: Indices, second: Indices) -> list[list[int]]:
    """Groups of two or more of ``count`` things that pairs join, each rising, in the order of their first member."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    joins = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(count, count))
    _, labels = connected_components(joins, directed=False)
    order = np.argsort(labels, kind="stable")
    runs = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    return sorted([run.tolist() for run in runs if len(run) > 1])


def look_alike(
    thumbnails: NDArray[np.float32], first: Indices, second: Indices, *, unlike: float = _UNLIKE
) -> NDArray[np.bool_]:
    """(P,) whether the thumbnails of each pair are one picture: mean absolute difference at most ``unlike`` levels.

    Args:
        thumbnails: (N, 256) from ``thumbnail``.
        first, second: (P,) indices into them.
    """
    out = np.zeros(len(first), bool)
    for start in range(0, len(first), 65536):
        part = slice(start, start + 65536)
        out[part] = np.abs(thumbnails[first[part]] - thumbnails[second[part]]).mean(1) <= unlike
    return out


def _near_unique(unique: Hashes, distance: int) -> Iterator[tuple[Indices, Indices]]:
    """Positions of near hashes among different ones; a pair may come once a band they share."""
    for shift, width in _bands(distance + 1):
        key = (unique >> np.uint64(shift)) & np.uint64((1 << width) - 1)
        order = np.argsort(key, kind="stable")
        edges = np.flatnonzero(np.diff(key[order])) + 1
        for start, stop in zip(np.append(0, edges), np.append(edges, len(order)), strict=True):
            if stop - start > 1:
                yield from _near_in(unique, order[start:stop], distance)


def _bands(count: int) -> list[tuple[int, int]]:
    """(shift, width) of ``count`` bands that cover all 64 bits."""
    edges = np.linspace(0, BITS, count + 1).astype(int)
    return [(int(a), int(b - a)) for a, b in pairwise(edges)]


def _near_in(unique: Hashes, members: Indices, distance: int) -> Iterator[tuple[Indices, Indices]]:
    values = unique[members]
    step = max(1, _BLOCK // len(members))
    for start in range(0, len(members), step):
        apart = np.bitwise_count(values[start : start + step, None] ^ values[None, start:])
        one, other = np.nonzero(apart <= distance)
        keep = other > one
        if keep.any():
            yield members[start + one[keep]], members[start + other[keep]]
