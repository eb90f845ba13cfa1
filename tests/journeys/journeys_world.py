"""A progress that presses Ctrl-C."""

from __future__ import annotations


class Stopper:
    """Raises KeyboardInterrupt at a step of a stage, as Ctrl-C would; step 0 is the stage's beginning."""

    def __init__(self, stage: str, step: int) -> None:
        self.wanted, self.at, self.now = stage, step, ""

    def stage(self, name: str, detail: str = "") -> None:
        self.now = name
        if name == self.wanted and self.at == 0:
            raise KeyboardInterrupt

    def step(self, done: int, total: int | None, detail: str = "") -> None:
        if self.now == self.wanted and done == self.at:
            raise KeyboardInterrupt

    def note(self, text: str) -> None:
        pass
