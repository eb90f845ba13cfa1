"""Does a second camera cost minutes? A fitted generator taught another camera, against one fitted to it from nothing.

python benchmarks/second_camera.py GENERATOR [--steps 250] [--seed 0] [--work DIR]

GENERATOR is one that was fitted to imfdb_tune112.tar (``synthesis_quality.py fit default``). The second camera is
webcam_far_tune112.tar, every third person held back. Needs $WILDSTYLE_DATA. Both fits take the same number of steps.
Distances are those of ``synthesis_quality.py``. Leaves results/second-camera.json.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import torch

from record import RESULTS, machine
from synthesis_quality import MEASURED, Material, distance_figures, some, split
from wildstyle.faces import Subset, open_faces
from wildstyle.recognisers import load_recogniser
from wildstyle.runs.atomic import write_json
from wildstyle.synthesis import FitSettings, FittedGenerator, Generator, fit_generator, fit_onto, load_generator
from wildstyle.training import LoopPlan

NAME = "webcam"


def main() -> None:
    """Fit both and measure them beside the untaught generator."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("generator", type=Path)
    options.add_argument("--steps", type=int, default=250)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--work", type=Path, default=Path("runs/second-camera"))
    chosen = options.parse_args()
    base, _ = load_generator(chosen.generator)
    if not isinstance(base, Generator):
        raise SystemExit("give a generator of the default kind")
    material = Material()
    fitted, held = split(open_faces(Path(os.environ["WILDSTYLE_DATA"]) / "webcam_far_tune112.tar"), 3)
    footage = Subset(fitted, range(len(fitted)), name=NAME)
    material.footage, material.footage_held = footage, held
    settings, plan = FitSettings(seed=chosen.seed), LoopPlan(steps=chosen.steps, seed=chosen.seed)
    sides = (material.source, footage)
    onto = fit_onto(base, sides, material.identity, settings, chosen.work / "onto", plan=plan)
    if not isinstance(onto.generator, Generator):
        raise SystemExit("a generator of several cameras was expected")
    fresh = fit_generator(*sides, material.identity, settings, chosen.work / "fresh", plan=plan)
    torch.set_grad_enabled(False)
    judge = load_recogniser(material.judge_path, contract="rgb,pm1")
    images = some(material.source_held, MEASURED)
    front = onto.generator.with_targets((NAME, *base.config.targets))
    found: dict[str, Any] = {"machine": machine(), "steps": chosen.steps, "seed": chosen.seed}
    arms = {"not taught": base, "taught this camera as well": front, "fitted from nothing": fresh.generator}
    for name, generator in arms.items():
        found[name] = distance_figures(generator, images, material, judge)
    found["seconds"] = {"taught": seconds(onto), "from nothing": seconds(fresh)}
    grown = sum(p.numel() for p in onto.generator.parameters()) - sum(p.numel() for p in base.parameters())
    found["numbers added"] = grown
    write_json(RESULTS / "second-camera.json", found)
    keep_table(found, list(arms))
    print(json.dumps(found, indent=1))


def seconds(fitted: FittedGenerator) -> float:
    """Time of the loop."""
    return round(fitted.loop.seconds, 1)


def keep_table(found: dict[str, Any], arms: list[str]) -> None:
    """The table for the docs."""
    columns = (("style kernel", "cosine 0.8"), ("style kernel", "cosine 0.6"), ("judge kernel", "cosine 0.6"))
    rows = [
        ["untouched source", *(f"{found[arms[0]]['source'][space]:.3f}" for space, _ in columns)],
        *([name, *(f"{found[name][where][space]:.3f}" for space, where in columns)] for name in arms),
        ["other half of the footage", *(f"{found[arms[0]]['footage half'][space]:.3f}" for space, _ in columns)],
    ]
    head = ["", *(f"{space} at judge {where}" for space, where in columns)]
    write_json(RESULTS / "second-camera-table.json", {"head": head, "rows": rows})


if __name__ == "__main__":
    main()
