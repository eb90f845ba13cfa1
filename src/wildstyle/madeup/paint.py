"""Skin albedo of every pixel, painted in mean-head coordinates.

A pixel knows which place of the face it shows, (x, y, z) on the mean head, so brows, lips and lines are sharp
functions of that place and move with the shape without any texture map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wildstyle.madeup.basis import Floats
from wildstyle.madeup.hair import smooth
from wildstyle.madeup.look import Beard, Brows, Colour, Look, Skin
from wildstyle.madeup.texture import look_up

_EYE = (0.477, 0.440)
_MOUTH_Y = -0.683


@dataclass(frozen=True, slots=True)
class Place:
    """Where P skin pixels lie.

    Attributes:
        xyz: (P, 3) mean-head coordinates.
        lips, lids, ears, inside: (P,) region masks.
        cloud, strand, grain: (P,) noise of the person, sd 0.5: cloudy, hair-like, and as fine as bristles.
        eye_gap: (P,) distance from the nearer eyeball's surface on the mean head.
    """

    xyz: Floats
    lips: Floats
    lids: Floats
    ears: Floats
    inside: Floats
    cloud: Floats
    strand: Floats
    grain: Floats
    eye_gap: Floats


def place_of(attributes: Floats, textures: Floats) -> Place:
    """Gather what paint needs from (P, >= 7) interpolated attributes: xyz, lips, lids, ears, inside."""
    xyz = attributes[:, :3]
    around = np.arctan2(xyz[:, 0], xyz[:, 2] + 1.6) / (2 * np.pi)
    cloud = look_up(textures[0], around * 2.0, xyz[:, 1] * 0.27)
    strand = look_up(textures[1], xyz[:, 0] * 0.30 + 0.30 * xyz[:, 1], xyz[:, 1] * 0.5)
    gap = np.sqrt((np.abs(xyz[:, 0]) - _EYE[0]) ** 2 + (xyz[:, 1] - _EYE[1]) ** 2 + (xyz[:, 2] - 0.004) ** 2) - 0.235
    grain = look_up(textures[1], around * 3.0, xyz[:, 1] * 3.7)
    lips, lids, ears, inside = attributes[:, 3:7].T
    return Place(xyz, lips, lids, ears, inside, cloud, strand, grain, gap)


def paint_skin(look: Look, place: Place, stubble: float, brightness: float) -> Floats:
    """(P, 3) float32 linear albedo of skin, brows, lips, beard and make-up."""
    skin = look.skin
    albedo = np.tile(np.array(skin.base, np.float32) * brightness, (len(place.cloud), 1))
    albedo *= (1.0 + 0.11 * skin.mottle * place.cloud)[:, None]
    face = np.flatnonzero((place.xyz[:, 2] > -0.8) & (place.xyz[:, 1] > -1.6) & (place.xyz[:, 1] < 1.6))
    near = Place(*(getattr(place, name)[face] for name in Place.__slots__))
    part = albedo[face]
    _redden(part, skin, near)
    _shade_age(part, skin, near)
    _spot(part, skin, near)
    _grow_beard(part, look.beard, near, stubble)
    _paint_lips(part, skin, near)
    _paint_eyelids(part, look, near)
    _draw_brow(part, look.brows, near)
    inside = smooth(near.inside, 0.45, 0.9)[:, None]
    part[:] = part * (1.0 - inside) + np.array([0.10, 0.025, 0.022], np.float32) * inside
    albedo[face] = part
    return albedo


def _blend(albedo: Floats, colour: Colour, share: Floats) -> None:
    albedo += (np.array(colour, np.float32) - albedo) * share[:, None]


def _bump(x: Floats, y: Floats, centre: tuple[float, float], spread: tuple[float, float]) -> Floats:
    return np.exp(-(((x - centre[0]) / spread[0]) ** 2) - ((y - centre[1]) / spread[1]) ** 2)


def _redden(albedo: Floats, skin: Skin, place: Place) -> None:
    x, y = np.abs(place.xyz[:, 0]), place.xyz[:, 1]
    cheek = _bump(x, y, (0.66, -0.15), (0.32, 0.28))
    nose = _bump(x, y, (0.0, -0.18), (0.20, 0.20))
    blood = skin.red * np.clip(0.75 * cheek + 0.65 * nose + 0.8 * place.ears + 0.25 * place.cloud * cheek, 0.0, 1.0)
    albedo *= 1.0 - blood[:, None] * np.array([0.02, 0.24, 0.22], np.float32)


def _shade_age(albedo: Floats, skin: Skin, place: Place) -> None:
    """Dark under the eyes, folds from the nose to the mouth, lines on the forehead and beside the eyes."""
    x, y = np.abs(place.xyz[:, 0]), place.xyz[:, 1]
    under = skin.under_eye * _bump(x, y, (0.42, 0.20), (0.20, 0.085))
    fold_x = 0.27 + 0.30 * np.clip((-0.12 - y) / 0.62, 0.0, 1.0) ** 0.8
    fold = skin.folds * np.exp(-(((x - fold_x) / 0.045) ** 2)) * smooth(y, -0.85, -0.6) * (1.0 - smooth(y, -0.2, -0.05))
    dark = 0.30 * under + 0.24 * fold
    if skin.lines > 0.05:
        wave = np.cos((y + 0.05 * np.cos(3.0 * x) + 0.02 * place.cloud - 1.12) * 2 * np.pi / 0.145)
        forehead = np.clip(wave - 0.55, 0.0, 1.0) * _bump(x, y, (0.0, 1.1), (0.55, 0.20))
        crow = np.clip(np.cos(np.arctan2(y - 0.42, x - 0.55) * 16.0) - 0.5, 0.0, 1.0)
        crow *= _bump(x, y, (0.88, 0.42), (0.11, 0.17))
        dark = dark + skin.lines * (0.42 * forehead + 0.45 * crow)
    albedo *= 1.0 - np.clip(dark, 0.0, 0.8)[:, None] * np.array([0.85, 1.0, 1.0], np.float32)


def _spot(albedo: Floats, skin: Skin, place: Place) -> None:
    x, y = place.xyz[:, 0], place.xyz[:, 1]
    if skin.freckles > 0.0:
        region = _bump(np.abs(x), y, (0.40, 0.0), (0.55, 0.30))
        spots = smooth(place.grain + place.cloud, 0.5, 0.9) * region
        albedo *= 1.0 - skin.freckles * spots[:, None] * np.array([0.30, 0.45, 0.55], np.float32)
    for mole_x, mole_y, radius in skin.moles:
        mark = np.exp(-((((x - mole_x) ** 2 + (y - mole_y) ** 2) / radius**2) ** 2))
        albedo *= 1.0 - mark[:, None] * np.array([0.68, 0.78, 0.80], np.float32)


def _grow_beard(albedo: Floats, beard: Beard, place: Place, extra: float) -> None:
    x, y, z = np.abs(place.xyz[:, 0]), place.xyz[:, 1], place.xyz[:, 2]
    stubble = np.clip(beard.stubble + (extra if beard.stubble > 0.0 else 0.0), 0.0, 1.0)
    if max(stubble, beard.moustache, beard.chin, beard.full) <= 0.02:
        return
    grain = place.grain
    lip_arc = np.asarray(_MOUTH_Y + 0.20 - 0.30 * x**2, np.float32)
    moustache = smooth(y + 0.04 * grain, lip_arc - 0.12, lip_arc - 0.02) * (1.0 - smooth(x + 0.05 * grain, 0.34, 0.48))
    moustache = moustache * (1.0 - smooth(y + 0.03 * grain, -0.44, -0.36))
    chin = _bump(x, y, (0.0, -1.15), (0.36, 0.27)) * 1.8 + _bump(x, y, (0.42, -0.80), (0.12, 0.25))
    chin = np.clip(chin + 0.25 * grain - 0.45, 0.0, 1.0) * (1.0 - place.lips)
    # The full beard runs from the sideburn along the jaw; its upper edge falls towards the mouth.
    edge = -0.52 + 0.75 * smooth(x, 0.62, 1.08)
    full = smooth(-(y + 0.07 * grain - edge), -0.02, 0.12) * smooth(z, -0.75, -0.5) * smooth(y, -1.75, -1.45)
    full = full * (1.0 - smooth(place.lips, 0.15, 0.5)) * (1.0 - place.ears)
    fine = np.clip(0.8 + 0.35 * grain, 0.0, 1.0)
    area = np.maximum(full, moustache)
    cover = np.maximum.reduce([beard.moustache * moustache, beard.chin * chin, beard.full * full])
    cover = np.maximum(cover * np.clip(0.92 + 0.35 * grain, 0.0, 1.0), 0.52 * stubble * area * fine)
    _blend(albedo, beard.colour, np.clip(cover, 0.0, 0.96))


def _paint_lips(albedo: Floats, skin: Skin, place: Place) -> None:
    x, y = np.abs(place.xyz[:, 0]), place.xyz[:, 1]
    level = 0.40 - 0.22 * skin.lip_width
    cover = smooth(place.lips + 0.06 * place.strand, level - 0.22, level + 0.22)
    _blend(albedo, skin.lip, 0.92 * cover)
    crease = np.exp(-(((y - _MOUTH_Y - 0.012 * np.cos(9.0 * x)) / 0.022) ** 2)) * (1.0 - smooth(x, 0.34, 0.42))
    albedo *= (1.0 - 0.55 * crease)[:, None]


def _paint_eyelids(albedo: Floats, look: Look, place: Place) -> None:
    x, y = np.abs(place.xyz[:, 0]), place.xyz[:, 1]
    skin, gap = look.skin, place.eye_gap
    upper = smooth(y, 0.40, 0.47)
    if skin.lid_strength > 0.0:
        shadow = np.clip(place.lids + _bump(x, y, (_EYE[0] + 0.05, 0.56), (0.24, 0.09)), 0.0, 1.0) * upper
        _blend(albedo, skin.lid, skin.lid_strength * shadow)
    crease = np.exp(-(((y - 0.575 + 0.35 * (x - 0.47) ** 2) / 0.022) ** 2)) * _bump(x, y, (0.48, 0.57), (0.24, 0.1))
    albedo *= (1.0 - 0.35 * crease)[:, None]
    line = np.exp(-((np.maximum(gap, 0.0) / (0.020 + 0.030 * upper)) ** 2)) * _bump(x, y, (0.48, 0.44), (0.30, 0.20))
    strength = look.eyes.lashes * (0.35 + 0.65 * upper)
    _blend(albedo, (0.02, 0.014, 0.012), np.clip(0.95 * strength * line, 0.0, 1.0))


def _draw_brow(albedo: Floats, brows: Brows, place: Place) -> None:
    x, y = np.abs(place.xyz[:, 0]), place.xyz[:, 1]
    along = np.asarray((x - brows.inner) / (brows.outer - brows.inner), np.float32)
    s = np.clip(along, 0.0, 1.0)
    middle = brows.y + brows.tilt * s + brows.arch * (1.0 - ((s - 0.62) / 0.62) ** 2)
    half = brows.thickness * (1.0 - brows.taper * s**1.3)
    edge = np.abs(y + 0.018 * place.strand - middle) / half
    ends = smooth(along, -0.10, 0.10) * (1.0 - smooth(along, 0.82, 1.06))
    cover = np.exp(-(edge**3)) * ends * np.clip(0.92 + 0.40 * place.strand, 0.0, 1.0)
    _blend(albedo, brows.colour, np.clip(brows.density * cover, 0.0, 1.0))
