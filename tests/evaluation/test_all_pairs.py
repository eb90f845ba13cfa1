from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from wildstyle.errors import InputError, NotMeasurable
from wildstyle.evaluation import allpairs
from wildstyle.evaluation.allpairs import all_pairs
from wildstyle.evaluation.rates import strict_threshold, true_accept_rate


def faces(count: int, people: int, levels: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rng = np.random.default_rng(5)
    who = rng.integers(-1, people, count)
    centres = rng.standard_normal((people + 1, 8))
    vectors = centres[who] + 0.8 * rng.standard_normal((count, 8))
    if levels:
        vectors = np.round(vectors * levels)
    return (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)).astype(np.float32), who


@pytest.mark.parametrize("levels", [0, 1])
@pytest.mark.parametrize("shrink", [False, True])
def test_equal_to_holding_all_scores(levels: int, shrink: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allpairs, "_SIDE", 17)
    vectors, people = faces(300, 40, levels)
    ok = np.random.default_rng(0).random(300) > 0.1
    if shrink:
        original = allpairs._Grid.work

        def often(self: allpairs._Grid, which: slice) -> None:
            original(self, which)
            with self._lock:
                self._shrink()

        monkeypatch.setattr(allpairs._Grid, "work", often)
    first, second = np.triu_indices(300, 1)
    same = (people[first] == people[second]) & (people[first] >= 0)
    both = ok[first] & ok[second]
    scores = np.where(both, (vectors @ vectors.T)[first, second], -np.inf).astype(np.float32)
    targets = (0.001, 0.01, 0.1)
    found = all_pairs(vectors, people, targets, ok=ok)
    assert found.mated == same.sum()
    assert found.failed == (same & ~both).sum()
    assert found.impostors == (~same & both).sum()
    for point, target in zip(found.points, targets, strict=True):
        expected = strict_threshold(scores[~same & both], target)
        assert point.threshold == pytest.approx(expected.threshold, abs=2e-7)
        assert point.fmr == pytest.approx(expected.fmr, abs=2 / found.impostors)
        assert point.tar == pytest.approx(true_accept_rate(scores[same], expected.threshold), abs=0.005)


def test_a_point_on_few_false_matches_is_marked_and_less_than_one_refused() -> None:
    vectors, people = faces(100, 20)
    assert "fewer than 10" in str(all_pairs(vectors, people, [1e-3]).points[0].note)
    with pytest.raises(NotMeasurable, match="non-mated"):
        all_pairs(vectors, people, [1e-5])


def test_what_can_not_be_measured_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, people = faces(50, 10)
    with pytest.raises(NotMeasurable, match="both kinds"):
        all_pairs(vectors, np.full(50, -1), [0.1])
    with pytest.raises(InputError, match="50 faces"):
        all_pairs(vectors, people[:3], [0.1])
    monkeypatch.setattr(allpairs, "_LIMIT", 10)
    with pytest.raises(InputError, match="too many to keep"):
        all_pairs(vectors, people, [0.5])


def test_everything_may_be_accepted() -> None:
    vectors, people = faces(50, 10)
    point = all_pairs(vectors, people, [1.0]).points[0]
    assert (point.fmr, point.tar) == (1.0, 1.0)
