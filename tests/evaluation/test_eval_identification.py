from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_scores import noisy_people, with_scores

from wildstyle.errors import InputError, LabelError, SettingError
from wildstyle.evaluation import Bootstrap, IdentificationOptions, IdentificationOutcome, evaluate_identification
from wildstyle.evaluation import search as search_module
from wildstyle.evaluation.grouping import band_name
from wildstyle.faces.row import ManifestRow

NO_TARGETS = IdentificationOptions(fmr_targets=(), fpir_targets=(), bands=())


def evaluate(
    scores: list[list[float]],
    probes: list[ManifestRow],
    gallery: list[ManifestRow],
    options: IdentificationOptions = NO_TARGETS,
    failed: tuple[int, ...] = (),
    distractors: int = 0,
) -> IdentificationOutcome:
    """Score probes against gallery rows; the last ``distractors`` columns are distractors."""
    vectors, faces = with_scores(scores)
    enrolled = faces[: len(faces) - distractors]
    ok = np.ones(len(probes) + len(gallery), bool)
    ok[list(failed)] = False
    return evaluate_identification(
        np.vstack([vectors, enrolled]),
        ok,
        [*probes, *gallery],
        distractors=faces[len(enrolled) :] if distractors else None,
        options=options,
    )


def people(names: str, role: str, **more: object) -> list[ManifestRow]:
    return [ManifestRow(subject=name, role=role, **more) for name in names]  # type: ignore[arg-type]


def test_six_faces_by_hand() -> None:
    scores = [[0.6, 0.5, 0.1], [0.7, 0.5, 0.2], [0.3, 0.4, 0.5], [0.5, 0.3, 0.1], [0.2, 0.6, 0.4], [0.1, 0.2, 0.0]]
    options = IdentificationOptions(ranks=(1, 2, 3), fmr_targets=(0.25,), fpir_targets=(), bands=())
    outcome = evaluate(scores, people("ABCABC", "probe"), people("ABC", "gallery"), options)
    np.testing.assert_array_equal(outcome.ranks, [1, 2, 1, 1, 1, 3])
    points = outcome.points()
    assert points["rank-1", "all"] == pytest.approx(4 / 6)
    assert points["rank-2", "all"] == pytest.approx(5 / 6)
    assert points["rank-3", "all"] == 1
    # Impostors falling: .7 .5 .4 .4 | .3 ... of twelve, three may lie above: both .4 are refused, .4 is the limit.
    # Mated: .6 .5 .5 .5 .6 .0
    assert points["tar@fmr=2.5e-1", "all"] == pytest.approx(5 / 6)
    assert outcome.counts["impostor comparisons"] == 12


def test_trap_b_fpir_counts_probes_and_needs_rank_one() -> None:
    others = [[0.9, 0.85, 0.8], [0.3, 0.2, 0.1], [0.6, 0.5, 0.4], [0.2, 0.1, 0.0]]
    mated = [[0.95, 0.2, 0.0], [0.7, 0.75, 0.0], [0.55, 0.1, 0.0], [0.4, 0.3, 0.0]]
    scores = (np.array([*others, *mated]) / 2).tolist()  # halved: a unit vector can't hold the originals
    rows = [*people("WXYZ", "probe", enrolled=False), *people("AAAA", "probe", enrolled=True)]
    options = replace(NO_TARGETS, fpir_targets=(0.25,))
    outcome = evaluate(scores, rows, people("ABC", "gallery"), options)
    assert outcome.points()["tpir@fpir=2.5e-1", "all"] == 0.25
    assert outcome.counts["open-set non-mated probes"] == 4


def test_people_who_are_not_enrolled_are_not_searched_in_the_open_set() -> None:
    scores = [[0.5, 0.7, 0.0], [0.6, 0.9, 0.0], [0.1, 0.4, 0.0], [0.2, 0.3, 0.9]]
    rows = [ManifestRow(subject=s, role="probe", enrolled=s == "A") for s in "ABBC"]
    gallery = [ManifestRow(subject=s, role="gallery", enrolled=s == "A") for s in "ABC"]
    scores = (np.array(scores) / 2).tolist()
    outcome = evaluate(scores, rows, gallery, replace(NO_TARGETS, fpir_targets=(1 / 3, 0.7)))
    # A's gallery alone: non-mated .6 .1 .2; the mated .5 loses to B only in the closed set.
    assert outcome.points()["rank-1", "all"] == 0.75
    assert outcome.points()["tpir@fpir=3.33333e-1", "all"] == 1
    assert outcome.counts["enrolled people"] == 1


