from __future__ import annotations

import numpy as np
import pytest
from made_scores import noisy_people

from wildstyle.errors import InputError
from wildstyle.evaluation import Bootstrap, Comparison, IdentificationOptions, compare, evaluate_identification
from wildstyle.evaluation.bootstrap import percentile_interval
from wildstyle.faces.row import ManifestRow

PEOPLE, EACH = 15, 20


def system(noise: float, *, seed: int = 3, people: int = PEOPLE) -> tuple[np.ndarray, np.ndarray, list[ManifestRow]]:
    vectors, labels = noisy_people(people, EACH, 24, noise, seed)
    rows = [
        ManifestRow(
            subject=f"p{p}", role="gallery" if i % EACH < 3 else "probe", template=f"p{p}" if i % EACH < 3 else None
        )
        for i, p in enumerate(labels)
    ]
    return vectors, np.ones(len(rows), bool), rows


def test_a_system_against_itself_gains_exactly_nothing() -> None:
    outcome = evaluate_identification(*system(2.0))
    for difference in compare(outcome, outcome, Bootstrap(200)).differences:
        if difference.gain is not None:
            assert (difference.gain, difference.low, difference.high) == (0, 0, 0)


def test_gains_are_paired_and_equal_a_loop_over_draws() -> None:
    before, after = (evaluate_identification(*system(noise)) for noise in (2.3, 2.1))
    bootstrap = Bootstrap(300, 8)
    comparison = compare(before, after, bootstrap)
    found = comparison.difference("rank-1")
    old, new = before.ranks == 1, after.ranks == 1
    person = before.questions[0].items.first
    gains = []
    for weights in bootstrap.weights(PEOPLE):
        copied = np.repeat(np.arange(len(person)), weights[person].astype(int))
        gains.append(new[copied].mean() - old[copied].mean())
    assert found.gain == pytest.approx(new.mean() - old.mean())
    assert (found.low, found.high) == pytest.approx(percentile_interval(np.array(gains)), abs=1e-6)
    assert found.low is not None
    assert found.low > 0  # paired, so that a real gain shows although the systems' own intervals overlap
    assert comparison.before.measure("rank-1").high > comparison.after.measure("rank-1").low  # type: ignore[operator]
    assert Comparison.from_json(comparison.to_json()) == comparison


def test_the_tables_of_a_comparison_are_the_systems_own_results() -> None:
    before, after = (evaluate_identification(*system(noise)) for noise in (2.4, 2.0))
    comparison = compare(before, after, Bootstrap(200, 2))
    assert comparison.before == before.result(Bootstrap(200, 2))
    assert comparison.after == after.result(Bootstrap(200, 2))


def test_what_can_not_be_measured_is_kept_with_its_reason() -> None:
    outcome = evaluate_identification(*system(2.0))
    refused = compare(outcome, outcome, Bootstrap(100)).difference("tpir@fpir=1e-2")
    assert refused.gain is None
    assert "not measurable" in str(refused.note)


def test_different_people_rules_or_questions_are_refused() -> None:
    outcome = evaluate_identification(*system(2.0))
    with pytest.raises(InputError, match="different data"):
        compare(outcome, evaluate_identification(*system(2.0), data="another"))
    with pytest.raises(InputError, match="different people"):
        compare(outcome, evaluate_identification(*system(2.0, people=14)))
    with pytest.raises(InputError, match="figures"):
        compare(outcome, evaluate_identification(*system(2.0), options=IdentificationOptions(ranks=(1,))))
