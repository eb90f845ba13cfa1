"""How much more footage must be labelled to settle an open question.

The half-width of an interval over people shrinks with the square root of their number. For an effect g to be
proven in four of five repetitions (power 80 % at a two-sided 5 %), its standard error must be
g / (1.960 + 0.842); so n people with half-width h become n * (1.430 h / g)^2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from wildstyle.report.guards import Finding, VerdictPolicy
from wildstyle.report.wording import count_text, signed

_POWER = (1.960 + 0.842) / 1.960
# Below half a point the gain seen says little about the gain there is; ask for one worth having instead.
_SMALLEST_SEEN = 0.005
_MANY = 20_000
# Spread of one person's paired gain in rank-1, as it was found on film and webcam faces with 10 to 60 faces a person.
_SPREAD_OVER_PEOPLE = 0.08
# Share of mated pairs on which the recogniser before and the one after disagree.
_DISAGREEING_PAIRS = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """Footage that would settle a question.

    Attributes:
        data: the set concerned, "" for footage that is still to be labelled.
        effect: the gain (or loss, negative) it would prove, a share.
        people_now: labelled people there are.
        people: labelled people in all that it takes.
        pairs: mated pairs that would do instead, where no set exists yet; else None.
    """

    data: str
    effect: float
    people_now: int
    people: int
    pairs: int | None = None

    def clause(self) -> str:
        """What to provide, to be followed by "would settle it"."""
        if self.people > _MANY:
            return f"more than {count_text(_MANY)} labelled people"
        people = f"about {count_text(self.people)} labelled people"
        if self.pairs is not None:
            return f"{people}, each from two or more recordings, or about {count_text(self.pairs)} mated pairs"
        return f"{people} (now {count_text(self.people_now)})"

    def sentence(self) -> str:
        """The whole, with what it would prove."""
        place = f" on {self.data}" if self.data else ""
        kind = "gain" if self.effect > 0 else "loss"
        size = signed(abs(self.effect)).lstrip("+")
        clause = self.clause()
        return f"{clause[0].upper()}{clause[1:]} would show a {kind} of {size} points{place} in four of five cases."


def needed_for(finding: Finding, policy: VerdictPolicy) -> Needed | None:
    """People that would settle an open finding; None where there is no interval to scale."""
    d = finding.difference
    if d.gain is None or d.low is None or d.high is None or finding.people < 2 or d.high == d.low:
        return None
    seen = d.gain if finding.part != "primary" or d.gain >= _SMALLEST_SEEN else policy.smallest_gain
    return Needed(
        data=finding.data,
        effect=seen,
        people_now=finding.people,
        people=people_needed(finding.people, (d.high - d.low) / 2, seen),
    )


def needed_without_labels(policy: VerdictPolicy) -> Needed:
    """People or mated pairs that would show the smallest gain worth having, from the usual spread."""
    per_person = 1.960 * _SPREAD_OVER_PEOPLE
    pairs = (1.960 + 0.842) ** 2 * _DISAGREEING_PAIRS / policy.smallest_gain**2
    return Needed(
        data="",
        effect=policy.smallest_gain,
        people_now=0,
        people=people_needed(1, per_person, policy.smallest_gain),
        pairs=_two_digits(pairs),
    )


def people_needed(people: int, half_width: float, effect: float) -> int:
    """People at which ``effect`` would be proven in four of five repetitions.

    Args:
        people: people at which the 95 % interval had ``half_width``.
        half_width: of the paired interval, a share.
        effect: gain or loss to prove, a share other than 0.

    Returns:
        A count with two significant digits, rounded up, never fewer than there are.

    >>> people_needed(40, 0.014, 0.008)
    260
    """
    return max(people, _two_digits(people * (_POWER * half_width / effect) ** 2))


def _two_digits(count: float) -> int:
    step: int = 10 ** max(0, math.floor(math.log10(max(count, 1.0))) - 1)
    return math.ceil(count / step) * step
