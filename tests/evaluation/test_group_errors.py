from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from wildstyle.errors import InputError, NotMeasurable, SettingError
from wildstyle.evaluation import Bootstrap, IdentificationOptions, Outcome, evaluate_identification, evaluate_pairs
from wildstyle.evaluation.few_errors import TOO_FEW, few_in_group, few_overall, worst_and_best
from wildstyle.evaluation.grouping import pair_groups
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.operating import FalseMatches, at_threshold, measured_at
from wildstyle.evaluation.pairs import PairOptions
from wildstyle.evaluation.qualities import FacesSeen
from wildstyle.evaluation.shares import Impostors
from wildstyle.faces import PairList
from wildstyle.faces.row import ManifestRow

PEOPLE = np.repeat(np.arange(16), 6)
ROWS = [
    ManifestRow(
        file=f"{i}.jpg",
        subject=f"p{p}",
        media=f"m{i % 9}" if i % 6 else f"enrolled{p}",
        role="gallery" if i % 6 == 0 else "probe",
        enrolled=bool(p % 2),
        min_side=float(16 + (11 * i) % 60),
        attributes={"camera": "yard" if i % 4 else "door", "team": "ab"[p % 2]},
    )
    for i, p in enumerate(PEOPLE)
]
OK = np.arange(96) != 9


def vectors() -> NDArray[np.float32]:
    rng = np.random.default_rng(7)
    found = rng.standard_normal((16, 10))[PEOPLE] + 0.8 * rng.standard_normal((96, 10))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found.astype(np.float32)


def searched(**asked: object) -> Outcome:
    options = IdentificationOptions(fmr_targets=(0.05,), **asked)  # type: ignore[arg-type]
    return evaluate_identification(vectors(), OK, ROWS, options=options)


def test_errors_by_group_equal_a_loop_at_one_threshold() -> None:
    outcome = searched(by=("team",), bands=())
    scores = vectors() @ vectors().T
    point = next(q for q in outcome.questions if q.name == "tar@fmr=5e-2").operating_point()
    assert point is not None
    threshold, gallery = point[0], range(0, 96, 6)
    probes = [i for i in range(96) if i % 6 and OK[i]]
    pairs = [(i, g) for i in probes for g in gallery if PEOPLE[i] != PEOPLE[g]]
    team = [row.attributes["team"] for row in ROWS]
    points = outcome.points()

    def rate(chosen: list[tuple[int, int]]) -> float:
        return float(np.mean([scores[pair] >= threshold for pair in chosen]))

    name = "fmr@threshold:5e-2"
    for value in "ab":
        own = [(i, g) for i, g in pairs if team[i] == value]
        assert points[name, f"team={value}"] == pytest.approx(rate(own))
        assert points[name, f"within team={value}"] == pytest.approx(rate([(i, g) for i, g in own if team[g] == value]))
        assert points[name, f"across team={value}"] == pytest.approx(rate([(i, g) for i, g in own if team[g] != value]))
        missed = [scores[i, PEOPLE[i] * 6] < threshold for i in probes if team[i] == value]
        assert points["fnmr@threshold:5e-2", f"team={value}"] == pytest.approx(np.mean(missed))
    cut = [[(i, g) for i, g in pairs if (team[i] == team[g]) == same] for same in (True, False)]
    assert points[name, "within team"] == pytest.approx(rate(cut[0]))
    assert points[name, "across team"] == pytest.approx(rate(cut[1]))
    check_draws(outcome, name, cut, scores >= threshold)
    measure = outcome.result(Bootstrap(100)).measure("fmr@threshold:5e-2")
    assert measure.threshold == pytest.approx(threshold)
    assert measure.reached == measure.value
    assert outcome.result(Bootstrap(100)).rules["groups"].startswith("at the one threshold")


def check_draws(outcome: Outcome, name: str, cut: list[list[tuple[int, int]]], accepted: NDArray[np.bool_]) -> None:
    """Each draw's rates of the two cuts, comparison by comparison."""
    weights = Bootstrap(100).weights(len(outcome.people))[:5]
    place = {person: i for i, person in enumerate(outcome.people)}
    values = outcome.values(weights)
    for group, pairs in zip(("within team", "across team"), cut, strict=True):
        own, other = (np.array([place[f"p{PEOPLE[pair[side]]}"] for pair in pairs]) for side in (0, 1))
        weight = weights[:, own] * weights[:, other]
        hit = np.array([accepted[pair] for pair in pairs])
        np.testing.assert_allclose(values[name, group], (weight * hit).sum(axis=1) / weight.sum(axis=1))


def test_strangers_alarms_by_group_add_up() -> None:
    outcome = searched(by=("camera",), bands=(), threshold=0.5)
    found = next(q for q in outcome.questions if q.name == "fpir@threshold")
    points = outcome.points()
    parts = [g for g in found.groups if g.startswith("camera=")]
    assert sum(found.count(g) for g in parts) == found.count("all")
    whole = sum(found.count(g) * points["fpir@threshold", g] for g in parts)
    assert whole == pytest.approx(points["fpir@threshold", "all"] * found.count("all"))


