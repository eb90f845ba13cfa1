from __future__ import annotations

import numpy as np
import pytest

from wildstyle.errors import NotMeasurable, SettingError
from wildstyle.synthesis.explained_factors import (
    explained,
    mean_advantage,
    predicted,
    principal_axes,
    random_basis,
    ridge,
)

PEOPLE = [f"p{k // 5}" for k in range(200)]


def made(noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = rng.normal(3.0, [1.0, 5.0, 0.1], (200, 3))
    values = features @ np.array([[1.0, 0.0], [0.0, 0.2], [10.0, 0.0]]) + noise * rng.standard_normal((200, 2))
    return features, values


def test_ridge_finds_what_is_linear() -> None:
    features, values = made(0.01)
    weights, intercept = ridge(features, values)
    np.testing.assert_allclose(features @ weights + intercept, values, atol=0.05)


def test_ridge_is_least_squares_at_no_penalty_and_the_mean_at_a_huge_one() -> None:
    features, values = made(1.0)
    exact = np.linalg.lstsq(np.c_[features, np.ones(200)], values, rcond=None)[0]
    weights, intercept = ridge(features, values, [1e-12])
    np.testing.assert_allclose(np.r_[weights, intercept[None]], exact, atol=1e-6)
    weights, intercept = ridge(features, values, [1e9])
    np.testing.assert_allclose(features @ weights + intercept, np.tile(values.mean(0), (200, 1)), atol=1e-3)


def test_leave_one_out_shortcut_is_the_long_way() -> None:
    features, values = made(1.0)
    features, values = features[:30], values[:30]
    penalties = [1e-3, 0.3, 30.0]

    def long_way(penalty: float) -> np.ndarray:
        scaled = (features - features.mean(0)) / features.std(0)
        missed = []
        for i in range(30):
            kept = np.arange(30) != i
            # The intercept and the scale stay those of all, as the shortcut has it.
            x = np.c_[scaled[kept], np.ones(29)]
            gram = x.T @ x + np.diag([penalty * 30] * 3 + [0.0])
            missed.append(values[i] - np.r_[scaled[i], 1.0] @ np.linalg.solve(gram, x.T @ values[kept]))
        return np.asarray(np.square(missed).mean(0))

    errors = np.array([long_way(p) for p in penalties])
    for column in range(2):
        best = penalties[int(errors[:, column].argmin())]
        np.testing.assert_allclose(
            ridge(features, values, penalties)[0][:, column], ridge(features, values, [best])[0][:, column]
        )


def test_people_are_never_on_both_sides() -> None:
    # A code of the person tells everything about the value, but only of people that were seen.
    person = np.repeat(np.arange(40), 5)
    values = np.random.default_rng(0).standard_normal(40)[person][:, None]
    features = np.eye(40)[person]
    (found,) = explained(values, predicted(features, values, PEOPLE), PEOPLE)
    assert found.share < 0.05


def test_share_and_interval() -> None:
    features, values = made(1.0)
    first, second = explained(values, predicted(features, values, PEOPLE), PEOPLE)
    for found in (first, second):
        assert found.low < found.share < found.high
    # Two variances of 1 over one of noise; one over one.
    assert first.share == pytest.approx(2 / 3, abs=0.1)
    assert second.share == pytest.approx(1 / 2, abs=0.1)
    assert first.as_record()["share"] == first.share
    assert explained(values, values, PEOPLE)[0].share == 1.0
    nothing = np.tile(values.mean(0), (200, 1))
    assert explained(values, nothing, PEOPLE)[1].share == pytest.approx(0.0)


def test_advantage_is_the_difference_of_means() -> None:
    features, values = made(0.5)
    good = predicted(features, values, PEOPLE)
    poor = [predicted(features[:, [k]], values, PEOPLE) for k in range(3)]

    def mean(told: np.ndarray) -> float:
        return float(np.mean([found.share for found in explained(values, told, PEOPLE)]))

    gained = mean_advantage(values, good, poor, PEOPLE)
    assert gained.share == pytest.approx(mean(good) - np.mean([mean(p) for p in poor]))
    assert 0 < gained.low < gained.share < gained.high
    assert mean_advantage(values, good, [good], PEOPLE).high == 0.0


def test_bases() -> None:
    basis = random_basis(np.random.default_rng(0), 12, 4)
    np.testing.assert_allclose(basis.T @ basis, np.eye(4), atol=1e-12)
    points = np.random.default_rng(1).normal(0, [1, 9, 3], (500, 3))
    axes = principal_axes(points, 2)
    np.testing.assert_allclose(np.abs(axes), [[0, 0], [1, 0], [0, 1]], atol=0.1)


def test_refuses_too_few_people() -> None:
    features, values = made(1.0)
    with pytest.raises(NotMeasurable, match="5 folds"):
        predicted(features, values, ["a", "b"] * 100)
    with pytest.raises(SettingError, match="folds"):
        predicted(features, values, PEOPLE, folds=1)
