from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_run import clean_guard, difference, full_target, guard, target

from wildstyle.errors import CorruptArchive
from wildstyle.evaluation.result import Comparison
from wildstyle.report import EvaluatedSet, Verdict, VerdictPolicy, decide, decide_run, store_evaluation
from wildstyle.report.guards import judge, oriented
from wildstyle.report.verdict import read_verdict
from wildstyle.runs import RunFolder

GAINED = target(difference(ends=(0.02, 0.06)))
UNSETTLED = target(difference(after=0.508, ends=(-0.006, 0.022)))
FELL = target(difference(after=0.46, ends=(-0.06, -0.02)))


def accuracy(gain: float, ends: tuple[float, float] | None, n: int = 6000, note: str | None = None) -> EvaluatedSet:
    return guard(difference("accuracy", before=0.99, after=0.99 + gain, ends=ends, n=n, note=note))


@pytest.mark.parametrize(
    ("sets", "decision"),
    [
        ([GAINED, clean_guard()], "deploy"),
        ([GAINED], "deploy"),
        ([UNSETTLED, clean_guard()], "not enough evidence"),
        ([FELL, clean_guard()], "do not deploy"),
        ([clean_guard()], "not enough evidence"),
        ([], "not enough evidence"),
        ([GAINED, FELL], "do not deploy"),
        ([GAINED, UNSETTLED], "not enough evidence"),
        # The upper end of the clean loss at 0.5 points, and just beyond it.
        ([GAINED, accuracy(-0.003, (-0.005, -0.001))], "deploy"),
        ([GAINED, accuracy(-0.003, (-0.0051, -0.001))], "not enough evidence"),
        # Its lower end at 0.5 points, and just beyond it.
        ([GAINED, accuracy(-0.008, (-0.011, -0.005))], "not enough evidence"),
        ([GAINED, accuracy(-0.008, (-0.011, -0.0051))], "do not deploy"),
        # A loss on the guard counts whatever the target does; so does a fall on the target.
        ([UNSETTLED, accuracy(-0.02, (-0.03, -0.01))], "do not deploy"),
        ([FELL, accuracy(0.01, (0.005, 0.015))], "do not deploy"),
        # No interval, no decision.
        ([GAINED, accuracy(0.0, None, note="too few people")], "not enough evidence"),
        # Intervals that touch zero prove nothing.
        ([target(difference(after=0.53, ends=(0.0, 0.06)))], "not enough evidence"),
        ([target(difference(after=0.47, ends=(-0.06, 0.0)))], "not enough evidence"),
    ],
)
def test_decision(sets: list[EvaluatedSet], decision: str) -> None:
    verdict = decide(sets)
    assert verdict.decision == decision
    assert verdict.sentence.lower().startswith(decision + ": ")
    assert verdict.sentence.endswith(".")
    assert verdict.reasons


def test_guard_is_judged_by_its_primary_figure_alone() -> None:
    second = difference("tar@fmr=1e-2", before=0.99, after=0.95, ends=(-0.06, -0.02))
    both = guard(difference("accuracy", before=0.99, after=0.99, ends=(-0.001, 0.001)), second)
    verdict = decide([GAINED, both])
    assert verdict.decision == "deploy"
    assert "TAR at FMR 1% on lfw loses 4.00 points" in verdict.sentence


def band(gain: float, ends: tuple[float, float], n: int = 900) -> EvaluatedSet:
    return target(difference(), difference("rank-1", ">=80 px", 0.7, 0.7 + gain, ends, n))


@pytest.mark.parametrize(
    ("evaluated", "told"),
    [
        (band(-0.031, (-0.05, -0.012)), True),
        # Proven, but not beyond 0.3 points; beyond it, but not proven; proven on a handful of faces.
        (band(-0.02, (-0.04, -0.002)), False),
        (band(-0.02, (-0.05, 0.01)), False),
        (band(-0.03, (-0.05, -0.01), n=20), False),
        (band(0.01, (0.001, 0.02)), False),
    ],
)
def test_losing_band_is_told_and_never_decides(evaluated: EvaluatedSet, told: bool) -> None:
    verdict = decide([evaluated, clean_guard()])
    assert verdict.decision == "deploy"
    assert ("faces ≥ 80 px on shop lose 3.1 points (−5.0 to −1.2): use a gate" in verdict.sentence) == told
    assert any("≥ 80 px" in caveat for caveat in verdict.caveats) == told


def test_losing_band_beside_an_open_question() -> None:
    losing = difference("rank-1", ">=80 px", 0.7, 0.65, (-0.08, -0.02), 900)
    sentence = decide([target(difference(after=0.508, ends=(-0.006, 0.022)), losing), clean_guard()]).sentence
    assert sentence.startswith("Not enough evidence: ")
    assert "would settle it; and faces ≥ 80 px on shop lose 5.0 points" in sentence


def test_worst_losses_are_told_first_and_the_rest_counted() -> None:
    bands = [difference("rank-1", f"camera={c}", 0.7, 0.7 - c / 100, (-0.1, -0.01), 900) for c in (2, 9, 5)]
    sentence = decide([target(difference(), *bands)]).sentence
    assert sentence.index("faces of camera 9 on shop") < sentence.index("faces of camera 5 on shop")
    assert "camera 2" not in sentence
    assert "(1 more below)" in sentence


