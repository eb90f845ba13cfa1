from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_scores import noisy_people, with_scores

from wildstyle.errors import InputError, LabelError
from wildstyle.evaluation import Bootstrap, compare
from wildstyle.evaluation import search as search_module
from wildstyle.evaluation.areas import AreaQuestion
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.survface import evaluate_survface, evaluate_survface_pairs
from wildstyle.faces.layouts import SurvFaceLayout, SurvFacePairs
from wildstyle.faces.layouts.id_lists import NOBODY
from wildstyle.faces.pairs import PairList


def layout_of(gallery: list[int], mated: list[int], unmated: list[int]) -> SurvFaceLayout:
    people = np.array([*gallery, *mated, *unmated], np.int64)
    files = tuple(f"{number}_{i}.jpg" for i, number in enumerate(people))
    return SurvFaceLayout(Path("made-up"), files, people, len(gallery), len(mated))


def joined(scores: list[list[float]]) -> np.ndarray:
    probes, gallery = with_scores(scores)
    return np.vstack([gallery, probes])


def test_worked_example_with_a_list_of_22_people() -> None:
    """Rank and own score both count: the mate must be among 20 people and reach the threshold itself."""
    mated = np.zeros((4, 22))
    mated[0, 0] = 0.9  # found with ease
    mated[1, 1], mated[1, 2] = 0.5, 0.6  # second, above the threshold
    mated[2, 2], mated[2, 3] = 0.17, 0.9  # second, but its own score is low, whatever the first one's is
    mated[3] = 0.2  # 21 people tie with the mate: rank 22
    unmated = np.zeros((10, 22))
    unmated[:, 5] = np.arange(10) / 20  # 0, 0.05, ... 0.45
    layout = layout_of(list(range(22)), [0, 1, 2, 3], [100, 100, 101, 102, 103, 104, 105, NOBODY, NOBODY, 106])
    outcome = evaluate_survface(joined([*mated.tolist(), *unmated.tolist()]), np.ones(36, bool), layout)
    values = outcome.points()
    # FPIR 0.3: three of ten may lie above, so above 0.3; FPIR 0.1: above 0.4.
    assert values["tpir20@fpir=3e-1", "all"] == 0.5
    assert values["tpir20@fpir=1e-1", "all"] == 0.5
    assert values["rank-1", "all"] == 0.25
    assert values["rank-20", "all"] == 0.75
    # 0.9 and 0.5 lie above all ten, 0.17 above four (0, 0.05, 0.1, 0.15); the fourth is no hit at any threshold.
    assert values["auc", "all"] == pytest.approx((10 + 10 + 4 + 0) / 40)
    refused = outcome.result(Bootstrap(draws=100)).measure("tpir20@fpir=1e-2")
    assert refused.value is None
    assert refused.note is not None
    assert "at least 100" in refused.note
    assert outcome.counts["non-mated probes of unknown people"] == 2
    assert [curve.name for curve in outcome.curves] == ["det-open-set", "cmc"]
    # FNIR at the FPIRs that ten strangers allow.
    points = dict(outcome.curves[0].points)
    assert points[0.3] == 0.5
    assert points[0.1] == 0.5


def test_unknown_people_equal_nobody() -> None:
    layout = layout_of([1], [1], [NOBODY, NOBODY])
    outcome = evaluate_survface(joined([[0.8], [0.7], [0.1]]), np.ones(4, bool), layout)
    assert len(outcome.people) == 3
    assert outcome.questions[0].impostors is not None
    assert sorted(outcome.questions[0].impostors.scores.values.tolist()) == pytest.approx([0.1, 0.7])


