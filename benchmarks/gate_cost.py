"""What a gate costs: a gated recogniser against the untouched one, by turns.

    WILDSTYLE_DATA=... python benchmarks/gate_cost.py [--repeats 31] [--threads 1]

Records ``gate-cost-ratio`` (onnxruntime, one face, both sides always run; the bar is 2.1) and
``gate-cost-ratio-one-side`` (PyTorch, a batch of which no face needs the adapted side). Weights don't matter for time:
both sides are the untouched recogniser.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from record import record
from wildstyle.adaptation.gating import assemble
from wildstyle.recognisers import Recogniser, load_recogniser
from wildstyle.recognisers.quality import QualityNetwork
from wildstyle.recognisers.writing import session_for

COMMAND = "python benchmarks/gate_cost.py"


def main() -> None:
    """Time and record both."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--repeats", type=int, default=31)
    options.add_argument("--threads", type=int, default=1)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    path = Path(os.environ["WILDSTYLE_DATA"]) / "models/mobilefacenet.onnx"
    untouched = load_recogniser(path, contract="rgb,imagenet")
    one = np.random.default_rng(0).standard_normal((1, 3, 112, 112), np.float32)
    both = assemble(untouched, untouched, QualityNetwork(), 36.0, 84.0)
    arms = {name: _served(side, one) for name, side in (("untouched", untouched), ("gated", both))}
    keep("gate-cost-ratio", by_turns(arms, chosen.repeats), "onnxruntime, one face", chosen.threads)
    many = torch.rand(32, 3, 112, 112)
    lean = assemble(untouched, untouched, QualityNetwork(), 1.0, 2.0)  # no face is as small as that
    arms = {name: _embedded(side, many) for name, side in (("untouched", untouched), ("gated", lean))}
    keep("gate-cost-ratio-one-side", by_turns(arms, chosen.repeats), "PyTorch, 32 good faces", chosen.threads)


def _served(side: Recogniser, faces: np.ndarray) -> Callable[[], object]:
    run = session_for(side.network, 112)
    return lambda: run(faces)


def _embedded(side: Recogniser, faces: torch.Tensor) -> Callable[[], object]:
    def run() -> object:
        with torch.inference_mode():
            return side.embed(faces)

    return run


def by_turns(arms: dict[str, Callable[[], object]], repeats: int) -> list[float]:
    """Time of the second over time of the first, one ratio a turn, after three warm turns."""
    ratios = []
    for turn in range(repeats + 3):
        spent = []
        for run in arms.values():
            begun = time.perf_counter()
            run()
            spent.append(time.perf_counter() - begun)
        if turn >= 3:
            ratios.append(spent[1] / spent[0])
    return ratios


def keep(name: str, ratios: list[float], what: str, threads: int) -> None:
    """Record the median, with the middle half of the turns."""
    low, _, high = statistics.quantiles(ratios, n=4)
    record(
        "adaptation",
        name,
        round(statistics.median(ratios), 3),
        "times the untouched recogniser",
        "lower",
        command=COMMAND,
        interval=(round(low, 3), round(high, 3)),
        interval_is="middle half of the turns",
        measured_on=what,
        threads=threads,
    )
    print(f"{name}: {statistics.median(ratios):.3f} ({low:.3f} to {high:.3f}), {what}")


if __name__ == "__main__":
    main()
