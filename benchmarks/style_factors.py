"""What style codes know of the true camera: R² of each setting of made-up footage, on people not fitted on.

python benchmarks/style_factors.py [--seeds 0 1 2] [--steps 300] [--work DIR]

A generator is fitted to made-up bad footage (clean made-up faces as source, the demo's recogniser). On footage of
other made-up people, whose settings are known, ridge regression across people tells each setting from: style codes
read off the frames by the reader of styles, and linearly off their style statistics (both only saw synthesised
faces); K random directions of the whitened statistics (20 draws); their K principal components; and all of them, the
ceiling. Needs no data.
Leaves results/style-factors.json.
"""

from __future__ import annotations

import argparse
import itertools
import os

# Said before numpy is loaded; two threads on shared cores only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "2")

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from record import record
from wildstyle.madeup import MadeUpSet, MadeUpSource, demo_recogniser_path
from wildstyle.randomness import item_rng
from wildstyle.recognisers import load_recogniser
from wildstyle.synthesis import (
    FitSettings,
    fit_generator,
    load_generator,
    sample_codes,
    sample_seeds,
    save_generator,
    style_statistics,
)
from wildstyle.synthesis.control import synthesise
from wildstyle.synthesis.explained_factors import (
    explained,
    mean_advantage,
    predicted,
    principal_axes,
    random_basis,
    ridge,
)
from wildstyle.synthesis.fit import whitening_of
from wildstyle.synthesis.interface import StyleGenerator
from wildstyle.synthesis.material import to_images
from wildstyle.synthesis.style_reader import fit_style_reader
from wildstyle.training import LoopPlan

COMMAND = "python benchmarks/style_factors.py"
FACTORS = ("motion", "blur", "exposure", "gamma", "cast", "shrink", "noise", "jpeg")
RANDOM = 20
SYNTHESISED = 6  # styles a clean face, for the linear reader
CLEAN, FOOTAGE, TESTED = (40, 8), (60, 6), (80, 6)  # people, pictures each

Matrix = NDArray[np.float64]