def test_trap_d_frames_of_one_film_are_refused() -> None:
    # A probe of the gallery's film is .99 like it; across films .35, below the best stranger at .5.
    same_film, across = [0.99, 0.1], [0.35, 0.5]
    gallery = [
        ManifestRow(subject="A", role="gallery", media="film 1"),
        ManifestRow(subject="B", role="gallery", media="film 9"),
    ]
    frame_split = [ManifestRow(subject="A", role="probe", media="film 1")]
    with pytest.raises(LabelError, match="same film"):
        evaluate([same_film], frame_split, gallery)
    allowed = evaluate([same_film], frame_split, gallery, replace(NO_TARGETS, same_media=True))
    assert allowed.points()["rank-1", "all"] == 1
    assert allowed.counts["probes sharing a medium"] == 1
    media_split = [ManifestRow(subject="A", role="probe", media="film 2")]
    assert evaluate([across], media_split, gallery).points()["rank-1", "all"] == 0
    strangers = [ManifestRow(subject="A", role="probe", media="film 9")]  # B's film: allowed, a hard impostor
    assert evaluate([across], strangers, gallery).points()["rank-1", "all"] == 0


def test_trap_f_unknown_people_and_distractors_equal_nobody() -> None:
    probes = [ManifestRow(subject=s, role="probe") for s in ("7", "8", None, "9")]
    gallery = [ManifestRow(subject=s, role="gallery") for s in ("7", "8", "9")]
    scores = [[0.8, 0.1, 0.1, 0.2], [0.1, 0.8, 0.1, 0.2], [0.1, 0.1, 0.1, 0.9], [0.3, 0.1, 0.4, 0.6]]
    options = replace(NO_TARGETS, fpir_targets=(1.0,))
    outcome = evaluate(scores, probes, gallery, options, distractors=1)
    assert outcome.points()["rank-1", "all"] == 1
    assert outcome.points()["rank-1 with distractors", "all"] == pytest.approx(2 / 3)
    assert outcome.counts["mated probes"] == 3
    assert outcome.counts["open-set non-mated probes"] == 1
    unknown = [ManifestRow(subject=None, role="gallery"), *gallery]
    crossed = evaluate([[0.9, 0.1, 0.1, 0.1]], [ManifestRow(subject=None, role="probe")], unknown, options)
    assert crossed.counts["mated probes"] == 0
    assert len(crossed.people) == 5


def test_ties_count_against_the_system() -> None:
    outcome = evaluate([[0.5, 0.5], [0.5, 0.4]], people("AA", "probe"), people("AB", "gallery"))
    np.testing.assert_array_equal(outcome.ranks, [2, 1])
    tied = evaluate([[0.5, 0.5]], people("A", "probe"), people("A", "gallery"), distractors=1)
    assert tied.points()["rank-1", "all"] == 1
    assert tied.points()["rank-1 with distractors", "all"] == 0


def test_failures_are_misses_give_no_impostor_scores_and_stay_out_of_bands() -> None:
    scores = [[0.6, 0.1], [0.6, 0.1], [0.1, 0.6], [0.1, 0.6]]
    probes = [
        ManifestRow(subject=s, role="probe", min_side=px, enrolled=s == "A")
        for s, px in zip("AABB", (20, 20, 50, 90), strict=True)
    ]
    gallery = [ManifestRow(subject=s, role="gallery", enrolled=s == "A") for s in "AB"]
    options = IdentificationOptions(fmr_targets=(1.0,), fpir_targets=(1.0,))
    outcome = evaluate(scores, probes, gallery, options, failed=(1, 3))
    points = outcome.points()
    assert points["rank-1", "all"] == 0.5
    assert points["rank-5", "all"] == 0.5
    assert points["tar@fmr=1e0", "all"] == 0.5  # accepts all, but never a failure
    assert points["tpir@fpir=1e0", "all"] == 0.5
    assert points["rank-1", "<40 px"] == points["rank-1", "40-79 px"] == 1
    assert ("rank-1", ">=80 px") not in points
    assert outcome.counts["probe failures"] == 2
    assert outcome.counts["impostor comparisons"] == 2
    assert outcome.counts["open-set non-mated probes"] == 1
    np.testing.assert_array_equal(outcome.ranks, [1, 0, 1, 0])
    result = outcome.result(Bootstrap(100))
    assert result.measure("rank-1").n == 4
    assert result.measure("rank-1", "<40 px").n == 1
    assert result.measure("rank-1", "<40 px").low is None  # one person


def test_a_person_whose_gallery_failed_is_missed_not_forgotten() -> None:
    outcome = evaluate([[0.6, 0.1], [0.1, 0.6]], people("AB", "probe"), people("AB", "gallery"), failed=(2,))
    np.testing.assert_array_equal(outcome.mated, [True, True])
    assert outcome.points()["rank-1", "all"] == 0.5
    assert outcome.counts["gallery failures"] == 1
    with pytest.raises(InputError, match="gallery"):
        evaluate([[0.6, 0.1]], people("A", "probe"), people("AB", "gallery"), failed=(1, 2))


