"""Triangles to pixels in plain numpy: which triangle a pixel sees, and where in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.madeup.basis import Floats

_FAR = np.float32(-1e3)


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

    All (triangle, pixel in its box) pairs are listed at once, tested, sorted by depth and written far to near.

    Args:
        points: (V, 3) float32: x right, y down in pixels, and depth, larger is nearer.
        triangles: (T, 3) int64, counter-clockwise as seen from outside (y up).
        size: S, side of the picture in pixels.
        two_sided: also draw triangles seen from behind.
    """
    corners = points[triangles]
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    low = np.ceil(corners[:, :, :2].min(1) - 0.5).astype(np.int64).clip(0, size)
    high = (np.floor(corners[:, :, :2].max(1) - 0.5).astype(np.int64) + 1).clip(0, size)
    extent = high - low
    # y points down, so a front face has negative area.
    seen = (extent > 0).all(1) & ((np.abs(area) > 1e-6) if two_sided else (area < -1e-6))
    kept = np.flatnonzero(seen)
    width, count = extent[kept, 0], extent[kept].prod(1)
    which = np.repeat(np.arange(len(kept)), count)
    offset = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    px = low[kept, 0][which] + offset % width[which]
    py = low[kept, 1][which] + offset // width[which]
    # Weights are affine in the pixel: w_i = e_i + f_i x + g_i y, per triangle.
    a, b, c, area = a[kept], b[kept], c[kept], area[kept]
    plane_b = _edge(c, a, area)
    plane_c = _edge(a, b, area)
    x, y = px.astype(np.float32) + 0.5, py.astype(np.float32) + 0.5
    wb = plane_b[0][which] + plane_b[1][which] * x + plane_b[2][which] * y
    wc = plane_c[0][which] + plane_c[1][which] * x + plane_c[2][which] * y
    wa = 1.0 - wb - wc
    inside = np.flatnonzero((wa >= -1e-3) & (wb >= -1e-3) & (wc >= -1e-3))
    which, wa, wb, wc = which[inside], wa[inside], wb[inside], wc[inside]
    z = wa * a[which, 2] + wb * b[which, 2] + wc * c[which, 2]
    flat = py[inside] * size + px[inside]
    order = np.argsort(z, kind="stable")
    winner = np.full(size * size, -1, np.int64)
    winner[flat[order]] = order
    pixel = np.flatnonzero(winner >= 0)
    row = winner[pixel]
    depth = np.full(size * size, _FAR, np.float32)
    depth[pixel] = z[row]
    weights = np.stack([wa[row], wb[row], wc[row]], 1)
    return Fragments(pixel, kept[which[row]], weights, depth.reshape(size, size))


def _edge(p: Floats, q: Floats, area: Floats) -> tuple[Floats, Floats, Floats]:
    """Weight of the corner opposite to edge p-q as a plane (constant, x factor, y factor)."""
    dx, dy = (q[:, 0] - p[:, 0]) / area, (q[:, 1] - p[:, 1]) / area
    return dy * p[:, 0] - dx * p[:, 1], -dy, dx


def interpolate(fragments: Fragments, triangles: NDArray[np.int64], values: Floats) -> Floats:
    """(P, A) values at the fragments from (V, A) values at the vertices."""
    corners = triangles[fragments.triangle]
    w = fragments.weights
    return w[:, :1] * values[corners[:, 0]] + w[:, 1:2] * values[corners[:, 1]] + w[:, 2:] * values[corners[:, 2]]


def vertex_normals(vertices: Floats, triangles: NDArray[np.int64]) -> Floats:
    """(V, 3) float32 unit normals, area weighted."""
    a, b, c = vertices[triangles[:, 0]], vertices[triangles[:, 1]], vertices[triangles[:, 2]]
    face = np.cross(b - a, c - a)
    rows = triangles.T.ravel()
    summed = np.stack([np.bincount(rows, np.tile(face[:, k], 3), len(vertices)) for k in range(3)], 1)
    return (summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-9)).astype(np.float32)