def test_failed_faces() -> None:
    layout = layout_of([1, 2, 2], [1, 2], [9, 10])
    vectors = joined([[0.8, 0.1, 0.1], [0.1, 0.9, 0.3], [0.7, 0, 0], [0.2, 0, 0]])
    ok = np.ones(7, bool)
    ok[[1, 3, 6]] = False  # one of two gallery pictures, a mated and a non-mated probe
    vectors[~ok] = np.nan
    outcome = evaluate_survface(vectors, ok, layout)
    values = outcome.points()
    assert values["rank-1", "all"] == 0.5
    assert outcome.questions[0].impostors is not None
    assert outcome.questions[0].impostors.total == 1
    assert outcome.counts["probe failures"] == 2


def test_a_person_whose_gallery_failed_is_not_found() -> None:
    layout = layout_of([1, 2], [1, 2], [9])
    ok = np.array([True, False, True, True, True])
    values = evaluate_survface(joined([[0.8, 0], [0.1, 0.9], [0.2, 0]]), ok, layout).points()
    assert values["rank-20", "all"] == 0.5


def test_prototypes_are_means_of_full_length_embeddings() -> None:
    layout = layout_of([1, 1, 2], [1], [9])
    vectors = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]], np.float32)
    norms = np.array([3, 1, 5, 1, 1], np.float32)
    found = evaluate_survface(vectors, np.ones(5, bool), layout, norms=norms, gallery="prototypes")
    # (3, 1) / sqrt(10): the probe scores 3/sqrt(10), the stranger 1/sqrt(10).
    assert found.questions[0].items.values == pytest.approx([3 / 10**0.5])
    assert found.questions[0].impostors is not None
    assert found.questions[0].impostors.scores.values == pytest.approx([1 / 10**0.5])
    assert found.counts["gallery templates"] == 2
    assert found.protocol != evaluate_survface(vectors, np.ones(5, bool), layout).protocol
    with pytest.raises(InputError, match="norms"):
        evaluate_survface(vectors, np.ones(5, bool), layout, gallery="prototypes")


@pytest.mark.parametrize("block", [10_000_000, 700])
def test_as_whole_matrices_say(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "block_scores", lambda: block)
    vectors, labels = noisy_people(60, 8, 24, 1.5, 1)
    gallery, mated = (
        np.flatnonzero((labels < 40) & (np.arange(480) % 8 < 4)),
        np.flatnonzero((labels < 40) & (np.arange(480) % 8 >= 4)),
    )
    unmated = np.flatnonzero(labels >= 40)
    order = np.concatenate([gallery, mated, unmated])
    layout = layout_of(*(labels[part].tolist() for part in (gallery, mated, unmated)))
    values = evaluate_survface(vectors[order], np.ones(480, bool), layout).points()
    scores = (vectors[np.concatenate([mated, unmated])] @ vectors[gallery].T).reshape(320, 40, 4).max(axis=2)
    own = scores[np.arange(160), labels[mated]]
    rank = (scores[:160] >= own[:, None]).sum(axis=1)
    top = np.sort(scores[160:].max(axis=1))[::-1]
    for name, share in (("3e-1", 0.3), ("2e-1", 0.2), ("1e-1", 0.1), ("1e-2", 0.01)):
        expected = np.mean((own > top[int(share * 160 + 1e-9)]) & (rank <= 20))
        assert values[f"tpir20@fpir={name}", "all"] == pytest.approx(expected)
    hit = np.where(rank <= 20, own, -np.inf)
    assert values["auc", "all"] == pytest.approx(np.mean(hit[:, None] > top[None]))
    assert values["rank-1", "all"] == pytest.approx(np.mean(rank == 1))


def test_comparison_is_paired() -> None:
    vectors, labels = noisy_people(30, 6, 16, 1.5, 1)
    parts = [
        np.flatnonzero(m)
        for m in ((labels < 20) & (np.arange(180) % 6 < 3), (labels < 20) & (np.arange(180) % 6 > 2), labels >= 20)
    ]
    layout = layout_of(*(labels[part].tolist() for part in parts))
    every = vectors[np.concatenate(parts)]
    ok = np.ones(180, bool)
    failing = ok.copy()
    failing[60:70] = False
    found = compare(
        evaluate_survface(every, failing, layout), evaluate_survface(every, ok, layout), Bootstrap(draws=200)
    )
    for name in ("tpir20@fpir=1e-1", "auc", "rank-1"):
        difference = found.difference(name)
        assert difference.gain is not None
        assert difference.low is not None
        assert difference.gain > 0


