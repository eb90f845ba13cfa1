"""The four numbers a hurried reader looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wildstyle.report.guards import VerdictPolicy, primary_measure
from wildstyle.report.records import EvaluatedSet, RunRecords
from wildstyle.report.wording import (
    count_text,
    digits_for,
    duration_text,
    interval_text,
    measure_label,
    share_text,
    signed,
)
from wildstyle.runs.folder import StageMarker


@dataclass(frozen=True, slots=True)
class Tile:
    """One number with its name and a line of detail."""

    title: str
    value: str
    detail: str


def tiles(records: RunRecords, stages: Sequence[StageMarker], policy: VerdictPolicy) -> list[Tile]:
    """First target, first guard, footage, time: those that are known."""
    chosen = [next((s for s in records.evaluations if s.role == role), None) for role in ("target", "guard")]
    found = [tile for s in chosen if s is not None and (tile := _measured(s, policy)) is not None]
    if records.ingested:
        read, kept = sum(i.read for i in records.ingested), sum(i.kept for i in records.ingested)
        found.append(Tile("Footage", f"{count_text(kept)} faces", f"of {count_text(read)} pictures"))
    if stages:
        count = f"{len(stages)} stages" if len(stages) > 1 else "one stage"
        found.append(Tile("Time", duration_text(sum(stage.seconds for stage in stages)), count))
    return found


def _measured(evaluated: EvaluatedSet, policy: VerdictPolicy) -> Tile | None:
    name = primary_measure(evaluated, policy)
    d = next((d for d in evaluated.comparison.differences if d.name == name and d.group == "all"), None)
    if d is None or d.gain is None:
        return None
    digits = digits_for(d.before, d.after)
    value = f"{share_text(d.before, digits)[:-1]} → {share_text(d.after, digits)}"
    detail = f"{signed(d.gain, digits)} points ({interval_text(d.low, d.high, digits)})"
    return Tile(f"{measure_label(name)}, {evaluated.name}", value, detail)
