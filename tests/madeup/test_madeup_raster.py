"""The rasteriser against a slow twin that asks every pixel of every triangle."""

from __future__ import annotations

import numpy as np

from wildstyle.madeup.raster import interpolate, rasterise, vertex_normals


def slow_depth(points: np.ndarray, triangles: np.ndarray, size: int) -> np.ndarray:
    depth = np.full((size, size), -1e3)
    for triangle in triangles:
        a, b, c = points[triangle].astype(float)
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if area >= -1e-6:
            continue
        for row in range(size):
            for column in range(size):
                x, y = column + 0.5, row + 0.5
                wb = ((a[0] - c[0]) * (y - c[1]) - (a[1] - c[1]) * (x - c[0])) / area
                wc = ((b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])) / area
                wa = 1 - wb - wc
                if min(wa, wb, wc) >= -1e-3:  # neighbours overlap by this
                    depth[row, column] = max(depth[row, column], wa * a[2] + wb * b[2] + wc * c[2])
    return depth


def test_depth_agrees_with_the_slow_twin() -> None:
    rng = np.random.default_rng(0)
    points = np.c_[rng.uniform(-4, 28, (30, 2)), rng.normal(size=30)].astype(np.float32)
    triangles = rng.integers(0, 30, (40, 3))
    triangles = triangles[[len(set(t)) == 3 for t in triangles.tolist()]]
    found, wanted = rasterise(points, triangles, 24).depth, slow_depth(points, triangles, 24)
    # Rounding may put a pixel centre on the other side of an edge.
    assert (np.abs(found - wanted) > 1e-3).mean() < 0.005


def test_weights_give_back_linear_functions() -> None:
    points = np.array([[2, 2, 0], [2, 20, 1], [20, 2, 2], [22, 22, 3]], np.float32)
    triangles = np.array([[0, 1, 2], [2, 1, 3]])
    found = rasterise(points, triangles, 24)
    at = interpolate(found, triangles, points)
    assert len(found.pixel) > 200
    assert np.allclose(at[:, 0], found.pixel % 24 + 0.5, atol=1e-3)
    assert np.allclose(at[:, 1], found.pixel // 24 + 0.5, atol=1e-3)


def test_back_faces_show_only_when_two_sided() -> None:
    points = np.array([[2, 2, 0], [20, 2, 0], [2, 20, 0]], np.float32)
    triangle = np.array([[0, 1, 2]])
    assert len(rasterise(points, triangle, 24).pixel) == 0
    assert len(rasterise(points, triangle, 24, two_sided=True).pixel) > 100


def test_normals_of_a_sphere_point_outwards() -> None:
    t, p = np.meshgrid(np.linspace(0, 2 * np.pi, 25)[:-1], np.linspace(0.2, np.pi - 0.2, 12))
    sphere = np.stack([np.sin(p) * np.cos(t), np.cos(p), np.sin(p) * np.sin(t)], -1).reshape(-1, 3).astype(np.float32)
    triangles = []
    for i in range(11):
        for j in range(24):
            a, b, c, d = i * 24 + j, i * 24 + (j + 1) % 24, (i + 1) * 24 + j, (i + 1) * 24 + (j + 1) % 24
            triangles += [[a, b, c], [b, d, c]]
    assert ((vertex_normals(sphere, np.array(triangles)) * sphere).sum(1) > 0.95).all()
