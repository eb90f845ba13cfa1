from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from made_scores import noisy_people

from wildstyle.errors import InputError, NotMeasurable
from wildstyle.evaluation import Bootstrap, evaluate_pairs
from wildstyle.evaluation.pairs import THRESHOLDS, fold_accuracy


def listed(first: Any, second: Any, same: Any, fold: Any) -> Any:
    return SimpleNamespace(
        first=np.array(first), second=np.array(second), same=np.array(same, bool), fold=np.array(fold)
    )


def at_angles(*cosines: float) -> np.ndarray:
    """Face 2k is (1, 0), face 2k+1 has the given cosine to it."""
    rows = [row for c in cosines for row in ((1.0, 0.0), (c, np.sqrt(1 - c * c)))]
    return np.array(rows, np.float32)


def random_pairs(seed: int) -> tuple[np.ndarray, Any, list[str]]:
    vectors, labels = noisy_people(40, 4, 16, 1.2, seed)
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 160, 300)
    mate = first // 4 * 4 + (first + rng.integers(1, 4, 300)) % 4
    stranger = (first + 4 * rng.integers(1, 40, 300)) % 160
    same = np.arange(300) % 2 == 0
    return vectors, listed(first, np.where(same, mate, stranger), same, np.arange(300) // 30), [f"p{i}" for i in labels]


def common_script(distances: np.ndarray, same: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """The public rule, by loops."""
    out = []
    for held in range(fold.max() + 1):
        best, chosen = -1.0, 0.0
        for threshold in THRESHOLDS:
            accuracy = np.mean((distances < threshold)[fold != held] == same[fold != held])
            if accuracy > best:
                best, chosen = accuracy, threshold
        out.append(np.mean((distances < chosen)[fold == held] == same[fold == held]))
    return np.array(out)


def test_the_first_best_threshold_of_the_other_folds_counts() -> None:
    folds = fold_accuracy(np.array([0.50, 1.60, 1.10, 1.30]), np.array([1, 0, 1, 0], bool), np.array([0, 0, 1, 1]))
    np.testing.assert_allclose(folds.thresholds, [1.11, 0.51])
    np.testing.assert_allclose(folds.accuracies, [1.0, 0.5])
    assert folds.mean == 0.75
    assert folds.std == 0.25  # of the population
    np.testing.assert_array_equal(folds.right, [True, True, False, True])


def test_a_distance_at_the_threshold_is_rejected() -> None:
    folds = fold_accuracy(np.array([0.5, 0.6, 0.5, 0.6]), np.array([1, 0, 1, 0], bool), np.array([0, 0, 1, 1]))
    np.testing.assert_allclose(folds.thresholds, [0.51, 0.51])


def test_ten_folds_equal_the_loops() -> None:
    vectors, pairs, people = random_pairs(1)
    outcome = evaluate_pairs(vectors, np.ones(160, bool), pairs, people=people)
    distances = np.square(vectors[pairs.first].astype(np.float64) - vectors[pairs.second]).sum(axis=1)
    expected = common_script(distances, pairs.same, pairs.fold)
    assert 0.6 < expected.mean() < 0.99
    np.testing.assert_allclose(outcome.folds.accuracies, expected)
    result = outcome.result(Bootstrap(200))
    accuracy = result.measure("accuracy")
    assert accuracy.value == pytest.approx(expected.mean())
    assert accuracy.low is not None
    assert accuracy.high is not None
    assert accuracy.low < expected.mean() < accuracy.high
    assert result.measure("accuracy-std").value == pytest.approx(expected.std())
    assert result.measure("accuracy-std").n == 10


def test_tar_is_pooled_and_weak_points_are_marked_or_refused() -> None:
    vectors, pairs, people = random_pairs(2)
    result = evaluate_pairs(vectors, np.ones(160, bool), pairs, people=people).result(Bootstrap(200))
    scores = (vectors[pairs.first] * vectors[pairs.second]).sum(axis=1)
    limit = np.sort(scores[~pairs.same])[-2]  # 150 impostors: one false match is allowed at 1e-2
    tar = result.measure("tar@fmr=1e-2")
    assert tar.value == pytest.approx(np.mean(scores[pairs.same] > limit))
    assert "1.5 expected false matches" in str(tar.note)
    refused = result.measure("tar@fmr=1e-3")
    assert refused.value is None
    assert "not measurable" in str(refused.note)
    assert refused.n == 150


def test_failed_faces_are_errors_and_give_no_impostor_scores() -> None:
    vectors = at_angles(0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.9, 0.1)
    pairs = listed(range(0, 16, 2), range(1, 16, 2), [1, 0] * 4, [0] * 4 + [1] * 4)
    ok = np.ones(16, bool)
    assert evaluate_pairs(vectors, ok, pairs).folds.mean == 1
    ok[[1, 2]] = False  # one mated and one impostor pair
    vectors[[1, 2]] = np.nan
    outcome = evaluate_pairs(vectors, ok, pairs)
    assert outcome.folds.mean == 0.75
    assert np.isneginf(outcome.scores[:2]).all()
    assert outcome.counts["failed pairs"] == 2
    assert outcome.counts["impostor comparisons"] == 3
    assert outcome.points()["accuracy", "all"] == 0.75


def test_without_names_mated_pairs_join_faces_to_people() -> None:
    vectors = at_angles(0.9, 0.1, 0.9, 0.1)
    joined = evaluate_pairs(vectors, np.ones(8, bool), listed([0, 1, 2, 4], [1, 5, 3, 6], [1, 1, 0, 0], [0, 1, 0, 1]))
    assert len(joined.people) == 5  # {0, 1, 5}, {2}, {3}, {4}, {6}; 7 is in no pair
    assert "unnamed" in joined.rules["people"]


def test_bad_pairs_are_refused() -> None:
    vectors, ok = at_angles(0.9, 0.1), np.ones(4, bool)
    good = listed([0, 2], [1, 3], [1, 0], [0, 1])
    with pytest.raises(InputError, match="face 4"):
        evaluate_pairs(vectors, ok, listed([0, 2], [1, 4], [1, 0], [0, 1]))
    with pytest.raises(NotMeasurable, match="both kinds"):
        evaluate_pairs(vectors, ok, listed([0, 2], [1, 3], [1, 1], [0, 1]))
    with pytest.raises(NotMeasurable, match="one fold"):
        evaluate_pairs(vectors, ok, listed([0, 2], [1, 3], [1, 0], [0, 0]))
    with pytest.raises(InputError, match="unit length"):
        evaluate_pairs(2 * vectors, ok, good)
    with pytest.raises(InputError, match="flags"):
        evaluate_pairs(vectors, ok[:2], good)
    with pytest.raises(InputError, match="names"):
        evaluate_pairs(vectors, ok, good, people=["a"])
