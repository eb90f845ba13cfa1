"""How a benchmark leaves its figures: one JSON file a topic, one record a figure."""

from __future__ import annotations

import datetime
import json
import os
import platform
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine() -> str:
    """CPU model, cores, memory and system, in one line."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {os.cpu_count()} cores, {gib:.0f} GiB, {platform.system()}, Python {platform.python_version()}"


def record(
    topic: str,
    name: str,
    value: float,
    unit: str,
    better: str,
    *,
    command: str,
    rival: str | None = None,
    rival_value: float | None = None,
    interval: tuple[float, float] | None = None,
    seeds: list[int] | None = None,
    **extra: Any,
) -> dict[str, Any]:
    """Add or replace the record ``name`` in ``results/<topic>.json`` and return it.

    Args:
        better: "higher" or "lower".
        interval: low and high end, of the repeats or the 95 % interval (say which in ``extra``).
        extra: anything that helps to read the figure, e.g. ``repeats=7``.
    """
    if better not in ("higher", "lower"):
        raise ValueError(f"better is 'higher' or 'lower', not {better!r}")
    entry = {
        "name": name,
        "value": value,
        "unit": unit,
        "better": better,
        "rival": rival,
        "rival_value": rival_value,
        "interval": list(interval) if interval else None,
        "seeds": seeds or [],
        "command": command,
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
        **extra,
    }
    path = RESULTS / f"{topic}.json"
    before = json.loads(path.read_text()) if path.exists() else []
    kept = [r for r in before if r["name"] != name] + [entry]
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(sorted(kept, key=lambda r: r["name"]), indent=2) + "\n")
    temporary.replace(path)
    return entry
