from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_run import clean_guard, difference, full_target, guard, target

from wildstyle.errors import CorruptArchive
from wildstyle.report import EvaluatedSet, Verdict, VerdictPolicy, decide, decide_run, store_evaluation
from wildstyle.report.guards import guard_outcome
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
        # A loss of accuracy: beyond 0.1 points and proven; beyond it, perhaps chance; within it.
        ([GAINED, accuracy(-0.004, (-0.006, -0.002))], "do not deploy"),
        ([GAINED, accuracy(-0.004, (-0.010, 0.002))], "not enough evidence"),
        ([GAINED, accuracy(-0.0008, (-0.0012, -0.0004))], "deploy"),
        # Proven, but no more than allowed.
        ([GAINED, accuracy(-0.001, (-0.001, -0.0005))], "deploy"),
        # Not measured well enough: told, not obeyed.
        ([GAINED, accuracy(-0.0005, (-0.02, 0.02))], "deploy"),
        ([GAINED, accuracy(-0.05, None)], "deploy"),
        ([GAINED, accuracy(-0.05, (-0.2, 0.1), n=12)], "deploy"),
        ([GAINED, accuracy(-0.004, (-0.010, 0.002), note="few people")], "deploy"),
        # A proven loss counts however rough the interval.
        ([GAINED, accuracy(-0.05, (-0.08, -0.01), note="few people")], "do not deploy"),
    ],
)
def test_decision(sets: list[EvaluatedSet], decision: str) -> None:
    verdict = decide(sets)
    assert verdict.decision == decision
    assert verdict.sentence.lower().startswith(decision + ": ")
    assert verdict.sentence.endswith(".")
    assert verdict.reasons


def band(gain: float, ends: tuple[float, float], n: int = 900) -> EvaluatedSet:
    return target(difference(), difference("rank-1", ">=80 px", 0.7, 0.7 + gain, ends, n))


@pytest.mark.parametrize(
    ("evaluated", "decision"),
    [
        (band(0.01, (0.001, 0.02)), "deploy"),
        (band(-0.02, (-0.03, -0.01)), "do not deploy"),
        (band(-0.02, (-0.05, 0.01)), "not enough evidence"),
        (band(-0.02, (-0.05, 0.01), n=20), "deploy"),
        (band(-0.002, (-0.03, 0.026)), "deploy"),
    ],
)
def test_size_band(evaluated: EvaluatedSet, decision: str) -> None:
    assert decide([evaluated, clean_guard()]).decision == decision


def test_band_of_another_measure_is_no_guard() -> None:
    tar = difference("tar@fmr=1e-2", ">=80 px", 0.7, 0.6, (-0.2, -0.05))
    assert decide([target(difference(), tar), clean_guard()]).decision == "deploy"


def test_other_figure_of_the_target_blocks_only_when_proven() -> None:
    chance = target(difference(), difference("tpir@fpir=1e-1", before=0.4, after=0.38, ends=(-0.05, 0.01)))
    proven = target(difference(), difference("tpir@fpir=1e-1", before=0.4, after=0.35, ends=(-0.08, -0.02)))
    told = decide([chance, clean_guard()])
    assert told.decision == "deploy"
    assert any("TPIR" in caveat and "perhaps by chance" in caveat for caveat in told.caveats)
    assert decide([proven, clean_guard()]).decision == "do not deploy"


def test_primary_is_the_first_that_was_measured() -> None:
    missing = difference("rank-1", before=None, after=None, note="not measurable: no gallery")
    assert decide([target(missing, difference("tar@fmr=1e-2")), clean_guard()]).decision == "deploy"
    verdict = decide([target(missing), clean_guard()])
    assert verdict.decision == "not enough evidence"
    assert "could not be measured (no gallery)" in verdict.sentence


def test_target_without_any_overall_figure() -> None:
    verdict = decide([target(), clean_guard()])
    assert verdict.decision == "not enough evidence"
    assert "nothing could be measured on shop" in verdict.sentence