def test_area_under_weights_as_counting_says() -> None:
    rng = np.random.default_rng(5)
    items = Items(rng.integers(0, 5, 30).astype(np.float32), rng.integers(0, 6, 30))
    items.values[:4] = -np.inf
    others = Items(rng.integers(0, 5, 40).astype(np.float32), rng.integers(0, 6, 40), rng.integers(0, 6, 40))
    people = rng.integers(0, 4, (7, 6)).astype(np.float32)
    part = np.arange(30) % 2 == 0
    found = AreaQuestion("auc", items, {"all": np.ones(30, bool), "part": part}, others=others).shares(people)
    beats = (items.values[:, None] > others.values) + 0.5 * (items.values[:, None] == others.values)
    for draw in range(7):
        w, v = people[draw, items.first], people[draw, others.first] * people[draw, others.second]
        for name, mask in (("all", np.ones(30, bool)), ("part", part)):
            expected = (w * mask) @ beats @ v / ((w * mask).sum() * v.sum())
            assert found[name][draw] == pytest.approx(expected)


def test_roles_that_contradict() -> None:
    vectors, ok = joined([[0.5, 0.1], [0.2, 0.1]]), np.ones(4, bool)
    with pytest.raises(LabelError, match="non-mated probe's person is in the gallery"):
        evaluate_survface(vectors, ok, layout_of([1, 2], [1], [2]))
    with pytest.raises(LabelError, match="mated probe's person is not in the gallery"):
        evaluate_survface(vectors, ok, layout_of([1, 2], [5], [9]))
    with pytest.raises(InputError, match="no face of the gallery"):
        evaluate_survface(vectors, np.array([False, False, True, True]), layout_of([1, 2], [1], [9]))


def test_verification() -> None:
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.uniform(0.3, 0.9, 40), rng.uniform(-0.2, 0.5, 40)])
    # Pair k compares e_2k with a vector in the plane of e_2k and e_2k+1.
    vectors = np.zeros((160, 160), np.float32)
    vectors[np.arange(0, 160, 2), np.arange(0, 160, 2)] = 1
    vectors[np.arange(1, 160, 2), np.arange(0, 160, 2)] = scores
    vectors[np.arange(1, 160, 2), np.arange(1, 160, 2)] = np.sqrt(1 - scores**2)
    same = np.arange(80) < 40
    people = [str(k) if same[k] else f"{k}{end}" for k in range(80) for end in "ab"]
    pairs = PairList(np.arange(0, 160, 2), np.arange(1, 160, 2), same, np.arange(80) % 40 * 10 // 40)
    layout = SurvFacePairs(Path("made-up"), tuple(map(str, range(160))), tuple(people), pairs)
    found = evaluate_survface_pairs(vectors, np.ones(160, bool), layout)
    values = found.points()
    mated, impostor = scores[:40], np.sort(scores[40:])[::-1]
    assert values["tar@fmr=3e-1", "all"] == pytest.approx(np.mean(mated > impostor[12]))
    assert values["tar@fmr=1e-1", "all"] == pytest.approx(np.mean(mated > impostor[4]))
    assert values["auc", "all"] == pytest.approx(np.mean(mated[:, None] > impostor[None]), abs=1e-6)
    assert 0.6 < values["accuracy", "all"] < 1
    names = [m.name for m in found.result(Bootstrap(draws=100)).measures]
    assert names == ["tar@fmr=3e-1", "tar@fmr=1e-1", "tar@fmr=1e-2", "tar@fmr=1e-3", "auc", "accuracy", "accuracy-std"]
