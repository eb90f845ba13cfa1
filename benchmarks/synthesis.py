"""Cost of synthesis and of a step of fitting a generator, ours and the published one by turns.

python benchmarks/synthesis.py [--repeats 7] [--threads 2]

Uses the recogniser of $WILDSTYLE_DATA as the identity network, or a MobileFaceNet of random weights without it.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from record import record
from wildstyle.recognisers import Recogniser, RecogniserContract, build_backbone, load_recogniser
from wildstyle.synthesis import (
    STATISTICS,
    FitSettings,
    Generator,
    GeneratorConfig,
    StyleGenerator,
    sample_codes,
    sample_seeds,
)
from wildstyle.synthesis.cost import count_macs, count_parameters
from wildstyle.synthesis.fit import new_generator
from wildstyle.synthesis.kinds import kind_named
from wildstyle.synthesis.kinds.released import ReleasedGenerator, ReleasedTask
from wildstyle.synthesis.task import FitBatch, StyleScale, SynthesisTask

BATCH = 32
COMMAND = "python benchmarks/synthesis.py"


def main() -> None:
    """Measure and record."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeats", type=int, default=7)
    options.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    settings = FitSettings(batch=BATCH)
    generator = Generator().eval()
    note = {
        "threads": chosen.threads,
        "batch": BATCH,
        "repeats": chosen.repeats,
        "parameters": count_parameters(generator),
    }
    images, code, seed = random_batch(generator.axes)
    for kind in KINDS:
        made = of_kind(kind)
        codes = random_batch(made.axes)[1]
        macs = count_macs(lambda made=made, codes=codes: made(images[:1], codes[:1], seed[:1]))  # type: ignore[misc]
        name = "synthesis-gmac" if kind == "default" else f"synthesis-gmac-{kind}"
        keep(name, [macs / 1e9], "GMAC per image", "lower", note)
    published = ReleasedGenerator().eval()
    with torch.no_grad():
        ours, theirs = by_turns(
            lambda: generator(images, code, seed), lambda: published(images, code, seed), chosen.repeats
        )
    keep("synthesis-images-per-s", [BATCH / s for s in ours], "images/s", "higher", note)
    keep_ratio("synthesis-speedup", ours, theirs, note)
    task, batch = fit_step(settings, images, code, seed)
    rival = ReleasedTask(ReleasedGenerator(), identity_network(), seed=0)
    rival.attach(Accelerator(cpu=True))
    steps = iter(range(10**6))
    # The published step takes turns between two kinds: a pair of each is one measurement.
    ours, theirs = by_turns(
        lambda: [task.step(batch, next(steps), 10**6) for _ in range(2)],
        lambda: [rival.step(batch, step, 10) for step in range(2)],
        max(3, chosen.repeats // 2),
    )
    note = {**note, "identity_share": settings.identity_share}
    keep("fit-step-images-per-s", [2 * BATCH / s for s in ours], "images/s", "higher", note)
    keep_ratio("fit-step-speedup", ours, theirs, note)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    keep("fit-peak-memory", [peak], "GiB", "lower", {**note, "with": "the published generator's step"})


KINDS = ("default", "released", "network", "camera", "blind", "blind-adaface")


def of_kind(name: str) -> StyleGenerator:
    """A fresh generator of a kind."""
    kind = kind_named(name)
    if kind.fresh is not None:
        return kind.fresh(GeneratorConfig()).eval()
    if kind.ready is None:
        raise SystemExit(f"{name} can't be made from nothing")
    return kind.ready().eval()


def by_turns(ours: Callable[[], object], theirs: Callable[[], object], repeats: int) -> tuple[list[float], list[float]]:
    """Seconds of each repeat of both, taken in turns after one that is not counted."""
    found: tuple[list[float], list[float]] = ([], [])
    for turn in range(repeats + 1):
        for place, run in enumerate((ours, theirs)):
            started = time.perf_counter()
            run()
            if turn:
                found[place].append(time.perf_counter() - started)
    return found


def keep_ratio(name: str, ours: list[float], theirs: list[float], note: dict[str, Any]) -> None:
    """Record how many times ours is faster, with the range over the pairs."""
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    keep(name, ratios, "times faster than the published generator", "higher", note)


def random_batch(axes: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images, codes and seeds of one batch."""
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.random((BATCH, 3, 112, 112), dtype=np.float32))
    return images, torch.from_numpy(sample_codes(rng, BATCH, axes)), torch.from_numpy(sample_seeds(rng, BATCH))


def fit_step(
    settings: FitSettings, images: torch.Tensor, code: torch.Tensor, seed: torch.Tensor
) -> tuple[SynthesisTask, FitBatch]:
    """A task ready to step and a batch for it."""
    count = len(STATISTICS)
    scale = StyleScale(torch.zeros(count), torch.eye(count), torch.zeros(1024, count))
    task = SynthesisTask(new_generator(settings), identity_network(), settings, scale)
    task.attach(Accelerator(cpu=True))
    batch = FitBatch(images, images.flip(0), code, seed, torch.arange(BATCH), torch.zeros(2, dtype=torch.int64))
    return task, batch


def identity_network() -> Recogniser:
    """The recogniser to adapt, frozen."""
    folder = os.environ.get("WILDSTYLE_DATA")
    if folder:
        path = Path(folder) / "models" / "mobilefacenet.onnx"
        return load_recogniser(path, contract="rgb,imagenet").frozen_copy()
    contract = RecogniserContract(
        model_id="random", channel_order="RGB", mean=(0.5,) * 3, std=(0.5,) * 3, embedding_size=128
    )
    return Recogniser(build_backbone("mobilefacenet", embedding_size=128), contract).frozen_copy()


def keep(name: str, values: list[float], unit: str, better: str, note: dict[str, Any]) -> None:
    """Record the median and the spread of the repeats."""
    middle = statistics.median(values)
    record("synthesis", name, middle, unit, better, command=COMMAND, interval=(min(values), max(values)), **note)
    print(f"{name}: {middle:.3f} {unit} ({min(values):.3f} to {max(values):.3f})")


if __name__ == "__main__":
    main()
