from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildstyle.errors import SettingError
from wildstyle.evaluation import power


def settled(people: int, gain: float, a: power.Assumptions, seed: int) -> float:
    """Share of simulated studies whose 95 % interval over people lies on the right side of zero."""
    from scipy import stats

    rng, studies = np.random.default_rng(seed), 600
    true = np.clip(gain + a.between * rng.standard_normal((studies, people)), -a.changed, a.changed)
    up = (a.changed + true) / 2
    wins = rng.binomial(a.probes_per_person, up)
    losses = rng.binomial(a.probes_per_person - wins, (a.changed - up) / (1 - up))
    gains = (wins - losses) / a.probes_per_person
    error = gains.std(axis=1, ddof=1) / np.sqrt(people)
    return float(np.mean(gains.mean(axis=1) - stats.t.ppf(0.975, people - 1) * error > 0))


@pytest.mark.parametrize(
    ("gain", "assumptions"),
    [
        (0.03, power.Assumptions()),
        (0.08, power.Assumptions(between=0.05, changed=0.3, probes_per_person=10)),
        (0.05, power.Assumptions(between=0.1, changed=0.5, probes_per_person=50, power=0.9)),
        (0.15, power.Assumptions(between=0.1, changed=0.5, probes_per_person=20)),
    ],
)
def test_the_people_asked_for_do_settle_it_and_not_far_too_many(gain: float, assumptions: power.Assumptions) -> None:
    people = power.people_needed(gain, assumptions.spread, power=assumptions.power)
    assert settled(people, gain, assumptions, 1) >= assumptions.power - 0.05
    assert settled(max(2, people // 2), gain, assumptions, 2) < assumptions.power


@pytest.mark.parametrize(("gain", "changed"), [(0.05, 0.2), (0.02, 0.1), (0.1, 0.12)])
def test_the_pairs_asked_for_do_settle_it(gain: float, changed: float) -> None:
    pairs = power.pairs_needed(gain, changed)
    rng = np.random.default_rng(3)
    discordant = rng.binomial(pairs, changed, 2000)
    wins = rng.binomial(discordant, (changed + gain) / (2 * changed))
    statistic = (2 * wins - discordant) / np.sqrt(np.maximum(discordant, 1))
    assert np.mean(statistic > 1.96) >= 0.77


@given(st.floats(0.005, 0.5), st.floats(0.01, 0.5))
@settings(deadline=None, max_examples=50)
def test_smaller_gains_and_larger_spreads_need_more_people(gain: float, spread: float) -> None:
    people = power.people_needed(gain, spread)
    assert people == power.people_needed(-gain, spread) >= 2
    assert power.people_needed(gain / 2, spread) >= people
    assert power.people_needed(gain, 2 * spread) >= people
    assert power.people_needed(gain, spread, power=0.9) >= people


def test_a_need_by_hand() -> None:
    a = power.Assumptions(between=0.1, changed=0.3, probes_per_person=20)
    assert a.spread == pytest.approx(np.sqrt(0.01 + 0.015))
    need = power.needed_without_labels(0.03, a)
    # ((1.95996 + 0.84162) * 0.158114 / 0.03) ** 2 + 1.95996 ** 2 / 2 = 218.02 + 1.92
    assert need.people == need.more_people == 220
    assert need.probes == 4400
    assert need.pairs > 0
    assert "3 points" in need.because


def test_an_open_interval_says_how_many_more_people() -> None:
    need = power.needed_with_interval(0.04, -0.02, 0.10, 40)
    assert need is not None
    # The half width .06 must fall to .04 * 1.96 / 2.80: (1.5 * 1.4294) ** 2 = 4.6 times as many people.
    assert need.people == pytest.approx(40 * (1.5 * (1.95996 + 0.84162) / 1.95996) ** 2, abs=4)
    assert need.more_people == need.people - 40
    wider = power.needed_with_interval(0.04, -0.04, 0.10, 40)
    assert wider is not None
    assert wider.people > need.people
    assert power.needed_with_interval(0.0, -0.02, 0.02, 40) is None
    enough = power.needed_with_interval(0.30, 0.29, 0.31, 40)
    assert enough is not None
    assert (enough.people, enough.more_people) == (40, 0)


def test_rules_of_three_and_thirty() -> None:
    assert power.impostors_needed(1e-3) == 30_000
    assert power.impostors_needed(1e-4) == 300_000
    assert power.upper_bound_without_errors(100) == pytest.approx(0.029513, abs=1e-6)
    assert power.upper_bound_without_errors(3000) == pytest.approx(0.000998, abs=1e-6)
    assert power.upper_bound_without_errors(300_000) == pytest.approx(9.9857e-6, rel=1e-4)


def test_nonsense_is_refused() -> None:
    for call in (
        lambda: power.people_needed(0.0, 0.1),
        lambda: power.people_needed(0.1, 0.0),
        lambda: power.pairs_needed(0.2, 0.1),
        lambda: power.impostors_needed(0),
        lambda: power.upper_bound_without_errors(0),
        lambda: power.needed_with_interval(0.1, 0.2, 0.3, 40),
        lambda: power.needed_with_interval(0.1, 0.0, 0.3, 1),
        lambda: power.Assumptions(power=1.0),
    ):
        with pytest.raises(SettingError):
            call()
