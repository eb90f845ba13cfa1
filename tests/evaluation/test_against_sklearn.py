"""The same numbers as scikit-learn, where it has them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import det_curve as sklearn_det
from sklearn.metrics import roc_auc_score, roc_curve

from wildstyle.evaluation import rates
from wildstyle.evaluation.areas import AreaQuestion
from wildstyle.evaluation.curves import det_curve
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.likelihood import cllr, cllr_min, fit_likelihood
from wildstyle.evaluation.old_rules import old_rules
from wildstyle.evaluation.shares import Impostors, Question

TRAP_A = (
    np.array([0.95, 0.85, 0.8, 0.7, 0.6], np.float32),
    np.array([0.9, 0.8, 0.8, 0.8, 0.5, 0.4, 0.3, 0.2, 0.1, 0], np.float32),
)


def made(seed: int, digits: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scores with many ties where few digits are kept."""
    rng = np.random.default_rng(seed)
    sides = rng.normal(0.5, 0.2, 400).round(digits), rng.normal(0.1, 0.2, 3000).round(digits)
    return sides[0].astype(np.float32), sides[1].astype(np.float32)


FIXTURES = [TRAP_A, made(0, 1), made(1, 2), made(2, 6)]


def curve_of(
    mated: NDArray[np.float32], impostor: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    labels = np.repeat([1, 0], [len(mated), len(impostor)])
    fpr, tpr, thresholds = roc_curve(labels, np.concatenate([mated, impostor]), drop_intermediate=False)
    return fpr, tpr, thresholds


def of(values: NDArray[np.float32]) -> Items:
    return Items(values, np.arange(len(values)))


@pytest.mark.parametrize("sides", FIXTURES)
def test_the_strict_point_is_the_best_of_the_roc_within_the_rate(
    sides: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    mated, impostor = sides
    fpr, tpr, _ = curve_of(mated, impostor)
    prepared = Impostors.of(of(impostor))
    for target in (0.1, 0.2, 0.3, 0.5):
        question = Question("tar", of(mated), {"all": np.ones(len(mated), bool)}, prepared, target)
        share = question.shares(np.ones((1, max(len(mated), len(impostor))), np.float32))["all"][0]
        assert share == pytest.approx(tpr[fpr <= target + 1e-12].max())
        point = question.operating_point()
        assert point is not None
        assert point[1] == pytest.approx(fpr[fpr <= target + 1e-12].max())


@pytest.mark.parametrize("sides", FIXTURES)
def test_the_nearest_rule_is_the_common_scripts_point(
    sides: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    mated, impostor = sides
    fpr, tpr, _ = curve_of(mated, impostor)
    for target in (0.1, 0.3):
        (measure,) = old_rules(mated, Impostors.of(of(impostor)), (target,), "nearest")
        assert measure.reached is not None
        assert abs(measure.reached - target) == pytest.approx(np.abs(fpr[1:] - target).min(), abs=1e-6)
        # Between two mated scores the ROC has several points of one FPR.
        nearest = np.isclose(fpr, measure.reached)
        assert tpr[nearest].min() <= (measure.value or 0) <= tpr[nearest].max()


def test_old_rules_from_the_highest_scores_are_those_from_all() -> None:
    mated, impostor = made(1, 2)
    items = of(impostor)
    all_of_them = Impostors.of(items)
    kept = Impostors(items.highest(600), len(impostor), all_of_them.totals)
    for rule in ("nearest", "kth"):
        assert old_rules(mated, kept, (0.01, 0.1), rule) == old_rules(mated, all_of_them, (0.01, 0.1), rule)
        (refused,) = old_rules(mated, kept, (0.5,), rule)
        assert refused.value is None
        assert "were kept" in str(refused.note)


@pytest.mark.parametrize("sides", FIXTURES)
def test_the_trade_off_lies_on_scikit_learns(sides: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    mated, impostor = sides
    fpr, fnr, _ = sklearn_det(
        np.repeat([1, 0], [len(mated), len(impostor)]), np.concatenate([mated, impostor]), drop_intermediate=False
    )
    known = set(zip(fpr.round(9).tolist(), fnr.round(9).tolist(), strict=True))
    (curve,) = det_curve(mated, Impostors.of(of(impostor)))
    assert len(curve.points) <= 200
    # Scikit-learn cuts what lies beyond the ends of both rates.
    between = [(round(rate, 9), round(miss, 9)) for rate, miss in curve.points if 0 < miss < 1]
    assert between
    assert set(between) <= known


@pytest.mark.parametrize("sides", FIXTURES)
def test_areas(sides: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    mated, impostor = sides
    question = AreaQuestion("auc", of(mated), {"all": np.ones(len(mated), bool)}, others=of(impostor))
    found = question.shares(np.ones((1, max(len(mated), len(impostor))), np.float32))["all"][0]
    labels = np.repeat([1, 0], [len(mated), len(impostor)])
    assert found == pytest.approx(roc_auc_score(labels, np.concatenate([mated, impostor])))


def test_rates_at_every_threshold() -> None:
    mated, impostor = made(1, 2)
    for rate, hit, threshold in list(zip(*curve_of(mated, impostor), strict=True))[1::7]:
        assert rates.false_match_rate(impostor, threshold) == pytest.approx(rate)
        assert rates.true_accept_rate(mated, threshold) == pytest.approx(hit)
        assert rates.false_non_match_rate(mated, threshold) == pytest.approx(1 - hit)


def test_the_likelihood_map_is_a_balanced_logistic_regression() -> None:
    mated, impostor = made(2, 6)
    scores, labels = np.concatenate([mated, impostor]).astype(np.float64), np.repeat([1, 0], [400, 3000])
    known = LogisticRegression(C=1e9, class_weight="balanced", tol=1e-10, max_iter=1000).fit(scores[:, None], labels)
    found = fit_likelihood(mated, impostor)
    assert found.slope == pytest.approx(known.coef_[0, 0], rel=1e-3)
    assert found.offset == pytest.approx(known.intercept_[0], rel=1e-3)
    # Balanced classes weigh half each, so the log-odds are log-likelihood ratios.
    wanted = known.decision_function(scores[:, None])
    assert cllr(found(mated), found(impostor)) == pytest.approx(cllr(wanted[:400], wanted[400:]), abs=1e-6)


def test_the_least_cost_is_that_of_isotonic_regression() -> None:
    mated, impostor = made(1, 2)
    scores, labels = np.concatenate([mated, impostor]).astype(np.float64), np.repeat([1.0, 0.0], [400, 3000])
    weight = np.repeat([0.5 / 400, 0.5 / 3000], [400, 3000])
    share = IsotonicRegression(y_min=0, y_max=1).fit(scores, labels, sample_weight=weight).predict(scores)
    with np.errstate(divide="ignore"):
        cost = -(weight * np.where(labels > 0, np.log2(share), np.log2(1 - share)))
    assert cllr_min(mated, impostor) == pytest.approx(cost.sum(), abs=1e-6)
    assert cllr_min(mated, impostor) <= cllr(*(fit_likelihood(mated, impostor)(side) for side in (mated, impostor)))
