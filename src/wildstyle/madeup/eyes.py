"""Eyeballs, teeth and tongue."""

from __future__ import annotations

import numpy as np

from wildstyle.madeup.basis import Floats
from wildstyle.madeup.hair import smooth
from wildstyle.madeup.look import Eyes


def gaze_direction(rotation: Floats, miss: tuple[float, float]) -> Floats:
    """(3,) unit vector in head axes of eyes that look at the camera but for ``miss`` radians.

    Eyes follow the camera to 25 degrees and no further.
    """
    camera = rotation.T @ np.array([miss[0], miss[1], 1.0], np.float32)
    yaw = np.clip(np.arctan2(camera[0], camera[2]), -0.44, 0.44)
    pitch = np.clip(np.arctan2(camera[1], np.hypot(camera[0], camera[2])), -0.3, 0.3)
    return np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], np.float32)


def paint_eyes(eyes: Eyes, outward: Floats, gaze: Floats) -> Floats:
    """Albedo of eyeball pixels.

    Args:
        eyes: the person's eyes.
        outward: (P, 3) unit vectors from the eyeball's centre, head axes.
        gaze: (3,) unit vector.

    Returns:
        (P, 3) float32 linear albedo.
    """
    angle = np.arccos(np.clip(outward @ gaze, -1.0, 1.0))
    off = outward - gaze
    turn = np.arctan2(off[:, 1], off[:, 0])
    iris = np.array(eyes.iris, np.float32)
    streaks = 1.0 + 0.22 * np.cos(17.0 * turn + 2.0 * np.cos(5.0 * turn)) + 0.10 * np.cos(41.0 * turn)
    glow = 0.75 + 0.9 * smooth(angle, 0.18, 0.40) * (1.0 - smooth(angle, eyes.iris_angle - 0.12, eyes.iris_angle))
    coloured = iris * (streaks * glow)[:, None]
    white = np.tile(np.array([0.70, 0.665, 0.64], np.float32), (len(angle), 1))
    red = eyes.veins * smooth(angle, 0.7, 1.3)[:, None]
    white *= 1.0 - red * np.array([0.05, 0.35, 0.35], np.float32)
    outside = smooth(angle, eyes.iris_angle - 0.035, eyes.iris_angle + 0.035)[:, None]
    albedo = coloured * (1.0 - outside) + white * outside
    rim = np.exp(-(((angle - eyes.iris_angle + 0.03) / 0.05) ** 2))[:, None]
    albedo *= 1.0 - 0.55 * rim
    pupil = (1.0 - smooth(angle, 0.15, 0.21))[:, None]
    albedo = albedo * (1.0 - pupil) + 0.006 * pupil
    # The upper lid shades the white; the corners are darker.
    shade = 1.0 - 0.50 * smooth(outward[:, 1], 0.08, 0.50) - 0.18 * smooth(np.abs(outward[:, 0]), 0.55, 0.95)
    return np.asarray(albedo * np.clip(shade, 0.0, 1.0)[:, None], np.float32)


def paint_mouth(count: int, teeth: np.ndarray, height: Floats) -> Floats:
    """(P, 3) albedo of teeth (bool (P,)) and tongue; darker deep inside (``height`` is mean-head z)."""
    white, tongue = np.array([0.85, 0.80, 0.70], np.float32), np.array([0.30, 0.09, 0.09], np.float32)
    albedo = np.where(teeth[:, None], white, tongue) * np.ones((count, 1), np.float32)
    return np.asarray(albedo * smooth(height, -0.5, 0.1)[:, None], np.float32)
