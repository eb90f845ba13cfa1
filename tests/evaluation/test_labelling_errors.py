"""Faces under a wrong name, and people under two names."""

from __future__ import annotations

import numpy as np
import pytest

from wildstyle.errors import NotMeasurable
from wildstyle.evaluation.labelling_errors import suspects, two_names


def people(count: int, each: int, noise: float = 0.5, size: int = 64, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """``each`` faces of ``count`` people, scattered about a direction of their own."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(count, size))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    vectors = np.repeat(centres, each, 0) + noise * rng.normal(size=(count * each, size)) / np.sqrt(size)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), np.repeat(np.arange(count), each)


def angle(*degrees: float) -> np.ndarray:
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], 1).astype(np.float32)


def test_cosines_by_hand() -> None:
    # Class 0 at 0, 20 and 90 degrees, class 1 at 80 and 100: the third face of class 0 lies with class 1.
    found = suspects(angle(0, 20, 90, 80, 100), np.array([0, 0, 0, 1, 1]))
    assert found.judged == 5
    assert found.own[2] == pytest.approx(np.cos(np.deg2rad(80)), abs=1e-5)  # to the mean of 0 and 20
    assert found.other[2] == pytest.approx(1.0, abs=1e-5)
    assert found.nearest.tolist() == [1, 1, 1, 0, 0]
    assert found.own[3] == pytest.approx(np.cos(np.deg2rad(20)), abs=1e-5)


def test_right_labels_name_nobody() -> None:
    vectors, labels = people(30, 10)
    found = suspects(vectors, labels)
    assert found.swapped.sum() == 0
    assert len(two_names(vectors, labels).first) == 0


def test_swapped_labels_are_found_with_the_right_person_beside() -> None:
    vectors, truth = people(30, 10)
    labels = truth.copy()
    chosen = np.random.default_rng(1).choice(len(labels), 15, replace=False)
    labels[chosen] = truth[np.roll(chosen, 1)]
    wrong = labels != truth
    found = suspects(vectors, labels)
    assert (found.swapped & wrong).sum() >= 0.8 * wrong.sum()
    assert not (found.swapped & ~wrong).any()
    assert (found.nearest[found.swapped] == truth[found.swapped]).all()
    worst = found.worst_first()
    assert wrong[worst[: int(found.swapped.sum())]].all()


def test_outliers_need_four_faces_and_a_nearer_class() -> None:
    # Five faces of class 0, the last far off towards class 1; class 1 has three and no outliers.
    found = suspects(angle(0, 2, 4, 6, 85, 90, 91, 92), np.array([0, 0, 0, 0, 0, 1, 1, 1]))
    assert found.outlier.tolist() == [False] * 4 + [True] + [False] * 3


def test_unknown_failed_and_single_faces_are_not_judged() -> None:
    vectors, labels = people(10, 4)
    labels[0], ok = -1, np.ones(len(labels), bool)
    ok[4] = False
    vectors[4] = np.nan
    labels[8:11] = 99  # leaves one face of person 2
    found = suspects(vectors, labels, ok)
    assert np.flatnonzero(np.isnan(found.own)).tolist() == [0, 4, 11]
    assert found.nearest[[0, 4, 11]].tolist() == [-1, -1, -1]
    assert found.judged == len(labels) - 3


def test_a_person_under_two_names_is_found() -> None:
    vectors, labels = people(30, 10)
    labels[labels == 7] = np.where(np.arange(10) < 5, 7, 30)
    found = two_names(vectors, labels)
    assert list(zip(found.first.tolist(), found.second.tolist(), found.smaller.tolist(), strict=True)) == [(7, 30, 5)]
    assert found.cosines[0] > found.threshold


def test_too_little_to_say() -> None:
    vectors, labels = people(30, 10)
    with pytest.raises(NotMeasurable, match="one person only"):
        suspects(vectors[:10], labels[:10])
    with pytest.raises(NotMeasurable, match="8 are needed"):
        two_names(vectors[:70], labels[:70])
