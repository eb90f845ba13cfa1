"""One made-up person from one integer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from wildstyle.errors import SettingError
from wildstyle.madeup.basis import Floats, head_basis
from wildstyle.madeup.look import Look, draw_look
from wildstyle.madeup.raster import vertex_normals
from wildstyle.randomness import item_rng

_LIMIT = 2.4
_MACRO_GAIN = 1.15


@dataclass(frozen=True, slots=True, eq=False)
class MadeUpPerson:
    """A person who doesn't exist.

    Attributes:
        seed: the integer the person is made from.
        coefficients: (K,) float32, one a shape direction.
        macro: (5,) float32 standardised macro numbers, see `basis.MACRO_NAMES`.
        look: everything but the shape.
    """

    seed: int
    coefficients: Floats
    macro: Floats
    look: Look

    @property
    def name(self) -> str:
        """Neutral id, see `subject_name`."""
        return subject_name(self.seed)


def subject_name(seed: int) -> str:
    """Neutral id of the person of ``seed``: ``p`` and at least five digits."""
    return f"p{seed:05d}"


@lru_cache(maxsize=64)
def person(seed: int) -> MadeUpPerson:
    """The person of ``seed``, always the same.

    Raises:
        SettingError: the seed is negative.
    """
    if seed < 0:
        raise SettingError(f"seed is {seed}, expected an integer >= 0", where="made-up person")
    basis = head_basis()
    rng = item_rng(seed, "person")
    coefficients = np.clip(rng.standard_normal(len(basis.directions)), -_LIMIT, _LIMIT).astype(np.float32)
    mix = rng.dirichlet([0.45, 0.45, 0.45])
    fullness = np.clip(rng.normal(0.46, 0.18), 0.0, 1.0)
    shares = np.array([mix[0], mix[1], rng.beta(0.35, 0.35), rng.beta(0.9, 1.1), fullness], np.float32)
    macro = (shares - basis.macro_centre) / basis.macro_spread
    return MadeUpPerson(seed, coefficients, macro.astype(np.float32), draw_look(item_rng(seed, "look"), shares))


@lru_cache(maxsize=16)
def resting_vertices(seed: int) -> Floats:
    """(V, 3) float32 head of the person with a resting face; don't write to it."""
    basis, who = head_basis(), person(seed)
    vertices = basis.mean + combine(who.coefficients, basis.directions)
    vertices += combine(np.float32(_MACRO_GAIN) * who.macro, basis.macro)
    vertices.setflags(write=False)
    return vertices


@lru_cache(maxsize=16)
def resting_normals(seed: int) -> Floats:
    """(V, 3) float32 unit normals of `resting_vertices`; don't write to it."""
    normals = vertex_normals(resting_vertices(seed), head_basis().triangles)
    normals.setflags(write=False)
    return normals


def combine(weights: Floats, fields: Floats) -> Floats:
    """(V, 3) sum of (K, V, 3) fields with (K,) weights."""
    return (weights @ fields.reshape(len(fields), -1)).reshape(fields.shape[1:])