def test_band_of_another_measure_is_not_told() -> None:
    tar = difference("tar@fmr=1e-2", ">=80 px", 0.7, 0.6, (-0.2, -0.05))
    assert "80 px" not in decide([target(difference(), tar), clean_guard()]).sentence


@pytest.mark.parametrize(("name", "better"), [("tpir@fpir=1e-1", True), ("fnir@fpir=1e-1", False)])
def test_error_rates_lose_where_they_rise(name: str, better: bool) -> None:
    rises = difference(name, before=0.40, after=0.45, ends=(0.02, 0.08))
    assert oriented(rises)[0] == pytest.approx(0.05 if better else -0.05)
    assert oriented(rises)[1:] == pytest.approx((0.02, 0.08) if better else (-0.08, -0.02))
    sentence = decide([target(difference(), rises), clean_guard()]).sentence
    assert ("loses 5.0 points" in sentence) is not better


def test_error_rate_as_a_guards_primary() -> None:
    rises = guard(difference("fnmr@fmr=1e-3", before=0.10, after=0.13, ends=(0.02, 0.04)))
    assert decide([GAINED, rises]).decision == "do not deploy"
    falls = guard(difference("fnmr@fmr=1e-3", before=0.10, after=0.07, ends=(-0.04, -0.02)))
    assert decide([GAINED, falls]).decision == "deploy"


def at_old_threshold(threshold: float | None) -> EvaluatedSet:
    evaluated = target(
        difference(),
        difference("tar@fmr=1e-3", before=0.60, after=0.66, ends=(0.02, 0.10)),
        difference("fmr@old-threshold", before=0.0010, after=0.0014, ends=(0.0002, 0.0006)),
        difference("fnmr@old-threshold", before=0.40, after=0.35, ends=(-0.08, -0.02)),
    )
    comparison = evaluated.comparison
    sides = [
        replace(
            side, measures=tuple(m if m.name == "rank-1" else replace(m, threshold=threshold) for m in side.measures)
        )
        for side in (comparison.before, comparison.after)
    ]
    return replace(evaluated, comparison=Comparison(sides[0], sides[1], comparison.differences))


def test_old_threshold_is_told_and_never_decides() -> None:
    verdict = decide([at_old_threshold(0.31), clean_guard()])
    assert verdict.decision == "deploy"
    assert "FMR goes" not in verdict.sentence
    assert (
        "On shop, at your old threshold (0.31, chosen for FMR 0.1%), FMR goes from 0.10% to 0.14% and "
        "FNMR goes from 40.0% to 35.0%." in verdict.caveats
    )
    assert any("at your old threshold, FMR goes" in c for c in decide([at_old_threshold(None)]).caveats)


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("threshold=0.31", "at the threshold (0.31), FNMR"),
        ("old-threshold=1e-3", "at your old threshold (chosen for a rate of 0.1%), FNMR"),
        ("old-threshold", "at your old threshold, FNMR"),
    ],
)
def test_threshold_is_told_as_far_as_the_name_goes(at: str, words: str) -> None:
    moved = difference(f"fnmr@{at}", before=0.4, after=0.5, ends=(0.05, 0.15))
    verdict = decide([target(difference(), moved), clean_guard()])
    assert verdict.decision == "deploy"
    assert words in verdict.caveats[0]


def test_figures_at_kept_thresholds_alone_measure_nothing() -> None:
    only = target(difference("fmr@threshold=0.3", before=0.2, after=0.1, ends=(-0.15, -0.05)))
    verdict = decide([only, clean_guard()])
    assert verdict.decision == "not enough evidence"
    assert "nothing could be measured on shop" in verdict.sentence


def test_primary_is_the_first_that_was_measured() -> None:
    missing = difference("rank-1", before=None, after=None, note="not measurable: no gallery")
    assert decide([target(missing, difference("tar@fmr=1e-2")), clean_guard()]).decision == "deploy"
    verdict = decide([target(missing), clean_guard()])
    assert verdict.decision == "not enough evidence"
    assert "could not be measured (no gallery)" in verdict.sentence


def test_sentence_names_figure_interval_and_people() -> None:
    sentence = decide([full_target(), clean_guard()]).sentence
    for part in ("shop", "53.1%", "49.5%", "+3.6 points", "+1.9 to +5.4", "40 people", "no more than the 0.5 points"):
        assert part in sentence


def test_several_targets_are_all_named() -> None:
    sentence = decide([GAINED, target(difference(), name="yard"), clean_guard()]).sentence
    assert "shop" in sentence
    assert "yard" in sentence


def test_missing_guard_is_told() -> None:
    assert "no clean set was measured" in decide([GAINED]).sentence
    assert any("No clean set" in caveat for caveat in decide([GAINED]).caveats)
    assert not any("No clean set" in caveat for caveat in decide([GAINED, clean_guard()]).caveats)