def test_pairs_have_groups_where_columns_are_known() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.integers(0, 96, (2, 1500))
    keep = first != second
    first, second = first[keep], second[keep]
    same = PEOPLE[first] == PEOPLE[second]
    pairs = PairList(first, second, same, np.arange(len(first)) % 3)
    options = PairOptions(fmr_targets=(0.05,), by=("camera",), bands=(32, 64), threshold=0.3)
    outcome = evaluate_pairs(vectors(), OK, pairs, options=options, faces=FacesSeen(ROWS, OK))
    camera = np.array([row.attributes["camera"] for row in ROWS])
    compared = OK[first] & OK[second]
    points = outcome.points()
    for name, mask in {
        "camera=yard": (camera[first] == "yard") & (camera[second] == "yard"),
        "across camera": camera[first] != camera[second],
    }.items():
        others = ~same & compared & mask
        assert points["fmr@threshold", name] == pytest.approx((outcome.scores[others] >= np.float32(0.3)).mean())
        assert points["fnmr@threshold", name] == pytest.approx((outcome.scores[same & mask] < 0.3).mean())
    sides = np.array([row.min_side for row in ROWS], float)
    small = np.minimum(sides[first], sides[second]) < 32
    assert points["accuracy", "<32 px"] == pytest.approx(outcome.folds.right[small].mean())
    assert ("fmr@threshold:5e-2", "across camera") in points
    with pytest.raises(InputError, match="columns"):
        evaluate_pairs(vectors(), OK, pairs, options=options)
    with pytest.raises(InputError, match="lens"):
        evaluate_pairs(vectors(), OK, pairs, options=PairOptions(by=("lens",)), faces=FacesSeen(ROWS, OK))
    with pytest.raises(SettingError, match="rise"):
        PairOptions(bands=(64, 32))


def test_a_column_that_nobody_fills_is_refused() -> None:
    with pytest.raises(InputError, match="lens"):
        searched(by=("lens",))
    many = [replace(row, attributes={"picture": str(i)}) for i, row in enumerate(ROWS * 7)]
    with pytest.raises(InputError, match="coarser"):
        pair_groups(many, np.arange(600), np.arange(600), (), ("picture",))


def test_few_errors_are_told_by_the_rules_of_3_and_30() -> None:
    assert few_overall(0, 0, "miss") is None
    assert few_in_group((0, 1000), (300, 3000), "miss") == "no miss in 1,000: at most about 0.3 % (rule of 3)"
    assert few_in_group((1, 299), (300, 3000), "miss") == TOO_FEW
    assert few_in_group((5, 300), (300, 3000), "miss") is None


def test_worst_and_best_leave_out_groups_that_are_too_small() -> None:
    errors = {
        "all": (100, 1000),
        "camera=yard": (60, 400),
        "camera=door": (30, 590),
        "camera=gate": (10, 10),
        ">=80 px": (0, 500),
        "within team=a": (10, 500),
        "within team=b": (0, 500),
    }
    text = worst_and_best(errors)
    assert text == ("by camera: worst yard 15 %, best door 5.08 %, 2.95 times; by within team: worst a 2 %, best b 0 %")
    assert worst_and_best({"all": (100, 1000)}) is None


def test_operating_points_with_few_misses_say_so() -> None:
    result = searched(bands=()).result(Bootstrap(100))
    measure = result.measure("tar@fmr=5e-2")
    misses = round((1 - (measure.value or 0)) * measure.n)
    assert few_overall(misses, measure.n, "miss") in [None, *str(measure.note).split("; ")]
    assert (misses < 30) == ("fewer than 30" in str(measure.note) or "rule of 3" in str(measure.note))
    assert "rule of 30" in result.rules["few_errors"]


def test_a_threshold_below_what_was_kept_is_not_guessed_at() -> None:
    scores = Items(np.linspace(0, 1, 100, dtype=np.float32), np.zeros(100, np.int64), np.ones(100, np.int64))
    kept = Impostors.crossed(scores.highest(10), np.array([100, 0]), np.array([0, 1]))
    with pytest.raises(NotMeasurable, match="kept"):
        FalseMatches.of("fmr@threshold", {"all": kept}, 0.5).check()
    FalseMatches.of("fmr@threshold", {"all": kept}, 0.95).check()
    items, everyone = Items(np.ones(3, np.float32), np.arange(3)), {"all": np.ones(3, bool)}
    for threshold, known in ((0.5, False), (0.95, True)):
        _, missed = at_threshold("verification", (items, everyone), {"all": kept}, threshold)
        assert (missed.operating_point() is not None) == known


def test_any_outcome_can_be_measured_at_a_threshold() -> None:
    plain = searched(bands=())
    points, wanted = measured_at(plain, 0.4).points(), searched(bands=(), threshold=0.4).points()
    for name in ("fmr", "fnmr", "fpir", "fnir"):
        assert points[f"{name}@threshold", "all"] == pytest.approx(wanted[f"{name}@threshold", "all"])
    ranks = replace(plain, questions=plain.questions[:1])
    with pytest.raises(SettingError, match="impostor"):
        measured_at(ranks, 0.4)
