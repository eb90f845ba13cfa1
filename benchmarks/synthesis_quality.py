"""How good generators are: control, identity, distance to held-back footage; ours, the published one, and rivals.

python benchmarks/synthesis_quality.py fit ARM [--seed 0] [--minutes 45 | --steps N] [--work DIR]
python benchmarks/synthesis_quality.py measure ARM [--seed 0] [--work DIR]
python benchmarks/synthesis_quality.py all [--work DIR]
python benchmarks/synthesis_quality.py summary

Needs $WILDSTYLE_DATA. Footage is imfdb_tune112.tar without labels, every third person (by name) held back; source
people are split the same way, every fifth held back. The judge (edgeface_xs.onnx) is only ever used in ``measure``.
A stopped fit goes on where it was. Each measured arm leaves results/synthesis-quality/ARM-SEED.json; ``all`` does what
is still missing of everything in the docs' tables, some seven hours on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from people import split
from record import RESULTS, machine
from synthesis_summary import summarise
from wildstyle.faces import FaceSource, open_faces
from wildstyle.randomness import item_rng
from wildstyle.recognisers import Recogniser, load_recogniser
from wildstyle.runs.atomic import write_json
from wildstyle.synthesis import (
    FitSettings,
    fit_generator,
    frechet_distance,
    kernel_distance,
    load_generator,
    sample_codes,
    sample_seeds,
    save_generator,
    style_statistics,
)
from wildstyle.synthesis.control import (
    coverage,
    embedded,
    identity_control,
    magnitude_for_cosine,
    synthesise,
    zero_control,
)
from wildstyle.synthesis.directions import direction_accuracy
from wildstyle.synthesis.interface import StyleGenerator
from wildstyle.synthesis.kinds import ready_made
from wildstyle.synthesis.kinds.chain import ChainGenerator
from wildstyle.synthesis.material import to_images
from wildstyle.synthesis.window import picture_mask
from wildstyle.training import LoopPlan

TAUGHT = {"released": (300, 4)}
"""Faces and passes for the reader of directions, where a generator is too slow for the usual 1,500 and 12."""

PROBED = 150  # faces on which the magnitude of a wanted identity is sought
MEASURED = 600  # held-back source faces, and footage faces, at most
EDGE = 8  # central 96 of 112 px


def main() -> None:
    """Run one sub-command."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=("fit", "measure", "all", "summary"))
    options.add_argument("arm", choices=sorted(FITS), nargs="?", default="default")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--minutes", type=float, default=45.0)
    options.add_argument("--steps", type=int, help="exact number of steps instead of a time")
    options.add_argument("--work", type=Path, default=Path("runs/synthesis-quality"))
    chosen = options.parse_args()
    if chosen.what == "summary":
        summarise(RESULTS / "synthesis-quality")
        return
    if chosen.what == "all":
        for arm, seed, minutes, steps in EVERYTHING:
            if not (RESULTS / "synthesis-quality" / f"{arm}-{seed}.json").is_file():
                fit(arm, seed, length(seed, minutes, steps), chosen.work)
                measure(arm, seed, chosen.work / f"{arm}-{seed}")
        return
    if chosen.what == "fit":
        fit(chosen.arm, chosen.seed, length(chosen.seed, chosen.minutes, chosen.steps), chosen.work)
    else:
        measure(chosen.arm, chosen.seed, chosen.work / f"{chosen.arm}-{chosen.seed}")


def fit(arm: str, seed: int, plan: LoopPlan, work: Path) -> None:
    """Fit one arm, or go on with it."""
    folder = work / f"{arm}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "generator.safetensors").is_file():
        with torch.enable_grad():
            FITS[arm](arm, Material(), seed, plan, folder)


def length(seed: int, minutes: float, steps: int | None) -> LoopPlan:
    """How long to fit; what is ready-made needs no time and gets none."""
    if steps is not None or minutes == 0:
        return LoopPlan(steps=steps or 1, seed=seed, checkpoint_every=10)
    return LoopPlan(budget_seconds=60 * minutes, seed=seed)


class Material:
    """Faces and networks; people are split by name, so that nobody is on two sides."""

    def __init__(self) -> None:
        data = Path(os.environ["WILDSTYLE_DATA"])
        source, footage = open_faces(data / "source112.tar"), open_faces(data / "imfdb_tune112.tar")
        self.source, self.source_held = split(source, 5)
        self.footage, self.footage_held = split(footage, 3)
        self.identity = load_recogniser(data / "models/mobilefacenet.onnx", contract="rgb,imagenet")
        self.judge_path = data / "models/edgeface_xs.onnx"


