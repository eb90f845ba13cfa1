"""Light on the head: a soft surrounding, one key light with soft shadows, light under the skin, tone."""

from __future__ import annotations

import cv2
import numpy as np

from wildstyle.madeup.basis import Floats
from wildstyle.madeup.conditions import Light

_WRAP = np.array([0.35, 0.18, 0.12], np.float32)
_NOTHING = -100.0


def occlusion(depth: Floats, scale: float) -> Floats:
    """(S, S) share of the surrounding that reaches a pixel, from blurred depth minus depth at three sizes.

    Args:
        depth: (S, S) float32 in head units, far below 0 where nothing is.
        scale: pixels per head unit.
    """
    solid = (depth > _NOTHING).astype(np.float32)
    filled = np.where(solid > 0, depth, 0.0).astype(np.float32)
    dark = np.zeros_like(depth)
    for reach, weight in ((0.07, 0.75), (0.18, 0.5), (0.45, 0.45)):
        box = 2 * max(1, round(reach * scale)) + 1
        amount = cv2.blur(solid, (box, box))
        mean = cv2.blur(filled, (box, box)) / np.maximum(amount, 1e-3)
        dark += weight * np.clip((mean - depth) / reach - 0.06, 0.0, 1.0) * amount
    return np.asarray(np.clip(1.0 - dark, 0.25, 1.0) * solid + (1.0 - solid), np.float32)


def key_shadow(depth: Floats, light: Light, scale: float) -> Floats:
    """(S, S) share of the key light that reaches a pixel: steps through the depth map towards the light."""
    lx, ly, lz = light.direction
    reached = np.ones_like(depth)
    for step in (0.05, 0.11, 0.20, 0.34, 0.55):
        move = np.array([[1, 0, -step * scale * lx], [0, 1, step * scale * ly]], np.float32)
        shifted = cv2.warpAffine(
            depth, move, depth.shape[::-1], flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=-1e3
        )
        above = shifted - depth - step * lz - 0.03 - 0.10 * step
        hidden = np.clip(above / 0.05, 0.0, 1.0) * np.clip(2.0 - above / 0.9, 0.0, 1.0)
        reached = np.minimum(reached, 1.0 - hidden)
    soft = cv2.GaussianBlur(reached, (0, 0), max(0.6, 0.06 * scale))
    return np.asarray(np.clip(0.12 + 0.88 * soft, 0.0, 1.0), np.float32)


def shade(albedo: Floats, normals: Floats, reach: tuple[Floats, Floats], light: Light, shine: Floats) -> Floats:
    """(P, 3) outgoing linear light.

    Args:
        albedo: (P, 3) linear.
        normals: (P, 3) unit, camera axes.
        reach: (P,) share of the surrounding and of the key light that arrives.
        light: the light.
        shine: (P,) specular strength.

    Wrapped Lambert with more wrap for red imitates light that travels under the skin.
    """
    around, key = reach
    direction = np.array(light.direction, np.float32)
    warm = 1.0 + light.warmth * np.array([0.16, 0.0, -0.20], np.float32)
    facing = (normals @ direction)[:, None]
    lambert = np.clip((facing + _WRAP) / (1.0 + _WRAP), 0.0, None)
    sky = light.ambient * (1.0 + normals[:, 0] * light.tilt[0] + normals[:, 1] * light.tilt[1]) * around
    cool = 1.0 - 0.3 * light.warmth * np.array([0.16, 0.0, -0.20], np.float32)
    # Shadow edges are reddish where light bleeds under the skin.
    bled = key[:, None] ** np.array([0.85, 1.0, 1.05], np.float32)
    out = albedo * (sky[:, None] * cool + light.key * bled * lambert * warm)
    half = direction + np.array([0.0, 0.0, 1.0], np.float32)
    half /= np.linalg.norm(half)
    gloss = np.clip(normals @ half, 0.0, 1.0)
    out += (light.key * 0.17 * shine * key * gloss**22)[:, None] * warm
    rim = np.clip(1.0 - normals[:, 2], 0.0, 1.0) ** 4
    out += (0.05 * light.ambient * shine * around * rim)[:, None]
    return np.asarray(out, np.float32)


def develop(linear: Floats, exposure: float) -> Floats:
    """Linear light to 8-bit scale as float32: exposure, a shoulder, gamma and a little contrast."""
    x = np.maximum(linear, 0.0) * np.float32(2.0**exposure * 1.12)
    x = x * (1.0 + 0.10 * x) / (1.0 + 0.42 * x)
    y = np.power(np.clip(x, 0.0, 1.0), np.float32(1.0 / 2.2))
    y = y + 0.22 * (y - 0.5) * 4.0 * y * (1.0 - y)
    return np.asarray(np.clip(y, 0.0, 1.0) * np.float32(255.0), np.float32)
