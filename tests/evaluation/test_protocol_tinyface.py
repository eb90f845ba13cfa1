from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_scores import noisy_people, with_scores

from wildstyle.errors import InputError
from wildstyle.evaluation import Bootstrap, compare
from wildstyle.evaluation.average_precision import average_precision
from wildstyle.evaluation.tinyface import evaluate_tinyface
from wildstyle.faces.layouts import TinyFaceLayout
from wildstyle.faces.layouts.id_lists import NOBODY


def layout_of(probes: list[int], gallery: list[int], distractors: int) -> TinyFaceLayout:
    people = np.array([*probes, *gallery, *[NOBODY] * distractors], np.int64)
    files = tuple(f"{number}_{i}.jpg" for i, number in enumerate(people))
    return TinyFaceLayout(Path("made-up"), files, people, len(probes), len(gallery), False)


def joined(scores: list[list[float]]) -> np.ndarray:
    return np.vstack(with_scores(scores))


# Probe 5 finds its mates at ranks 1 and 3 behind a distractor, probe 6 its mate at rank 4.
SCORES = [[0.7, 0.3, 0.1, 0.5], [0.6, 0.3, 0.2, 0.4]]
LAYOUT = layout_of([5, 6], [5, 5, 6], 1)


def test_worked_numbers() -> None:
    result = evaluate_tinyface(joined(SCORES), np.ones(6, bool), LAYOUT).result(Bootstrap(draws=100))
    values = {m.name: m.value for m in result.measures}
    assert values["rank-1"] == 0.5
    assert values["rank-5"] == 1.0
    assert values["map trapezoid"] == pytest.approx(0.458333, abs=1e-6)
    assert values["map plain"] == pytest.approx(0.541667, abs=1e-6)
    # Without the distractor: mates at ranks 1 and 2, and at rank 3.
    assert values["rank-1 without distractors"] == 0.5
    assert values["map trapezoid without distractors"] == pytest.approx((1 + (0 + 1 / 3) / 2) / 2)
    assert values["map plain without distractors"] == pytest.approx((1 + 1 / 3) / 2)
    assert result.measures[0].name == "rank-1"
    assert result.counts["mates"] == 3
    assert result.counts["distractors"] == 1
    (cmc,) = result.curves
    assert [y for _, y in cmc.points] == [0.5, 0.5, 0.5, 1.0]
    assert cmc.note == "gallery of 4 pictures"


def test_average_precision_of_single_probes() -> None:
    probe, rank = np.array([0, 0, 1]), np.array([1, 3, 4])
    assert average_precision(probe, rank, 2, "trapezoid") == pytest.approx([0.791667, 0.125], abs=1e-6)
    assert average_precision(probe, rank, 2, "plain") == pytest.approx([0.833333, 0.25], abs=1e-6)


def test_no_false_alarm_rate() -> None:
    result = evaluate_tinyface(joined(SCORES), np.ones(6, bool), LAYOUT).result(Bootstrap(draws=100))
    refused = result.measure("tpir@fpir=1e-2")
    assert refused.value is None
    assert refused.note is not None
    assert "every probe of TinyFace has a mate" in refused.note


def test_ties_go_against_the_system() -> None:
    scores = [[0.5, 0.5], [0.2, 0.6]]
    values = evaluate_tinyface(joined(scores), np.ones(4, bool), layout_of([5, 6], [5, 6], 0)).points()
    assert values["rank-1 without distractors", "all"] == 0.5
    assert ("rank-1", "all") not in values


def test_failures() -> None:
    vectors = joined(SCORES)
    vectors[[1, 3]] = np.nan
    ok = np.array([True, False, True, False, True, True])
    outcome = evaluate_tinyface(vectors, ok, LAYOUT)
    values = outcome.points()
    # Probe 5's first mate is still first, its second is never found: half of the recall. Probe 6 is a miss.
    assert values["rank-1", "all"] == 0.5
    assert values["rank-50", "all"] == 0.5
    assert values["map trapezoid", "all"] == pytest.approx(0.25)
    assert (outcome.counts["probe failures"], outcome.counts["gallery failures"]) == (1, 1)


def test_as_a_full_sort_says() -> None:
    vectors, labels = noisy_people(12, 6, 16, 1.2, 3)
    extra, _ = noisy_people(40, 1, 16, 1.0, 4)
    order = np.random.default_rng(0).permutation(72)
    probes, gallery = order[:30], order[30:]
    layout = layout_of(labels[probes].tolist(), labels[gallery].tolist(), 40)
    every = np.vstack([vectors[probes], vectors[gallery], extra])
    values = evaluate_tinyface(every, np.ones(112, bool), layout).points()
    scores, owner = every[:30] @ every[30:].T, layout.people[30:]
    hits, trapezoid, plain = [], [], []
    for p in range(30):
        right = owner[np.argsort(-scores[p])] == layout.people[p]
        ranks = np.flatnonzero(right) + 1
        hits.append(ranks[0])
        area, recall, precision = 0.0, 0.0, 1.0
        for k in range(1, len(right) + 1):
            now = right[:k].sum() / k
            area += (right[:k].sum() / right.sum() - recall) * (precision + now) / 2
            recall, precision = right[:k].sum() / right.sum(), now
        trapezoid.append(area)
        plain.append(np.mean((np.arange(len(ranks)) + 1) / ranks))
    for rank in (1, 5, 10, 20, 50):
        assert values[f"rank-{rank}", "all"] == pytest.approx(np.mean(np.array(hits) <= rank))
    assert values["map trapezoid", "all"] == pytest.approx(np.mean(trapezoid), abs=1e-6)
    assert values["map plain", "all"] == pytest.approx(np.mean(plain), abs=1e-6)


def test_intervals_and_paired_comparison() -> None:
    vectors, labels = noisy_people(10, 6, 16, 1.2, 3)
    layout = layout_of(labels[::2].tolist(), labels[1::2].tolist(), 0)
    every = np.vstack([vectors[::2], vectors[1::2]])
    worse = every.copy()
    worse[:9] = np.roll(every[:9], 3, axis=0)
    ok = np.ones(60, bool)
    found = compare(evaluate_tinyface(worse, ok, layout), evaluate_tinyface(every, ok, layout), Bootstrap(draws=200))
    gain = found.difference("map trapezoid without distractors")
    assert gain.gain is not None
    assert gain.low is not None
    assert gain.high is not None
    assert gain.gain > 0
    assert gain.low <= gain.gain <= gain.high


def test_a_probe_without_a_mate_is_refused() -> None:
    with pytest.raises(InputError, match="no mate"):
        evaluate_tinyface(joined(SCORES), np.ones(6, bool), layout_of([5, 9], [5, 5, 6], 1))
