"""Losses between student and teacher, against values worked out by hand and plain loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from wildstyle.adaptation.distilling import SpaceMap, apart, bank_apart, own_apart, relations_apart
from wildstyle.errors import SettingError


def units(count: int, size: int, seed: int = 0) -> Tensor:
    made = torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(made)


def test_apart_by_hand() -> None:
    found = apart(torch.tensor([[1.0, 0.0], [0.6, 0.8]]), torch.tensor([[0.9, math.sqrt(0.19)], [0.8, 0.6]]))
    torch.testing.assert_close(found, torch.tensor([0.1, 0.04]))


def test_relations_by_loops_and_across_lengths() -> None:
    student, teacher = units(5, 4), units(5, 9, 1)
    wanted = [
        sum(float(student[i] @ student[j] - teacher[i] @ teacher[j]) ** 2 for j in range(5) if j != i) / 4
        for i in range(5)
    ]
    assert relations_apart(student, teacher).tolist() == pytest.approx(wanted)
    turned = student @ torch.linalg.qr(units(4, 4, 2))[0]
    assert float(relations_apart(turned, student).max()) < 1e-12, "a turned space has the same relations"
    assert relations_apart(student[:1], teacher[:1]).tolist() == [0.0]


def test_bank_by_loops() -> None:
    student, teacher, bank = units(3, 4), units(3, 4, 1), units(6, 4, 2)
    found = bank_apart(student, teacher, bank, scale=5.0)
    for i in range(3):
        p = [math.exp(5 * float(teacher[i] @ b)) for b in bank]
        q = [math.exp(5 * float(student[i] @ b)) for b in bank]
        p, q = [x / sum(p) for x in p], [x / sum(q) for x in q]
        assert float(found[i]) == pytest.approx(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))
    assert float(bank_apart(teacher, teacher, bank).abs().max()) < 1e-12


def test_own_original_by_loops_with_look_alikes_left_out() -> None:
    bank = torch.tensor([[1.0, 0.0], [0.9, math.sqrt(0.19)], [0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    student = units(2, 2)
    found = own_apart(student, bank[[0, 2]], bank, scale=3.0, margin=0.1, same=0.5)
    for i, (own, others) in enumerate(((0, (2, 3)), (2, (0, 1, 3)))):
        top = math.exp(3 * (float(student[i] @ bank[own]) - 0.1))
        rest = sum(math.exp(3 * float(student[i] @ bank[j])) for j in others)
        assert float(found[i]) == pytest.approx(-math.log(top / (top + rest)))


def test_without_strangers_there_is_nothing_to_lose() -> None:
    student = units(2, 4).requires_grad_(True)
    loss = own_apart(student, units(2, 4, 1), units(2, 4, 1), same=-1.1)
    loss.sum().backward()
    assert loss.tolist() == [0.0, 0.0]
    assert student.grad is not None
    assert bool(torch.isfinite(student.grad).all())


@pytest.mark.parametrize("which", ["relations", "bank", "own"])
def test_gradients(which: str) -> None:
    teacher, bank = units(4, 3, 1), units(6, 3, 2)
    losses = {
        "relations": lambda x: relations_apart(x, teacher),
        "bank": lambda x: bank_apart(x, teacher, bank),
        "own": lambda x: own_apart(x, teacher, bank, same=0.9),
    }
    assert torch.autograd.gradcheck(losses[which], (units(4, 3).requires_grad_(True),))


def test_map_starts_at_least_squares() -> None:
    student = units(50, 4).float()
    truth = torch.randn(7, 4, generator=torch.Generator().manual_seed(3))
    teacher = student @ truth.T
    made = SpaceMap(4, 7)
    made.fit(student, teacher, ridge=1e-9)
    torch.testing.assert_close(made.linear.weight.detach(), truth, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(made(student).norm(dim=1), torch.ones(50))


def test_no_map_to_nowhere() -> None:
    with pytest.raises(SettingError, match="no map"):
        SpaceMap(0, 4)
