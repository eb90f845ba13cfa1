"""What a verb tells while it works. The command line draws it; the Python API is silent by default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from wildstyle.training import Progress as StepProgress


class Progress(Protocol):
    """Hears of stages, steps and notes. All calls are cheap and may be ignored."""

    def stage(self, name: str, detail: str = "") -> None:
        """A stage begins; ``detail`` says what it works on."""

    def step(self, done: int, total: int | None, detail: str = "") -> None:
        """``done`` of ``total`` steps or images of the running stage are finished."""

    def note(self, text: str) -> None:
        """One line worth keeping: a choice with its reason, a count, a warning."""


class Silent:
    """A progress that says nothing."""

    def stage(self, name: str, detail: str = "") -> None:
        """Ignored."""

    def step(self, done: int, total: int | None, detail: str = "") -> None:
        """Ignored."""

    def note(self, text: str) -> None:
        """Ignored."""


def steps_to(progress: Progress) -> Callable[[StepProgress], None]:
    """Tells ``progress`` of each step of the training loop."""

    def hear(step: StepProgress) -> None:
        left = (
            f"{step.seconds_left / 60:.1f} min left" if step.seconds_left >= 90 else f"{step.seconds_left:.0f} s left"
        )
        progress.step(step.step, step.total, f"{step.images_per_second:.0f} images/s, {left}")

    return hear
