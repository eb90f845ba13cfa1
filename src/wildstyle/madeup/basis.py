"""The head basis: a mean head and the directions in which heads differ.

Distilled once from CC0 data by ``scripts/distil_head_basis.py``; see NOTICE. Units: the face's RMS radius in
the mean head is 1; x to the person's left (image right), y up, z to the viewer; origin amid the face.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SKIN, EYE, TEETH, TONGUE, SHELL = range(5)
"""What a vertex is made of; ``SHELL`` is the loose hull that long hair hangs on."""

MACRO_NAMES = ("relief", "outline", "frame", "years", "fullness")
"""Names of the five macro numbers, each standardised to mean 0 and variance 1."""


@dataclass(frozen=True, slots=True)
class HeadBasis:
    """Arrays of the basis; V vertices, T triangles, K directions, E expressions.

    Attributes:
        mean: (V, 3) float32.
        directions: (K, V, 3) float32, each scaled for a standard normal coefficient.
        macro: (5, V, 3) float32.
        macro_centre, macro_spread: (5,) float32, to turn shares in [0, 1] into standardised numbers.
        expressions: (E, V, 3) float32, for a value in [0, 1].
        expression_names: E names.
        triangles: (T, 3) int64.
        part: (V,) uint8, one of `SKIN` ... `SHELL`.
        lips, lids, ears, mouth_inside: (V,) float32 masks in [0, 1].
    """

    mean: Floats
    directions: Floats
    macro: Floats
    macro_centre: Floats
    macro_spread: Floats
    expressions: Floats
    expression_names: tuple[str, ...]
    triangles: NDArray[np.int64]
    part: NDArray[np.uint8]
    lips: Floats
    lids: Floats
    ears: Floats
    mouth_inside: Floats


@dataclass(frozen=True, slots=True)
class Places:
    """Vertices and mean positions that the renderer and the landmarks refer to.

    Attributes:
        right_eye, left_eye: vertex indices of the two eyeballs (the person's right is image left).
        nose_tip, right_corner, left_corner: one vertex index each.
        eye: (3,) float32 mean centre of the left eyeball (x > 0).
        mouth: (3,) float32 mean centre between the mouth corners.
        nose: (3,) float32 mean position of the nose tip.
    """

    right_eye: NDArray[np.int64]
    left_eye: NDArray[np.int64]
    nose_tip: int
    right_corner: int
    left_corner: int
    eye: Floats
    mouth: Floats
    nose: Floats


@lru_cache(maxsize=1)
def head_basis() -> HeadBasis:
    """The packaged basis, read once per process."""
    with resources.files("wildstyle.madeup").joinpath("head_basis.npz").open("rb") as file, np.load(file) as data:

        def fields(name: str) -> Floats:
            return np.asarray(data[name].astype(np.float32) * data[f"{name}_scale"][:, None, None], np.float32)

        def mask(name: str) -> Floats:
            return np.asarray(data[f"mask_{name}"].astype(np.float32) / np.float32(255.0), np.float32)

        return HeadBasis(
            mean=data["mean"].astype(np.float32),
            directions=fields("directions"),
            macro=fields("macro"),
            macro_centre=data["macro_centre"],
            macro_spread=data["macro_spread"],
            expressions=fields("expressions"),
            expression_names=tuple(str(n) for n in data["expression_names"]),
            triangles=data["triangles"].astype(np.int64),
            part=data["part"],
            lips=mask("lips"),
            lids=mask("eyelids"),
            ears=mask("ears"),
            mouth_inside=mask("inside_mouth"),
        )


@lru_cache(maxsize=1)
def places() -> Places:
    """Where the eyes, the nose tip and the mouth corners are in the basis."""
    basis = head_basis()
    x, _, z = basis.mean.T
    eyes = basis.part == EYE
    left, right = np.flatnonzero(eyes & (x > 0)), np.flatnonzero(eyes & (x < 0))
    skin = basis.part == SKIN
    nose = int(np.argmax(np.where(skin & (np.abs(x) < 0.1), z, -9.0)))
    lips = skin & (basis.lips > 0.5) & (basis.mouth_inside < 0.5)
    right_corner = int(np.argmin(np.where(lips, x, 9.0)))
    # The mesh is symmetric but the mask is not quite: take the mirror vertex of the other corner.
    mirrored = basis.mean[right_corner] * np.array([-1, 1, 1], np.float32)
    left_corner = int(np.argmin(np.where(skin, ((basis.mean - mirrored) ** 2).sum(1), 9.0)))
    mouth = basis.mean[[right_corner, left_corner]].mean(0)
    return Places(right, left, nose, right_corner, left_corner, basis.mean[left].mean(0), mouth, basis.mean[nose])


@lru_cache(maxsize=1)
def face_vertices() -> NDArray[np.int64]:
    """Indices of the face's skin, from the chin to above the brows and to before the ears: what a face box holds."""
    basis = head_basis()
    _, y, z = basis.mean.T
    return np.flatnonzero((basis.part == SKIN) & (y > -1.35) & (y < 1.25) & (z > -0.6))
