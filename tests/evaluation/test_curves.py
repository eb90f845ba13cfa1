from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from wildstyle.evaluation.curves import cmc_curve, det_curve, score_histograms
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.shares import Impostors


def impostors(values: np.ndarray) -> Impostors:
    return Impostors.of(Items(values.astype(np.float32), np.zeros(len(values), np.int64)))


def test_every_point_of_the_trade_off_is_one_of_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    mated = np.round(rng.normal(0.5, 0.2, 300), 2).astype(np.float32)
    others = np.round(rng.normal(0.1, 0.2, 2000), 2).astype(np.float32)
    (curve,) = det_curve(mated, impostors(others))
    labels, scores = np.repeat([1, 0], [300, 2000]), np.concatenate([mated, others])
    fmr, tar, _ = roc_curve(labels, scores, drop_intermediate=False)
    known = {(round(float(f), 9), round(float(1 - t), 9)) for f, t in zip(fmr, tar, strict=True)}
    assert len(curve.points) > 30
    for rate, miss in curve.points:
        # The lowest FNMR of all points with this FMR.
        assert (round(rate, 9), round(miss, 9)) in known
        assert miss == pytest.approx(1 - max(t for f, t in zip(fmr, tar, strict=True) if f <= rate + 1e-12))
    assert curve.points[-1] == (1.0, 0.0)


def test_failures_stay_in_the_denominator() -> None:
    mated = np.array([0.9, -np.inf], np.float32)
    (curve,) = det_curve(mated, impostors(np.array([0.1, 0.2])), open_set=True)
    assert curve.name == "det-open-set"
    assert all(miss >= 0.5 for _, miss in curve.points)
    assert det_curve(mated, impostors(np.zeros(0))) == ()


def test_a_curve_of_kept_scores_ends_with_them() -> None:
    items = Items(np.linspace(0, 1, 1000, dtype=np.float32), np.zeros(1000, np.int64), np.ones(1000, np.int64))
    kept = Impostors.crossed(items.highest(100), np.array([1000, 0]), np.array([0, 1]))
    (curve,) = det_curve(np.full(5, 0.95, np.float32), kept)
    assert curve.points[-1][0] <= 0.1
    _, others = score_histograms(np.full(5, 0.95, np.float32), kept)
    # 0, 1/999, ... 1: above the first bin that starts over the lowest kept score all are there, of 1,000 in all.
    assert others.points[0][0] >= 900 / 999
    assert sum(share for _, share in others.points) == pytest.approx(
        np.mean(np.linspace(0, 1, 1000, dtype=np.float32) >= others.points[0][0])
    )
    assert "100 highest of 1,000" in str(others.note)


def test_ranks_by_hand() -> None:
    (curve,) = cmc_curve(np.array([1, 2, 2, 0, 60]), 70)
    assert curve.points[:3] == ((1.0, 0.2), (2.0, 0.6), (3.0, 0.6))
    assert len(curve.points) == 50
    assert cmc_curve(np.zeros(0, np.int64), 5) == ()


def test_histograms_share_their_bins_and_sum_to_one() -> None:
    rng = np.random.default_rng(1)
    mated = np.append(rng.normal(0.5, 0.1, 50), -np.inf).astype(np.float32)
    found = {c.name: c for c in score_histograms(mated, impostors(rng.normal(0, 0.1, 500)))}
    assert [x for x, _ in found["scores-mated"].points] == [x for x, _ in found["scores-impostor"].points]
    for curve in found.values():
        assert sum(share for _, share in curve.points) == pytest.approx(1.0)