def test_templates_are_normalised_means_of_their_good_faces() -> None:
    angle = np.deg2rad([0, 90, 45, 180])
    faces = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    rows = [
        ManifestRow(subject="A", role="gallery", template="A:g"),
        ManifestRow(subject="A", role="gallery", template="A:g"),
        ManifestRow(subject="A", role="probe", template="A:1"),
        ManifestRow(subject="A", role="probe", template="A:1"),
    ]
    good = evaluate_identification(faces, np.array([1, 1, 1, 0], bool), rows, options=NO_TARGETS)
    np.testing.assert_allclose(good.mate, [1.0], atol=1e-6)
    half = evaluate_identification(faces, np.array([1, 0, 1, 0], bool), rows, options=NO_TARGETS)
    np.testing.assert_allclose(half.mate, [np.sqrt(0.5)], atol=1e-6)
    mixed = [*rows[:3], replace(rows[3], subject="B")]
    with pytest.raises(LabelError, match="two people"):
        evaluate_identification(faces, np.ones(4, bool), mixed, options=NO_TARGETS)


def test_a_person_with_two_templates_has_the_better_score() -> None:
    gallery = [
        ManifestRow(subject=s, role="gallery", template=t)
        for s, t in (("B", "b1"), ("A", "a1"), ("B", "b2"), ("A", "a2"))
    ]
    outcome = evaluate([[0.5, 0.1, 0.3, 0.6], [0.5, 0.1, 0.3, 0.4]], people("AA", "probe"), gallery)
    np.testing.assert_allclose(outcome.mate, [0.6, 0.4], atol=1e-6)
    np.testing.assert_allclose(outcome.best_other, [0.5, 0.5], atol=1e-6)
    np.testing.assert_array_equal(outcome.ranks, [1, 2])  # rank among people, not templates


def brute_force(
    vectors: np.ndarray, ok: np.ndarray, rows: list[ManifestRow], fmr: float, fpir: float
) -> dict[str, float]:
    """The protocol by loops over probes and people."""
    gallery = {}
    for subject in sorted({r.subject for r in rows if r.role == "gallery"}):
        mine = [
            v for v, o, r in zip(vectors, ok, rows, strict=True) if r.role == "gallery" and r.subject == subject and o
        ]
        mean = np.sum(mine, axis=0)
        gallery[subject] = mean / np.linalg.norm(mean)
    enrolled = {r.subject for r in rows if r.enrolled}
    ranks, mated, impostors, alarms, found = [], [], [], [], []
    for v, o, r in zip(vectors, ok, rows, strict=True):
        if r.role != "probe":
            continue
        scores = {s: float(v @ g) for s, g in gallery.items()} if o else {}
        mate = scores.get(r.subject, -np.inf)
        ranks.append(1 + sum(x >= mate for s, x in scores.items() if s != r.subject) if o else 99)
        mated.append(mate)
        impostors += [x for s, x in scores.items() if s != r.subject]
        listed = [x for s, x in scores.items() if s in enrolled and s != r.subject]
        if r.subject in enrolled:
            found.append(mate if o and mate > max(listed) else -np.inf)
        elif o:
            alarms.append(max(listed))

    def limit(scores: list[float], target: float) -> float:
        return min(t for t in scores if np.mean(np.array(scores) > t) <= target)

    return {
        "rank-1": np.mean(np.array(ranks) <= 1),
        "rank-5": np.mean(np.array(ranks) <= 5),
        "tar": np.mean(np.array(mated) > limit(impostors, fmr)),
        "tpir": np.mean(np.array(found) > limit(alarms, fpir)),
    }


@pytest.fixture
def crowd() -> tuple[np.ndarray, np.ndarray, list[ManifestRow]]:
    vectors, labels = noisy_people(12, 14, 24, 2.0, 9)
    rng = np.random.default_rng(1)
    rows = [
        ManifestRow(
            subject=f"p{label}",
            role="gallery" if i % 14 < 3 else "probe",
            media=f"film {i % 14 // 3}",
            template=f"p{label}:g" if i % 14 < 3 else None,
            enrolled=bool(label % 2),
            min_side=float(rng.integers(15, 120)),
            attributes={"light": "dark" if i % 3 else "bright"},
        )
        for i, label in enumerate(labels)
    ]
    ok = np.ones(len(rows), bool)
    ok[[0, 20, 50, 77]] = False
    return vectors, ok, rows


