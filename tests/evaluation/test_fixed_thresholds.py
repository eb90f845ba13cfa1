from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ijb_miniature import embeddings, write_miniature

from wildstyle.errors import InputError
from wildstyle.evaluation import Bootstrap, IdentificationOptions, Outcome, compare, evaluate_identification, ijb
from wildstyle.evaluation.operating import measured_at
from wildstyle.evaluation.rates import false_match_rate, false_non_match_rate
from wildstyle.faces.layouts import read_ijb
from wildstyle.faces.row import ManifestRow


def system(noise: float, shift: float = 0.0, **asked: object) -> Outcome:
    """20 people, six probes each from two cameras; ``shift`` moves all scores up by a common direction."""
    rng = np.random.default_rng(4)
    people = np.repeat(np.arange(20), 7)
    centres = rng.standard_normal((20, 32))
    vectors = centres[people] + noise * rng.standard_normal((140, 32))
    vectors[:, 0] += shift
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = [
        ManifestRow(
            file=f"{i}.jpg",
            subject=f"p{p}",
            media=f"m{i}",
            role="gallery" if i % 7 == 0 else "probe",
            enrolled=bool(p < 10),
            min_side=float(20 + i % 7 * 15),
            attributes={"camera": "north" if i % 2 else "south", "sharp": str(i % 7)},
        )
        for i, p in enumerate(people)
    ]
    options = IdentificationOptions(fmr_targets=(1e-2,), **asked)  # type: ignore[arg-type]
    return evaluate_identification(
        vectors.astype(np.float32), np.arange(140) != 3, rows, options=options, norms=np.ones(140, np.float32)
    )


def test_errors_at_a_given_threshold_are_counted() -> None:
    outcome = system(1.5, threshold=0.4)
    question = next(q for q in outcome.questions if q.name == "tar@fmr=1e-2")
    assert question.impostors is not None
    scores, points = question.impostors.scores.values, outcome.points()
    assert points["fmr@threshold", "all"] == pytest.approx(false_match_rate(scores, 0.4))
    assert points["fnmr@threshold", "all"] == pytest.approx(false_non_match_rate(question.items.values, 0.4))
    opened = next(q for q in outcome.questions if q.name == "tpir@fpir=1e-1")
    assert opened.impostors is not None
    assert points["fpir@threshold", "all"] == pytest.approx(false_match_rate(opened.impostors.scores.values, 0.4))
    assert points["fnir@threshold", "all"] == pytest.approx(false_non_match_rate(opened.items.values, 0.4))


def test_groups_are_judged_at_one_threshold_and_add_up() -> None:
    outcome = system(1.5, threshold=0.4, by=("camera",), bands=())
    points = outcome.points()
    fmr = next(q for q in outcome.questions if q.name == "fmr@threshold")
    parts = [("camera=north", fmr.count("camera=north")), ("camera=south", fmr.count("camera=south"))]
    assert sum(count for _, count in parts) == fmr.count("all")
    total = sum(points["fmr@threshold", group] * count for group, count in parts)
    assert total == pytest.approx(points["fmr@threshold", "all"] * fmr.count("all"))
    assert points["fmr@threshold:1e-2", "all"] <= 0.01
    result = outcome.result(Bootstrap(draws=100))
    assert "fewer than 30" in str(result.measure("fmr@threshold:1e-2").note)
    measure = result.measure("fnmr@threshold", "camera=north")
    assert measure.low is not None
    assert measure.low <= (measure.value or 0) <= (measure.high or 1)


def test_operating_points_say_what_they_rest_on() -> None:
    result = system(1.5).result(Bootstrap(draws=100))
    measure = result.measure("tar@fmr=1e-2")
    assert measure.impostors == result.counts["impostor comparisons"]
    assert measure.reached is not None
    assert 0 < measure.reached <= 0.01
    assert measure.threshold is not None
    assert result.measure("rank-1").threshold is None


def test_what_happens_at_the_old_threshold() -> None:
    before, after = system(1.5), system(1.5, shift=3.0)
    found = compare(before, after, Bootstrap(draws=100))
    question = next(q for q in before.questions if q.name == "tar@fmr=1e-2")
    point = question.operating_point()
    assert point is not None
    assert point[0] is not None
    fmr = found.difference("fmr@old-threshold:1e-2")
    assert fmr.before == pytest.approx(point[1])
    later = next(q for q in after.questions if q.name == "tar@fmr=1e-2")
    assert later.impostors is not None
    assert fmr.after == pytest.approx(false_match_rate(later.impostors.scores.values, point[0]))
    assert (fmr.after or 0) > (fmr.before or 0)
    assert (found.difference("fnmr@old-threshold:1e-2").gain or 0) < 0
    assert found.difference("fpir@old-threshold:1e-1").low is not None


def test_curves_come_with_the_figures() -> None:
    outcome = system(1.5, discard_by=("min_side", "norm", "sharp"))
    names = [curve.name for curve in outcome.result(Bootstrap(draws=100)).curves]
    assert names[:4] == ["det", "scores-mated", "scores-impostor", "det-open-set"]
    assert names[4] == "cmc"
    assert names[5:] == [f"{kind}:{by}" for by in ("min_side", "norm", "sharp") for kind in ("edc", "edc-fmr")]
    with pytest.raises(InputError, match="camera"):
        system(1.5, discard_by=("camera",))


def test_old_rules_stand_beside_the_strict_one() -> None:
    outcome = system(1.5, fmr_rule="kth")
    (measure,) = outcome.fixed
    assert measure.name == "tar@fmr=1e-2 kth"
    assert (measure.value or 0) >= outcome.points()["tar@fmr=1e-2", "all"]
    assert "k-th" in outcome.rules["fmr_rule"]


def test_no_false_match_is_bounded_by_the_rule_of_three() -> None:
    outcome = system(0.3, threshold=0.99)
    result = replace(outcome).result(Bootstrap(draws=100))
    assert result.measure("fmr@threshold").value == 0
    assert "rule of 3" in str(result.measure("fmr@threshold").note)


def test_cameras_have_their_own_shift_at_the_old_threshold() -> None:
    before, after = (system(1.5, shift=shift, by=("camera",), bands=()) for shift in (0.0, 3.0))
    found = compare(before, after, Bootstrap(draws=100))
    fixed = system(1.5, shift=3.0, by=("camera",), bands=(), threshold=threshold_of(before)).points()
    for group in ("all", "camera=north", "camera=south"):
        shift = found.difference("fmr@old-threshold:1e-2", group)
        assert shift.after == pytest.approx(fixed["fmr@threshold", group])
        assert shift.low is not None


def threshold_of(outcome: Outcome) -> float:
    point = next(q for q in outcome.questions if q.name == "tar@fmr=1e-2").operating_point()
    assert point is not None
    assert point[0] is not None
    return point[0]


def test_two_galleries_keep_their_figures_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ijb, "FPIR_TARGETS", (0.5,))
    layout = read_ijb(write_miniature(tmp_path / "IJBC"))
    vectors, ok = embeddings()
    outcome = ijb.evaluate_ijb_search(ijb.FaceEmbeddings(vectors, ok), layout)
    found = compare(outcome, outcome, Bootstrap(draws=100)).differences
    names = [(d.name, d.group) for d in found]
    assert len(names) == len(set(names))
    assert {"fpir@old-threshold:5e-1 G1", "fpir@old-threshold:5e-1 G2"} <= {name for name, _ in names}
    at = measured_at(outcome, 0.5)
    assert {"fnir@threshold G1", "fnir@threshold G2"} <= {q.name for q in at.questions}
