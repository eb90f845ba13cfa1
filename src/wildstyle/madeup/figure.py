"""The head of one picture in space: shape with expression, hair volume, pose, and the camera's view of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wildstyle.madeup.basis import TEETH, TONGUE, Floats, head_basis, places
from wildstyle.madeup.conditions import Conditions, Pose
from wildstyle.madeup.hair import cap_push
from wildstyle.madeup.person import MadeUpPerson, combine, resting_normals, resting_vertices
from wildstyle.madeup.raster import vertex_normals

_PIVOT = np.array([0.0, -1.2, -1.0], np.float32)
_EYES_APART = 0.954
_CENTRE_HEIGHT = 0.535


@dataclass(frozen=True, slots=True)
class Figure:
    """A head before the camera.

    Attributes:
        head: (V, 3) float32 in head coordinates, with expression, without hair volume.
        points: (V, 3) float32: x right and y down in pixels, and depth in head units, larger is nearer.
        normals: (V, 3) float32 in camera axes (x right, y up, z to the viewer).
        rotation: (3, 3) float32, head to camera axes.
        scale: pixels per head unit at the face.
        landmarks: (5, 2) float32 pixels, in the order of `FaceRecord.landmarks`.
        view: from (N, 3) points in head coordinates to pixels with depth.
    """

    head: Floats
    points: Floats
    normals: Floats
    rotation: Floats
    scale: float
    landmarks: Floats
    view: Callable[[Floats], Floats]


def pose_figure(who: MadeUpPerson, seen: Conditions, size: int) -> Figure:
    """Build the head of one picture of ``size`` pixels a side."""
    basis = head_basis()
    head = resting_vertices(who.seed) + combine(seen.drift, basis.directions)
    for i in np.flatnonzero(seen.expression):
        head += seen.expression[i] * basis.expressions[i]
    mouth = (basis.part == TEETH) | (basis.part == TONGUE)
    head[mouth, 2] -= 0.07
    outer = head
    push = cap_push(who.look.hair)
    if push is not None:
        outer = head + push[:, None] * resting_normals(who.seed)
    rotation = _rotation(seen.pose)
    turned = _turn(outer, rotation, seen.pose)
    camera = _Camera.of(seen.pose, size)
    normals = vertex_normals(turned, basis.triangles)

    def view(points: Floats) -> Floats:
        return camera.project(np.asarray(_PIVOT + (points - _PIVOT) @ rotation.T, np.float32))

    five = view(_five_points(head))[:, :2]
    return Figure(head, camera.project(turned), normals, rotation, camera.scale, five, view)


def _rotation(pose: Pose, share: float = 1.0) -> Floats:
    yaw, pitch, roll = share * pose.yaw, share * -pose.pitch, share * -pose.roll
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x @ about_y, np.float32)


def _turn(vertices: Floats, rotation: Floats, pose: Pose) -> Floats:
    """Turn the head about the neck; shoulders follow by a third."""
    offset = vertices - _PIVOT
    t = np.clip((head_basis().mean[:, 1:2] + 2.7) / 1.5, 0.0, 1.0)
    follow = t * t * (3.0 - 2.0 * t)
    turned: Floats = follow * (offset @ rotation.T) + (1.0 - follow) * (offset @ _rotation(pose, 0.33).T)
    return turned + _PIVOT


@dataclass(frozen=True, slots=True)
class _Camera:
    """A pinhole camera that keeps the middle of the face at its place in the picture."""

    scale: float
    distance: float
    middle: Floats
    target: tuple[float, float]

    @classmethod
    def of(cls, pose: Pose, size: int) -> _Camera:
        middle = _PIVOT + _rotation(pose) @ -_PIVOT
        target = ((0.5 + pose.shift[0]) * size, (_CENTRE_HEIGHT + pose.shift[1]) * size)
        return cls(pose.eye_distance * size / _EYES_APART, pose.distance, middle.astype(np.float32), target)

    def project(self, points: Floats) -> Floats:
        offset = points - self.middle
        near = self.scale * self.distance / np.maximum(self.distance - offset[:, 2], 0.5)
        x, y = self.target[0] + near * offset[:, 0], self.target[1] - near * offset[:, 1]
        return np.stack([x, y, offset[:, 2]], 1).astype(np.float32)


def _five_points(head: Floats) -> Floats:
    """(5, 3) eyeball centres moved to the cornea, nose tip, mouth corners, in head coordinates."""
    where = places()
    forward = np.array([0.0, 0.0, 0.2], np.float32)
    return np.stack(
        [
            head[where.right_eye].mean(0) + forward,
            head[where.left_eye].mean(0) + forward,
            head[where.nose_tip],
            head[where.right_corner],
            head[where.left_corner],
        ]
    )
