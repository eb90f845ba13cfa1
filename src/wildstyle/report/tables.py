"""The before/after table as rows of text: shown by the terminal, the report and the model card alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from wildstyle.evaluation.result import Comparison, Difference, Measure
from wildstyle.report.guards import at_fixed_threshold, oriented
from wildstyle.report.records import EvaluatedSet, Role
from wildstyle.report.wording import (
    count_text,
    digits_for,
    group_label,
    interval_text,
    measure_label,
    share_text,
    signed,
)

Mark = Literal["better", "worse", "unsettled", "not measurable"]

COLUMNS = ("set", "figure", "faces", "before", "after", "gain, points (95% interval)", "n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure before and after.

    Attributes:
        data: name of the set.
        role: "target" or "guard".
        name: the measure as stored, e.g. "rank-1".
        measure: the same for people.
        group: "all" or a part of the faces.
        before: share with its interval, as text.
        after: the same of the adapted recogniser.
        gain: points with sign, as text.
        interval: of the gain, as text.
        n: comparisons or probes, as text.
        mark: whether the interval excludes zero.
        note: what a reader must know, or "".
        difference: the figures themselves.
    """

    data: str
    role: Role
    name: str
    measure: str
    group: str
    before: str
    after: str
    gain: str
    interval: str
    n: str
    mark: Mark
    note: str
    difference: Difference

    def cells(self) -> tuple[str, ...]:
        """The texts under :data:`COLUMNS`."""
        gain = f"{self.gain} ({self.interval})" if self.difference.gain is not None else self.gain
        return (self.data, self.measure, self.group, self.before, self.after, gain, self.n)


def comparison_rows(sets: Iterable[EvaluatedSet]) -> tuple[Row, ...]:
    """All figures of all sets, in the order in which they are stored."""
    return tuple(_row(evaluated, difference) for evaluated in sets for difference in evaluated.comparison.differences)


def overall_rows(sets: Iterable[EvaluatedSet]) -> tuple[Row, ...]:
    """Only figures over all faces of a set: what fits a screen."""
    return tuple(row for row in comparison_rows(sets) if row.group == "all")


def mark_of(difference: Difference) -> Mark:
    """Whether the paired interval lies on the good side of zero, on the bad one, or holds it."""
    _, low, high = oriented(difference)
    if low is None or high is None:
        return "not measurable"
    if low > 0:
        return "better"
    return "worse" if high < 0 else "unsettled"


def _row(evaluated: EvaluatedSet, difference: Difference) -> Row:
    digits = digits_for(difference.before, difference.after)
    before, after = _measures(evaluated.comparison, difference)
    kept = " at a kept threshold" if at_fixed_threshold(difference.name) else ""
    return Row(
        data=evaluated.name,
        role=evaluated.role,
        name=difference.name,
        measure=measure_label(difference.name) + kept,
        group=group_label(difference.group),
        before=_with_interval(difference.before, before, digits),
        after=_with_interval(difference.after, after, digits),
        gain="–" if difference.gain is None else signed(difference.gain, digits),
        interval=interval_text(difference.low, difference.high, digits),
        n=count_text(difference.n),
        mark=mark_of(difference),
        note=difference.note or "",
        difference=difference,
    )


def _measures(comparison: Comparison, difference: Difference) -> tuple[Measure | None, Measure | None]:
    def found(measures: tuple[Measure, ...]) -> Measure | None:
        return next((m for m in measures if (m.name, m.group) == (difference.name, difference.group)), None)

    return found(comparison.before.measures), found(comparison.after.measures)


def _with_interval(share: float | None, measure: Measure | None, digits: int) -> str:
    if share is None or measure is None or measure.low is None or measure.high is None:
        return share_text(share, digits)
    low, high = (f"{100 * end:.{digits}f}" for end in (measure.low, measure.high))
    return f"{share_text(share, digits)} ({low}–{high})"
