"""How the time a user gives is divided over the stages.

Measuring comes first: a run that leaves no figures is worth nothing. What it doesn't need is split
between learning the camera and adapting. A stage's share is written down when the stage begins, so that
a resumed stage goes on with the same schedule.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wildstyle.errors import InputError
from wildstyle.recognisers import Recogniser
from wildstyle.recognisers.engine import embedder
from wildstyle.runs.atomic import write_json

FIT_SHARE = 0.5
"""Of the time left after measuring: learning the camera. The rest adapts the recogniser."""

GATE_SECONDS = 60.0
"""Teaching the quality of a gate, and choosing its knees."""

GATED_COST = 2.1
"""Most that a gated recogniser costs a face, times the untouched one."""

EXPORT_SECONDS = 20.0
"""Export, its check against onnxruntime, and the report."""

DIAGNOSIS_SECONDS = 12.0
"""Reading the footage before a fit and looking at the generator after it."""

FEWEST_SECONDS = 20.0
"""A stage that is given less than this learns nothing."""

MARGIN = 1.25
"""Predicted times are multiplied by this: the machine may be busier later."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Predicted seconds of a run.

    Attributes:
        budget: what the user gave.
        measuring: embedding all labelled faces, before and after, with margin.
        detecting: finding and aligning faces in raw footage, with margin.
        export: writing and checking the model files.
    """

    budget: float
    measuring: float
    detecting: float
    export: float = EXPORT_SECONDS

    @property
    def learning(self) -> float:
        """What is left for fitting and adapting."""
        return self.budget - self.measuring - self.detecting - self.export

    @property
    def enough(self) -> bool:
        """Whether both learning stages get enough to learn anything."""
        return self.learning * min(FIT_SHARE, 1 - FIT_SHARE) >= FEWEST_SECONDS

    def shortage(self) -> str:
        """One clause for a budget that is too small."""
        needed = self.budget - self.learning + FEWEST_SECONDS / min(FIT_SHARE, 1 - FIT_SHARE)
        return (
            f"the budget is {self.budget:.0f} s, measuring and preparing leave {max(0.0, self.learning):.0f} s"
            f" to learn; at least {needed:.0f} s are needed"
        )


def images_per_second(recogniser: Recogniser, *, images: int = 64) -> float:
    """Embedding speed on this machine, measured on noise; a second or so."""
    size = recogniser.contract.input_size
    noise = np.random.default_rng(0).random((images, 3, size, size), np.float32)
    with embedder(recogniser) as (embed, _):
        embed(noise[:8])
        started = time.perf_counter()
        embed(noise)
        return images / (time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class Shares:
    """Seconds of the learning stages, fixed when the first of them begins."""

    fit: float
    adapt: float


def learning_shares(folder: Path, seconds: float, *, gated: bool = False) -> Shares:
    """How ``seconds`` are divided: what was written into ``folder`` when learning began, else written now.

    Args:
        folder: where it is written down.
        seconds: all there is.
        gated: whether there is a gate to make, too; it takes its time from the adapting.

    Raises:
        InputError: what was written is damaged.
    """
    path = folder / "budget.json"
    if not path.is_file():
        fit = max(FIT_SHARE * seconds - DIAGNOSIS_SECONDS, FEWEST_SECONDS)
        adapt = max((1 - FIT_SHARE) * seconds - (GATE_SECONDS if gated else 0.0), FEWEST_SECONDS)
        write_json(path, {"fit": round(fit, 1), "adapt": round(adapt, 1)})
    try:
        return Shares(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InputError("can't be read", where=path, remedy="delete it and give the same command again") from error
