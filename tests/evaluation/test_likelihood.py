from __future__ import annotations

import numpy as np
import pytest

from wildstyle.errors import NotMeasurable
from wildstyle.evaluation import Bootstrap
from wildstyle.evaluation.calibration import calibrate_outcome
from wildstyle.evaluation.likelihood import cllr, cllr_min, fit_likelihood, judge_likelihood


def test_two_normals_of_one_width_have_a_straight_line() -> None:
    rng = np.random.default_rng(0)
    mated, impostor = rng.normal(0.6, 0.1, 40_000), rng.normal(0.2, 0.1, 90_000)
    found = fit_likelihood(mated, impostor)
    # log LR = (mu1 - mu0) / s^2 * (x - (mu1 + mu0) / 2)
    assert found.slope == pytest.approx(40, rel=0.05)
    assert found.offset == pytest.approx(-16, rel=0.05)
    assert cllr(found(mated), found(impostor)) == pytest.approx(cllr_min(mated, impostor), abs=0.01)


def test_cost_by_hand() -> None:
    nothing = np.zeros(4)
    assert cllr(nothing, nothing) == pytest.approx(1.0)
    sure = np.full(4, 50.0)
    assert cllr(sure, -sure) == pytest.approx(0.0, abs=1e-9)
    assert cllr_min(np.array([0.9, 0.8]), np.array([0.1, 0.2])) == pytest.approx(0.0, abs=1e-9)
    assert cllr_min(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == pytest.approx(1.0)
    # One swap of four: pooled to a half in the middle, so half of the weight costs one bit.
    assert cllr_min(np.array([0.9, 0.3]), np.array([0.1, 0.5])) == pytest.approx(0.5)


def test_the_map_never_falls_and_failures_carry_no_evidence() -> None:
    rng = np.random.default_rng(0)
    found = fit_likelihood(rng.normal(0.1, 0.1, 200), rng.normal(0.5, 0.1, 200))
    assert found.slope == 0
    with_failures = fit_likelihood(np.append(rng.normal(0.6, 0.1, 50), -np.inf), rng.normal(0.2, 0.1, 50))
    assert np.isfinite(with_failures.offset)
    with pytest.raises(NotMeasurable):
        fit_likelihood(np.array([-np.inf, 0.3]), np.array([0.1, 0.2]))


def test_it_is_judged_on_people_it_has_not_seen() -> None:
    rng = np.random.default_rng(1)
    people = 40
    who = rng.integers(0, people, 400)
    easy = rng.normal(0, 0.15, people)
    mated = (0.6 + easy[who] + rng.normal(0, 0.05, 400), who)
    first, second = rng.integers(0, people, 3000), rng.integers(-1, people, 3000)
    impostor = (rng.normal(0.2, 0.1, 3000), first, second)
    report = judge_likelihood(mated, impostor, people)
    assert report.cllr_min <= report.cllr < 1
    assert report.impostors == 3000


def test_thresholds_hold_on_the_data_they_come_from() -> None:
    from test_fixed_thresholds import system

    outcome = system(1.5)
    found = calibrate_outcome(outcome, (0.05, 0.01, 1e-6), Bootstrap(draws=200))
    assert [t.target for t in found.thresholds] == [0.05, 0.01]
    assert found.refused[0][0] == 1e-6
    for one in found.thresholds:
        assert one.reached <= one.target
        assert one.low is not None
        assert one.high is not None
        assert one.low <= one.threshold <= one.high + 1e-6
        assert one.tar == pytest.approx(calibrate_outcome(outcome, (one.target,)).thresholds[0].tar)
    assert found.to_json()["thresholds"][0]["impostors"] == outcome.counts["impostor comparisons"]
    with pytest.raises(NotMeasurable, match="larger rates"):
        calibrate_outcome(outcome, (1e-7,))
