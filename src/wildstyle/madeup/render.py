"""One picture: the figure before the camera, painted, lit, on its background."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from wildstyle.madeup.basis import EYE, SHELL, SKIN, TEETH, TONGUE, Floats, face_vertices, head_basis, places
from wildstyle.madeup.conditions import Conditions, Setting
from wildstyle.madeup.eyes import gaze_direction, paint_eyes, paint_mouth
from wildstyle.madeup.figure import Figure, pose_figure
from wildstyle.madeup.glasses import wear
from wildstyle.madeup.hair import HANGING, cap_cover, hair_colour, shell_cover, strand_noise
from wildstyle.madeup.light import develop, key_shadow, occlusion, shade
from wildstyle.madeup.paint import paint_skin, place_of
from wildstyle.madeup.person import MadeUpPerson
from wildstyle.madeup.raster import Fragments, interpolate, rasterise, unit
from wildstyle.madeup.texture import person_textures
from wildstyle.randomness import item_rng


@dataclass(frozen=True, slots=True)
class _Lists:
    """Triangles of the solid head and of the hanging shell, and the part of each solid triangle."""

    solid: NDArray[np.int64]
    shell: NDArray[np.int64]
    part: NDArray[np.uint8]


@lru_cache(maxsize=1)
def _lists() -> _Lists:
    basis = head_basis()
    part = basis.part[basis.triangles[:, 0]]
    solid = basis.triangles[part != SHELL]
    return _Lists(solid, basis.triangles[part == SHELL], part[part != SHELL])


@lru_cache(maxsize=1)
def _fixed_attributes() -> Floats:
    basis = head_basis()
    return np.asarray(np.c_[basis.mean, basis.lips, basis.lids, basis.ears, basis.mouth_inside], np.float32)


@dataclass(frozen=True, slots=True)
class Rendering:
    """Linear picture (S, S, 3), true landmarks (5, 2) and smaller side of the face's box, in its pixels."""

    linear: Floats
    landmarks: Floats
    face_side: float


def render(who: MadeUpPerson, seen: Conditions, size: int) -> Rendering:
    """Render one picture of ``size`` pixels a side, in linear light before the tone curve."""
    figure = pose_figure(who, seen, size)
    points = figure.points.copy()
    inner = (head_basis().part == TEETH) | (head_basis().part == TONGUE)
    points[inner, 2] -= 0.16
    lists = _lists()
    solid = rasterise(points, lists.solid, size)
    albedo, normals, shine = _paint_solid(who, seen, figure, solid)
    layers = _Layers.of(size, solid, albedo, normals, shine)
    if who.look.hair.length in HANGING:
        _hang_shell(layers, who, figure, rasterise(points, lists.shell, size, two_sided=True))
    picture = _lit(layers, seen, figure.scale)
    if seen.glasses is not None:
        picture = wear(picture, layers.depth, seen.glasses, figure.head, (figure.view, figure.scale))
    return Rendering(picture, figure.landmarks, _face_side(figure))


def _face_side(figure: Figure) -> float:
    box = np.ptp(figure.points[face_vertices(), :2], axis=0)
    return float(box.min())


@dataclass(slots=True)
class _Layers:
    """What a pixel shows: albedo and normals (S*S, 3), shine and cover (S*S,), depth (S, S)."""

    albedo: Floats
    normals: Floats
    shine: Floats
    cover: Floats
    depth: Floats

    @classmethod
    def of(cls, size: int, seen: Fragments, albedo: Floats, normals: Floats, shine: Floats) -> _Layers:
        layers = cls(
            np.zeros((size * size, 3), np.float32),
            np.zeros((size * size, 3), np.float32),
            np.zeros(size * size, np.float32),
            np.zeros(size * size, np.float32),
            seen.depth.copy(),
        )
        layers.albedo[seen.pixel], layers.normals[seen.pixel] = albedo, normals
        layers.shine[seen.pixel], layers.cover[seen.pixel] = shine, 1.0
        return layers


def _paint_solid(
    who: MadeUpPerson, seen: Conditions, figure: Figure, found: Fragments
) -> tuple[Floats, Floats, Floats]:
    """Albedo (P, 3), unit normals (P, 3) and shine (P,) of the solid fragments."""
    lists, look = _lists(), who.look
    both = interpolate(found, lists.solid, np.c_[_fixed_attributes(), figure.normals])
    normals = unit(both[:, 7:10])
    part = lists.part[found.triangle]
    textures = person_textures(look.texture)
    albedo = np.zeros((len(part), 3), np.float32)
    shine = np.zeros(len(part), np.float32)
    rows = np.flatnonzero(part == SKIN)
    place = place_of(both[rows], textures)
    skin = paint_skin(look, place, seen.stubble, seen.brightness)
    shine[rows] = look.skin.shine * (0.55 + 0.9 * place.lips + 0.25 * place.cloud)
    noise = strand_noise(textures, look.hair, place.xyz, hanging=False)
    cover = cap_cover(look.hair, place.xyz, noise)[:, None]
    skin += (hair_colour(look.hair, noise, place.cloud) - skin) * cover
    shine[rows] *= 1.0 - 0.5 * cover[:, 0]
    _dress(skin, shine, rows, place.xyz, place.cloud, seen.setting)
    albedo[rows] = skin
    rows = np.flatnonzero(part == EYE)
    if len(rows):
        albedo[rows], shine[rows] = _eyeballs(who, seen, figure, found, rows)
    rows = np.flatnonzero((part == TEETH) | (part == TONGUE))
    if len(rows):
        albedo[rows] = paint_mouth(len(rows), part[rows] == TEETH, both[rows, 2])
        shine[rows] = 0.5
    return albedo, normals, shine