def test_sentence_names_figure_interval_and_people() -> None:
    sentence = decide([full_target(), clean_guard()]).sentence
    for part in ("shop", "53.1%", "49.5%", "+3.6 points", "+1.9 to +5.4", "40 people"):
        assert part in sentence


def test_several_targets_are_all_named() -> None:
    sentence = decide([GAINED, target(difference(), name="yard"), clean_guard()]).sentence
    assert "shop" in sentence
    assert "yard" in sentence


def test_missing_guard_is_told() -> None:
    assert "no clean set was measured" in decide([GAINED]).sentence
    assert any("No clean set" in caveat for caveat in decide([GAINED]).caveats)
    assert not any("No clean set" in caveat for caveat in decide([GAINED, clean_guard()]).caveats)


@pytest.mark.parametrize(
    ("evaluated", "words"),
    [
        (accuracy(-0.0005, (-0.02, 0.02)), "too few people to exclude more"),
        (accuracy(-0.05, None), "could not be measured"),
        (accuracy(-0.05, (-0.2, 0.1), n=12), "too few to judge"),
    ],
)
def test_guard_that_cannot_be_measured_is_told(evaluated: EvaluatedSet, words: str) -> None:
    verdict = decide([GAINED, evaluated])
    assert any(words in caveat for caveat in verdict.caveats)


def test_open_question_names_what_settles_it() -> None:
    verdict = decide([UNSETTLED, clean_guard()])
    (needed,) = verdict.needed
    # 40 people, half-width 1.4 points, gain 0.8 points: 40 * (2.802 * 1.4 / (1.96 * 0.8))**2 + 1.9 = 252.2
    assert needed.people == 260
    assert needed.people_now == 40
    assert "about 260 labelled people (now 40) would settle it" in verdict.sentence


def test_no_gain_seen_asks_for_one_worth_having() -> None:
    (needed,) = decide([target(difference(after=0.499, ends=(-0.03, 0.028)))]).needed
    assert needed.effect == VerdictPolicy().smallest_gain
    (doubtful,) = decide([GAINED, accuracy(-0.004, (-0.010, 0.002))]).needed
    assert doubtful.effect == pytest.approx(-0.004)
    assert "loss of 0.4 points on lfw" in doubtful.sentence


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
    sets = [GAINED, accuracy(-0.004, (-0.006, -0.002))]
    assert decide(sets, VerdictPolicy(max_accuracy_loss=0.01)).decision == "deploy"


def test_loss_of_a_guard_is_said_beside_the_gain() -> None:
    verdict = decide([GAINED, accuracy(-0.004, (-0.006, -0.002))])
    assert "although the gain on shop is proven" in verdict.sentence
    assert len(verdict.reasons) == 2


@given(st.floats(-0.3, 0.3), st.floats(0, 0.2), st.floats(0, 0.2), st.sampled_from([0.0, 0.001, 0.05]))
def test_outcome_of_a_guard_follows_its_words(gain: float, down: float, up: float, limit: float) -> None:
    d = difference(before=0.5, after=0.5 + gain, ends=(gain - down, gain + up))
    outcome = guard_outcome(d, limit)
    beyond = 1e-6
    if outcome == "kept":
        assert gain - down >= -limit - beyond
    elif outcome == "unproven":
        assert gain - down < -limit <= gain + beyond
    elif outcome == "lost":
        assert gain < -limit
        assert gain + up < 0
    else:
        assert outcome == "doubtful"
        assert gain < -limit
        assert gain + up >= 0


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
    verdict = decide_run(run, VerdictPolicy(max_band_loss=0.02))
    assert read_verdict(run) == verdict
    assert json.loads(run.file("verdict.json").read_text())["schema"] == 1


@pytest.mark.parametrize("change", [{"schema": 2}, {"decision": "perhaps"}, {"needed": [{"x": 1}]}, {"reasons": None}])
def test_damaged_verdict_is_refused(change: dict[str, object]) -> None:
    record = json.loads(json.dumps(decide([UNSETTLED]).to_json()))
    assert Verdict.from_json(record) == decide([UNSETTLED])
    with pytest.raises(CorruptArchive):
        Verdict.from_json({**record, **change})
