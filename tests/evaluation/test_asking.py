"""Implications, contradictions, order of questions, audits, and what is left out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildstyle.errors import InputError, SettingError
from wildstyle.evaluation.asking import Ask, AskingOptions, Interview, Tracks, plan
from wildstyle.evaluation.chances import Chances
from wildstyle.evaluation.confirmed import confirmed, outlook, person_names, purity
from wildstyle.evaluation.implied import Families, Told


def people_tracks(people: int, each: int, noise: float = 0.6, seed: int = 0) -> tuple[Tracks, list[int]]:
    """Tracks of made-up people in turn, each track in a medium of its own."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(people, 32))
    truth = [i % people for i in range(people * each)]
    vectors = centres[truth] + noise * rng.normal(size=(len(truth), 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    tracks = Tracks(vectors.astype(np.float32), np.full(len(truth), 3, np.int64), np.arange(len(truth), dtype=np.int64))
    return tracks, truth


def answered(interview: Interview, truth: list[int], most: int = 10_000) -> int:
    """Answer rightly until there are no questions, or ``most`` were asked."""
    for count in range(most):
        ask = interview.next()
        if ask is None:
            return count
        assert ask.kind in ("same", "different") or interview.families.relation(ask.first, ask.second) is None
        interview.tell(ask, "yes" if truth[ask.first] == truth[ask.second] else "no")
    return most


def test_same_is_transitive_and_carries_different_along() -> None:
    known = Families(5)
    assert known.tell(0, 1, True) is None
    assert known.tell(1, 2, True) is None
    assert known.relation(0, 2) == "same"
    assert known.tell(2, 3, False) is None
    assert known.relation(0, 3) == "apart"
    assert known.relation(0, 4) is None
    assert known.tell(3, 4, True) is None
    assert known.relation(0, 4) == "apart"
    assert sorted(known.members(1)) == [0, 1, 2]


def test_contradiction_of_a_triangle_names_three_pairs() -> None:
    known = Families(3)
    known.tell(0, 1, True)
    known.tell(1, 2, True)
    found = known.tell(0, 2, False)
    assert found is not None
    assert found.pairs == (Told(0, 1, True), Told(1, 2, True), Told(0, 2, False))
    assert known.relation(0, 2) == "same"  # nothing has changed


def test_contradiction_against_a_no_names_three_pairs() -> None:
    known = Families(4)
    known.tell(0, 1, True)
    known.tell(1, 2, False)
    found = known.tell(0, 2, True)
    assert found is not None
    assert {frozenset((t.first, t.second)) for t in found.pairs} == {
        frozenset((0, 1)),
        frozenset((1, 2)),
        frozenset((0, 2)),
    }
    assert [t.same for t in found.pairs].count(False) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=8), st.integers(0, 10_000))
