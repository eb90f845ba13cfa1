"""How many labelled people, or pairs, would settle whether a gain is above zero.

The gain of a system is the mean over people of each person's gain: share of right decisions after, minus before.
With m decisions a person its variance over people is

    between ** 2 + changed / m

where ``between`` is the standard deviation of people's true gains and ``changed`` the share of decisions that
differ between the systems (a change is +1 or -1, so its variance is at most ``changed``: Connor 1987 on paired
shares). The mean of n people then differs from zero at level a with power 1 - b when

    n >= ((z_a + z_b) * spread / gain) ** 2 + z_a ** 2 / 2

The last term pays for the spread being estimated (Guenther 1981). All numbers are rounded up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from wildstyle.errors import SettingError

RULE_OF_30 = 30
"""Errors needed for a rate that is right within 30 % at 90 % confidence (Doddington et al. 2000)."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What is taken for granted before anything is measured.

    Attributes:
        between: standard deviation of people's true gains, share in [0, 1].
        changed: share of decisions that differ between the systems, in (0, 1].
        probes_per_person: labelled probes a person, at least 1.
        power: wanted probability that the interval lies above zero when the gain is real, in [0.5, 1).
    """

    between: float = 0.10
    changed: float = 0.30
    probes_per_person: int = 20
    power: float = 0.8

    def __post_init__(self) -> None:
        right = (
            0 <= self.between <= 1 and 0 < self.changed <= 1 and self.probes_per_person >= 1 and 0.5 <= self.power < 1
        )
        if not right:
            raise SettingError(f"assumptions out of range: {self}")

    @property
    def spread(self) -> float:
        """Standard deviation over people of a person's measured gain."""
        return math.sqrt(self.between**2 + self.changed / self.probes_per_person)


@dataclass(frozen=True, slots=True)
class Need:
    """How much labelling would settle the question.

    Attributes:
        people: people in all, each with ``probes_per_person`` labelled probes and a gallery template.
        more_people: people beyond those there are.
        probes: labelled probes in all.
        pairs: mated pairs in all, if each pair were of another person.
        because: the assumptions in words.
    """

    people: int
    more_people: int
    probes: int
    pairs: int
    because: str


def people_needed(gain: float, spread: float, *, power: float = 0.8) -> int:
    """People whose mean gain would be told from zero by a two-sided 95 % interval.

    Args:
        gain: expected true gain, a share other than 0.
        spread: standard deviation over people of a person's measured gain, a share above 0.
        power: probability of an answer if the gain is real.

    Raises:
        SettingError: no number of people settles a gain of zero.
    """
    _check_gain(gain)
    if not spread > 0:
        raise SettingError(f"the spread over people must be above 0, not {spread}")
    reach = (_Z + NormalDist().inv_cdf(power)) * spread / abs(gain)
    return max(2, math.ceil(reach**2 + _Z**2 / 2))


def pairs_needed(gain: float, changed: float, *, power: float = 0.8) -> int:
    """Mated pairs, each of another person, that would settle it (Connor 1987 on McNemar's test).

    Args:
        gain: expected gain in the share of accepted pairs, other than 0 and at most ``changed``.
        changed: share of pairs that one system accepts and the other rejects.
        power: probability of an answer if the gain is real.
    """
    _check_gain(gain)
    if not abs(gain) <= changed <= 1:
        raise SettingError(f"a gain of {gain:g} needs at least that share of changed decisions, not {changed:g}")
    z_power = NormalDist().inv_cdf(power)
    reach = _Z * math.sqrt(changed) + z_power * math.sqrt(changed - gain**2)
    return max(2, math.ceil((reach / gain) ** 2 + _Z**2 / 2))


def needed_without_labels(gain: float = 0.03, assumptions: Assumptions | None = None) -> Need:
    """What a user without labelled footage would have to label.

    Args:
        gain: the smallest gain worth knowing about, a share.
        assumptions: see there.
    """
    a = assumptions or Assumptions()
    people = people_needed(gain, a.spread, power=a.power)
    changed = max(a.changed, abs(gain))
    return Need(
        people=people,
        more_people=people,
        probes=people * a.probes_per_person,
        pairs=pairs_needed(gain, min(1.0, changed + a.between**2), power=a.power),
        because=f"for a gain of {100 * gain:.3g} points, with people's gains spread by {100 * a.between:.3g} points, "
        f"{100 * a.changed:.3g} % of the decisions changed, {a.probes_per_person} probes a person, "
        f"power {100 * a.power:.3g} %",
    )


def needed_with_interval(
    gain: float, low: float, high: float, people: int, *, assumptions: Assumptions | None = None
) -> Need | None:
    """What more to label where some labels left the question open.

    The interval's half width shrinks with the square root of the number of people, so its spread over people is
    half width * sqrt(people) / 1.96. The wider half counts.

    Args:
        gain: measured gain.
        low: lower end of its 95 % interval.
        high: upper end.
        people: people it rests on, at least 2.
        assumptions: the probes a person and the power that are wanted.

    Returns:
        None where the measured gain is zero: no number of people settles that.
    """
    if people < 2 or not low <= gain <= high:
        raise SettingError(f"no interval over people: gain {gain}, {low} to {high}, {people} people")
    if gain == 0 or low == high:
        return None
    a = assumptions or Assumptions()
    spread = max(gain - low, high - gain) * math.sqrt(people) / _Z
    total = max(people_needed(gain, spread, power=a.power), people)
    return Need(
        people=total,
        more_people=total - people,
        probes=total * a.probes_per_person,
        pairs=pairs_needed(gain, max(a.changed, abs(gain)), power=a.power),
        because=f"if the measured gain of {100 * gain:.3g} points is the true one and new people differ as much as "
        f"the {people} measured ones, power {100 * a.power:.3g} %",
    )


def impostors_needed(rate: float) -> int:
    """Independent impostor comparisons for a trustworthy false match rate: the rule of 30."""
    if not 0 < rate <= 1:
        raise SettingError(f"a rate lies above 0 and at most at 1, not {rate}")
    return math.ceil(RULE_OF_30 / rate - 1e-9)


def upper_bound_without_errors(trials: int) -> float:
    """95 % upper bound of a rate after ``trials`` independent trials without an error, about 3 / trials."""
    if trials < 1:
        raise SettingError("no trial, no bound")
    return -math.expm1(math.log(0.05) / trials)


_Z = NormalDist().inv_cdf(0.975)


def _check_gain(gain: float) -> None:
    if gain == 0 or not -1 <= gain <= 1:
        raise SettingError(f"no number of people settles a gain of {gain}", remedy="state the gain you hope for")
