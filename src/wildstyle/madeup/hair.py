"""Hair: where it grows on the scalp, how far it stands off, and the hanging shell of long hair.

A hair style is a function of mean-head coordinates. Positive `hairline` is inside the hair.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from wildstyle.madeup.basis import SKIN, Floats, head_basis
from wildstyle.madeup.look import Hair
from wildstyle.madeup.texture import look_up

HANGING = ("chin", "long")
"""Lengths that hang on the shell."""


def smooth(x: Floats, low: float | Floats, high: float | Floats) -> Floats:
    """0 below ``low``, 1 above ``high``, a cubic between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def hairline(hair: Hair, place: Floats) -> Floats:
    """Signed distance-like value of scalp hair, about head units, > 0 inside.

    Args:
        hair: the style.
        place: (P, 3) float32 mean-head coordinates.

    The line runs over the forehead at ``front`` (lower with a fringe), back at the temples, down before the ear to
    the sideburn's end, round the ear and down to the nape.
    """
    x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]
    front = hair.front - hair.fringe - hair.peak * np.exp(-((x / 0.22) ** 2))
    temple = hair.recession * 0.42 * np.exp(-(((x - 0.62) / 0.28) ** 2))
    # Beyond the temple the front line dives to the sideburn.
    dive = smooth(x, 0.72, 1.12)
    line = (front + temple) * (1.0 - dive) + hair.sideburn * dive
    forehead = y - line
    # Behind the ear the line falls to the nape.
    side = y - (0.42 - 1.15 * smooth(-z, 0.95, 1.9))
    # Round the ear hair keeps clear of it.
    forward = smooth(z, -0.75, -0.45)
    value = forehead * forward + side * (1.0 - forward)
    sideburn_band = (z < -0.28) & (z > -0.80) & (x > 0.95)
    value = np.where(sideburn_band, y - hair.sideburn, value)
    if hair.thin > 0.0:
        crown = np.sqrt(place[:, 0] ** 2 + (z + 1.35) ** 2 + (y - 2.0) ** 2)
        value = np.minimum(value, crown - 1.15 * (hair.thin - 0.35) * (hair.thin > 0.45))
    return np.asarray(value, np.float32)


@lru_cache(maxsize=64)
def cap_push(hair: Hair) -> Floats | None:
    """(V,) float32 distance by which scalp vertices stand out along their normals, or None."""
    if hair.volume <= 0.0:
        return None
    basis = head_basis()
    inside = smooth(hairline(hair, basis.mean), 0.0, 0.34)
    top = 0.72 + 0.5 * smooth(basis.mean[:, 1], 0.9, 1.9)
    ears = 1.0 - np.clip(2.0 * basis.ears, 0.0, 1.0)
    push = np.where(basis.part == SKIN, hair.volume * inside * top * ears, 0.0)
    push.setflags(write=False)
    return push.astype(np.float32)


def strand_noise(textures: np.ndarray, hair: Hair, place: Floats, *, hanging: bool) -> Floats:
    """(P,) noise in about [-1, 1], stretched along the strands.

    Args:
        textures: person's texture stack, see `texture.person_textures`.
        hair: the style.
        place: (P, 3) mean-head coordinates.
        hanging: along the vertical; else away from the crown.
    """
    x, y, z = place.T
    around = np.arctan2(x - hair.part, z + 1.2) / (2 * np.pi)
    crown = np.hypot(np.hypot(x - hair.part, z + 1.2), y - 2.2)
    along = 0.5 + 0.11 * y if hanging else 0.22 * crown
    fine = look_up(textures[1], around * 1.0, along * (0.35 + 1.5 * hair.curl))
    curled = look_up(textures[0], around * 2.0, along * 2.2)
    return (1.0 - 0.7 * hair.curl) * fine + 0.7 * hair.curl * curled


def cap_cover(hair: Hair, place: Floats, noise: Floats) -> Floats:
    """(P,) opacity of scalp hair, ragged at the edge by the strands."""
    if hair.length == "bald":
        return np.zeros(len(place), np.float32)
    value = hairline(hair, place)
    edge = {"cropped": 0.20, "short": 0.12}.get(hair.length, 0.09)
    cover = smooth(value + 0.075 * noise, -0.35 * edge, edge)
    dense = 0.86 if hair.length == "cropped" else 1.0
    return cover * dense * (1.0 - 0.45 * hair.thin * (place[:, 1] > 1.2) * (noise > 0.2))


def shell_cover(hair: Hair, place: Floats, noise: Floats) -> Floats:
    """(P,) opacity of the hanging shell: a soft opening for the face, an end below, gaps between strands."""
    x, y, z = place.T
    width = hair.opening * (1.0 + 0.10 * np.clip(-y, 0.0, 1.2))
    top = hair.front - hair.fringe
    height = np.where(y > 0.2, top - 0.2, 2.4)
    radius = np.hypot(x / width, np.where(y > 0.2, (y - 0.2) / height, 0.35 * (y - 0.2) / height))
    front = smooth(z, -1.25, -0.75)
    opening = np.where(z > -1.25, (radius - 1.0) * front + (1.0 - front), 1.0)
    end = -1.25 if hair.length == "chin" else -3.1
    gaps = smooth(opening + 0.14 * noise, -0.02, 0.12)
    return gaps * smooth(y + 0.30 * noise - end, -0.12, 0.12) * smooth(noise + 1.25 - 0.6 * hair.thin, 0.0, 0.25)


def hair_colour(hair: Hair, noise: Floats, coarse: Floats) -> Floats:
    """(P, 3) albedo between root and tip colour."""
    root, tip = np.array(hair.colour, np.float32), np.array(hair.tip, np.float32)
    share = np.clip(0.35 + 0.45 * noise + 0.15 * coarse, 0.0, 1.0)[:, None]
    return np.asarray(root * (1.0 - share) + tip * share, np.float32)
