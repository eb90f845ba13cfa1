"""Pairs of a batch as further negatives."""

from __future__ import annotations

import pytest
import torch

from wildstyle.adaptation.heads import BatchNegatives, HeadSettings, build_head
from wildstyle.adaptation.heads.unpg import within_whiskers
from wildstyle.errors import SettingError

VALUES = torch.tensor([0.95, -0.9, -0.1, 0.0, 0.05, 0.1, 0.15, 0.2])
EMBEDDINGS = torch.tensor([[3.0, 4.0, 0.0], [0.0, 6.0, 8.0]])
LABELS = torch.tensor([0, 2])


def test_quartiles_are_picked_not_interpolated() -> None:
    # Of eight values the quartiles are the third and the seventh, 0 and 0.2.
    assert within_whiskers(VALUES, 1.5).tolist() == pytest.approx([-0.1, 0.0, 0.05, 0.1, 0.15, 0.2])
    # Interpolated ones, -0.025 and 0.1625, would keep up to 0.303 and drop 0.32.
    shifted = VALUES.clone()
    shifted[0] = 0.32
    assert within_whiskers(shifted, 0.75).tolist() == pytest.approx([-0.1, 0.0, 0.05, 0.1, 0.15, 0.2, 0.32])
    assert within_whiskers(shifted, 0.0).tolist() == pytest.approx([0.0, 0.05, 0.1, 0.15, 0.2])


@pytest.mark.parametrize(("scale", "losses"), [(64.0, (35.2, 9.600068)), (4.0, (2.602287, 1.477297))])
def test_two_faces_by_hand(scale: float, losses: tuple[float, ...]) -> None:
    made = build_head(HeadSettings(name="cosface", margin=0.35, scale=scale), 3, 3)
    made.centres.data = torch.eye(3)
    made.negatives = lambda unit, labels: within_whiskers(VALUES, 1.5)  # type: ignore[assignment]
    torch.testing.assert_close(made(EMBEDDINGS, LABELS), torch.tensor(losses), rtol=0, atol=2e-5)


def test_every_pair_of_different_people_is_one() -> None:
    drawn = torch.Generator().manual_seed(0)
    unit = torch.nn.functional.normalize(torch.randn(9, 4, generator=drawn))
    labels = torch.tensor([0, 0, 1, 1, 1, 2, 3, 3, 0])
    pairs = [float(unit[i] @ unit[j]) for i in range(9) for j in range(i) if labels[i] != labels[j]]
    found = BatchNegatives(100, whisker=100.0)(unit, labels)
    assert found.tolist() == pytest.approx(sorted(pairs), abs=1e-6)
    capped = BatchNegatives(5, whisker=100.0)(unit, labels)
    assert sorted(capped.tolist()) == pytest.approx(sorted(pairs)[-5:], abs=1e-6)


def test_they_join_every_images_softmax() -> None:
    drawn = torch.Generator().manual_seed(1)
    embeddings, labels = torch.randn(6, 4, generator=drawn), torch.tensor([0, 0, 1, 2, 3, 3])
    made = build_head(HeadSettings(name="arcface", scale=4.0, negatives=1000, whisker=0.7), 5, 4)
    unit = torch.nn.functional.normalize(embeddings)
    extra = 4.0 * BatchNegatives(1000, 0.7)(unit, labels).double()
    logits = made.logits(embeddings, labels).double()
    appended = torch.cat([logits, extra.expand(6, -1)], dim=1)
    expected = torch.nn.functional.cross_entropy(appended, labels, reduction="none").float()
    torch.testing.assert_close(made(embeddings, labels), expected)


def test_one_person_has_no_negatives_and_adds_none() -> None:
    labels = torch.zeros(2, dtype=torch.int64)
    plain, with_pairs = (build_head(HeadSettings(name="cosface", negatives=n), 3, 3) for n in (0, 8))
    assert torch.equal(plain(EMBEDDINGS, labels), with_pairs(EMBEDDINGS, labels))
    assert len(BatchNegatives(4)(torch.eye(3), torch.zeros(3, dtype=torch.int64))) == 0
    assert len(BatchNegatives(4)(torch.eye(3)[:1], torch.zeros(1, dtype=torch.int64))) == 0


def test_in_evaluation_mode_images_stay_independent() -> None:
    made = build_head(HeadSettings(name="cosface", negatives=8, scale=4.0), 3, 3)
    together = made(EMBEDDINGS, LABELS)
    made.eval()
    alone = torch.cat([made(EMBEDDINGS[i : i + 1], LABELS[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(made(EMBEDDINGS, LABELS), alone)
    assert (together > alone).all()


def test_negatives_without_sense_are_refused() -> None:
    for most, whisker in ((0, 1.5), (3, -1.0), (3, float("nan"))):
        with pytest.raises(SettingError):
            BatchNegatives(most, whisker)
