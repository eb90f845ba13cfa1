from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ijb_miniature import embeddings, write_miniature

from wildstyle.errors import InputError, NotMeasurable
from wildstyle.evaluation import ijb
from wildstyle.evaluation.bootstrap import Bootstrap
from wildstyle.evaluation.compare import compare
from wildstyle.evaluation.ijb import FaceEmbeddings, evaluate_ijb_pairs, evaluate_ijb_search
from wildstyle.evaluation.pooling import PoolingRule
from wildstyle.faces.layouts import IjbLayout, read_ijb


@pytest.fixture
def layout(tmp_path: Path) -> IjbLayout:
    return read_ijb(write_miniature(tmp_path / "IJBC"))


@pytest.fixture
def faces() -> FaceEmbeddings:
    return FaceEmbeddings(*embeddings())


def test_pairs_by_hand(layout: IjbLayout, faces: FaceEmbeddings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ijb, "FMR_TARGETS", (0.5, 0.25))
    outcome = evaluate_ijb_pairs(faces, layout)
    # Angles between templates: mated 10-20 5, 11-21 15, 12-22 10; impostors 10-21 25, 11-20 35, 12-20 85, 13-21 115;
    # the pair with template 24 has no score. At 2 of 4 accepted: above cos 85; at 1 of 4: above cos 35.
    assert outcome.points() == {("tar@fmr=5e-1", "all"): 1.0, ("tar@fmr=2.5e-1", "all"): 1.0}
    assert outcome.counts["impostor comparisons"] == 4
    assert outcome.counts["failed pairs"] == 1
    assert outcome.counts["failed templates"] == 1
    assert outcome.counts["people"] == 4
    nearest = {m.name: m for m in outcome.fixed}["tar@fmr=2.5e-1 nearest"]
    assert nearest.threshold == pytest.approx(np.cos(np.radians(25)))
    assert nearest.reached == 0.25
    assert "N1D1F0" in outcome.rules["pooling"]


def test_a_failed_mated_template_is_a_miss(layout: IjbLayout, faces: FaceEmbeddings) -> None:
    spoiled = faces.ok.copy()
    spoiled[7] = False  # the only face of template 21
    outcome = evaluate_ijb_pairs(replace(faces, ok=spoiled), layout)
    mated = next(q for q in outcome.questions).items.values
    assert np.isneginf(mated).sum() == 1
    assert outcome.counts["impostor comparisons"] == 2


def test_search_by_hand(layout: IjbLayout, faces: FaceEmbeddings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ijb, "FPIR_TARGETS", (0.5,))
    outcome = evaluate_ijb_search(faces, layout)
    points = outcome.points()
    # G1 holds 0 and 40 degrees: probe 20 at 5 finds 1; probe 21 at 25 lies nearer to 40 (15) than to 0 (25): right;
    # probe 24 failed. Non-mated: 22 at 100 (best 60), 23 at 90 (best 50). One of two may pass: above cos 60.
    assert points["rank-1", "gallery=G1"] == pytest.approx(2 / 3)
    assert points["tpir@fpir=5e-1 G1", "all"] == pytest.approx(2 / 3)
    # G2 holds 90 and 140: probe 22 at 100 finds 3; probe 23 at 90 finds 3 instead of 4.
    assert points["rank-1", "gallery=G2"] == pytest.approx(1 / 2)
    assert points["rank-5", "gallery=G2"] == 1.0
    # Non-mated: 20 at 5 (best 85), 21 at 25 (best 65); above cos 85. Probe 22 passes at 10.
    assert points["tpir@fpir=5e-1 G2", "all"] == pytest.approx(1 / 2)
    assert points["tpir@fpir=5e-1", "all"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert points["rank-1", "all"] == pytest.approx(3 / 5)
    assert points["rank-1 joined-gallery", "all"] == pytest.approx(3 / 5)
    assert outcome.counts["probe failures"] == 1
    assert outcome.counts["non-mated probes G1"] == 2


def test_the_legacy_figure_counts_pairs_and_is_named_so(
    layout: IjbLayout, faces: FaceEmbeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ijb, "FPIR_TARGETS", (0.5,))
    legacy = {m.name: m for m in evaluate_ijb_search(faces, layout).fixed}["tpir@fpir=5e-1 joined-gallery legacy"]
    # ceil(5 x .5) = 3rd of all non-mated pairs: 0 (23-12), 25 (21-10), 35 (20-11): above cos 35 pass 20, 21, 22.
    assert legacy.threshold == pytest.approx(np.cos(np.radians(35)), abs=1e-6)
    assert legacy.value == pytest.approx(3 / 5)
    assert "no FPIR" in str(legacy.note)


def test_mirrored_faces_are_added_before_pooling(layout: IjbLayout, faces: FaceEmbeddings) -> None:
    flipped = PoolingRule.parse("N1D0F1")
    with pytest.raises(InputError, match="mirrored"):
        evaluate_ijb_pairs(faces, layout, rule=flipped)
    vectors, _ = embeddings()
    both = evaluate_ijb_pairs(replace(faces, mirrored=vectors), layout, rule=flipped)
    alone = evaluate_ijb_pairs(faces, layout, rule=PoolingRule.parse("N1D0"))
    np.testing.assert_allclose(both.questions[0].items.values, alone.questions[0].items.values, atol=1e-6)


def test_intervals_and_comparison_over_people(layout: IjbLayout, faces: FaceEmbeddings) -> None:
    worse = faces.vectors.copy()
    worse[6] = worse[3]
    for evaluate in (evaluate_ijb_pairs, evaluate_ijb_search):
        before, after = evaluate(replace(faces, vectors=worse), layout), evaluate(faces, layout)
        found = compare(before, after, Bootstrap(draws=100))
        assert any(d.gain and d.gain > 0 for d in found.differences) or evaluate is evaluate_ijb_pairs


def test_galleries_that_share_people_are_refused(layout: IjbLayout, faces: FaceEmbeddings) -> None:
    first = layout.galleries[0]
    with pytest.raises(NotMeasurable, match="share people"):
        evaluate_ijb_search(faces, replace(layout, galleries=(first, first)))
    with pytest.raises(InputError, match="1:N"):
        evaluate_ijb_search(faces, replace(layout, probes=None))
    with pytest.raises(InputError, match="11 faces"):
        evaluate_ijb_pairs(FaceEmbeddings(faces.vectors[:3], faces.ok[:3]), layout)
