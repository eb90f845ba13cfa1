from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildstyle.errors import NotMeasurable, SettingError
from wildstyle.evaluation import rates, shares
from wildstyle.evaluation.bootstrap import Bootstrap, percentile_interval
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.shares import Impostors, Question

ALL = "all"


def copies(items: Items, weights: np.ndarray) -> np.ndarray:
    """The values of each item as often as one draw's weights say, by a loop."""
    out = []
    for i in range(len(items)):
        times = weights[items.first[i]]
        if items.second is not None and items.second[i] >= 0:
            times *= weights[items.second[i]]
        out += [items.values[i]] * int(times)
    return np.array(out, np.float32)


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=30)
def test_weighted_shares_equal_those_of_really_copied_people(seed: int) -> None:
    rng = np.random.default_rng(seed)
    people, n, m = 5, 12, 40
    weights = rng.multinomial(people, np.full(people, 1 / people), size=6).astype(np.float32)
    mated = Items(rng.integers(0, 20, n).astype(np.float32) / 20, rng.integers(0, people, n))
    first = rng.integers(0, people, m)
    second = (first + rng.integers(1, people, m)) % people
    second[:3] = -1
    impostors = Items(rng.integers(0, 20, m).astype(np.float32) / 20, first, second)
    group = rng.random(n) < 0.5
    question = Question("tar", mated, {ALL: np.ones(n, bool), "half": group}, Impostors.of(impostors), 0.2)
    found = question.shares(weights)
    for b, draw in enumerate(weights):
        others = copies(impostors, draw)
        if 0.2 * len(others) < 1:
            continue  # too few to ask the public rule; the weighted one goes on
        threshold = rates.strict_threshold(others, 0.2).threshold
        for name, mask in question.groups.items():
            own = copies(mated.take(np.flatnonzero(mask)), draw)
            expected = np.mean(own >= threshold) if len(own) else np.nan
            np.testing.assert_allclose(found[name][b], expected, atol=1e-6)


def test_crossed_totals_equal_listed_ones() -> None:
    rng = np.random.default_rng(0)
    probes, candidates = np.array([3, 0, 2, 5]), np.array([1, 1, 0, 1])
    cells = [(p, q) for p in range(4) for q in range(4) if p != q for _ in range(probes[p] * candidates[q])]
    first, second = np.array(cells).T
    items = Items(rng.random(len(cells)).astype(np.float32), first, second)
    weights = Bootstrap(100, 1).weights(4)
    listed, crossed = Impostors.of(items), Impostors.crossed(items, probes, candidates)
    assert listed.total == crossed.total
    np.testing.assert_allclose(listed.totals(weights), crossed.totals(weights))
    np.testing.assert_array_equal(listed.thresholds(weights, [0.3]), crossed.thresholds(weights, [0.3]))


def test_thresholds_search_on_where_the_first_reach_is_too_short() -> None:
    n = 6000
    first = np.r_[np.zeros(4000, int), np.ones(2000, int)]  # the person of all high scores is drawn away
    items = Items(np.linspace(1, 0, n, dtype=np.float32), first)
    weights = np.array([[1, 1], [0, 2], [2, 0], [0, 0]], np.float32)
    found = Impostors.of(items).thresholds(weights, [0.01])[0]
    np.testing.assert_allclose(found[:3], [items.values[60], items.values[4020], items.values[40]])
    assert np.isnan(found[3])


def test_everything_may_be_accepted_at_a_target_of_one() -> None:
    impostors = Impostors.of(Items(np.array([0.1, 0.2], np.float32), np.array([0, 1])))
    assert np.isneginf(impostors.thresholds(np.ones((1, 2), np.float32), [1.0])).all()


def test_trap_e_people_not_pairs_carry_the_uncertainty() -> None:
    person = np.repeat([0, 1], [90, 10])
    errors = Items((person == 1).astype(np.float32), person)
    question = Question("fnmr", errors, {ALL: np.ones(100, bool)})
    assert question.shares(np.ones((1, 2), np.float32))[ALL][0] == pytest.approx(0.1)
    draws = question.shares(Bootstrap(4000, 3).weights(2))[ALL]
    values, counts = np.unique(draws.round(6), return_counts=True)
    np.testing.assert_allclose(values, [0, 0.1, 1])
    np.testing.assert_allclose(counts / 4000, [0.25, 0.5, 0.25], atol=0.03)
    assert draws.mean() == pytest.approx(0.3, abs=0.03)
    assert percentile_interval(draws) == (0.0, 1.0)


def test_strata_keep_their_share_in_every_draw() -> None:
    items = Items(np.array([1, 1, 0, 0], np.float32), np.array([0, 1, 2, 3]))
    question = Question("accuracy", items, {ALL: np.ones(4, bool)}, strata=np.array([0, 0, 1, 1]))
    np.testing.assert_allclose(question.shares(np.array([[1, 1, 1, 1], [3, 0, 1, 0]], np.float32))[ALL], 0.5)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    mated = Items(rng.random(50).astype(np.float32), rng.integers(0, 8, 50))
    first = rng.integers(0, 8, 3000)
    impostors = Items(rng.random(3000).astype(np.float32), first, (first + 1) % 8)
    weights = Bootstrap(100, 0).weights(8)

    def ask() -> np.ndarray:
        return Question("t", mated, {ALL: np.ones(50, bool)}, Impostors.of(impostors), 0.1).shares(weights)[ALL]

    whole = ask()
    monkeypatch.setattr(shares, "_BLOCK", 70)
    np.testing.assert_array_equal(ask(), whole)


def test_draws_depend_on_seed_and_people_only() -> None:
    weights = Bootstrap(200, 4).weights(7)
    assert weights.shape == (200, 7)
    assert weights.dtype == np.float32
    np.testing.assert_array_equal(weights.sum(axis=1), 7)
    np.testing.assert_array_equal(weights, Bootstrap(200, 4).weights(7))
    assert not np.array_equal(weights, Bootstrap(200, 5).weights(7))


def test_intervals_need_draws_that_tell() -> None:
    assert percentile_interval(np.array([np.nan, np.nan, 0.5])) is None
    assert percentile_interval(np.array([np.nan, 0.5, 0.5])) == (0.5, 0.5)
    with pytest.raises(SettingError):
        Bootstrap(10)
    with pytest.raises(SettingError):
        Bootstrap(seed=-1)


def test_too_few_impostors_are_said_so() -> None:
    item = Items(np.array([0.5], np.float32), np.array([0]))
    with pytest.raises(NotMeasurable):
        Question("tar", item, {ALL: np.ones(1, bool)}, Impostors.of(item), 0.5).check()
