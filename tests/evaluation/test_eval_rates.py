from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildstyle.errors import InputError, NotMeasurable, SettingError
from wildstyle.evaluation import rates

IMPOSTOR = np.array([0.9, 0.8, 0.8, 0.8, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0])
MATED = np.array([0.95, 0.85, 0.8, 0.7, 0.6])

few_scores = st.lists(st.integers(0, 12).map(lambda k: k / 12), min_size=1, max_size=40).map(np.array)


def test_trap_a_ties_make_the_rules_differ() -> None:
    strict = rates.strict_threshold(IMPOSTOR, 0.2)
    assert strict.fmr == 0.1
    assert strict.threshold == np.nextafter(0.8, 1)
    assert rates.true_accept_rate(MATED, strict.threshold) == 0.4
    kth = rates.kth_threshold(IMPOSTOR, 0.2)
    assert (kth.threshold, kth.fmr, rates.true_accept_rate(MATED, kth.threshold)) == (0.8, 0.4, 0.6)
    nearest = rates.nearest_threshold(IMPOSTOR, 0.3)
    assert (nearest.fmr, rates.true_accept_rate(MATED, nearest.threshold)) == (0.4, 0.6)
    strict = rates.strict_threshold(IMPOSTOR, 0.3)
    assert (strict.fmr, rates.true_accept_rate(MATED, strict.threshold)) == (0.1, 0.4)


def test_trap_c_failures_stay_in_the_denominator() -> None:
    mated = np.array([0.9] * 7 + [0.1] + [-np.inf] * 2)
    assert rates.false_non_match_rate(mated[:8], 0.5) == 0.125
    assert rates.false_non_match_rate(mated, 0.5) == pytest.approx(0.3)
    assert rates.false_non_match_rate(mated, -1.0) == pytest.approx(0.2)  # no threshold accepts a failure


@given(few_scores, st.sampled_from([0.05, 0.1, 0.2, 0.29, 0.3, 0.5, 1.0]))
@settings(deadline=None, max_examples=80)
def test_the_strict_threshold_is_the_smallest_that_keeps_the_rate(impostor: np.ndarray, target: float) -> None:
    if target * len(impostor) < 1 - 1e-9:
        with pytest.raises(NotMeasurable):
            rates.strict_threshold(impostor, target)
        return
    point = rates.strict_threshold(impostor, target)
    assert point.fmr <= target + 1e-12
    # README's wording: at most the asked share lies above t; the smallest such t is a score.
    readme = min(t for t in [-np.inf, *impostor] if np.mean(impostor > t) <= target + 1e-12)
    for score in np.unique(np.concatenate([impostor, impostor + 0.01, impostor - 0.01])):
        assert (score >= point.threshold) == (score > readme)
    if point.threshold > -np.inf:
        below = np.nextafter(point.threshold, -np.inf)
        assert np.mean(impostor >= below) > target


def test_float32_scores_keep_float32_thresholds() -> None:
    impostor = IMPOSTOR.astype(np.float32)
    threshold = rates.strict_threshold(impostor, 0.2).threshold
    assert threshold == np.nextafter(np.float32(0.8), np.float32(1))


def test_a_share_that_floats_round_down_still_counts() -> None:
    assert 0.29 * 100 < 29
    assert rates.strict_threshold(np.arange(100.0), 0.29).fmr == 0.29


def test_points_are_refused_or_marked_by_expected_false_matches() -> None:
    assert rates.reliability_note(0.01, 1000) is None
    assert "9.99" in str(rates.reliability_note(0.01, 999))
    with pytest.raises(NotMeasurable, match="at least 1000"):
        rates.reliability_note(1e-3, 999)
    assert rates.strict_threshold(np.arange(1000.0), 1e-3).note is not None


def test_roc_agrees_with_scikit_learn() -> None:
    from sklearn.metrics import roc_curve

    rng = np.random.default_rng(5)
    mated, impostor = rng.normal(0.6, 0.2, 300).round(2), rng.normal(0.1, 0.2, 2000).round(2)
    labels = np.r_[np.ones(300), np.zeros(2000)]
    fpr, tpr, thresholds = roc_curve(labels, np.r_[mated, impostor], drop_intermediate=False)
    fmr, tar, ours = rates.roc(mated, impostor)
    np.testing.assert_allclose(ours, thresholds[1:])
    np.testing.assert_allclose(fmr, fpr[1:], atol=1e-12)
    np.testing.assert_allclose(tar, tpr[1:], atol=1e-12)
    for target in (0.1, 0.01, 0.002):
        point = rates.strict_threshold(impostor, target)
        assert rates.true_accept_rate(mated, point.threshold) == pytest.approx(tpr[fpr <= target].max())
        assert point.fmr == pytest.approx(fpr[fpr <= target].max())


@pytest.mark.parametrize(
    ("rate", "name"), [(0.01, "1e-2"), (1e-3, "1e-3"), (0.1, "1e-1"), (0.05, "5e-2"), (1.0, "1e0")]
)
def test_rates_are_named_shortly(rate: float, name: str) -> None:
    assert rates.rate_name(rate) == name


def test_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="NaN"):
        rates.strict_threshold(np.array([0.1, math.nan]), 0.5)
    with pytest.raises(NotMeasurable):
        rates.strict_threshold(np.array([]), 0.5)
    for target in (0.0, -1.0, 1.5):
        with pytest.raises(SettingError):
            rates.strict_threshold(IMPOSTOR, target)
