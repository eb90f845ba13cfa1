from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from wildstyle.errors import LabelError, NotMeasurable
from wildstyle.recognisers import probe
from wildstyle.recognisers.probing import _figures


class Choosy(nn.Module):
    """Sees people only in its first channel and only between -1 and 1."""

    def forward(self, images: Tensor) -> Tensor:
        first = images[:, 0].clamp(-1, 1)
        # The middle of its range is 0: elsewhere the constant part drowns the people.
        return torch.nn.functional.avg_pool2d(first.unsqueeze(1), 16).flatten(1)


def people(count: int, each: int, channel: int) -> tuple[list[np.ndarray], list[str]]:
    """Faces whose identity lies in one channel, as blocks of 16 px about mid-grey; the others are noise."""
    rng = np.random.default_rng(3)
    images, names = [], []
    for person in range(count):
        pattern = np.kron(rng.integers(28, 228, (7, 7)), np.ones((16, 16), np.int64))
        for _ in range(each):
            image = np.kron(rng.integers(0, 256, (7, 7, 3)), np.ones((16, 16, 1), np.int64))
            image[..., channel] = np.clip(pattern + rng.normal(0, 30, (112, 112)), 0, 255)
            images.append(image.astype(np.uint8))
            names.append(f"p{person}")
    return images, names


@pytest.mark.parametrize(("channel", "order"), [(0, "RGB"), (2, "BGR")])
def test_the_true_order_and_scale_win(list_source: Any, channel: int, order: str) -> None:
    report = probe(Choosy(), list_source(*people(8, 4, channel)), most=32)
    assert len(report.rows) == 10
    assert (report.faces, report.people) == (32, 8)
    best = report.rows[0]
    assert best.preprocessing.order == order
    assert best.preprocessing.scale in ("pm1", "s128", "imagenet")
    assert best.low <= best.auc <= best.high
    assert best.behind == (0.0, 0.0, 0.0)
    assert [r.separation for r in report.rows] == sorted((r.separation for r in report.rows), reverse=True)
    worst = {str(r.preprocessing) for r in report.rows[-4:]}
    assert f"{order.lower()},pm1" not in worst


def test_it_says_when_two_ways_can_not_be_told_apart(list_source: Any) -> None:
    images, names = people(6, 3, 0)
    grey = [np.repeat(image[..., :1], 3, axis=2) for image in images]
    report = probe(Choosy(), list_source(grey, names), most=18)
    assert not report.clear
    assert "within chance" in report.statement


def test_it_says_when_nothing_works(list_source: Any) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (112, 112, 3), dtype=np.uint8) for _ in range(24)]
    report = probe(Choosy(), list_source(noise, [f"p{i // 3}" for i in range(24)]), most=24)
    assert "None of the ways" in report.statement


def test_people_are_needed(list_source: Any) -> None:
    images, _ = people(2, 2, 0)
    for names in (["a"] * 4, [None] * 4, ["a", "b", "c", "d"], ["a", "a", "b", None]):
        with pytest.raises(LabelError, match="two"):
            probe(Choosy(), list_source(images, names))
    with pytest.raises(LabelError, match="too few readable faces of 112x112"):
        probe(Choosy(), list_source([images[0], None, images[2], images[3][:90]], ["a", "a", "b", "b"]))

    class Broken(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.flatten(1)[:, :4] * float("nan")

    with pytest.raises(NotMeasurable, match="finite"):
        probe(Broken(), list_source(images, ["a", "a", "b", "b"]))


def test_figures_by_brute_force() -> None:
    rng = np.random.default_rng(1)
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    scores = rng.normal(0, 1, (8, 8)).round(1).astype(np.float32)
    pairs = [(i, j) for i in range(8) for j in range(i + 1, 8)]
    for draw in (None, np.array([2, 0, 1]), np.array([1, 1, 1])):
        count = np.ones(3) if draw is None else draw
        mated = [(scores[i, j], count[labels[i]]) for i, j in pairs if labels[i] == labels[j]]
        other = [(scores[i, j], count[labels[i]] * count[labels[j]]) for i, j in pairs if labels[i] != labels[j]]
        mated = [(float(s), float(w)) for s, w in mated]
        other = [(float(s), float(w)) for s, w in other]
        right = sum(w * v * (float(s > t) + 0.5 * (s == t)) for s, w in mated for t, v in other)
        total = sum(w for _, w in mated) * sum(v for _, v in other)
        auc, separation = _figures(scores, labels, draw)
        means = [_mean(group) for group in (mated, other)]
        spreads = [_mean([((s - m) ** 2, w) for s, w in group]) for m, group in zip(means, (mated, other), strict=True)]
        assert auc == pytest.approx(right / total, abs=0.02)
        assert separation == pytest.approx((means[0] - means[1]) / np.sqrt(sum(spreads) / 2), rel=1e-6)


def _mean(group: list[tuple[float, float]]) -> float:
    return sum(s * w for s, w in group) / sum(w for _, w in group)
