"""Running statistics: taken in before use, kept, and left alone in evaluation mode."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from wildstyle.adaptation.heads import HeadSettings, IdentityHead, build_head
from wildstyle.adaptation.heads.kinds import all_kinds

EMBEDDINGS = torch.tensor([[3.0, 4.0, 0.0], [0.0, 6.0, 8.0]])
LABELS = torch.tensor([0, 2])


def head(name: str, **settings: float) -> IdentityHead:
    made = build_head(HeadSettings(name=name, **settings), 3, 3)
    made.centres.data = torch.eye(3)
    return made


def norms(*lengths: float) -> Tensor:
    return torch.tensor(lengths)[:, None] * torch.eye(3)[torch.arange(len(lengths)) % 3]


def test_adaface_follows_mean_and_deviation_of_norms() -> None:
    made = head("adaface", pace=1.0)
    made(EMBEDDINGS, LABELS)
    assert [made.rule.mean.item(), made.rule.deviation.item()] == pytest.approx([7.5, 3.535534], abs=1e-5)
    made = head("adaface")
    made(EMBEDDINGS, LABELS)
    assert [made.rule.mean.item(), made.rule.deviation.item()] == pytest.approx([19.875, 99.035355], abs=1e-4)


def test_adaface_clips_norms_before_it_takes_them_in() -> None:
    made = head("adaface", pace=1.0)
    made(norms(500.0, 0.0, 100.0), torch.tensor([0, 1, 2]))
    expected = torch.tensor([100.0, 0.001, 100.0])
    assert made.rule.mean.item() == pytest.approx(expected.mean().item(), rel=1e-6)
    assert made.rule.deviation.item() == pytest.approx(expected.std().item(), rel=1e-6)


def test_a_batch_of_one_leaves_adaface_usable() -> None:
    made = head("adaface", pace=0.5)
    made(EMBEDDINGS[:1], LABELS[:1])
    assert [made.rule.mean.item(), made.rule.deviation.item()] == [20.0, 100.0]
    made(EMBEDDINGS, LABELS)
    assert [made.rule.mean.item(), made.rule.deviation.item()] == pytest.approx([13.75, 51.767767], abs=1e-4)
    assert made(EMBEDDINGS, LABELS).isfinite().all()


def test_values_that_are_not_finite_do_not_reach_the_statistics() -> None:
    # As on an accelerator, where embeddings are not looked at.
    for name in ("adaface", "curricularface"):
        rule = head(name).rule
        before = copy.deepcopy(rule.state_dict())
        rule.observe(torch.tensor([0.1, torch.nan]), torch.tensor([1.0, torch.nan]))
        assert all(torch.equal(value, before[key]) for key, value in rule.state_dict().items())


def test_curricularface_follows_the_mean_own_cosine() -> None:
    made = head("curricularface")
    made(EMBEDDINGS, LABELS)
    assert made.rule.t.item() == pytest.approx(0.007, abs=1e-7)
    made = head("curricularface", pace=0.1)
    made(EMBEDDINGS, LABELS)
    assert made.rule.t.item() == pytest.approx(0.07, abs=1e-7)


def test_statistics_are_float32_buffers_of_the_state_dict() -> None:
    for name, keys in (("adaface", {"rule.mean", "rule.deviation"}), ("curricularface", {"rule.t"})):
        made = head(name)
        made(EMBEDDINGS, LABELS)
        state = made.state_dict()
        assert keys == set(state) - {"centres"}
        assert all(state[key].dtype == torch.float32 for key in keys)
        again = head(name)
        again.load_state_dict(state)
        assert torch.equal(again.eval()(EMBEDDINGS, LABELS), made.eval()(EMBEDDINGS, LABELS))
        assert {key for key, _ in made.named_parameters()} == {"centres"}


@pytest.mark.parametrize("name", sorted(all_kinds()))
def test_nothing_changes_in_evaluation_mode(name: str) -> None:
    made = build_head(HeadSettings(name=name), 3, 3).eval()
    before = copy.deepcopy(made.state_dict())
    first, second = (made(EMBEDDINGS, LABELS) for _ in range(2))
    assert torch.equal(first, second)
    assert all(torch.equal(value, before[key]) for key, value in made.state_dict().items())


def test_logits_leave_the_statistics() -> None:
    for name in ("adaface", "curricularface"):
        made = head(name)
        before = copy.deepcopy(made.state_dict())
        made.logits(EMBEDDINGS, LABELS)
        assert all(torch.equal(value, before[key]) for key, value in made.state_dict().items())


def test_a_head_begins_at_what_the_recogniser_knows() -> None:
    faces = torch.tensor([[2.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 6.0], [0.0, 0.0, 8.0]])
    labels = torch.tensor([0, 0, 2, 2])
    for name in ("adaface", "curricularface", "arcface", "sface"):
        made = build_head(HeadSettings(name=name), 3, 3)
        untouched = made.centres[1].clone()
        made.begin(faces, labels)
        half = 0.5**0.5
        expected = torch.stack([torch.tensor([half, half, 0.0]), untouched.detach(), torch.tensor([0.0, 0.0, 1.0])])
        torch.testing.assert_close(made.centres.detach(), expected)
        if name == "adaface":
            assert [made.rule.mean.item(), made.rule.deviation.item()] == pytest.approx([5.0, 2.5819889])
        if name == "curricularface":
            assert made.rule.t.item() == pytest.approx((half + half + 1 + 1) / 4)


def test_a_fixed_head_and_one_without_centres_begin_as_they_are() -> None:
    for name in ("simplex", "triplet-semi-hard"):
        made = build_head(HeadSettings(name=name), 3, 3)
        before = copy.deepcopy(made.state_dict())
        made.begin(EMBEDDINGS, LABELS)
        assert all(torch.equal(value, before[key]) for key, value in made.state_dict().items())
