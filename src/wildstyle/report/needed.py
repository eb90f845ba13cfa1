"""How much more footage must be labelled to settle an open question, in round numbers and in words."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from wildstyle.evaluation import power
from wildstyle.report.guards import Finding, VerdictPolicy, oriented
from wildstyle.report.wording import count_text, signed

# Below half a point the gain seen says little about the gain there is; ask for one worth having instead.
_SMALLEST_SEEN = 0.005
# A larger number is no plan.
_MANY = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """Footage that would settle a question.

    Attributes:
        data: the set concerned, "" for footage that is still to be labelled.
        effect: the gain it would prove, or the distance of a loss from its limit, a share.
        people_now: labelled people there are.
        people: labelled people in all that it takes, two significant digits.
        faces_per_person: faces each of them needs, or None for as many as the people there are have.
        pairs: mated pairs of different people that would do instead, or None.
        limit: the allowed loss in question on a guard set, a share; None for a gain.
    """

    data: str
    effect: float
    people_now: int
    people: int
    faces_per_person: int | None = None
    pairs: int | None = None
    limit: float | None = None

    @property
    def clause(self) -> str:
        """What to provide, to be followed by "would settle it"."""
        if self.people > _MANY:
            return f"more than {count_text(_MANY)} labelled people"
        now = f" (now {count_text(self.people_now)})" if self.people_now else ""
        faces = f" with {self.faces_per_person} faces each" if self.faces_per_person else ""
        pairs = f", or about {count_text(self.pairs)} mated pairs," if self.pairs else ""
        return f"about {count_text(self.people)} labelled people{faces}{now}{pairs}"

    @property
    def sentence(self) -> str:
        """The whole, with what it would prove."""
        place = f" on {self.data}" if self.data else ""
        gain = f"would prove a true gain of {signed(self.effect).lstrip('+')} points{place} in four of five cases"
        loss = f"would show{place} whether the loss is within {100 * (self.limit or 0.0):g} points"
        clause = self.clause
        return f"{clause[0].upper()}{clause[1:]} {gain if self.limit is None else loss}."


def needed_for(finding: Finding, policy: VerdictPolicy) -> Needed | None:
    """People that would settle an open finding; None where nothing can be said."""
    gain, low, high = oriented(finding.difference)
    scalable = gain is not None and low is not None and high is not None and high != low
    if finding.people < policy.min_people or not scalable:
        if finding.part == "clean":
            return None
        return replace(needed_without_labels(policy), data=finding.data, people_now=finding.people)
    # How far the gain seen lies from what it must be told from: zero, or minus the limit.
    distance = abs((gain or 0.0) + finding.limit)
    too_small = finding.part == "target" and (gain or 0.0) < _SMALLEST_SEEN
    effect = policy.smallest_gain if too_small else distance
    if effect == 0:
        return None
    spread = max((gain or 0.0) - (low or 0.0), (high or 0.0) - (gain or 0.0)) * math.sqrt(finding.people) / 1.96
    people = max(two_digits(power.people_needed(effect, spread)), finding.people)
    limit = finding.limit if finding.part == "clean" else None
    return Needed(data=finding.data, effect=effect, people_now=finding.people, people=people, limit=limit)


def needed_without_labels(policy: VerdictPolicy) -> Needed:
    """What to label where nothing is labelled yet, to see the smallest gain worth having."""
    assumed = power.Assumptions()
    need = power.needed_without_labels(policy.smallest_gain, assumed)
    return Needed(
        data="",
        effect=policy.smallest_gain,
        people_now=0,
        people=two_digits(need.people),
        faces_per_person=assumed.probes_per_person,
        pairs=two_digits(need.pairs),
    )


def two_digits(count: float) -> int:
    """A count >= 1 rounded up to two significant digits.

    >>> two_digits(2713), two_digits(56)
    (2800, 56)
    """
    step: int = 10 ** max(0, math.floor(math.log10(count)) - 1)
    return math.ceil(count / step) * step
