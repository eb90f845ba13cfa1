"""SFace, the fixed simplex with its compatibility loss, and symmetry of halves."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from wildstyle.adaptation.heads import HeadSettings, build_head, compatibility_loss, frontness, symmetry_loss
from wildstyle.adaptation.heads.kinds.simplex import simplex
from wildstyle.adaptation.heads.symface import completed, halves
from wildstyle.errors import ContractError, LabelError, SettingError

EMBEDDINGS = torch.tensor([[3.0, 4.0, 0.0], [0.0, 6.0, 8.0]])
LABELS = torch.tensor([0, 2])

# -- SFace ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "losses", "mean"),
    [({}, (51.2 - 38.398550, 38.4 - 0.000187), 25.600632), ({"turns": (0.87, 1.2)}, None, 25.794198)],
)
def test_sface_by_hand(settings: dict[str, tuple[float, float]], losses: tuple[float, ...] | None, mean: float) -> None:
    made = build_head(HeadSettings(name="sface", **settings), 3, 3)
    made.centres.data = torch.eye(3)
    found = made(EMBEDDINGS, LABELS)
    assert found.mean().item() == pytest.approx(mean, abs=2e-5)
    if losses is not None:
        assert found.tolist() == pytest.approx(losses, abs=2e-5)


def test_sface_agrees_with_angles_written_out() -> None:
    drawn = torch.Generator().manual_seed(0)
    embeddings, centres = torch.randn(20, 4, generator=drawn), torch.randn(6, 4, generator=drawn)
    labels = torch.randint(6, (20,), generator=drawn)
    made = build_head(HeadSettings(name="sface", scale=3.0, slope=5.0, turns=(0.9, 1.4)), 6, 4)
    made.centres.data = centres
    expected, slopes = [], torch.zeros(20, 6)
    for i, (x, y) in enumerate(zip(embeddings.double(), labels.tolist(), strict=True)):
        loss = 0.0
        for j, w in enumerate(centres.double()):
            cosine = float(x @ w / x.norm() / w.norm())
            angle = math.acos(cosine)
            if j == y:
                slopes[i, j] = -3.0 / (1 + math.exp(-5.0 * (angle - 0.9)))
            else:
                slopes[i, j] = 3.0 / (1 + math.exp(5.0 * (angle - 1.4)))
            loss += float(slopes[i, j]) * cosine
        expected.append(loss)
    torch.testing.assert_close(made(embeddings, labels), torch.tensor(expected), rtol=1e-4, atol=1e-5)
    # The sigmoids have no gradient: what reaches a cosine is the sigmoid itself.
    cosines = made.cosines(embeddings).detach().requires_grad_()
    made.cosines = lambda embeddings: cosines  # type: ignore[method-assign]
    made(embeddings, labels).sum().backward()
    torch.testing.assert_close(cosines.grad, slopes, rtol=1e-4, atol=1e-5)


def test_sface_is_finite_at_the_ends_and_in_half_precision() -> None:
    made = build_head(HeadSettings(name="sface"), 3, 3)
    made.centres.data = torch.eye(3)
    embeddings = torch.cat([torch.eye(3), -torch.eye(3), torch.zeros(1, 3)]).requires_grad_()
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 0])
    plain = made(embeddings, labels)
    plain.sum().backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(made(embeddings, labels), plain)


@pytest.mark.parametrize("settings", [{"slope": 0.0}, {"turns": (0.0, 1.0)}, {"turns": (1.0, 4.0)}, {"scale": -1.0}])
def test_sface_settings_without_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(SettingError):
        HeadSettings(name="sface", **settings)


# -- the fixed simplex ----------------------------------------------------------------------------------------------


def test_corners_by_hand() -> None:
    half = 0.5**0.5
    expected = [[0.965926, -0.258819], [-0.258819, 0.965926], [-half, -half]]
    torch.testing.assert_close(simplex(3), torch.tensor(expected), rtol=0, atol=1e-6)
    torch.testing.assert_close(simplex(4)[0], torch.tensor([0.962250, -0.192450, -0.192450]), rtol=0, atol=1e-6)
    assert simplex(2).flatten().tolist() == [1.0, -1.0]


@pytest.mark.parametrize("corners", [2, 3, 17, 513])
def test_corners_are_equally_far_apart(corners: int) -> None:
    cosines = simplex(corners) @ simplex(corners).T
    expected = torch.full((corners, corners), -1.0 / (corners - 1)).fill_diagonal_(1.0)
    torch.testing.assert_close(cosines, expected, rtol=0, atol=1e-5)


def test_people_take_corners_from_the_last_and_the_rest_stays_free() -> None:
    made = build_head(HeadSettings(name="simplex", scale=4.0), 3, 6)
    corners = simplex(7)
    cosines = made.cosines(corners[[6, 5, 4]])
    assert cosines.argmax(dim=1).tolist() == [0, 1, 2]
    losses = made(corners[[6, 5, 4]], torch.arange(3))
    assert losses.tolist() == pytest.approx([math.log(1 + 6 * math.exp(4.0 * (-1 / 6 - 1)))] * 3, abs=1e-6)
    with pytest.raises(LabelError, match="3 people"):
        made(corners[:1], torch.tensor([3]))


def test_corners_are_kept_but_not_learnt() -> None:
    made = build_head(HeadSettings(name="simplex"), 3, 3)
    assert list(made.parameters()) == []
    assert set(made.state_dict()) == {"centres"}
    embeddings = EMBEDDINGS.clone().requires_grad_()
    made(embeddings, LABELS).sum().backward()
    assert embeddings.grad is not None
    assert embeddings.grad.abs().max() > 0


def test_more_people_than_corners_are_refused() -> None:
    build_head(HeadSettings(name="simplex"), 9, 8)
    with pytest.raises(SettingError, match="8 dimensions has 9 corners, for 10 people"):
        build_head(HeadSettings(name="simplex"), 10, 8)


def test_compatibility_by_hand() -> None:
    new, old = torch.eye(2), torch.tensor([[0.8, 0.6], [0.6, 0.8]])
    found = compatibility_loss(5 * new, old, torch.tensor([0, 1]))
    assert found.mean().item() == pytest.approx(-1.997524, abs=1e-6)


def test_compatibility_agrees_with_loops() -> None:
    drawn = torch.Generator().manual_seed(0)
    new, old = (torch.randn(8, 3, generator=drawn, dtype=torch.float64) for _ in range(2))
    labels = torch.tensor([0, 0, 1, 1, 1, 2, 3, 3])
    f, g = (torch.nn.functional.normalize(x) for x in (new, old))
    expected = [
        -4.0 * float(g[i] @ f[i])
        + math.log(sum(math.exp(4.0 * float(g[i] @ f[k]) * bool(labels[k] != labels[i])) for k in range(8)))
        for i in range(8)
    ]
    found = compatibility_loss(new, old, labels, scale=4.0)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))
    assert torch.autograd.gradcheck(lambda x: compatibility_loss(x, old, labels, scale=4.0), new.requires_grad_())
    old.requires_grad_()
    compatibility_loss(new, old, labels).sum().backward()
    assert old.grad is None


def test_old_embeddings_of_another_size_are_told() -> None:
    with pytest.raises(ContractError, match=r"\(N, 3\), not \(2, 2\)"):
        compatibility_loss(EMBEDDINGS, torch.ones(2, 2), LABELS)


# -- halves ---------------------------------------------------------------------------------------------------------

TEMPLATE = [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]


def with_nose_at(x: float) -> list[list[float]]:
    return [TEMPLATE[0], TEMPLATE[1], [x, 71.7], TEMPLATE[3], TEMPLATE[4]]


def test_frontness_by_hand() -> None:
    same_eye = [[50.0, 40.0], [50.0, 60.0], [52.0, 70.0], [45.0, 90.0], [55.0, 90.0]]
    points = torch.tensor([TEMPLATE, with_nose_at(73.5318), with_nose_at(200.0), same_eye])
    assert frontness(points).tolist() == pytest.approx([0.996822, 0.5, 0.0, 0.0], abs=1e-6)
    assert frontness(points + 30).tolist() == pytest.approx(frontness(points).tolist(), abs=1e-5)
    with pytest.raises(LabelError, match=r"\(N, 5, 2\)"):
        frontness(torch.zeros(2, 10))


@pytest.mark.parametrize("width", [6, 7])
def test_halves_lie_alike(width: int) -> None:
    image = torch.arange(width, dtype=torch.float32).expand(1, 3, 2, width)
    left, right = halves(image)
    assert left[0, 0, 0].tolist() == list(range((width + 1) // 2))
    assert right[0, 0, 0].tolist() == list(range(width - 1, width // 2 - 1, -1))
    assert completed(left, width).shape == image.shape
    symmetric = torch.minimum(image, width - 1 - image)
    assert torch.equal(completed(halves(symmetric)[0], width), symmetric)
    assert torch.equal(completed(halves(symmetric)[1], width), symmetric)


def embed(images: Tensor) -> Tensor:
    """Left and right brightness: something that tells both sides of a completed half."""
    return torch.stack([images.mean(dim=(1, 2, 3)), images[..., 1:3].mean(dim=(1, 2, 3)), images[:, 0, 0, 0]], dim=1)


def test_only_frontal_faces_pull_their_halves_together() -> None:
    images = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    points = torch.tensor([TEMPLATE, with_nose_at(70.0), with_nose_at(54.0)])
    found = symmetry_loss(embed, images, points)
    expected = []
    for i in (0, 2):
        left, right = images[i, ..., :4], images[i, ..., 4:].flip(-1)
        f, g = (embed(torch.cat([half, half.flip(-1)], dim=-1)[None])[0].detach() for half in (left, right))
        expected.append(float(1 - torch.dot(f, g) / f.norm() / g.norm()))
    assert found.item() == pytest.approx(sum(expected) / 2, abs=1e-6)
    found.backward()
    assert images.grad is not None
    assert (images.grad.abs().amax(dim=(1, 2, 3)) > 0).tolist() == [True, False, True]


def test_a_symmetric_face_costs_nothing_and_none_gives_zero() -> None:
    half = torch.rand(2, 3, 8, 4, generator=torch.Generator().manual_seed(1))
    images = torch.cat([half, half.flip(-1)], dim=-1)
    assert symmetry_loss(embed, images, torch.tensor([TEMPLATE, TEMPLATE])).item() == pytest.approx(0.0, abs=1e-6)
    turned = torch.tensor([with_nose_at(70.0)] * 2)
    assert symmetry_loss(embed, torch.rand(2, 3, 8, 8), turned).item() == 0.0
    with pytest.raises(LabelError, match="2 faces for 3 images"):
        symmetry_loss(embed, torch.rand(3, 3, 8, 8), turned)
