from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from wildstyle.errors import InputError
from wildstyle.evaluation import IdentificationOptions, evaluate_identification, evaluate_pairs
from wildstyle.evaluation.discard import error_versus_discard
from wildstyle.evaluation.pairs import PairOptions
from wildstyle.evaluation.qualities import FacesSeen, people_quality, probe_quality
from wildstyle.evaluation.result import Curve
from wildstyle.evaluation.trial import Trial
from wildstyle.faces import PairList
from wildstyle.faces.row import ManifestRow

MATED = np.array([0.2, 0.35, 0.5, 0.7, 0.8], np.float32)
QUALITY = np.array([0.1, 0.2, 0.3, 0.8, 0.9])


def test_by_hand() -> None:
    (curve,) = error_versus_discard(MATED, QUALITY, 0.4, name="size")
    assert curve.name == "edc:size"
    assert [miss for _, miss in curve.points][:4] == pytest.approx([0.4, 0.25, 0, 0])
    assert [share for share, _ in curve.points][:4] == pytest.approx([0, 0.2, 0.4, 0.6])
    assert "up to 30 % discarded 40.00 %" in str(curve.note)


def test_the_false_match_rate_is_measured_again_at_each_step() -> None:
    impostor, quality = np.array([0.9, 0.1, 0.45, 0.2]), np.array([0.05, 0.15, 0.5, 0.95])

    def fmr_from(least: float) -> float:
        fine = quality >= least
        return float((impostor[fine] >= 0.4).mean()) if fine.any() else float("nan")

    curve, moved = error_versus_discard(MATED, QUALITY, 0.4, name="size", fmr_from=fmr_from)
    # Demands 0.2, 0.3, 0.8 and 0.9: two, two, one and one impostor comparisons are left.
    assert moved.name == "edc-fmr:size"
    assert [rate for _, rate in moved.points] == pytest.approx([0.5, 0.5, 0.5, 0, 0])
    assert [share for share, _ in moved.points] == [share for share, _ in curve.points]
    assert "FMR moves from 50 % to 50 %" in str(curve.note)


def test_unknown_qualities_go_first_and_are_told() -> None:
    (curve,) = error_versus_discard(np.array([0.1, 0.9], np.float32), np.array([np.nan, 0.5]), 0.4, name="size")
    assert curve.points == ((0.0, 0.5), (0.5, 0.0))
    assert "1 without a value" in str(curve.note)
    assert error_versus_discard(np.ones(2, np.float32), np.full(2, np.nan), 0.4, name="size") == ()
    assert error_versus_discard(np.ones(0, np.float32), np.zeros(0), 0.4, name="size") == ()


PEOPLE = np.repeat(np.arange(12), 5)
ROWS = [
    ManifestRow(
        file=f"{i}.jpg",
        subject=f"p{p}",
        media=f"m{i}",
        role="gallery" if i % 5 == 0 else "probe",
        min_side=float(20 + (i * 7) % 50),
    )
    for i, p in enumerate(PEOPLE)
]


