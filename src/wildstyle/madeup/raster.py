"""Triangles to pixels in plain numpy: which triangle a pixel sees, and where in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.madeup.basis import Floats

_FAR = np.float32(-1e3)
# Neighbours overlap by a hair, so that rounding leaves no cracks.
_SLACK = np.float32(1e-3)


@dataclass(frozen=True, slots=True)
class Fragments:
    """What P covered pixels of an S x S picture see.

    Attributes:
        pixel: (P,) int64 flat index of the pixel.
        triangle: (P,) int64 row of the triangle list.
        weights: (P, 3) float32 barycentric weights.
        depth: (S, S) float32, larger is nearer, -1000 where nothing is.
    """

    pixel: NDArray[np.int64]
    triangle: NDArray[np.int64]
    weights: Floats
    depth: Floats


def rasterise(points: Floats, triangles: NDArray[np.int64], size: int, *, two_sided: bool = False) -> Fragments:
    """Find the nearest triangle of every pixel.

    All (triangle, pixel in its box) pairs are listed at once and tested; the nearest wins its pixel.

    Args:
        points: (V, 3) float32: x right, y down in pixels, and depth, larger is nearer.
        triangles: (T, 3) int64, counter-clockwise as seen from outside (y up).
        size: S, side of the picture in pixels.
        two_sided: also draw triangles seen from behind.
    """
    px, py, z = points.T
    ia, ib, ic = triangles.T
    area = (px[ib] - px[ia]) * (py[ic] - py[ia]) - (py[ib] - py[ia]) * (px[ic] - px[ia])
    # y points down, so a front face has negative area.
    facing = np.flatnonzero((np.abs(area) > 1e-6) if two_sided else (area < -1e-6))
    ia, ib, ic, area = ia[facing], ib[facing], ic[facing], area[facing]
    left, width = _extent(px[ia], px[ib], px[ic], size)
    top, height = _extent(py[ia], py[ib], py[ic], size)
    count = width * height
    which = np.repeat(np.arange(len(facing)), count)
    offset = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    down = offset // width[which]
    column, row = left[which] + offset - down * width[which], top[which] + down
    # Weights are affine in the pixel: w = e + f x + g y, per triangle.
    plane_b = _edge(px, py, (ic, ia), area)
    plane_c = _edge(px, py, (ia, ib), area)
    x, y = column.astype(np.float32) + 0.5, row.astype(np.float32) + 0.5
    wb, wc = _at(plane_b, which, x, y), _at(plane_c, which, x, y)
    wa = 1.0 - wb - wc
    inside = np.flatnonzero((wa >= -_SLACK) & (wb >= -_SLACK) & (wc >= -_SLACK))
    which, wa, wb, wc = which[inside], wa[inside], wb[inside], wc[inside]
    near = wa * z[ia[which]] + wb * z[ib[which]] + wc * z[ic[which]]
    pixel, winner, depth = _nearest(row[inside] * size + column[inside], near, size)
    weights = np.stack([wa[winner], wb[winner], wc[winner]], 1)
    return Fragments(pixel, facing[which[winner]], weights, depth)


def _extent(a: Floats, b: Floats, c: Floats, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First pixel centre inside [min, max] of three coordinates, and how many, clipped to the picture."""
    low = np.ceil(np.minimum(np.minimum(a, b), c) - 0.5).astype(np.int64).clip(0, size)
    high = np.floor(np.maximum(np.maximum(a, b), c) + 0.5).astype(np.int64).clip(0, size)
    return low, np.maximum(high - low, 0)


def _nearest(flat: NDArray[np.int64], near: Floats, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Covered pixels, the row of ``flat`` that wins each, and the (S, S) depth."""
    depth = np.full(size * size, _FAR, np.float32)
    np.maximum.at(depth, flat, near)
    winners = np.flatnonzero(near == depth[flat])
    chosen = np.full(size * size, -1, np.int64)
    chosen[flat[winners]] = winners
    pixel = np.flatnonzero(chosen >= 0)
    return pixel, chosen[pixel], depth.reshape(size, size)


def _edge(
    x: Floats, y: Floats, ends: tuple[NDArray[np.int64], NDArray[np.int64]], area: Floats
) -> tuple[Floats, Floats, Floats]:
    """Weight of the corner opposite to an edge as a plane (constant, x factor, y factor)."""
    p, q = ends
    dx, dy = (x[q] - x[p]) / area, (y[q] - y[p]) / area
    return dy * x[p] - dx * y[p], -dy, dx


def _at(plane: tuple[Floats, Floats, Floats], which: NDArray[np.int64], x: Floats, y: Floats) -> Floats:
    return np.asarray(plane[0][which] + plane[1][which] * x + plane[2][which] * y, np.float32)


def interpolate(fragments: Fragments, triangles: NDArray[np.int64], values: Floats) -> Floats:
    """(P, A) values at the fragments from (V, A) values at the vertices."""
    corners = triangles[fragments.triangle]
    w = fragments.weights
    mixed = w[:, :1] * values[corners[:, 0]]
    mixed += w[:, 1:2] * values[corners[:, 1]]
    mixed += w[:, 2:] * values[corners[:, 2]]
    return np.asarray(mixed, np.float32)


def vertex_normals(vertices: Floats, triangles: NDArray[np.int64]) -> Floats:
    """(V, 3) float32 unit normals, area weighted."""
    ia, ib, ic = triangles.T
    x, y, z = vertices.T
    ux, uy, uz = x[ib] - x[ia], y[ib] - y[ia], z[ib] - z[ia]
    vx, vy, vz = x[ic] - x[ia], y[ic] - y[ia], z[ic] - z[ia]
    rows = triangles.T.ravel()
    faces = (uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)
    return unit(np.stack([np.bincount(rows, np.tile(f, 3), len(vertices)) for f in faces], 1).astype(np.float32))


def unit(vectors: Floats) -> Floats:
    """(N, 3) vectors of length 1; the zero vector stays."""
    x, y, z = vectors.T
    length = np.maximum(np.sqrt(x * x + y * y + z * z), np.float32(1e-9))
    return np.asarray(vectors / length[:, None], np.float32)