def main() -> None:
    """Fit, read, regress, record."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options.add_argument("--steps", type=int, default=300)
    options.add_argument("--work", type=Path, default=Path("runs/style-factors"))
    chosen = options.parse_args()
    for seed in chosen.seeds:
        measure(seed, chosen.steps, chosen.work / f"{seed}-{chosen.steps}")


def measure(seed: int, steps: int, folder: Path) -> None:
    """All arms for one generator."""
    source = MadeUpSource(MadeUpSet(kind="clean", people=CLEAN[0], shots=CLEAN[1], seed=2 * seed))
    footage = MadeUpSource(MadeUpSet(kind="footage", people=FOOTAGE[0], shots=FOOTAGE[1], seed=2 * seed))
    tested = MadeUpSource(MadeUpSet(kind="footage", people=TESTED[0], shots=TESTED[1], seed=2 * seed + 1))
    generator = fitted(source, footage, seed, steps, folder)
    images, values, people = read(tested)
    clean, wild = read(source)[0], read(footage)[0]
    arms = codes_of(generator, clean, images, seed) | arms_of(
        statistics_of(clean), statistics_of(wild), statistics_of(images), generator.axes, seed
    )
    told = {name: predicted(features, values, people) for name, features in arms.items()}
    about = {"seed": seed, "steps": steps, "axes": generator.axes}
    report(told, values, people, about)


def fitted(source: MadeUpSource, footage: MadeUpSource, seed: int, steps: int, folder: Path) -> StyleGenerator:
    """The generator of a seed, fitted once."""
    path = folder / "generator.safetensors"
    if not path.exists():
        identity = load_recogniser(demo_recogniser_path())
        settings = replace(FitSettings(), seed=seed)
        plan = LoopPlan(steps=steps, seed=seed)
        found = fit_generator(source, footage, identity, settings, folder / "work", plan=plan)
        save_generator(found.generator, path, found.diagnostics.as_record())
    return load_generator(path)[0]


def read(faces: MadeUpSource) -> tuple[Tensor, Matrix, list[str]]:
    """Pictures (N, 3, 112, 112), true settings (N, V), and whose they are; shrink and motion as the camera had them."""
    found = [faces.read(i) for i in range(len(faces))]
    about = [face.record.attributes for face in found]
    values = np.array([[float(one[f"camera_{name}"]) for name in FACTORS] for one in about])
    values[:, FACTORS.index("shrink")] = np.log(values[:, FACTORS.index("shrink")])
    return to_images(np.stack([face.image for face in found])), values, [one["true_person"] for one in about]


def codes_of(generator: StyleGenerator, clean: Tensor, tested: Tensor, seed: int) -> dict[str, Matrix]:
    """Style codes (N, K) of the tested pictures, by each way of reading them."""
    reader = fit_style_reader(generator, clean, steps=400, seed=seed)
    return {
        "codes read linearly": read_linearly(generator, clean, tested, seed),
        "codes read by the network": np.asarray(reader.read(tested), np.float64),
    }


def read_linearly(generator: StyleGenerator, clean: Tensor, tested: Tensor, seed: int) -> Matrix:
    """Codes (N, K) of the tested pictures by a ridge regression from statistics to codes of synthesised faces."""
    rng = item_rng(seed, "linear reader")
    faces = clean.repeat(SYNTHESISED, 1, 1, 1)
    codes = sample_codes(rng, len(faces), generator.axes, generator.max_magnitude, zero_share=0.0)
    made = statistics_of(synthesise(generator, faces, codes, sample_seeds(rng, len(faces))))
    weights, intercept = ridge(made, codes.astype(np.float64))
    return statistics_of(tested) @ weights + intercept


def arms_of(clean: Matrix, wild: Matrix, tested: Matrix, axes: int, seed: int) -> dict[str, Matrix]:
    """Features of the tested pictures that know no generator; scales come from the footage that was fitted."""
    unit = np.maximum(np.concatenate([clean, wild]).std(0), 1e-3)
    whitening = whitening_of(torch.from_numpy(wild), torch.from_numpy(unit)).numpy()
    white = (tested - wild.mean(0)) @ whitening
    rng = item_rng(seed, "random bases")
    arms = {f"random {k}": white @ random_basis(rng, white.shape[1], axes) for k in range(RANDOM)}
    principal = principal_axes(wild / unit, axes)
    return arms | {"principal components": tested / unit @ principal, "all statistics": tested / unit}


def statistics_of(images: Tensor) -> Matrix:
    """Style statistics (N, F)."""
    with torch.no_grad():
        found = torch.cat([style_statistics(part) for part in torch.split(images, 64)])
    return np.asarray(found.double().numpy())


def report(told: Mapping[str, Matrix], values: Matrix, people: list[str], about: Mapping[str, Any]) -> None:
    """One record an arm, and one a comparison."""
    random = [told[name] for name in told if name.startswith("random ")]
    ways = [name for name in told if name.startswith("codes ")]
    for name in (*ways, "principal components", "all statistics"):
        found = explained(values, told[name], people)
        shares, ends = np.array([f.share for f in found]), np.array([[f.low, f.high] for f in found])
        keep(f"settings told by {name}", shares, ends, "95 %, bootstrap over people", about)
    each = np.array([[f.share for f in explained(values, other, people, draws=2)] for other in random])
    ends = np.stack([each.min(0), each.max(0)], axis=1)
    keep("settings told by a random basis", each.mean(0), ends, f"least and most of {RANDOM} bases", about)
    rivals = {"random bases": random, "principal components": [told["principal components"]]}
    for codes, name in itertools.product(ways, rivals):
        gained = mean_advantage(values, told[codes], rivals[name], people)
        print(f"{codes} over {name}: {gained.share:.3f} ({gained.low:.3f} to {gained.high:.3f})", flush=True)
        record(
            "style-factors", f"{codes} over {name}, seed {about['seed']}", round(gained.share, 4),
            "difference of mean R²", "higher", command=COMMAND, seeds=[about["seed"]],
            interval=(round(gained.low, 4), round(gained.high, 4)), intervals="95 %, bootstrap over people", **about,
        )  # fmt: skip


def keep(name: str, shares: Matrix, ends: Matrix, meaning: str, about: Mapping[str, Any]) -> None:
    """Print and record R² of each setting, (V,) with ends (V, 2), and their mean."""
    factors = {
        factor: {"share": round(float(share), 3), "interval": [round(float(e), 3) for e in end]}
        for factor, share, end in zip(FACTORS, shares, ends, strict=True)
    }
    mean = float(shares.mean())
    print(f"{name:40} {mean:.3f}  " + "  ".join(f"{f} {v['share']:.2f}" for f, v in factors.items()), flush=True)
    record(
        "style-factors", f"{name}, seed {about['seed']}", round(mean, 4), f"mean R² over {len(FACTORS)} settings",
        "higher", command=COMMAND, seeds=[about["seed"]], factors=factors, factor_intervals=meaning, **about,
    )  # fmt: skip


if __name__ == "__main__":
    main()