def test_implications_are_those_of_brute_force(truth: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = list(itertools.combinations(range(len(truth)), 2))
    asked = [pairs[i] for i in rng.permutation(len(pairs))[: len(pairs) // 2]]
    known = Families(len(truth))
    same = np.eye(len(truth), dtype=bool)
    for a, b in asked:
        assert known.tell(a, b, truth[a] == truth[b]) is None
        same[a, b] = same[b, a] = truth[a] == truth[b]
    for k in range(len(truth)):  # Warshall's closure
        same |= np.outer(same[:, k], same[k])
    apart = np.zeros_like(same)
    for a, b in asked:
        if truth[a] != truth[b]:
            apart |= np.outer(same[a], same[b]) | np.outer(same[b], same[a])
    for a, b in pairs:
        expected = "same" if same[a, b] else "apart" if apart[a, b] else None
        assert known.relation(a, b) == expected


@pytest.mark.parametrize("order", ["fair", "likely"])
def test_right_answers_find_all_people_with_few_questions(order: str) -> None:
    tracks, truth = people_tracks(6, 8)
    interview = Interview(tracks, AskingOptions(order=order, audit=0.0))  # type: ignore[arg-type]
    asked = answered(interview, truth)
    families = {frozenset(interview.families.members(root)) for root in interview.families.roots()}
    assert families == {frozenset(i for i, t in enumerate(truth) if t == person) for person in range(6)}
    # 42 joins are needed at least; all pairs of tracks would be 1128 questions.
    assert 42 <= asked < 80
    found = confirmed(interview)
    assert len(found.people) == 6
    assert not found.disputed


def test_fair_order_takes_tracks_by_chance_and_not_by_score() -> None:
    tracks, truth = people_tracks(4, 20, noise=0.8)
    turns = []
    for vectors in (tracks.vectors, tracks.vectors[::-1]):
        interview = Interview(Tracks(vectors, tracks.faces, tracks.media), AskingOptions(audit=0.0, doubt=0.0))
        answered(interview, truth, 15)
        turns.append(interview.sampled)
    shorter = min(map(len, turns))
    assert shorter > 3
    assert turns[0][:shorter] == turns[1][:shorter]


def test_turns_are_known_after_a_resume() -> None:
    tracks, truth = people_tracks(4, 6)
    interview = Interview(tracks)
    answered(interview, truth, 20)
    again = Interview(tracks)
    for pair, answer in interview.answers.items():
        again.tell(Ask(*pair, "join"), answer)
    assert again.sampled == interview.sampled
    assert len(again.sampled) > 3
    assert Interview(tracks, AskingOptions(order="likely")).sampled == []


def test_patience_leaves_a_track_unplaced() -> None:
    tracks, truth = people_tracks(6, 4, noise=3.0)
    interview = Interview(tracks, AskingOptions(audit=0.0, doubt=0.0, patience=1), Chances(0.1, 5.0))
    while len(interview.sampled) < len(tracks) - 1 and (ask := interview.next()) is not None:
        interview.tell(ask, "yes" if truth[ask.first] == truth[ask.second] else "no")
    found = confirmed(interview)
    assert found.unplaced > 0
    placed = {t for person in found.people for t in person}
    assert not placed & set(interview.unplaced())
    assert not set(found.strangers) & set(interview.unplaced())


def test_nothing_gets_an_identity_without_an_answer() -> None:
    tracks, _ = people_tracks(3, 4)
    found = confirmed(Interview(tracks))
    assert found.people == ()
    assert found.strangers == ()


def test_tracks_seen_together_are_never_asked_about() -> None:
    tracks, truth = people_tracks(2, 3)
    together = np.array([[0, 1]], np.int64)
    interview = Interview(Tracks(tracks.vectors, tracks.faces, tracks.media, together), AskingOptions(audit=0.0))
    assert interview.families.relation(0, 1) == "apart"
    while (ask := interview.next()) is not None:
        assert {ask.first, ask.second} != {0, 1}
        interview.tell(ask, "yes" if truth[ask.first] == truth[ask.second] else "no")


def test_pairs_of_a_contradiction_are_asked_again_and_a_correction_counts() -> None:
    tracks, _ = people_tracks(1, 3)
    interview = Interview(tracks, AskingOptions(audit=0.0))
    interview.tell(Ask(0, 1, "join"), "yes")
    interview.tell(Ask(1, 2, "join"), "yes")
    found = interview.tell(Ask(0, 2, "join"), "no")
    assert found is not None
    assert confirmed(interview).people == ()
    assert confirmed(interview).disputed == (0, 1, 2)
    asked = []
    while interview.contradictions and (ask := interview.next()) is not None:
        asked.append({ask.first, ask.second})
        interview.tell(ask, "yes")
    assert {0, 2} in asked
    assert confirmed(interview).people == ((0, 1, 2),)


def test_a_contradiction_that_stays_is_asked_once_and_left_out() -> None:
    tracks, _ = people_tracks(1, 3)
    interview = Interview(tracks, AskingOptions(audit=0.0))
    told = {(0, 1): "yes", (1, 2): "yes", (0, 2): "no"}
    for (a, b), answer in told.items():
        interview.tell(Ask(a, b, "join"), answer)  # type: ignore[arg-type]
    count = 0
    while (ask := interview.next()) is not None:
        count += 1
        interview.tell(ask, told[min(ask.first, ask.second), max(ask.first, ask.second)])  # type: ignore[arg-type]
        assert count < 10
    assert count == 3
    assert confirmed(interview).disputed == (0, 1, 2)


def test_unsure_is_not_asked_again_and_implies_nothing() -> None:
    tracks, _ = people_tracks(1, 2)
    interview = Interview(tracks, AskingOptions(audit=0.0))
    ask = interview.next()
    assert ask is not None
    interview.tell(ask, "unsure")
    assert interview.next() is None
    assert interview.families.relation(0, 1) is None


def test_audits_are_a_share_and_estimate_purity() -> None:
    tracks, truth = people_tracks(8, 20)
    interview = Interview(tracks, AskingOptions(audit=0.3))
    answered(interview, truth, 150)
    assert 0.15 < len(interview.audits) / 150 < 0.4
    share = purity(interview)
    assert share.hits == share.trials > 10
    # 95 % upper limit of errors without an error, two-sided: 1 - 0.025 ** (1 / n).
    assert share.low == pytest.approx(0.025 ** (1 / share.trials))
    assert share.high == 1.0


def test_a_failed_audit_takes_its_tracks_out() -> None:
    tracks, truth = people_tracks(2, 6)
    interview = Interview(tracks, AskingOptions(audit=0.0))
    answered(interview, truth)
    interview.tell(Ask(0, 0, "same"), "no")
    found = confirmed(interview)
    assert found.disputed == (0,)
    assert all(0 not in person for person in found.people)
    assert purity(interview).hits == 0


def test_a_failed_audit_leads_to_the_wrong_answer_and_mends_it() -> None:
    tracks, truth = people_tracks(2, 6, noise=0.3)
    interview = Interview(tracks, AskingOptions(audit=0.0))
    interview.tell(Ask(0, 1, "join"), "yes")  # wrong: two people
    for a, b in ((0, 2), (2, 4), (1, 3), (3, 5)):
        interview.tell(Ask(a, b, "join"), "yes")
    assert confirmed(interview).people == ((0, 1, 2, 3, 4, 5),)
    found = interview.tell(Ask(4, 5, "same"), "no")
    assert found is not None
    assert Told(0, 1, True) in found.against
    assert set(confirmed(interview).disputed) == set(range(6))
    count = 0
    while interview.contradictions and (ask := interview.next()) is not None:
        interview.tell(ask, "yes" if truth[ask.first] == truth[ask.second] else "no")
        count += 1
    assert count <= 2  # the check itself, and the least alike of the five answers behind it
    assert confirmed(interview).people == ((0, 2, 4), (1, 3, 5))
    assert confirmed(interview).disputed == ()
    assert purity(interview).hits == 0


def test_an_audit_against_a_direct_answer_has_the_pair_asked_once_more() -> None:
    tracks, _ = people_tracks(1, 3)
    interview = Interview(tracks, AskingOptions(audit=0.0))
    interview.tell(Ask(0, 1, "join"), "yes")
    interview.tell(Ask(0, 1, "same"), "no")
    assert confirmed(interview).disputed == (0, 1)
    ask = interview.next()
    assert ask is not None
    assert (ask.first, ask.second) == (0, 1)
    interview.tell(ask, "no")
    assert interview.families.relation(0, 1) == "apart"
    assert confirmed(interview).disputed == ()
    again = interview.next()
    assert again is None or {again.first, again.second} != {0, 1}


def test_some_wrong_answers_are_found_and_mended() -> None:
    tracks, truth = people_tracks(6, 20, noise=0.8)
    rng = np.random.default_rng(0)
    interview, asked = Interview(tracks), 0
    while asked < 400 and (ask := interview.next()) is not None:
        right = truth[ask.first] == truth[ask.second]
        interview.tell(ask, "yes" if right == (rng.random() >= 0.02) else "no")
        asked += 1
    people = confirmed(interview).people
    mixed = [person for person in people if len({truth[t] for t in person}) > 1]
    right = sum(max(np.bincount([truth[t] for t in person])) for person in people)
    assert sum(map(len, people)) > 60
    assert right / sum(map(len, people)) > 0.9, mixed


def test_an_audit_that_finds_two_people_to_be_one_joins_them() -> None:
    tracks, _ = people_tracks(1, 4)
    interview = Interview(tracks, AskingOptions(audit=0.0))
    interview.tell(Ask(0, 1, "join"), "yes")
    interview.tell(Ask(2, 3, "join"), "yes")
    interview.tell(Ask(0, 2, "different"), "yes")
    assert interview.families.relation(1, 3) == "same"
    assert purity(interview, "different").hits == 0


def test_people_who_may_be_one_are_not_both_taken() -> None:
    tracks, _ = people_tracks(1, 5, noise=0.2)
    interview = Interview(tracks, AskingOptions(audit=0.0))
    interview.tell(Ask(0, 1, "join"), "yes")
    interview.tell(Ask(2, 3, "join"), "yes")
    interview.tell(Ask(2, 4, "join"), "yes")
    found = confirmed(interview)
    assert found.people == ((2, 3, 4),)
    assert found.unsettled == ((0, 1),)


def test_page_is_planned_without_implied_questions_and_without_effect() -> None:
    tracks, truth = people_tracks(5, 6)
    interview = Interview(tracks, AskingOptions(audit=0.0))
    asks = plan(interview, 20)
    assert len(asks) == 20
    assert not interview.answers
    pairs = [frozenset((a.first, a.second)) for a in asks]
    assert len(set(pairs)) == len(pairs)
    implied = 0
    for ask in asks:
        if interview.families.relation(ask.first, ask.second) is not None:
            implied += 1
            continue
        interview.tell(ask, "yes" if truth[ask.first] == truth[ask.second] else "no")
    assert implied <= 5


def test_chances_move_with_answers() -> None:
    before = Chances(0.4, 15.0)
    assert before.of(0.4) == pytest.approx(0.5)
    assert before.of(before.score_at(0.02)) == pytest.approx(0.02)
    assert before.after([], []).middle == pytest.approx(0.4, abs=1e-3)
    scores = np.linspace(0, 1, 101).tolist()
    after = before.after(scores, [s > 0.6 for s in scores])
    assert after.middle == pytest.approx(0.6, abs=0.03)
    assert after.slope > 15


def test_outlook_uses_the_power_of_the_test() -> None:
    tracks, truth = people_tracks(6, 8)
    interview = Interview(tracks, AskingOptions(audit=0.0))
    first = outlook(interview, confirmed(interview), 0.03)
    assert first.people == 0
    assert first.half_width is None
    assert first.answers_needed is None
    asked = answered(interview, truth)
    found = outlook(interview, confirmed(interview), 0.5)
    # spread = sqrt(0.1 ** 2 + 0.3 / 20) = 0.1581; ((1.95996 + 0.84162) * 0.1581 / 0.5) ** 2 + 1.92 = 2.71, so 3.
    assert found.people_needed == 3
    assert found.half_width == pytest.approx(1.96 * 0.15811 / np.sqrt(6), rel=1e-3)
    assert found.answers_needed == 0
    assert "enough" in found.sentence
    more = outlook(interview, confirmed(interview), 0.03)
    assert more.answers_needed == -(-(more.people_needed - 6) * asked // 6)
    assert "add footage" in more.sentence


def test_names_and_bad_input() -> None:
    assert person_names([(4, 9), (0,)]) == ["person-00005", "person-00001"]
    with pytest.raises(SettingError):
        AskingOptions(audit=0.6, doubt=0.5)
    with pytest.raises(SettingError):
        AskingOptions(patience=0)
    with pytest.raises(InputError):
        Tracks(np.ones((1, 2), np.float32), np.ones(1, np.int64), np.zeros(1, np.int64))
