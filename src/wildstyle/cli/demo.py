"""``wildstyle demo``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from wildstyle.cli.adapting import show_outcome
from wildstyle.cli.screen import Screen, console


def demo_command(
    out: Annotated[Path, typer.Option("--out", help="Folder for the made-up faces and the run.")] = Path("runs/demo"),
    budget: Annotated[str, typer.Option(help="Time for learning and measuring.")] = "4m",
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
) -> None:
    """Adapt the built-in recogniser to a made-up bad camera: the whole way in minutes, with nothing of yours."""
    from wildstyle.training import parse_duration
    from wildstyle.verbs.demo import DemoSize, demo

    started = time.monotonic()
    with Screen() as screen:
        size = DemoSize(budget_seconds=parse_duration(budget))
        outcome = demo(out, size=size, seed=seed, progress=screen, arguments=tuple(sys.argv[1:]))
    show_outcome(outcome)
    console.print(f"\nDone in {time.monotonic() - started:.0f} s. Open {out / 'run' / 'report.html'}.", soft_wrap=True)
