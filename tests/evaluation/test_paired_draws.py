"""Stored draws give the differences that ``compare`` gives, or refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_scores import noisy_people

from wildstyle.errors import CorruptArchive, InputError
from wildstyle.evaluation import Bootstrap, IdentificationOptions, Outcome, compare, evaluate_identification
from wildstyle.evaluation.paired_draws import paired_difference, side_by_side, store_draws
from wildstyle.faces.row import ManifestRow

EACH = 12


def system(noise: float, *, people: int = 14, seed: int = 3, name: str = "p", enrolled: int = 0) -> Outcome:
    vectors, labels = noisy_people(people, EACH, 24, noise, seed)
    rows = [
        ManifestRow(
            subject=f"{name}{p}",
            role="gallery" if i % EACH < 2 else "probe",
            template=f"{name}{p}" if i % EACH < 2 else None,
            enrolled=None if not enrolled else bool(p < enrolled),
            attributes={"camera": "north" if p else "south"},
        )
        for i, p in enumerate(labels)
    ]
    options = IdentificationOptions(fmr_targets=(1e-2, 1e-6), by=("camera",))
    return evaluate_identification(vectors, np.ones(len(rows), bool), rows, options=options)


def test_stored_draws_give_the_same_intervals_as_a_comparison() -> None:
    before, after, bootstrap = system(2.3), system(2.0), Bootstrap(200, 5)
    compared = compare(before, after, bootstrap)
    # Shifts at old thresholds need the scores, which are not stored.
    differences = tuple(d for d in compared.differences if "@old-threshold" not in d.name)
    wanted = replace(compared, differences=differences)
    stored = [store_draws(outcome, bootstrap) for outcome in (before, after)]
    intervals = paired_difference(stored[0], stored[1])
    found = side_by_side(before.result(bootstrap), after.result(bootstrap), intervals)
    assert [(d.name, d.group) for d in found] == [(d.name, d.group) for d in wanted.differences]
    for mine, theirs in zip(found, wanted.differences, strict=True):
        assert (mine.before, mine.after, mine.n, mine.note) == (theirs.before, theirs.after, theirs.n, theirs.note)
        assert (mine.low is None) == (theirs.low is None)
        if mine.low is not None and theirs.low is not None:
            assert (mine.gain, mine.low, mine.high) == pytest.approx((theirs.gain, theirs.low, theirs.high), abs=1e-6)
    # One person has no interval; a figure that can't be measured has no difference.
    assert next(d for d in found if (d.name, d.group) == ("rank-1", "camera=south")).low is None
    assert next(d for d in found if d.name == "tar@fmr=1e-6").gain is None


def test_stored_form_is_compact() -> None:
    stored = store_draws(system(2.0), Bootstrap(150))
    draws = {key: value for key, value in stored.items() if key.startswith("draws:")}
    assert "draws:rank-1\tall" in draws
    assert {(v.dtype, v.shape) for v in draws.values()} == {(np.dtype(np.float32), (150,))}
    assert stored["people"].shape == (32,)


@pytest.mark.parametrize(
    ("other", "bootstrap", "fault"),
    [
        (system(2.0), Bootstrap(200, 6), "another seed"),
        (system(2.0, name="q"), Bootstrap(200, 5), "people are others"),
        (system(2.0, people=13), Bootstrap(200, 5), "people are others"),
        (system(2.0, enrolled=7), Bootstrap(200, 5), "what is counted differ"),
        (system(2.0), Bootstrap(300, 5), "200 and 300 draws"),
    ],
)
def test_what_is_not_the_same_is_refused(other: Outcome, bootstrap: Bootstrap, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        paired_difference(store_draws(system(2.0), Bootstrap(200, 5)), store_draws(other, bootstrap))


def test_something_else_is_refused() -> None:
    stored = store_draws(system(2.0), Bootstrap(100))
    with pytest.raises(CorruptArchive, match="seed"):
        paired_difference(stored, {"a": np.zeros(3)})


def test_without_draws_differences_have_no_interval_and_say_so() -> None:
    before, after = (system(noise).result(Bootstrap(100)) for noise in (2.3, 2.0))
    found = next(d for d in side_by_side(before, after) if d.name == "rank-1")
    assert found.gain == pytest.approx(after.measure("rank-1").value - before.measure("rank-1").value)  # type: ignore[operator]
    assert (found.low, found.high) == (None, None)
    assert found.note is not None
    assert "not paired" in found.note