def test_open_question_names_what_settles_it() -> None:
    verdict = decide([UNSETTLED, clean_guard()])
    (needed,) = verdict.needed
    # 40 people, half-width 1.4 points, gain 0.8 points: 40 * (2.802 * 1.4 / (1.96 * 0.8))**2 + 1.9 = 252.2
    assert needed.people == 260
    assert needed.people_now == 40
    assert "about 260 labelled people (now 40) would settle it" in verdict.sentence


def test_open_loss_asks_for_people_that_tell_it_from_the_limit() -> None:
    # 4,281 people, half-width 0.3 points, 0.3 points from the limit: 4281 * (2.802 / 1.96)**2 + 1.9 = 8750.9
    (needed,) = decide([GAINED, accuracy(-0.002, (-0.0055, 0.001))]).needed
    assert needed.effect == pytest.approx(0.003)
    # The half-width is the longer side, 0.35 points: 4281 * (2.802 * 3.5 / (1.96 * 3))**2 + 1.9 = 11,910
    assert needed.people == 12_000
    assert "on lfw whether the loss is within 0.5 points" in needed.sentence


def test_no_gain_seen_asks_for_one_worth_having() -> None:
    (needed,) = decide([target(difference(after=0.499, ends=(-0.03, 0.028)))]).needed
    assert needed.effect == VerdictPolicy().smallest_gain


def test_without_labels_people_and_pairs_are_named() -> None:
    verdict = decide([clean_guard()])
    (needed,) = verdict.needed
    assert needed.pairs
    assert needed.people >= 100
    assert f"{needed.people} labelled people" in verdict.sentence
    assert "mated pairs" in verdict.sentence


@pytest.mark.parametrize(("people", "decision"), [(4, "not enough evidence"), (5, "deploy"), (0, "deploy")])
def test_gain_over_a_handful_of_people_is_not_judged(people: int, decision: str) -> None:
    verdict = decide([target(difference(), people=people), clean_guard()])
    assert verdict.decision == decision
    if decision != "deploy":
        assert "rests on only 4 people" in verdict.sentence
        assert "rests on only 4 people" in verdict.reasons[0]
        assert verdict.needed[0].people_now == 4
        assert "labelled people with 20 faces each (now 4)" in verdict.sentence


def test_gain_without_interval_asks_for_people() -> None:
    verdict = decide([target(difference(ends=None, note="one person"), people=1)])
    assert verdict.decision == "not enough evidence"
    assert verdict.needed[0].people >= 100


def test_nothing_is_needed_where_all_is_settled() -> None:
    assert decide([GAINED, clean_guard()]).needed == ()
    assert decide([FELL]).needed == ()


def test_policy_moves_the_limits() -> None:
    sets = [GAINED, accuracy(-0.008, (-0.010, -0.006))]
    assert decide(sets).decision == "do not deploy"
    assert decide(sets, VerdictPolicy(max_clean_loss=0.01)).decision == "deploy"
    losing = band(-0.031, (-0.05, -0.012))
    assert "use a gate" not in decide([losing], VerdictPolicy(told_loss=0.02)).sentence


def test_loss_of_a_guard_is_said_beside_the_gain() -> None:
    verdict = decide([GAINED, accuracy(-0.02, (-0.03, -0.01))])
    assert "lost more than the 0.5 points allowed" in verdict.sentence
    assert "although the gain on shop is proven" in verdict.sentence
    assert len(verdict.reasons) == 2


@given(st.floats(-0.3, 0.3), st.floats(0, 0.2), st.floats(0, 0.2), st.sampled_from([0.0, 0.001, 0.05]))
def test_outcome_follows_its_words(gain: float, down: float, up: float, limit: float) -> None:
    d = difference(before=0.5, after=0.5 + gain, ends=(gain - down, gain + up))
    outcome, beyond = judge(d, limit), 1e-6
    if outcome == "passed":
        assert gain - down >= -limit - beyond
    elif outcome == "failed":
        assert gain + up < -limit
    else:
        assert gain - down < -limit <= gain + up + beyond


@given(st.floats(-0.2, 0.2), st.floats(0.001, 0.1))
def test_more_gain_never_makes_the_verdict_worse(gain: float, half: float) -> None:
    order = ["do not deploy", "not enough evidence", "deploy"]

    def of(g: float) -> int:
        d = difference(before=0.5, after=0.5 + g, ends=(g - half, g + half))
        return order.index(decide([target(d), clean_guard()]).decision)

    assert of(gain) <= of(gain + 0.01)


def test_verdict_survives_its_file(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, {})
    store_evaluation(run, UNSETTLED)
    verdict = decide_run(run, VerdictPolicy(told_loss=0.02))
    assert read_verdict(run) == verdict
    assert json.loads(run.file("verdict.json").read_text())["schema"] == 2


@pytest.mark.parametrize("change", [{"schema": 1}, {"decision": "perhaps"}, {"needed": [{"x": 1}]}, {"reasons": None}])
def test_damaged_verdict_is_refused(change: dict[str, object]) -> None:
    record = json.loads(json.dumps(decide([UNSETTLED]).to_json()))
    assert Verdict.from_json(record) == decide([UNSETTLED])
    with pytest.raises(CorruptArchive):
        Verdict.from_json({**record, **change})
