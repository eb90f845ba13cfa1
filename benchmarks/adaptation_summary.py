"""Tables and records from the figures of all measured arms."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from adaptation_arms import ARMS, COMPARED, FREE
from record import RESULTS, record

COMMAND = "python benchmarks/adaptation.py all --stage final, then summary"
SHIPPED = "gated by size too"
KINDS = ("adapted", "gated", SHIPPED)
"""The adapted weights alone; behind the gate that sees pixels; behind the gate that is told known sizes too."""

TARGETS = ("imfdb", "far")
COLUMNS: tuple[tuple[str, str, str, str], ...] = (
    ("rank-1", "", "rank-1", "all"),
    ("rank-1, distractors", "", "rank-1 with distractors", "all"),
    ("TAR at 1e-2", "", "tar@fmr=1e-2", "all"),
    ("TAR at 1e-3", "", "tar@fmr=1e-3", "all"),
    ("rank-1 < 40 px", "", "rank-1", "<40 px"),
    ("40 to 80 px", "", "rank-1", "40-79 px"),
    (">= 80 px", "", "rank-1", ">=80 px"),
    ("old gallery: rank-1, distractors", ", gallery kept", "rank-1 with distractors", "all"),
    ("old gallery: TAR at 1e-2", ", gallery kept", "tar@fmr=1e-2", "all"),
    ("LFW accuracy", "lfw", "accuracy", "all"),
    ("LFW TAR at 1e-3", "lfw", "tar@fmr=1e-3", "all"),
    ("clean people, rank-1", "clean people", "rank-1", "all"),
)
"""Heading, data (what follows the target's name, or a name of its own), figure, group."""


DEFAULT = "guided-blind"
"""The arm with the shipped settings."""

RECORDED = {
    "imfdb-rank1-gain": ("imfdb", DEFAULT, "", "rank-1", "all"),
    "imfdb-tar1e-2-gain": ("imfdb", DEFAULT, "", "tar@fmr=1e-2", "all"),
    "imfdb-under40-rank1-gain": ("imfdb", DEFAULT, "", "rank-1", "<40 px"),
    "far-rank1-distractors-gain": ("far", DEFAULT, ", gallery kept", "rank-1 with distractors", "all"),
    "far-tar1e-2-gain": ("far", DEFAULT, ", gallery kept", "tar@fmr=1e-2", "all"),
    "lfw-loss": ("imfdb", DEFAULT, "lfw", "accuracy", "all"),
    "strong-teacher-rank1-gain": ("imfdb", "strong", "", "rank-1", "all"),
}
"""Record to target, arm, data, figure and group."""


def summarise(folder: Path) -> None:
    """One table a target and kind, gains in points over the untouched recogniser; and the records."""
    for target in TARGETS:
        for kind in ("adapted", SHIPPED):
            found = {name: comparison(folder, target, name, "untouched", kind) for name in ARMS}
            found |= {name: single(folder, target, name) for name in FREE}
            found |= {f"{a} less {b}": comparison(folder, target, a, b, kind) for a, b in COMPARED}
            rows = [[name, *cells(figures, target)] for name, figures in found.items() if figures]
            if rows:
                table = {"head": ["", *(heading for heading, *_ in COLUMNS)], "rows": rows}
                path = RESULTS / f"adaptation-{target}-{'gated' if kind == SHIPPED else kind}.json"
                path.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    keep_records(folder)


def comparison(folder: Path, target: str, first: str, second: str, kind: str) -> dict[str, Any]:
    """Figures of one arm less another on the test people, or nothing."""
    path = folder / f"{target}-final-{first}-minus-{second}-{kind.replace(' ', '-')}.json"
    return json.loads(path.read_text(encoding="utf-8"))["figures"] if path.is_file() else {}


def single(folder: Path, target: str, name: str) -> dict[str, Any]:
    """Figures of a trick that needs no training."""
    path = folder / f"{target}-final-{name}-0.json"
    return json.loads(path.read_text(encoding="utf-8"))["figures"][name] if path.is_file() else {}


def cells(figures: dict[str, Any], target: str) -> Iterable[str]:
    """Gain and interval of each column."""
    for _, data, name, group in COLUMNS:
        found = pick(figures, target, data, name, group)
        yield "" if found is None else told(found)


def pick(figures: dict[str, Any], target: str, data: str, name: str, group: str) -> dict[str, Any] | None:
    """One figure."""
    where = f"{target}{data}" if data[:1] in ("", ",") else data
    return next((one for one in figures.get(where, ()) if one["name"] == name and one["group"] == group), None)


def told(found: dict[str, Any]) -> str:
    """Gain with its interval."""
    interval = "" if found["low"] is None else f" [{found['low']:+.1f}, {found['high']:+.1f}]"
    return f"{found['gain']:+.1f}{interval}"


def keep_records(folder: Path) -> None:
    """The figures that decide, of the shipped default."""
    for name, (target, arm, data, figure, group) in RECORDED.items():
        found = pick(comparison(folder, target, arm, "untouched", SHIPPED), target, data, figure, group)
        if found is not None:
            keep(name, found, -1.0 if name.endswith("loss") else 1.0)
    sides = [pick(comparison(folder, t, DEFAULT, "blind", SHIPPED), t, "", "rank-1", "all") for t in TARGETS]
    lows = [found["low"] for found in sides if found is not None]
    if lows:
        record("adaptation", "guided-minus-blind-low-mobilefacenet", max(lows), "points", "higher", command=COMMAND)


def keep(name: str, found: dict[str, Any], sign: float) -> None:
    """One record."""
    ends = sorted((sign * found["low"], sign * found["high"]))
    record(
        "adaptation",
        name,
        sign * found["gain"],
        "points",
        "lower" if sign < 0 else "higher",
        command=COMMAND,
        interval=(ends[0], ends[1]),
        seeds=list(range(found["seeds"][1])),
        interval_is="95 % over people, mean of seeds",
        before=found["before"],
        after=found["after"],
    )
