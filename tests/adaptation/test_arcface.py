"""The head against values worked by hand and by a second implementation."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from wildstyle.adaptation import ArcFaceHead
from wildstyle.errors import LabelError, SettingError

EMBEDDINGS = torch.tensor([[3.0, 4.0, 0.0], [0.0, 6.0, 8.0]])
LABELS = torch.tensor([0, 2])


def head(scale: float, centres: Tensor | None = None, margin: float = 0.5) -> ArcFaceHead:
    made = ArcFaceHead(3, 3, scale=scale, margin=margin)
    made.centres.data = torch.eye(3) if centres is None else centres
    return made


@pytest.mark.parametrize(
    ("scale", "losses", "tolerance"), [(64.0, [42.047417, 11.877720], 64e-4), (4.0, [2.735012, 1.191334], 1e-5)]
)
def test_losses_of_two_faces(scale: float, losses: list[float], tolerance: float) -> None:
    torch.testing.assert_close(head(scale)(EMBEDDINGS, LABELS), torch.tensor(losses), rtol=0, atol=tolerance)


def test_margin_moves_only_the_own_cosine() -> None:
    logits = head(4.0).logits(EMBEDDINGS, LABELS) / 4.0
    expected = torch.tensor([[0.143009, 0.8, 0.0], [0.0, 0.6, 0.414411]])
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-6)


def test_lengths_do_not_matter() -> None:
    torch.testing.assert_close(head(4.0)(EMBEDDINGS * 50, LABELS), head(4.0, 9 * torch.eye(3))(EMBEDDINGS, LABELS))


def test_without_a_margin_it_is_softmax_over_cosines() -> None:
    losses = head(4.0, margin=0.0)(EMBEDDINGS, LABELS)
    torch.testing.assert_close(losses, torch.tensor([1.198837, 0.398837]), rtol=0, atol=1e-5)


def test_gradient_is_the_true_one() -> None:
    made = head(4.0)
    cosines = torch.tensor([[0.6, 0.8, 0.0], [0.0, 0.6, 0.8]], requires_grad=True)
    made.cosines = lambda embeddings: cosines  # type: ignore[method-assign]
    made(EMBEDDINGS, LABELS).mean().backward()
    own = cosines.grad.gather(1, LABELS[:, None]).flatten()  # type: ignore[union-attr]
    # mean over two of s (p - 1) sin(theta + m) / sin(theta), with p = exp(-loss)
    expected = [2.0 * (math.exp(-2.735012) - 1) * 1.237152, 2.0 * (math.exp(-1.191334) - 1) * 1.516817]
    torch.testing.assert_close(own, torch.tensor(expected), rtol=0, atol=1e-5)


def test_beyond_pi_the_target_falls_back() -> None:
    cosines = torch.tensor([[-0.95], [-0.877583 - 1e-4], [-0.877583 + 1e-4]])
    moved = head(1.0)._with_margin(cosines).flatten()
    assert moved[0].item() == pytest.approx(-1.189713, abs=1e-6)
    assert moved[1].item() == pytest.approx(-0.877683 - 0.5 * math.sin(math.pi - 0.5), abs=1e-5)
    assert moved[2].item() == pytest.approx(math.cos(math.acos(-0.877483) + 0.5), abs=1e-5)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_gradient_is_finite_at_the_ends(sign: float) -> None:
    embeddings = (sign * torch.eye(3)).requires_grad_(True)
    made = head(64.0)
    losses = made(embeddings, torch.arange(3))
    losses.sum().backward()
    assert losses.isfinite().all()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()
    assert made.centres.grad is not None
    assert made.centres.grad.isfinite().all()


def test_a_zero_embedding_gives_a_finite_loss() -> None:
    embeddings = torch.zeros(1, 3, requires_grad=True)
    head(64.0)(embeddings, torch.tensor([0])).sum().backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()


def test_agrees_with_angles_written_out() -> None:
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(40, 5, generator=generator)
    labels = torch.randint(7, (40,), generator=generator)
    made = ArcFaceHead(7, 5, scale=8.0, margin=0.3, seed=2)
    expected = []
    for x, y in zip(embeddings.double(), labels.tolist(), strict=True):
        cosines = [float(x @ w / x.norm() / w.norm()) for w in made.centres.detach().double()]
        angle = math.acos(cosines[y])
        cosines[y] = math.cos(angle + 0.3) if angle + 0.3 < math.pi else cosines[y] - 0.3 * math.sin(math.pi - 0.3)
        expected.append(math.log(sum(math.exp(8.0 * (c - cosines[y])) for c in cosines)))
    torch.testing.assert_close(made(embeddings, labels), torch.tensor(expected), rtol=1e-5, atol=1e-5)


def test_half_precision_around_it_changes_nothing() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = head(64.0)(EMBEDDINGS, LABELS)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, head(64.0)(EMBEDDINGS, LABELS))


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_out_of_range_is_named(label: int) -> None:
    with pytest.raises(LabelError, match=str(label)):
        head(64.0)(EMBEDDINGS, torch.tensor([0, label]))


def test_one_person_is_not_enough() -> None:
    with pytest.raises(LabelError, match="at least two people"):
        ArcFaceHead(1, 8)


@pytest.mark.parametrize("settings", [{"scale": 0.0}, {"margin": -0.1}, {"margin": 2.0}])
def test_settings_without_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(SettingError):
        ArcFaceHead(3, 8, **settings)
