"""Cost of synthesis and of a step of fitting a generator.

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
from wildstyle.synthesis import STATISTICS, FitSettings, Generator, sample_codes, sample_seeds
from wildstyle.synthesis.cost import count_macs, count_parameters
from wildstyle.synthesis.fit import new_generator
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
    generator = Generator().eval()
    note = {
        "threads": chosen.threads,
        "batch": BATCH,
        "repeats": chosen.repeats,
        "parameters": count_parameters(generator),
    }
    images, code, seed = random_batch(generator.axes)
    macs = count_macs(lambda: generator(images[:1], code[:1], seed[:1]))
    keep("synthesis-gmac-thin", [macs / 1e9], "GMAC per image", "lower", note)
    with torch.no_grad():
        keep(
            "synthesis-images-per-s-thin",
            rates(lambda: generator(images, code, seed), chosen.repeats),
            "images/s",
            "higher",
            note,
        )
    settings = FitSettings(batch=BATCH)
    task, batch = fit_step(settings, images, code, seed)
    steps = iter(range(10**6))
    paces = rates(lambda: task.step(batch, next(steps), 10**6), chosen.repeats)
    keep("fit-step-images-per-s-thin", paces, "images/s", "higher", {**note, "identity_share": settings.identity_share})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    keep("fit-peak-memory-thin", [peak], "GiB", "lower", note)


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


def rates(run: Callable[[], object], repeats: int) -> list[float]:
    """Images per second of each repeat, after one that is not counted."""
    run()
    found = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        found.append(BATCH / (time.perf_counter() - started))
    return found


def keep(name: str, values: list[float], unit: str, better: str, note: dict[str, Any]) -> None:
    """Record the median and the spread of the repeats."""
    middle = statistics.median(values)
    record("synthesis", name, middle, unit, better, command=COMMAND, interval=(min(values), max(values)), **note)
    print(f"{name}: {middle:.3f} {unit} ({min(values):.3f} to {max(values):.3f})")


if __name__ == "__main__":
    main()
