"""Class centres, their threshold, and people that two sets share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildstyle.errors import InputError, NotMeasurable, SettingError
from wildstyle.evaluation import overlapping
from wildstyle.evaluation.overlapping import candidates_above, centre_threshold, class_centres, share_above


def units(count: int, size: int = 16, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, size)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_centres_by_hand() -> None:
    vectors = np.array([[1, 0], [0, 1], [0, 1], [-1, 0], [np.nan, np.nan]], np.float32)
    centres = class_centres(vectors, np.array([5, 5, 2, -1, 2]), np.array([1, 1, 1, 1, 0], bool))
    assert centres.ids.tolist() == [2, 5]
    assert centres.faces.tolist() == [1, 2]
    assert centres.vectors == pytest.approx(np.array([[0, 1], [0.5**0.5, 0.5**0.5]]), abs=1e-6)


def test_a_class_that_cancels_out_has_no_centre() -> None:
    vectors = np.array([[1, 0], [-1, 0], [0, 1]], np.float32)
    assert class_centres(vectors, np.array([0, 0, 1])).ids.tolist() == [1]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_centres_like_brute_force_in_any_blocks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, labels = units(60, 8, seed), rng.integers(-1, 9, 60)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlapping, "block_scores", lambda: int(rng.integers(1, 400)))
        found = class_centres(vectors, labels)
    for place, label in enumerate(found.ids):
        total = vectors[labels == label].sum(0)
        assert found.vectors[place] == pytest.approx(total / np.linalg.norm(total), abs=1e-5)


def test_threshold_is_strict_at_the_rate() -> None:
    # 4 centres in a plane: 6 cosines. At 1/6 one may be accepted, so the second highest is rejected.
    angles = np.deg2rad([0, 10, 30, 90])
    vectors = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    found = centre_threshold((vectors,), 1 / 6)
    assert found.impostors == 6
    assert found.value == pytest.approx(np.cos(np.deg2rad(20)), abs=1e-6)
    assert "1 false matches" in (found.note or "")
    assert share_above((vectors,), found.value) == pytest.approx(1 / 6)
    assert centre_threshold((vectors,), 1e-4).value == pytest.approx(np.cos(np.deg2rad(10)), abs=1e-6)


def test_threshold_needs_people_and_a_share() -> None:
    with pytest.raises(NotMeasurable):
        centre_threshold((units(1),), 0.1)
    with pytest.raises(NotMeasurable):
        share_above((units(1),), 0.1)
    for fmr in (0.0, 1.0):
        with pytest.raises(SettingError):
            centre_threshold((units(5),), fmr)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 60), st.floats(-0.2, 0.9))
def test_candidates_like_brute_force_in_any_blocks(seed: int, tests: int, trains: int, threshold: float) -> None:
    test, train = units(tests, seed=seed), units(trains, seed=seed + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlapping, "block_scores", lambda: 37)
        found = candidates_above(test, train, threshold)
    scores = test @ train.T
    sure = set(zip(*(a.tolist() for a in np.nonzero(scores > threshold + 1e-5)), strict=True))
    perhaps = set(zip(*(a.tolist() for a in np.nonzero(scores > threshold - 1e-5)), strict=True))
    assert sure <= set(zip(found.test.tolist(), found.train.tolist(), strict=True)) <= perhaps
    assert (np.diff(found.scores) <= 0).all()
    assert found.nearest_score == pytest.approx(scores.max(1), abs=1e-5)
    assert scores[np.arange(tests), found.nearest] == pytest.approx(scores.max(1), abs=1e-5)
    assert found.comparisons == tests * trains


def test_shared_people_are_found_among_many_and_chance_is_as_stated() -> None:
    train, test = units(20_000, 64, 1), units(1_500, 64, 2)
    test[:5] = train[100:105] + 0.02 * units(5, 64, 3)
    test /= np.linalg.norm(test, axis=1, keepdims=True)
    limit = centre_threshold((train, test), 1e-5)
    found = candidates_above(test, train, limit.value)
    assert {(i, i + 100) for i in range(5)} <= set(zip(found.test.tolist(), found.train.tolist(), strict=True))
    expected = 1e-5 * found.comparisons  # 300 false ones
    assert abs(len(found.test) - 5 - expected) < 0.5 * expected


def test_bad_shapes_and_a_threshold_that_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="can't be compared"):
        candidates_above(units(3, 8), units(3, 16), 0.5)
    with pytest.raises(InputError, match="can't be compared"):
        candidates_above(units(0, 8), units(3, 8), 0.5)
    with pytest.raises(InputError, match="labels"):
        class_centres(units(3), np.zeros(2, np.int64))
    with pytest.raises(InputError, match="both a person"):
        class_centres(units(3), np.full(3, -1))
    monkeypatch.setattr(overlapping, "_MOST_PAIRS", 10)
    with pytest.raises(InputError, match="tells nothing"):
        candidates_above(units(10), units(10), -1.0)
