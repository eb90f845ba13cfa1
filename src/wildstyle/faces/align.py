"""Five landmarks to the standard crop.

The transform is the least-squares similarity of Umeyama (PAMI 1991) without reflection; in two
dimensions it has a closed form, no singular value decomposition is needed. Pixels outside the
picture are black (0), sampling is bilinear.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from wildstyle.errors import InputError, SettingError
from wildstyle.faces.record import Pixels

TEMPLATES: dict[str, NDArray[np.float32]] = {
    # The five points that InsightFace's aligned sets use, for a 112x112 crop. Not mirror symmetric.
    "arcface-112": np.array(
        [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
        np.float32,
    ),
}
"""Name to (5, 2) float32 points for a 112x112 crop, order as in FaceRecord."""

BORDER = 0
"""Value of pixels that lie outside the picture."""


def template_points(size: int = 112, template: str = "arcface-112") -> NDArray[np.float32]:
    """The template for a crop of ``size`` px, (5, 2) float32.

    Multiples of 112 scale by size/112. Multiples of 128 scale by size/128 and move right by
    8·size/128, the habit of the aligned sets of that size. Other sizes scale like 112.

    Raises:
        SettingError: unknown template, or a size under 16 px.
    """
    if template not in TEMPLATES:
        raise SettingError(f"no landmark template {template!r}", remedy=f"choose one of {', '.join(sorted(TEMPLATES))}")
    if size < 16:
        raise SettingError(f"a crop of {size} px is too small", remedy="use at least 16, usually 112")
    points: NDArray[np.float32] = TEMPLATES[template]
    if size % 112 and size % 128 == 0:
        factor = size / 128
        return np.asarray(points * factor + np.array([8 * factor, 0]), np.float32)
    return np.asarray(points * (size / 112), np.float32)


def similarity(landmarks: ArrayLike, template: ArrayLike) -> NDArray[np.float64]:
    """Rotation, uniform scale and shift that best map landmarks to template (least squares, no reflection).

    Args:
        landmarks: (P, 2) points, P >= 2.
        template: (P, 2) points.

    Returns:
        (2, 3) float64 matrix M with ``template ≈ landmarks @ M[:, :2].T + M[:, 2]``.

    Raises:
        InputError: shapes differ, values aren't finite, or all landmarks coincide.
    """
    source, target = np.asarray(landmarks, np.float64), np.asarray(template, np.float64)
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 2 or len(source) < 2:
        raise InputError(f"landmarks {source.shape} and template {target.shape} must both be (points, 2)")
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise InputError("landmarks hold NaN or infinite values")
    middle, goal = source.mean(0), target.mean(0)
    (px, py), (qx, qy) = (source - middle).T, (target - goal).T
    spread = float((px * px + py * py).sum())
    if spread < 1e-12:
        raise InputError("all landmarks coincide", remedy="reject the face: its landmarks can't be used")
    # As complex numbers: the multiplier a + ib that minimises sum |(a + ib) p - q|^2.
    a = float((px * qx + py * qy).sum()) / spread
    b = float((px * qy - py * qx).sum()) / spread
    turn = np.array([[a, -b], [b, a]])
    return np.hstack([turn, (goal - turn @ middle)[:, None]])


def transform(points: ArrayLike, matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Points (P, 2) moved by a (2, 3) matrix, (P, 2) float32."""
    return (np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def align(image: Pixels, landmarks: ArrayLike, size: int = 112, template: str = "arcface-112") -> Pixels:
    """The face cut out so that its landmarks lie on the template.

    Args:
        image: (H, W, 3) uint8 RGB.
        landmarks: (5, 2) px in ``image``, order as in FaceRecord.
        size: side of the crop in px.
        template: a key of TEMPLATES.

    Returns:
        (size, size, 3) uint8 RGB; black where the crop reaches outside the picture.

    Raises:
        InputError: landmarks unusable.
        SettingError: unknown template or size.
    """
    matrix = similarity(landmarks, template_points(size, template))
    return np.asarray(
        cv2.warpAffine(
            image,
            matrix,
            (size, size),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(BORDER, BORDER, BORDER),
        ),
        np.uint8,
    )


def plausible(landmarks: ArrayLike, box: ArrayLike, picture: tuple[int, int] | None = None) -> str | None:
    """Why five landmarks can't be those of a face, or None when they can.

    Heads may be tilted by up to 90 degrees and turned to a profile; what is refused would give a
    mirrored, upside-down or hugely enlarged crop.

    Args:
        landmarks: (5, 2) px, order as in FaceRecord.
        box: (4,) left, top, right, bottom of the face.
        picture: (height, width) of the picture, to find points far outside of it.
    """
    points, frame = np.asarray(landmarks, np.float64), np.asarray(box, np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all() or not np.isfinite(frame).all():
        return "landmarks missing or not finite"
    width, height = frame[2] - frame[0], frame[3] - frame[1]
    if width <= 0 or height <= 0:
        return "empty box"
    if not 1 / 3 <= width / height <= 3:
        return "extreme shape of the box"
    checks = (_order, _spread, _inside)
    reasons = (check(points, frame, picture) for check in checks)
    return next((reason for reason in reasons if reason), None)


def _order(points: NDArray[np.float64], frame: NDArray[np.float64], picture: tuple[int, int] | None) -> str | None:
    del frame, picture
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    down = mouth - eyes
    length = float(np.hypot(*down))
    if length < 1e-6:
        return "degenerate landmarks"
    if down[1] < -0.17 * length:  # more than about 100 degrees of tilt
        return "mouth above eyes"
    # Along the axis that points to the image right of an upright face; in a profile both ends may meet.
    right = np.array([down[1], -down[0]]) / length
    if (points[1] - points[0]) @ right < -0.1 * length:
        return "eyes swapped"
    if (points[4] - points[3]) @ right < -0.1 * length:
        return "mouth corners swapped"
    return None


def _spread(points: NDArray[np.float64], frame: NDArray[np.float64], picture: tuple[int, int] | None) -> str | None:
    del picture
    diagonal = float(np.hypot(frame[2] - frame[0], frame[3] - frame[1]))
    eye_line = float(np.hypot(*(points[1] - points[0])))
    drop = float(np.hypot(*(points[3:].mean(0) - points[:2].mean(0))))
    spread = float(np.sqrt(((points - points.mean(0)) ** 2).sum(1).mean()))
    if spread < 0.08 * diagonal or drop < 0.1 * diagonal:
        return "degenerate landmarks"
    if eye_line > 4 * drop:
        return "extreme proportions of the landmarks"
    return None


def _inside(points: NDArray[np.float64], frame: NDArray[np.float64], picture: tuple[int, int] | None) -> str | None:
    slack = 0.25 * (frame[2:] - frame[:2])
    if ((points < frame[:2] - slack) | (points > frame[2:] + slack)).any():
        return "landmarks outside the face box"
    if picture is not None:
        outside = (points < 0) | (points > np.array([picture[1] - 1, picture[0] - 1]))
        # A tight crop may cut off a mouth corner; most of a face must be in the picture.
        if int(outside.any(1).sum()) > 2:
            return "landmarks outside the picture"
    return None