def _dress(
    albedo: Floats, shine: Floats, rows: NDArray[np.int64], xyz: Floats, cloud: Floats, setting: Setting
) -> None:
    """Clothes below the neckline, in place."""
    x, y = np.abs(xyz[:, 0]), xyz[:, 1]
    dressed = y < -2.12 + 0.42 * np.minimum(x, 1.1) - setting.collar
    albedo[dressed] = np.array(setting.cloth, np.float32) * (1.0 + 0.15 * cloud[dressed, None])
    shine[rows[dressed]] = 0.0


def _eyeballs(
    who: MadeUpPerson, seen: Conditions, figure: Figure, found: Fragments, rows: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    some = Fragments(found.pixel[rows], found.triangle[rows], found.weights[rows], found.depth)
    at = interpolate(some, _lists().solid, figure.head)
    where = places()
    right, left = figure.head[where.right_eye].mean(0), figure.head[where.left_eye].mean(0)
    outward = at - np.where(at[:, :1] < (right[0] + left[0]) / 2.0, right, left)
    albedo = paint_eyes(who.look.eyes, unit(outward), gaze_direction(figure.rotation, seen.pose.gaze))
    return albedo, np.full(len(rows), 2.2, np.float32)


def _hang_shell(layers: _Layers, who: MadeUpPerson, figure: Figure, found: Fragments) -> None:
    """Put the hanging hair over what is drawn, where it is nearer."""
    look = who.look
    both = interpolate(found, _lists().shell, np.c_[head_basis().mean, figure.normals])
    noise = strand_noise(person_textures(look.texture), look.hair, both[:, :3], hanging=True)
    cover = shell_cover(look.hair, both[:, :3], noise)
    depth = found.depth.ravel()[found.pixel]
    cover = np.where(depth > layers.depth.ravel()[found.pixel] - 0.02, cover, 0.0).astype(np.float32)
    colour = hair_colour(look.hair, noise, noise)
    normals = both[:, 3:6]
    normals = unit(normals * np.where(normals[:, 2:] < 0, np.float32(-1.0), np.float32(1.0)))
    at, share = found.pixel, cover[:, None]
    layers.albedo[at] += (colour - layers.albedo[at]) * share
    layers.normals[at] += (normals - layers.normals[at]) * share
    layers.shine[at] *= 1.0 - 0.7 * cover
    layers.cover[at] = np.maximum(layers.cover[at], cover)
    nearer = at[cover > 0.5]
    layers.depth.ravel()[nearer] = found.depth.ravel()[nearer]


def _lit(layers: _Layers, seen: Conditions, scale: float) -> Floats:
    size = layers.depth.shape[0]
    around = occlusion(layers.depth, scale).ravel()
    key = key_shadow(layers.depth, seen.light, scale).ravel()
    rows = np.flatnonzero(layers.cover > 0)
    out = shade(layers.albedo[rows], layers.normals[rows], (around[rows], key[rows]), seen.light, layers.shine[rows])
    picture = _backdrop(seen.setting, size).reshape(-1, 3)
    cover = layers.cover[rows, None]
    picture[rows] = picture[rows] * (1.0 - cover) + out * cover
    return picture.reshape(size, size, 3)


def _backdrop(setting: Setting, size: int) -> Floats:
    """(S, S, 3) linear background."""
    first, second = (np.array(c, np.float32) for c in setting.colours)
    rng = item_rng(setting.texture, "backdrop")
    if setting.backdrop == "plain":
        share = np.zeros((size, size), np.float32)
    elif setting.backdrop == "gradient":
        angle = rng.uniform(0, 2 * np.pi)
        row, column = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
        share = np.clip(0.5 + row * np.sin(angle) + column * np.cos(angle), 0.0, 1.0)
    else:
        grid = cv2.resize(rng.random((7, 7), dtype=np.float32), (28, 28), interpolation=cv2.INTER_LINEAR)
        soft = cv2.resize(cv2.GaussianBlur(grid, (0, 0), 2.0), (size, size), interpolation=cv2.INTER_CUBIC)
        share = np.clip(1.6 * (soft - 0.5) + 0.5, 0.0, 1.0)
    return np.asarray(0.7 * (first + (second - first) * share[..., None].astype(np.float32)), np.float32)


def to_pixels(rendering: Rendering, exposure: float, side: int) -> NDArray[np.uint8]:
    """Shrink to (side, side, 3) and develop to uint8 RGB."""
    shrunk = cv2.resize(rendering.linear, (side, side), interpolation=cv2.INTER_AREA)
    return np.rint(develop(np.asarray(shrunk, np.float32), exposure)).astype(np.uint8)