def crowd() -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]:
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((12, 8))[PEOPLE] + rng.standard_normal((60, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), np.arange(60) != 7, rng.uniform(10, 20, 60).astype(np.float32)


def found(curves: tuple[Curve, ...], name: str) -> Curve:
    return next(curve for curve in curves if curve.name == name)


@pytest.mark.parametrize("name", ["min_side", "norm"])
def test_searches_equal_a_loop_over_all_comparisons(name: str) -> None:
    vectors, ok, norms = crowd()
    options = IdentificationOptions(fmr_targets=(0.05,), discard_by=(name,), bands=())
    outcome = evaluate_identification(vectors, ok, ROWS, options=options, norms=norms)
    curve, moved = (found(outcome.curves, f"{kind}:{name}") for kind in ("edc", "edc-fmr"))
    each = norms if name == "norm" else np.array([row.min_side for row in ROWS])
    probes = [i for i in range(60) if i % 5]
    gallery = list(range(0, 60, 5))
    point = next(q for q in outcome.questions if q.name == "tar@fmr=5e-2").operating_point()
    assert point is not None
    threshold = point[0]
    mated, impostor = [], []
    for i in probes:
        for g in gallery:
            score = vectors[i] @ vectors[g] if ok[i] else -np.inf
            quality = min(each[i], each[g]) if ok[i] else -np.inf
            if PEOPLE[i] == PEOPLE[g]:
                mated.append((quality, score >= threshold))
            elif ok[i]:
                impostor.append((quality, score >= threshold))
    mated.sort(key=lambda one: one[0])
    for share, miss in curve.points:
        left = mated[round(share * len(mated)) :]
        assert miss == pytest.approx(1 - np.mean([hit for _, hit in left]))
    for share, rate in moved.points:
        least = mated[round(share * len(mated))][0] if share else -np.inf
        assert rate == pytest.approx(np.mean([hit for quality, hit in impostor if quality >= least]))


def test_failed_probes_are_the_poorest_and_galleries_may_be_unknown() -> None:
    vectors, ok, norms = crowd()
    rows = [row if row.role == "probe" else ManifestRow(subject=row.subject, role="gallery") for row in ROWS]
    trial = Trial.of(vectors, ok, rows, None)
    faces = FacesSeen(rows, ok, norms)
    assert np.isnan(people_quality(trial, faces, "min_side")).all()
    known = probe_quality(trial, faces, "min_side")
    assert np.flatnonzero(np.isnan(known)).tolist() == [5]  # row 7 is the sixth probe
    options = IdentificationOptions(fmr_targets=(0.05,), discard_by=("min_side",), bands=())
    curves = evaluate_identification(vectors, ok, rows, options=options).curves
    assert "1 without a value" in str(found(curves, "edc:min_side").note)


def test_pairs_are_judged_by_the_poorer_face() -> None:
    rng = np.random.default_rng(5)
    vectors, ok, norms = crowd()
    first, second = rng.integers(0, 60, (2, 400))
    keep = (first != second) & (rng.random(400) < np.where(PEOPLE[first] == PEOPLE[second], 1, 0.5))
    first, second = first[keep], second[keep]
    same = PEOPLE[first] == PEOPLE[second]
    pairs = PairList(first, second, same, np.arange(len(first)) % 2)
    options = PairOptions(fmr_targets=(0.05,), discard_by=("norm", "min_side"))
    outcome = evaluate_pairs(vectors, ok, pairs, options=options, faces=FacesSeen(ROWS, ok, norms))
    quality = np.minimum(norms[first], norms[second])
    quality[~(ok[first] & ok[second])] = -np.inf
    point = next(q for q in outcome.questions if q.name == "tar@fmr=5e-2").operating_point()
    assert point is not None
    accepted = outcome.scores >= np.float32(point[0] or 0)
    curve, moved = found(outcome.curves, "edc:norm"), found(outcome.curves, "edc-fmr:norm")
    order = np.flatnonzero(same)[np.argsort(quality[same], kind="stable")]
    for share, miss in curve.points:
        assert miss == pytest.approx(1 - accepted[order[round(share * len(order)) :]].mean())
    for share, rate in moved.points:
        least = quality[order[round(share * len(order))]] if share else -np.inf
        left = ~same & np.isfinite(outcome.scores) & (quality >= least)
        assert rate == pytest.approx(accepted[left].mean())
    assert found(outcome.curves, "edc:min_side").points
    with pytest.raises(InputError, match="columns"):
        evaluate_pairs(vectors, ok, pairs, options=options)
    with pytest.raises(InputError, match="sharpness"):
        evaluate_pairs(
            vectors, ok, pairs, options=PairOptions(discard_by=("sharpness",)), faces=FacesSeen(ROWS, ok, norms)
        )
