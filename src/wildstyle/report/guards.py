"""What each paired difference says: gained, lost, or not settled.

A guard is a figure that must not get worse. Its finding keeps three things apart that are easily mixed up:
a loss that is proven, a loss that was seen but may be chance, and data too few to see a loss at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from wildstyle.evaluation.result import Difference
from wildstyle.report.records import EvaluatedSet

Part = Literal["primary", "secondary", "clean", "band"]
Outcome = Literal["gained", "lost", "unsettled", "kept", "doubtful", "unproven", "not measurable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictPolicy:
    """How much may be lost, and what counts as a gain; shares, not points.

    Attributes:
        primary: the measure that decides on a target set: the first of these that was measured there.
        max_accuracy_loss: allowed loss of pair accuracy on a guard set.
        max_clean_loss: allowed loss of any other overall figure on a guard set.
        max_band_loss: allowed loss of the primary measure inside a size band or other group.
        max_secondary_loss: allowed loss of the other overall figures on a target set.
        min_faces: groups with fewer faces or comparisons are not judged: one face would decide.
        min_people: a gain over fewer people is not judged: an interval needs people to be drawn from.
        smallest_gain: the gain worth proving, where none was seen yet: sets how much footage to label.
    """

    primary: tuple[str, ...] = ("rank-1", "tar@fmr=1e-2", "tar@fmr=1e-3", "accuracy")
    max_accuracy_loss: float = 0.001
    max_clean_loss: float = 0.003
    max_band_loss: float = 0.003
    max_secondary_loss: float = 0.003
    min_faces: int = 30
    min_people: int = 5
    smallest_gain: float = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One judged difference.

    Attributes:
        data: name of the set.
        part: why it was looked at. "primary": decides on a target set; "secondary": another overall figure
            there; "clean": an overall figure of a guard set; "band": the primary figure of a group.
        difference: the figures.
        limit: allowed loss, a share; None for the primary part.
        outcome: "gained" and "lost": the interval excludes zero (and a loss exceeds the limit);
            "unsettled": a primary interval holds zero; "kept": even the interval's lower end is within the
            limit; "doubtful": the loss seen exceeds the limit but may be chance; "unproven": the loss seen is
            within the limit, but the interval reaches beyond it; "not measurable": no figure, no interval, or
            too few people or faces.
        people: people in the set, 0 where not counted.
    """

    data: str
    part: Part
    difference: Difference
    limit: float | None
    outcome: Outcome
    people: int


def findings(evaluated: EvaluatedSet, policy: VerdictPolicy) -> Iterator[Finding]:
    """All judged differences of one set; on a target set the primary comes first."""
    differences = evaluated.comparison.differences
    people = evaluated.comparison.before.counts.get("people", 0)
    primary = primary_measure(evaluated, policy)
    target = evaluated.role == "target"
    for difference in sorted(differences, key=lambda d: d.name != primary or d.group != "all"):
        part = _part(difference, primary, target)
        if part is None:
            continue
        limit = _limit(part, difference.name, policy)
        if limit is None:
            outcome = _primary_outcome(difference, enough=not 0 < people < policy.min_people)
        else:
            outcome = guard_outcome(difference, limit, policy.min_faces)
        yield Finding(
            data=evaluated.name, part=part, difference=difference, limit=limit, outcome=outcome, people=people
        )


def primary_measure(evaluated: EvaluatedSet, policy: VerdictPolicy) -> str:
    """Name of the measure that stands for a set.

    On a target the first of the policy's that was measured; elsewhere the set's own first, for protocols list
    their most important figure first. Where nothing could be measured, the first name there is.
    """
    overall = [d for d in evaluated.comparison.differences if d.group == "all"]
    measured = [d.name for d in overall if d.gain is not None]
    wanted = [name for name in policy.primary if name in measured] if evaluated.role == "target" else measured
    return next(iter([*wanted, *(d.name for d in overall), policy.primary[0]]))


def guard_outcome(difference: Difference, limit: float, min_faces: int = 30) -> Outcome:
    """Judge a figure that must not lose more than ``limit`` (a share, >= 0)."""
    few = difference.n < min_faces
    if few or difference.gain is None or difference.low is None or difference.high is None:
        return "not measurable"
    # A millionth forgives rounding: a loss of exactly the limit is allowed.
    floor = -limit - 1e-6
    if difference.low >= floor:
        return "kept"
    if difference.gain >= floor:
        return "unproven"
    return "lost" if difference.high < 0 else "doubtful"


def _primary_outcome(difference: Difference, *, enough: bool) -> Outcome:
    if not enough or difference.gain is None or difference.low is None or difference.high is None:
        return "not measurable"
    if difference.low > 0:
        return "gained"
    return "lost" if difference.high < 0 else "unsettled"


def _part(difference: Difference, primary: str, target: bool) -> Part | None:
    if difference.group != "all":
        return "band" if difference.name == primary else None
    if not target:
        return "clean"
    return "primary" if difference.name == primary else "secondary"


def _limit(part: Part, name: str, policy: VerdictPolicy) -> float | None:
    if part == "primary":
        return None
    if part == "band":
        return policy.max_band_loss
    if part == "secondary":
        return policy.max_secondary_loss
    return policy.max_accuracy_loss if name == "accuracy" else policy.max_clean_loss
