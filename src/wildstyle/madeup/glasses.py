"""Glasses: two projected superellipses, a bridge and arms, hidden where the face is nearer."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np

from wildstyle.madeup.basis import Floats, head_basis, places
from wildstyle.madeup.look import Glasses

_SUB = 8


def wear(
    picture: Floats, depth: Floats, glasses: Glasses, head: Floats, view: tuple[Callable[[Floats], Floats], float]
) -> Floats:
    """Draw the frame into linear light.

    Args:
        picture: (S, S, 3) linear.
        depth: (S, S) of what is drawn already.
        glasses: the frame.
        head: (V, 3) vertices in head axes.
        view: function from (N, 3) head points to (N, 3) pixel points with depth, and pixels per head unit.

    Returns:
        (S, S, 3) linear, a new array.
    """
    project, scale = view
    size = picture.shape[0]
    cover = np.zeros((size, size), np.float32)
    lens = np.zeros((size, size), np.uint8)
    for line, closed in _lines(glasses, head):
        points = project(line)
        if closed:
            cv2.fillPoly(lens, [np.rint(points[:, :2] * _SUB).astype(np.int32)], 255, cv2.LINE_AA, 3)
        drawn = np.zeros((size, size), np.uint8)
        width = max(1, round(glasses.line * scale))
        for start, end in pairwise(points):
            # Arms lie against the temples, so they may dip into the skin.
            if _visible((start + end) / 2.0, depth, 0.06 if closed else 0.30):
                ends = np.rint(np.stack([start, end])[:, :2] * _SUB).astype(int)
                cv2.line(drawn, tuple(ends[0]), tuple(ends[1]), 255, width, cv2.LINE_AA, 3)
        thin = min(1.0, glasses.line * scale / width)
        cover = np.maximum(cover, drawn.astype(np.float32) * (thin / 255.0))
    tinted = picture * (1.0 - glasses.tint * lens.astype(np.float32) / 255.0)[..., None]
    colour = np.array(glasses.colour, np.float32) * 0.9
    return np.asarray(tinted * (1.0 - cover[..., None]) + colour * cover[..., None], np.float32)


def _visible(point: Floats, depth: Floats, slack: float) -> bool:
    size = depth.shape[0]
    x, y = int(point[0]), int(point[1])
    inside = 0 <= x < size and 0 <= y < size
    return inside and bool(point[2] > depth[y, x] - slack)


def _lines(glasses: Glasses, head: Floats) -> list[tuple[Floats, bool]]:
    """Rims (closed), bridge and arms as (N, 3) head points."""
    where = places()
    right, left = head[where.right_eye].mean(0), head[where.left_eye].mean(0)
    middle = (right + left) / 2.0
    ears = head[head_basis().ears > 0.3, 0]
    front = float(max(right[2], left[2])) + 0.46
    t = np.linspace(0.0, 2.0 * np.pi, 49)
    lines: list[tuple[Floats, bool]] = []
    for eye, side in ((right, -1.0), (left, 1.0)):
        across = np.sign(np.cos(t)) * np.abs(np.cos(t)) ** (2.0 / glasses.power)
        up = np.sign(np.sin(t)) * np.abs(np.sin(t)) ** (2.0 / glasses.power)
        x = eye[0] + side * 0.02 + glasses.width * across
        y = middle[1] - 0.05 + glasses.height * up
        z = front - 0.30 * np.clip(np.abs(x) - 0.35, 0.0, None) ** 2
        lines.append((np.stack([x, y, z], 1).astype(np.float32), True))
        hinge = np.array([eye[0] + side * (glasses.width + 0.02), middle[1] + 0.06, z.min()])
        ear = np.array([side * (np.abs(ears).max() - 0.24), middle[1] + 0.02, -0.95])
        share = np.linspace(0.0, 1.0, 25)[:, None]
        lines.append(((hinge * (1.0 - share) + ear * share).astype(np.float32), False))
    inner = (right[0] + 0.02 + glasses.width - 0.04, left[0] + 0.02 - glasses.width)
    x = np.linspace(inner[0], inner[1], 7)
    arch = middle[1] + 0.04 + 0.05 * np.sin(np.linspace(0, np.pi, 7))
    lines.append((np.stack([x, arch, np.full(7, front + 0.02)], 1).astype(np.float32), False))
    return lines
