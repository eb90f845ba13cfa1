"""Tables and records from the figures of all measured generators."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from record import RESULTS, record

COMMAND = "python benchmarks/synthesis_quality.py summary"
ORDER = ("default", "default-early", "released", "network", "camera", "chain", "blind", "blind-adaface")

ABLATED = ("short", "no-bound", "no-adversary", "no-statistics", "no-support", "no-direction", "no-average")

Figure = Callable[[dict[str, Any]], float]


def at(space: str, where: str) -> Figure:
    """One distance at one place."""
    return lambda found: float(found["distances"][where][space])


def share(where: str) -> Figure:
    """Kernel distance of styles as a share of the untouched source's."""
    return lambda found: at("style kernel", where)(found) / at("style kernel", "source")(found)


FIGURES: dict[str, tuple[str, Figure, int]] = {
    "minutes of fitting": ("", lambda found: found["fit"].get("seconds", 0.0) / 60, 0),
    "images seen": ("", lambda found: found["fit"].get("images", 0), 0),
    "style kernel at 0.8": ("lower", at("style kernel", "cosine 0.8"), 3),
    "at 0.6": ("lower", at("style kernel", "cosine 0.6"), 3),
    "style Frechet at 0.8": ("lower", at("style frechet", "cosine 0.8"), 2),
    "Frechet at 0.6": ("lower", at("style frechet", "cosine 0.6"), 2),
    "style coverage at 0.8": ("higher", at("style coverage", "cosine 0.8"), 2),
    "coverage at 0.6": ("higher", at("style coverage", "cosine 0.6"), 2),
    "judge kernel at 0.8": ("lower", at("judge kernel", "cosine 0.8"), 4),
    "judge kernel at 0.6": ("lower", at("judge kernel", "cosine 0.6"), 4),
    "judge Frechet at 0.8": ("lower", at("judge frechet", "cosine 0.8"), 1),
    "judge Frechet at 0.6": ("lower", at("judge frechet", "cosine 0.6"), 1),
    "identity follows, recogniser": ("higher", lambda f: f["identity"]["recogniser"]["correlation"], 3),
    "identity follows, judge": ("higher", lambda f: f["identity"]["judge"]["correlation"], 3),
    "worst bin": ("lower", lambda f: f["identity"]["recogniser"]["worst_bin"], 3),
    "PSNR at 0, dB": ("higher", lambda f: f["zero"]["psnr"], 1),
    "judge cosine at 0": ("higher", lambda f: f["zero"]["cosine"], 3),
    "1 % step": ("lower", lambda f: f["zero"]["small_step"], 4),
    "direction read": ("higher", lambda f: f["direction_accuracy"], 2),
}
"""Column to which way is better, how it is taken from a measurement, and digits."""

NAMED = {
    "identity-correlation-recogniser": ("identity follows, recogniser", "correlation per face"),
    "identity-correlation-judge": ("identity follows, judge", "correlation per face"),
    "identity-worst-bin": ("worst bin", "identity distance"),
    "zero-magnitude-psnr-db": ("PSNR at 0, dB", "dB"),
    "zero-magnitude-judge-cosine": ("judge cosine at 0", "cosine"),
    "direction-accuracy": ("direction read", "share of faces, chance 0.05"),
    "style-kernel-distance-at-0.8": ("style kernel at 0.8", "squared discrepancy"),
    "style-kernel-distance-at-0.6": ("at 0.6", "squared discrepancy"),
    "style-frechet-distance-at-0.8": ("style Frechet at 0.8", "squared distance"),
    "style-frechet-distance-at-0.6": ("Frechet at 0.6", "squared distance"),
    "judge-kernel-distance-at-0.8": ("judge kernel at 0.8", "squared discrepancy"),
    "judge-kernel-distance-at-0.6": ("judge kernel at 0.6", "squared discrepancy"),
    "judge-frechet-distance-at-0.8": ("judge Frechet at 0.8", "squared distance"),
    "judge-frechet-distance-at-0.6": ("judge Frechet at 0.6", "squared distance"),
    "style-coverage-at-0.8": ("style coverage at 0.8", "share of footage faces"),
    "style-coverage-at-0.6": ("coverage at 0.6", "share of footage faces"),
}
"""Record to the column it holds and its unit."""


def summarise(folder: Path) -> None:
    """Write the table of all arms and the records of the default, with the published generator beside it."""
    arms: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        arms.setdefault(found["arm"], []).append(found)
    rows = [row_of(name, arms[name]) for name in ORDER if name in arms]
    ends = next(iter(arms.values()))[0]
    rows += [end_row("untouched source", ends, "source"), end_row("other half of the footage", ends, "footage half")]
    keep_table("synthesis-arms", ["generator", "seeds", *FIGURES], rows)
    changed = [row_of(name, arms[name]) for name in ABLATED if name in arms]
    if changed:
        keep_table("synthesis-ablations", ["fit", "seeds", *FIGURES], changed)
    if "default" in arms:
        keep_records(arms)


def row_of(name: str, found: list[dict[str, Any]]) -> list[str]:
    """Mean over seeds, and the spread where there are several."""
    cells = [name, str(len(found))]
    for _, figure, digits in FIGURES.values():
        values = [figure(one) for one in found]
        spread = f" ({min(values):.{digits}f} to {max(values):.{digits}f})" if len(values) > 1 else ""
        cells.append(f"{statistics.mean(values):.{digits}f}{spread}")
    return cells


def end_row(name: str, found: dict[str, Any], where: str) -> list[str]:
    """Distances of a set that nothing was done to."""
    cells = [name, ""]
    for column, (_, _, digits) in FIGURES.items():
        space = next(
            (s for s in ("style", "judge") if s in column), "style" if column[:2] in ("at", "Fr", "co") else ""
        )
        kind = next((k for k in ("kernel", "coverage") if k in column), "frechet" if "Frechet" in column else "kernel")
        about_sets = " at 0." in column or column.startswith("at 0.")
        cells.append(f"{found['distances'][where][f'{space} {kind}']:.{digits}f}" if about_sets else "")
    return cells


def keep_table(name: str, head: list[str], rows: list[list[str]]) -> None:
    """A table for the docs."""
    turned = [[head[k], *(row[k] for row in rows)] for k in range(1, len(head))]
    table = {"head": ["", *(row[0] for row in rows)], "rows": turned}
    (RESULTS / f"{name}.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def keep_records(arms: dict[str, list[dict[str, Any]]]) -> None:
    """One record a figure."""
    seeds = sorted(found["seed"] for found in arms["default"])
    minutes = [found["fit"]["seconds"] / 60 for found in arms["default"]]
    columns = {name: (FIGURES[column][1], FIGURES[column][0], unit) for name, (column, unit) in NAMED.items()}
    columns["kernel-distance-share-of-source"] = (share("cosine 0.6"), "lower", "share, at judge cosine 0.6")
    for name, (figure, better, unit) in columns.items():
        values = [figure(found) for found in arms["default"]]
        rival = arms.get("released")
        record(
            "synthesis",
            name,
            statistics.mean(values),
            unit,
            better,
            command=COMMAND,
            rival="the published generator" if rival else None,
            rival_value=figure(rival[0]) if rival else None,
            interval=(min(values), max(values)),
            seeds=seeds,
            interval_is="range over seeds",
            minutes=[round(each, 1) for each in minutes],
        )