def fit_kind(kind: str, material: Material, seed: int, plan: LoopPlan, folder: Path) -> None:
    """One that is learnt, with its own settings."""
    settings = settings_of(kind, seed)
    fitted = fit_generator(material.source, material.footage, material.identity, settings, folder / "work", plan=plan)
    notes = {"seconds": fitted.loop.seconds, "steps": fitted.loop.steps, "images": fitted.loop.steps * settings.batch}
    notes["complaints"] = [str(one) for one in fitted.complaints]
    save_generator(fitted.generator, folder / "generator.safetensors", notes)
    write_json(folder / "fit.json", notes | {"diagnostics": fitted.diagnostics.as_record()})
    write_json(folder / "axes.json", [axis.as_record() for axis in fitted.axes])


def settings_of(arm: str, seed: int) -> FitSettings:
    """The shipped settings of an arm, with the one change an ablation makes."""
    if arm in ABLATIONS:
        return ABLATIONS[arm](replace(FitSettings(), seed=seed))
    return replace(FitSettings(), kind=arm.removesuffix(EARLY), seed=seed)


def without(*losses: str) -> Callable[[FitSettings], FitSettings]:
    """Settings in which these terms of the loss weigh nothing."""
    return lambda settings: replace(settings, weights=replace(settings.weights, **dict.fromkeys(losses, 0.0)))


def fit_ready(kind: str, material: Material, seed: int, plan: LoopPlan, folder: Path) -> None:
    """One that needs no fit."""
    generator = ready_made(kind)
    if generator is None:
        raise SystemExit(f"{kind} has to be fitted")
    save_generator(generator, folder / "generator.safetensors", {"steps": 0})


def fit_chain(kind: str, material: Material, seed: int, plan: LoopPlan, folder: Path) -> None:
    """The camera after the network, both fitted before with the same seed."""
    parts = [load_generator(folder.parent / f"{part}-{seed}" / "generator.safetensors")[0] for part in CHAINED]
    save_generator(ChainGenerator(*parts), folder / "generator.safetensors", {"parts": list(CHAINED)})


EARLY = "-early"  # after as many images as the published generator has seen, by --steps
CHAINED = ("network", "camera")
ABLATIONS: dict[str, Callable[[FitSettings], FitSettings]] = {
    "short": lambda settings: settings,  # what the others are compared with, at the same --steps
    "no-adversary": without("adversarial"),
    "no-statistics": without("statistics"),
    "no-support": without("support"),
    "no-direction": without("direction"),
    "no-average": lambda settings: replace(settings, average=0.0),
    "no-bound": lambda settings: replace(settings, generator=replace(settings.generator, faint=None)),
}
FITS: dict[str, Callable[[str, Material, int, LoopPlan, Path], None]] = {
    "default": fit_kind,
    f"default{EARLY}": fit_kind,
    "network": fit_kind,
    "camera": fit_kind,
    "released": fit_kind,
    "blind": fit_ready,
    "blind-adaface": fit_ready,
    "chain": fit_chain,
    **dict.fromkeys(ABLATIONS, fit_kind),
}


EVERYTHING: tuple[tuple[str, int, float, int | None], ...] = (
    ("default", 0, 25, None),
    ("blind", 0, 0, None),
    ("default", 1, 25, None),
    ("default", 2, 25, None),
    ("released", 0, 0, 137),  # what fits 45 minutes on a quiet machine of two cores
    ("default-early", 0, 0, 137),
    ("camera", 0, 12, None),
    ("network", 0, 12, None),
    ("chain", 0, 0, None),
    ("blind-adaface", 0, 0, None),
    *((arm, 0, 0.0, 500) for arm in ABLATIONS),
)
"""Arm, seed, and how long it is fitted, in minutes or steps; in the order of what matters."""


def measure(arm: str, seed: int, folder: Path) -> None:
    """All figures of one fitted generator."""
    torch.set_grad_enabled(False)
    material = Material()
    judge = load_recogniser(material.judge_path, contract="rgb,pm1")
    generator, notes = load_generator(folder / "generator.safetensors")
    images = some(material.source_held, MEASURED)
    teach_on, passes = TAUGHT.get(arm, (1500, 12))
    teach = some(material.source, teach_on)
    record: dict[str, Any] = {"arm": arm, "seed": seed, "fit": notes, "machine": machine(), "faces": len(images)}
    record["identity"] = identity_figures(generator, images, material.identity, judge)
    record["zero"] = asdict(zero_control(generator, images[:200], judge.embed))
    record["distances"] = distance_figures(generator, images, material, judge)
    torch.set_grad_enabled(True)
    record["direction_accuracy"] = direction_accuracy(generator, teach, images, passes=passes)
    record["direction_reader"] = {"faces": teach_on, "passes": passes}
    write_json(RESULTS / "synthesis-quality" / f"{arm}-{seed}.json", record)
    print(json.dumps(record, indent=1))


