"""What a run of the loop is asked for, what it reports on the way, and what it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from wildstyle.errors import SettingError

Precision = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopPlan:
    """How long, how safe and how exact a run is. Give ``steps`` or ``budget_seconds``, not both.

    Attributes:
        steps: optimiser steps of the whole run, >= 1.
        budget_seconds: wall-clock seconds of the whole run. A few steps are rehearsed, timed and undone;
            the step count that fits is then fixed and stored, so the schedule and a resume are exact. A
            continued run keeps its step count, whatever budget is given then.
        seed: seed of torch's generators inside a step, >= 0; each step gets its own from (seed, step, rank).
        checkpoint_every: steps between checkpoints, >= 1; there is always one at the end.
        keep: checkpoints that are kept, newest first, >= 1.
        log_every: steps between lines of ``metrics.jsonl``, >= 1; the last step is always logged.
        precision: "fp32", or "bf16" / "fp16" mixed precision.
        device: "auto", "cpu", "cuda" or "mps".
        tensorboard: also write TensorBoard events into ``folder/tensorboard``.
        identity: fingerprint of everything else that defines the run (settings, weights, data). A folder
            that holds a run of another identity is refused instead of continued.
    """

    steps: int | None = None
    budget_seconds: float | None = None
    seed: int = 0
    checkpoint_every: int = 100
    keep: int = 2
    log_every: int = 10
    precision: Precision = "fp32"
    device: str = "auto"
    tensorboard: bool = False
    identity: str = ""

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.budget_seconds is None):
            raise SettingError("give either a number of steps or a time budget", remedy="set exactly one of the two")
        for name in ("steps", "checkpoint_every", "keep", "log_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingError(f"{name} is {value}, it must be at least 1")
        if self.budget_seconds is not None and not self.budget_seconds > 0:
            raise SettingError(f"the time budget is {self.budget_seconds} s, it must be above zero")
        if self.seed < 0:
            raise SettingError(f"the seed is {self.seed}, it must be at least 0")
        if self.precision not in ("fp32", "bf16", "fp16"):
            raise SettingError(f"precision {self.precision!r} is unknown", remedy="use fp32, bf16 or fp16")

    def fingerprint(self) -> dict[str, Any]:
        """The fields that must agree for a folder's run to be continued, as plain JSON values.

        A budget is not among them: the number of steps it became is stored and stays.
        """
        return {"steps": self.steps, "seed": self.seed, "identity": self.identity}


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands after a step, for a progress display.

    Attributes:
        step: steps done so far, counted over all resumes, 1..total.
        total: steps of the whole run.
        images_per_second: since this process started the run, all processes together.
        seconds_left: at the pace so far.
        values: the step's losses and diagnostics. On an accelerator they lag by one step, so that it never waits.
    """

    step: int
    total: int
    images_per_second: float
    seconds_left: float
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoopResult:
    """What a finished run did.

    Attributes:
        steps: steps of the whole run.
        seconds: wall-clock seconds, all resumed pieces together, rehearsal excluded.
        images_per_second: over the steps of this process; 0.0 if the run was already complete.
        resumed_from: steps that were already done at the start, 0 for a fresh run.
        values: losses and diagnostics of the last step, as the first process sees them.
        device: the device used and why, one line.
    """

    steps: int
    seconds: float
    images_per_second: float
    resumed_from: int
    values: Mapping[str, float]
    device: str
