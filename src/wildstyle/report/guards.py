"""What each paired difference says for the verdict.

Only primary figures decide: the gain on target sets, the loss on guard (clean) sets. All others are looked at for
one thing only, a loss that is proven beyond what may go untold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from wildstyle.evaluation.result import Comparison, Difference
from wildstyle.report.records import EvaluatedSet
from wildstyle.report.wording import lower_is_better

Part = Literal["target", "clean", "told"]
Outcome = Literal["passed", "failed", "open"]

# A millionth forgives rounding: a loss of exactly the limit is allowed.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictPolicy:
    """What counts as a gain, and how much may be lost; shares, not points.

    Attributes:
        primary: the figure that decides on a target set: the first of these that was measured there.
        max_clean_loss: allowed loss of a guard set's primary figure, to be excluded beyond by its interval.
        told_loss: a loss proven beyond this, of any other figure or group, is told in the sentence.
        min_people: an interval over fewer people decides nothing.
        min_faces: groups with fewer faces or comparisons are not judged: one face would speak for all.
        smallest_gain: the gain worth proving, where none was seen yet: sets how much footage to label.
    """

    primary: tuple[str, ...] = ("rank-1", "tar@fmr=1e-2", "tar@fmr=1e-3", "accuracy")
    max_clean_loss: float = 0.005
    told_loss: float = 0.003
    min_people: int = 5
    min_faces: int = 30
    smallest_gain: float = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One judged difference.

    Attributes:
        data: name of the set.
        part: "target" and "clean" are primary figures of a target and a guard set and decide; "told": another
            figure, or the primary figure of a group.
        difference: the figures.
        limit: allowed loss, a share; 0 on a target set.
        outcome: "passed": even the unfavourable end of the interval is within the limit (on a target: above
            zero); "failed": even the favourable end is beyond it; "open": neither, or there is no interval.
        people: people in the set, 0 where not counted.
    """

    data: str
    part: Part
    difference: Difference
    limit: float
    outcome: Outcome
    people: int

    @property
    def measured(self) -> bool:
        """Whether there is a difference with an interval at all."""
        return self.difference.gain is not None and self.difference.low is not None

    @property
    def loss(self) -> float:
        """How much was lost, whichever way the figure is better; negative for a gain, 0 where not measured."""
        return -(oriented(self.difference)[0] or 0.0)


def findings(evaluated: EvaluatedSet, policy: VerdictPolicy) -> Iterator[Finding]:
    """The deciding difference of one set first, then all others but those at fixed thresholds."""
    primary = primary_measure(evaluated, policy)
    people = evaluated.comparison.before.counts.get("people", 0)
    enough = not 0 < people < policy.min_people
    for difference in sorted(evaluated.comparison.differences, key=lambda d: (d.name, d.group) != (primary, "all")):
        decides = difference.name == primary and difference.group == "all"
        if at_fixed_threshold(difference.name) or (difference.group != "all" and difference.name != primary):
            continue
        part: Part = ("target" if evaluated.role == "target" else "clean") if decides else "told"
        limit = {"target": 0.0, "clean": policy.max_clean_loss, "told": policy.told_loss}[part]
        judged = enough if decides else difference.n >= policy.min_faces
        yield Finding(
            data=evaluated.name,
            part=part,
            difference=difference,
            limit=limit,
            outcome=judge(difference, limit, strictly=part == "target") if judged else "open",
            people=people,
        )


def judge(difference: Difference, limit: float, *, strictly: bool = False) -> Outcome:
    """Whether the loss is excluded beyond ``limit`` (a share), proven beyond it, or neither.

    Args:
        difference: the figures.
        limit: allowed loss, at least 0.
        strictly: an end that lies on the limit is not within it: a gain must be *above* zero.
    """
    _, low, high = oriented(difference)
    if low is None or high is None:
        return "open"
    if low > -limit if strictly else low >= -limit - _ROUNDING:
        return "passed"
    return "failed" if high < -limit - (0.0 if strictly else _ROUNDING) else "open"


def oriented(difference: Difference) -> tuple[float | None, float | None, float | None]:
    """Gain, lower and upper end, turned so that more is better: FMR, FNMR, FPIR and FNIR gain where they fall."""
    gain, low, high = difference.gain, difference.low, difference.high
    if not lower_is_better(difference.name) or gain is None:
        return gain, low, high
    return -gain, None if high is None else -high, None if low is None else -low


def at_fixed_threshold(name: str) -> bool:
    """Whether a figure is taken at a threshold that was kept: it tells of scores that shift, not of skill."""
    return name.partition("@")[2].startswith(("old-threshold", "threshold"))


def primary_measure(evaluated: EvaluatedSet, policy: VerdictPolicy) -> str:
    """Name of the measure that stands for a set.

    On a target the first of the policy's that was measured; elsewhere the set's own first, for protocols list
    their most important figure first. Where nothing could be measured, the first name there is.
    """
    overall = [d for d in _deciding(evaluated.comparison) if d.group == "all"]
    measured = [d.name for d in overall if d.gain is not None]
    wanted = [name for name in policy.primary if name in measured] if evaluated.role == "target" else measured
    return next(iter([*wanted, *(d.name for d in overall), policy.primary[0]]))


def _deciding(comparison: Comparison) -> list[Difference]:
    return [d for d in comparison.differences if not at_fixed_threshold(d.name)]