def identity_figures(
    generator: StyleGenerator, images: Tensor, recogniser: Recogniser, judge: Recogniser
) -> dict[str, Any]:
    """How identity follows magnitude, by the network that steered the fit and by the judge."""
    rng = item_rng(0, "identity figures")
    codes = sample_codes(rng, len(images), generator.axes, generator.max_magnitude, zero_share=0.0)
    made = synthesise(generator, images, codes, sample_seeds(rng, len(images)))
    share = np.linalg.norm(codes, axis=1).astype(np.float64) / generator.max_magnitude
    found = {}
    for name, network in (("recogniser", recogniser), ("judge", judge)):
        distance = 1 - (embedded(network.embed, images) * embedded(network.embed, made)).sum(1).double().numpy()
        control = identity_control(share, distance, FitSettings().identity_at_max)
        found[name] = asdict(control) | {"worst_bin": control.worst_bin}
    return found


def distance_figures(
    generator: StyleGenerator, images: Tensor, material: Material, judge: Recogniser
) -> dict[str, dict[str, float]]:
    """Distances to held-back footage in two feature spaces, at equal identity, between their two ends."""
    held = some(material.footage_held, MEASURED)
    halves = held[0::2], held[1::2]
    rng = item_rng(0, "distance figures")
    direction = sample_codes(rng, len(images), generator.axes, 1.0, zero_share=0.0)
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-12)
    seeds = sample_seeds(rng, len(images))
    clean = embedded(judge.embed, images)

    def made_at(magnitude: float) -> Tensor:
        return synthesise(generator, images, (direction * magnitude).astype(np.float32), seeds)

    @cache
    def cosine_at(magnitude: float) -> float:
        made = synthesise(
            generator, images[:PROBED], (direction * magnitude).astype(np.float32)[:PROBED], seeds[:PROBED]
        )
        return float((clean[:PROBED] * embedded(judge.embed, made)).sum(1).mean())

    sets = {"source": images}
    magnitudes = {}
    for wanted in (0.8, 0.6):
        magnitudes[wanted] = magnitude_for_cosine(cosine_at, wanted, generator.max_magnitude)
        sets[f"cosine {wanted}"] = made_at(magnitudes[wanted])
    sets["footage half"] = halves[0]
    spaces = {"style": Space(style_features, halves), "judge": Space(judge_features(judge), halves)}
    out: dict[str, dict[str, float]] = {
        name: {key: value for space, features in spaces.items() for key, value in features.to(faces, space).items()}
        for name, faces in sets.items()
    }
    for wanted, magnitude in magnitudes.items():
        out[f"cosine {wanted}"] |= {"magnitude": magnitude, "cosine": cosine_at(magnitude)}
    return out


class Space:
    """One feature space, standardised by the footage, with the second half of the held-back footage as reference."""

    def __init__(self, features: Callable[[Tensor], NDArray[np.float64]], halves: Sequence[Tensor]) -> None:
        self._features = features
        both = np.concatenate([features(half) for half in halves])
        self._mean, self._deviation = both.mean(0), np.maximum(both.std(0), 1e-6)
        self._reference = self._standard(features(halves[1]))

    def to(self, faces: Tensor, name: str) -> dict[str, float]:
        """Kernel and Fréchet distance to the reference, and coverage of it."""
        found = self._standard(self._features(faces))
        return {
            f"{name} kernel": kernel_distance(found, self._reference),
            f"{name} frechet": frechet_distance(found, self._reference),
            f"{name} coverage": coverage(self._reference, found),
        }

    def _standard(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        return (features - self._mean) / self._deviation


def style_features(faces: Tensor) -> NDArray[np.float64]:
    """Identity-free statistics of the inner face."""
    parts = torch.split(faces, 64)
    return torch.cat([style_statistics(p, picture_mask(p)) for p in parts]).double().numpy()


def judge_features(judge: Recogniser) -> Callable[[Tensor], NDArray[np.float64]]:
    """The judge's embeddings of the central 96 px, black outside both pictures alike."""

    def features(faces: Tensor) -> NDArray[np.float64]:
        framed = faces.clone()
        framed[:, :, :EDGE], framed[:, :, -EDGE:] = 0, 0
        framed[:, :, :, :EDGE], framed[:, :, :, -EDGE:] = 0, 0
        return embedded(judge.embed, framed).double().numpy()

    return features


def some(faces: FaceSource, count: int) -> Tensor:
    """At most ``count`` faces, chosen once and for all."""
    order = item_rng(0, "measured faces").permutation(len(faces))[:count]
    return to_images(np.stack([faces.read(int(i)).image for i in sorted(order)]))


if __name__ == "__main__":
    main()
