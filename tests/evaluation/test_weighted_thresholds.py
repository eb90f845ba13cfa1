from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wildstyle.evaluation import thresholds
from wildstyle.evaluation.bootstrap import Bootstrap
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.shares import Impostors


def by_counting(items: Items, people: NDArray[np.float32], target: float) -> NDArray[np.float64]:
    """The rule, word by word: highest score of which more than the allowed weight lies at or above."""
    found = []
    for draw in people:
        weight = draw[items.first].astype(np.float64)
        if items.second is not None:
            weight *= np.append(draw, 1.0)[items.second]
        allowed = target * weight.sum() * (1 + 1e-9)
        if weight.sum() == 0:
            found.append(np.nan)
            continue
        beyond = [v for v in np.unique(items.values)[::-1] if weight[items.values >= v].sum() > allowed]
        found.append(beyond[0] if beyond else -np.inf)
    return np.array(found)


@pytest.fixture(params=["as shipped", "tiny chunks"])
def chunks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "tiny chunks":
        for name, value in {"_CHUNKS": 7, "_CUTS": 4, "_LEAST": 3, "_FEW": 2, "_BLOCK": 40, "_SLACK": 0.1}.items():
            monkeypatch.setattr(thresholds, name, value)
        monkeypatch.setattr(thresholds, "_CHUNK_ITEMS", 50)
    return str(request.param)


@pytest.mark.parametrize("kind", ["pairs", "one person", "some alone"])
@pytest.mark.parametrize("levels", [5, 1000])
def test_thresholds_are_those_of_a_full_count(chunks: str, kind: str, levels: int) -> None:
    rng = np.random.default_rng(3)
    n, people = 700, 23
    second = None if kind == "one person" else rng.integers(-1 if kind == "some alone" else 0, people, n)
    items = Items((rng.integers(0, levels, n) / levels).astype(np.float32), rng.integers(0, people, n), second)
    weights = Bootstrap(draws=100).weights(people)
    targets = (0.3, 0.1, 0.01, 1 / 700, 1.0)
    found = Impostors.of(items).thresholds(weights, targets)
    for row, target in zip(found, targets, strict=True):
        np.testing.assert_array_equal(row, by_counting(items, weights, target))


@settings(max_examples=60, deadline=None)
@given(
    scores=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(-1, 3)), min_size=1, max_size=30),
    target=st.sampled_from([0.05, 0.2, 0.5, 1.0]),
)
def test_ties_and_empty_draws(scores: list[tuple[int, int, int]], target: float) -> None:
    values, first, second = (np.array(column) for column in zip(*scores, strict=True))
    items = Items(values.astype(np.float32), first, second)
    weights = np.array([[1, 1, 1, 1], [2, 0, 0, 3], [0, 0, 0, 0]], np.float32)
    np.testing.assert_array_equal(
        Impostors.of(items).thresholds(weights, [target])[0], by_counting(items, weights, target)
    )


def test_kept_scores_that_do_not_reach_are_not_taken_for_all() -> None:
    items = Items(np.linspace(0, 1, 100, dtype=np.float32), np.zeros(100, np.int64), np.ones(100, np.int64))
    ones = np.ones((1, 2), np.float32)
    kept = Impostors.crossed(items.highest(20), np.array([100, 0]), np.array([0, 1]))
    whole = Impostors.of(items).thresholds(ones, [0.1])
    np.testing.assert_array_equal(kept.thresholds(ones, [0.1]), whole)
    assert np.isnan(kept.thresholds(ones, [0.5])).all()


def test_the_highest_items_come_with_all_their_equals() -> None:
    items = Items(np.array([1, 3, 3, 2, 3, 0], np.float32), np.arange(6))
    assert items.highest(2).first.tolist() == [1, 2, 4]
    assert items.highest(9).first.tolist() == [1, 2, 4, 3, 0, 5]