def test_the_whole_protocol_equals_the_loops(crowd: tuple[np.ndarray, np.ndarray, list[ManifestRow]]) -> None:
    expected = brute_force(*crowd, fmr=0.02, fpir=0.1)
    options = IdentificationOptions(fmr_targets=(0.02,), fpir_targets=(0.1,))
    points = evaluate_identification(*crowd, options=options).points()
    assert 0.2 < expected["tpir"] < expected["rank-1"] < 1
    assert points["rank-1", "all"] == pytest.approx(expected["rank-1"])
    assert points["rank-5", "all"] == pytest.approx(expected["rank-5"])
    assert points["tar@fmr=2e-2", "all"] == pytest.approx(expected["tar"])
    assert points["tpir@fpir=1e-1", "all"] == pytest.approx(expected["tpir"])


def test_the_order_of_rows_changes_nothing(crowd: tuple[np.ndarray, np.ndarray, list[ManifestRow]]) -> None:
    vectors, ok, rows = crowd
    order = np.random.default_rng(0).permutation(len(rows))
    one = evaluate_identification(vectors, ok, rows).result(Bootstrap(200, 5))
    two = evaluate_identification(vectors[order], ok[order], [rows[i] for i in order]).result(Bootstrap(200, 5))
    assert [m.name for m in one.measures] == [m.name for m in two.measures]
    np.testing.assert_allclose([m.value or 0 for m in one.measures], [m.value or 0 for m in two.measures])
    np.testing.assert_allclose([m.low or 0 for m in one.measures], [m.low or 0 for m in two.measures], atol=1e-6)
    assert one.counts == two.counts


def test_blocks_and_kept_impostors_change_nothing(
    crowd: tuple[np.ndarray, np.ndarray, list[ManifestRow]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = evaluate_identification(*crowd)
    monkeypatch.setattr(search_module, "block_scores", lambda: 30)
    monkeypatch.setattr("wildstyle.evaluation.identification.KEPT_IMPOSTORS", 200)
    blocked = evaluate_identification(*crowd)
    assert len(blocked.questions[-3].impostors.scores) <= 200  # type: ignore[union-attr]
    np.testing.assert_array_equal(whole.ranks, blocked.ranks)
    for key, value in whole.points().items():
        assert blocked.points()[key] == pytest.approx(value), key


def test_every_result_names_its_rules_and_sizes(crowd: tuple[np.ndarray, np.ndarray, list[ManifestRow]]) -> None:
    options = IdentificationOptions(by=("light",))
    result = evaluate_identification(*crowd, data="films", options=options).result(Bootstrap(200, 5))
    needed = {"fmr_rule", "fpir_rule", "pooling", "flip", "ties", "failures", "comparisons", "interval"}
    assert needed <= result.rules.keys()
    assert result.rules["flip"] == "none"
    assert "seed 5" in result.rules["interval"]
    assert result.counts["probes"] == 12 * 11
    assert {m.group for m in result.measures} >= {"all", "<40 px", "40-79 px", ">=80 px", "light=dark", "light=bright"}
    assert all(m.n > 0 for m in result.measures)
    weak = result.measure("tar@fmr=1e-3")
    assert "fewer than 10" in str(weak.note)
    assert result.measure("tpir@fpir=1e-2").value is None  # 66 non-mated probes


@pytest.mark.parametrize(
    ("low", "high", "name"),
    [(-np.inf, 40, "<40 px"), (40, 80, "40-79 px"), (80, np.inf, ">=80 px"), (16, 24.5, "16-24.5 px")],
)
def test_bands_are_named(low: float, high: float, name: str) -> None:
    assert band_name(low, high) == name


def test_bad_input_is_refused() -> None:
    scores, probes, gallery = [[0.6, 0.1]], people("A", "probe"), people("AB", "gallery")
    with pytest.raises(InputError, match="role 'gallery'"):
        evaluate([[0.6, 0.1]], probes, people("AB", "probe"))
    with pytest.raises(LabelError, match="both enrolled"):
        evaluate(scores, [replace(probes[0], enrolled=False)], [replace(g, enrolled=True) for g in gallery])
    with pytest.raises(LabelError, match="no gallery rows"):
        evaluate(scores, [ManifestRow(subject="C", role="probe", enrolled=True)], gallery)
    with pytest.raises(SettingError):
        IdentificationOptions(bands=(80, 40))
    with pytest.raises(SettingError):
        IdentificationOptions(ranks=(0,))
    vectors, faces = with_scores(scores)
    every = np.vstack([vectors, faces])
    rows = [*probes, *gallery]
    with pytest.raises(InputError, match="distractors have 2"):
        evaluate_identification(every, np.ones(3, bool), rows, distractors=np.eye(2, dtype=np.float32))
    with pytest.raises(InputError, match="unit length"):
        evaluate_identification(every * np.nan, np.ones(3, bool), rows)
    with pytest.raises(InputError, match="3 faces"):
        evaluate_identification(every[:2], np.ones(2, bool), rows)
