"""The only place that writes to the terminal."""

from __future__ import annotations

import time

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

console = Console(highlight=False)
if not console.is_terminal:
    # A log has no width to fit; tables stay readable in it.
    console = Console(highlight=False, width=140)
errors = Console(stderr=True, highlight=False)


class Screen:
    """Draws the progress of a verb: a bar on a terminal, a line every 15 s elsewhere."""

    QUIET_SECONDS = 15.0

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._stage = ""
        self._said = 0.0

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_bar()

    def stage(self, name: str, detail: str = "") -> None:
        """Begin a stage."""
        self._end_bar()
        self._stage = name
        self._said = time.monotonic()
        console.print(f"[bold]{escape(name)}[/bold] {escape(detail)}".rstrip())

    def step(self, done: int, total: int | None, detail: str = "") -> None:
        """Show how far the running stage is."""
        if console.is_terminal:
            self._draw(done, total, detail)
        elif time.monotonic() - self._said > self.QUIET_SECONDS:
            self._said = time.monotonic()
            console.print(f"  {self._stage}: {done}{f' of {total}' if total else ''} {escape(detail)}".rstrip())

    def note(self, text: str) -> None:
        """Print one line under the running stage."""
        console.print(f"  {escape(text)}")

    def _draw(self, done: int, total: int | None, detail: str) -> None:
        if self._bar is None:
            self._bar = Bar(
                TextColumn("  "),
                BarColumn(bar_width=30),
                MofNCompleteColumn(),
                TextColumn("{task.fields[detail]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            self._bar.add_task("", total=total, detail=detail)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=done, total=total, detail=detail)

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
