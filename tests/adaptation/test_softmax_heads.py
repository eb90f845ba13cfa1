"""Softmax heads against values worked by hand and against a second implementation."""

from __future__ import annotations

import math
from typing import Any

import heads_by_angles as by_angles
import pytest
import torch
from torch import Tensor

from wildstyle.adaptation.heads import HeadSettings, IdentityHead, MarginHead, MarginRule, build_head
from wildstyle.adaptation.heads.angles import turned_with_fallback
from wildstyle.adaptation.heads.kinds import all_kinds
from wildstyle.adaptation.heads.kinds.combined import CombinedMargin
from wildstyle.errors import ContractError, Diverged, LabelError, SettingError

EMBEDDINGS = torch.tensor([[3.0, 4.0, 0.0], [0.0, 6.0, 8.0]])
LABELS = torch.tensor([0, 2])
RULES = sorted(name for name, kind in all_kinds().items() if issubclass(kind, MarginRule))


def head(name: str, scale: float, centres: Tensor | None = None, **settings: Any) -> MarginHead:
    made = build_head(HeadSettings(name=name, scale=scale, **settings), 3, 3)
    assert isinstance(made, MarginHead)
    made.centres.data = torch.eye(3) if centres is None else centres
    return made


def random_case(seed: int = 0, people: int = 7, size: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(seed)
    lengths = 5 + 100 * torch.rand(40, 1, generator=drawn)
    embeddings = lengths * torch.nn.functional.normalize(torch.randn(40, size, generator=drawn))
    return embeddings, torch.randn(people, size, generator=drawn), torch.randint(people, (40,), generator=drawn)


# -- worked by hand -------------------------------------------------------------------------------------------------

HAND = [
    ("softmax", {}, (0.6, 0.8), (12.800003, 0.000003), (1.198837, 0.398837)),
    ("arcface", {"margin": 0.5}, (0.143009, 0.414411), (42.047417, 11.877720), (2.735012, 1.191334)),
    ("cosface", {"margin": 0.35}, (0.25, 0.45), (35.2, 9.600068), (2.341122, 1.094409)),
    ("cosface", {"margin": 0.4}, (0.2, 0.4), (38.4, 12.800003), (2.523527, 1.231813)),
    ("combined", {"margins": (1.0, 0.3, 0.2)}, (0.136786, 0.386957), (42.445713, 13.634749), (2.758308, 1.269042)),
    ("combined", {"margins": (0.9, 0.4, 0.15)}, (0.179931, 0.407727), (39.684407, 12.305448), (2.597598, 1.210021)),
    ("adaface", {"pace": 1.0}, (0.216285, 0.358709), (37.357735, 15.442641), (2.463767, 1.351541)),
    ("adaface", {"pace": 0.01}, (0.203882, 0.405242), (38.151536, 12.464499), (2.509252, 1.217007)),
    ("curricularface", {}, (0.143009, 0.414411), (32.165817, 0.039429), (2.200597, 0.697452)),
]


@pytest.mark.parametrize(("name", "settings", "targets", "at_64", "at_4"), HAND)
def test_two_faces_by_hand(
    name: str,
    settings: dict[str, Any],
    targets: tuple[float, ...],
    at_64: tuple[float, ...],
    at_4: tuple[float, ...],
) -> None:
    found = head(name, 64.0, **settings)(EMBEDDINGS, LABELS)
    torch.testing.assert_close(found, torch.tensor(at_64), rtol=0, atol=2e-5)
    gentle = head(name, 4.0, **settings)
    torch.testing.assert_close(gentle(EMBEDDINGS, LABELS), torch.tensor(at_4), rtol=0, atol=2e-6)
    own = gentle.logits(EMBEDDINGS, LABELS).gather(1, LABELS[:, None]).flatten() / 4
    torch.testing.assert_close(own, torch.tensor(targets), rtol=0, atol=1e-6)


def test_curricularface_by_hand_when_training_has_come_far() -> None:
    for scale, expected in ((64.0, (57.509817, 15.794514)), (4.0, (3.636451, 1.354335))):
        made = head("curricularface", scale)
        made.rule.t.fill_(0.5)
        torch.testing.assert_close(made(EMBEDDINGS, LABELS), torch.tensor(expected), rtol=0, atol=2e-5)
        assert made.rule.t.item() == pytest.approx(0.502, abs=1e-6)
        hard = made.logits(EMBEDDINGS, LABELS)[[0, 1], [1, 1]] / scale
        torch.testing.assert_close(hard, torch.tensor([1.0416, 0.6612]), rtol=0, atol=1e-6)


def test_curricularface_by_hand_at_a_faster_pace() -> None:
    for scale, mean in ((64.0, 17.882146), (4.0, 1.565935)):
        assert head("curricularface", scale, pace=0.1)(EMBEDDINGS, LABELS).mean().item() == pytest.approx(
            mean, abs=2e-5
        )


def test_magface_by_hand() -> None:
    embeddings = EMBEDDINGS * torch.tensor([[12.0], [20.0]])  # norms 60 and 200, the latter beyond the band
    for scale, entropy, total in ((64.0, 40.145543, 40.842169), (4.0, 2.657871, 3.354496)):
        made = head("magface", scale)
        found = made(embeddings, LABELS)
        assert found.mean().item() == pytest.approx(total, abs=3e-5)
        extra = made.rule.extra(embeddings.norm(dim=1))
        assert extra.tolist() == pytest.approx([35 * 0.021625, 35 * 0.0181818], abs=2e-5)
        assert (found - extra).mean().item() == pytest.approx(entropy, abs=3e-5)
    own = made.logits(embeddings, LABELS).gather(1, LABELS[:, None]).flatten() / 4
    torch.testing.assert_close(own, torch.tensor([0.0185, 0.126952]), rtol=0, atol=1e-6)


def test_loss_can_not_fall_below_what_the_scale_allows() -> None:
    people, cosine = 10, -1 / 9
    centres = torch.eye(people) - 1 / people  # as far apart as ten centres can be
    for scale, least in ((1.0, 1.376935), (4.0, 0.100472)):
        made = build_head(HeadSettings(name="softmax", scale=scale), people, people)
        made.centres.data = centres
        assert made(centres, torch.arange(people)).tolist() == pytest.approx([least] * people, abs=1e-6)
        assert least == pytest.approx(math.log(1 + 9 * math.exp(scale * (cosine - 1))), abs=1e-6)


# -- against the second implementation ------------------------------------------------------------------------------

SECOND = [
    ("softmax", {}, lambda rule: by_angles.cosface(0.0)),
    ("arcface", {"margin": 0.9}, lambda rule: by_angles.arcface(0.9)),
    ("cosface", {"margin": 0.2}, lambda rule: by_angles.cosface(0.2)),
    ("combined", {"margins": (1.2, 0.4, 0.1)}, lambda rule: by_angles.combined(1.2, 0.4, 0.1)),
    ("combined", {"margins": (4.0, 0.0, 0.0)}, lambda rule: by_angles.combined(4.0, 0.0, 0.0)),
    (
        "adaface",
        {"margin": 0.3, "concentration": 0.7, "pace": 0.4},
        lambda rule: by_angles.adaface(0.3, 0.7, float(rule.mean), float(rule.deviation)),
    ),
    ("curricularface", {"margin": 0.3, "pace": 0.9}, lambda rule: by_angles.arcface(0.3)),
    (
        "magface",
        {"margins": (0.1, 0.9), "norms": (20.0, 90.0), "regulariser": 90.0},
        lambda rule: by_angles.magface((0.1, 0.9), (20.0, 90.0)),
    ),
]


@pytest.mark.parametrize(("name", "settings", "moved"), SECOND)
def test_agrees_with_angles_written_out(name: str, settings: dict[str, Any], moved: Any) -> None:
    embeddings, centres, labels = random_case()
    made = build_head(HeadSettings(name=name, scale=8.0, **settings), 7, 5)
    made.centres.data = centres
    found = made(embeddings, labels) - made.rule.extra(embeddings.norm(dim=1))
    level = float(made.rule.t) if name == "curricularface" else 0.0
    other = {"other": by_angles.curricular(0.3, level)} if name == "curricularface" else {}
    expected = by_angles.losses(
        embeddings.double().tolist(),
        centres.double().tolist(),
        labels.tolist(),
        scale=8.0,
        moved=moved(made.rule),
        **other,
    )
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-5, atol=2e-5)


def test_every_rule_is_tested_twice() -> None:
    assert {name for name, *_ in HAND} | {"magface"} == {name for name, *_ in SECOND} == set(RULES)


# -- gradients ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("negatives", [0, 6])
def test_gradients_are_those_of_the_loss(name: str, negatives: int) -> None:
    # Fewer images: finite differences take a pass for each number.
    embeddings, centres, labels = (part[:6].double() for part in random_case(seed=3))
    labels = labels.long() % 4
    lengths = embeddings.norm(dim=1, keepdim=True)
    made = build_head(HeadSettings(name=name, scale=8.0 if name != "magface" else 4.0, negatives=negatives), 6, 5)
    made.double().eval()

    def loss(directions: Tensor, weights: Tensor) -> Tensor:
        # No gradient passes through AdaFace's norms: there they are held fast.
        seen = lengths * torch.nn.functional.normalize(directions) if name == "adaface" else directions
        return torch.func.functional_call(made, {"centres": weights}, (seen, labels))

    made.training = negatives > 0 and name not in ("adaface", "curricularface")
    assert torch.autograd.gradcheck(loss, (embeddings.requires_grad_(), centres.requires_grad_()))


def test_gradient_of_arcface_by_hand() -> None:
    made = head("arcface", 4.0)
    cosines = torch.tensor([[0.6, 0.8, 0.0], [0.0, 0.6, 0.8]], requires_grad=True)
    made.cosines = lambda embeddings: cosines  # type: ignore[method-assign]
    made(EMBEDDINGS, LABELS).mean().backward()
    own = cosines.grad.gather(1, LABELS[:, None]).flatten()  # type: ignore[union-attr]
    # mean over two of s (p - 1) sin(theta + m) / sin(theta), with p = exp(-loss)
    expected = [2.0 * (math.exp(-2.735012) - 1) * 1.237152, 2.0 * (math.exp(-1.191334) - 1) * 1.516817]
    torch.testing.assert_close(own, torch.tensor(expected), rtol=0, atol=1e-5)


def test_adaface_does_not_pull_at_the_norm_and_magface_does() -> None:
    for name, pulls in (("adaface", False), ("magface", True), ("arcface", False)):
        embeddings = (EMBEDDINGS * 6).requires_grad_()
        head(name, 4.0).train()(embeddings, LABELS).sum().backward()
        assert embeddings.grad is not None
        along = (embeddings.grad * embeddings).sum(dim=1).detach()
        assert (along.abs() > 1e-2).tolist() == [pulls, pulls]
        assert embeddings.grad.abs().max() > 1e-3


def test_regulariser_of_magface_falls_to_the_upper_norm() -> None:
    rule = head("magface", 4.0).rule
    norms = torch.tensor([10.0, 110.0, 200.0], requires_grad=True)
    rule.extra(norms).sum().backward()
    assert norms.grad is not None
    assert (norms.grad / 35).tolist() == pytest.approx([-0.009917, 0.0, 0.0], abs=1e-6)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_gradients_are_finite_at_the_ends(name: str, sign: float) -> None:
    embeddings = (20 * sign * torch.eye(3)).requires_grad_()
    made = head(name, 64.0 if name != "magface" else 32.0)
    losses = made(embeddings, torch.arange(3))
    losses.sum().backward()
    assert losses.isfinite().all()
    for gradient in (embeddings.grad, made.centres.grad):
        assert gradient is not None
        assert gradient.isfinite().all()


@pytest.mark.parametrize("name", RULES)
def test_a_zero_embedding_gives_a_finite_loss(name: str) -> None:
    embeddings = torch.zeros(2, 3, requires_grad=True)
    head(name, 32.0)(embeddings, torch.tensor([0, 1])).sum().backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()


# -- edges ----------------------------------------------------------------------------------------------------------


def test_beyond_pi_arcface_falls_back() -> None:
    switch = math.cos(math.pi - 0.5)
    moved = turned_with_fallback(torch.tensor([-0.95, switch - 1e-4, switch + 1e-4]), 0.5)
    assert moved[0].item() == pytest.approx(-1.189713, abs=1e-6)
    assert moved[1].item() == pytest.approx(switch - 1e-4 - 0.5 * math.sin(math.pi - 0.5), abs=1e-5)
    assert moved[2].item() == pytest.approx(math.cos(math.acos(switch + 1e-4) + 0.5), abs=1e-5)


def test_combined_margin_is_arcface_or_cosface_where_only_one_is_given() -> None:
    cosines = torch.linspace(-0.87, 0.99, 50)
    norms = torch.ones(50)
    arcface = turned_with_fallback(cosines, 0.5)
    torch.testing.assert_close(CombinedMargin(margins=(1.0, 0.5, 0.0)).target(cosines, norms), arcface)
    torch.testing.assert_close(CombinedMargin(margins=(1.0, 0.0, 0.3)).target(cosines, norms), cosines - 0.3)


def test_combined_margin_falls_all_the_way_without_a_jump() -> None:
    cosines = torch.linspace(1.0, -1.0, 4001)
    steps = CombinedMargin(margins=(4.0, 0.3, 0.2)).target(cosines, torch.ones(4001)).diff()
    assert steps.max() <= 1e-5
    assert steps[100:-100].min() > -0.03


def test_magface_leaves_hard_faces_their_cosine() -> None:
    own = torch.tensor([-0.2, 0.2])
    moved = head("magface", 4.0).rule.target(own, torch.tensor([60.0, 60.0]))
    assert moved[0] == own[0]
    assert moved[1] < 0


def test_adaface_between_its_limits() -> None:
    rule = head("adaface", 4.0, concentration=1.0).rule
    rule.mean.fill_(50.0)
    rule.deviation.fill_(10.0)
    angle = math.acos(0.6)
    moved = rule.target(torch.full((3,), 0.6), torch.tensor([5.0, 50.0, 99.0]))
    expected = [math.cos(angle + 0.4), 0.6 - 0.4, math.cos(angle - 0.4) - 0.8]
    assert moved.tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", sorted(set(RULES) - {"adaface", "magface"}))
def test_lengths_do_not_matter(name: str) -> None:
    long = head(name, 4.0, 9 * torch.eye(3))(EMBEDDINGS, LABELS)
    torch.testing.assert_close(head(name, 4.0)(EMBEDDINGS * 50, LABELS), long)


@pytest.mark.parametrize("name", RULES)
def test_half_precision_around_it_changes_nothing(name: str) -> None:
    plain = head(name, 32.0)(EMBEDDINGS * 4, LABELS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = head(name, 32.0)(EMBEDDINGS * 4, LABELS)
        half = head(name, 32.0)((EMBEDDINGS * 4).half(), LABELS)  # these numbers are whole: no digit is lost
    assert inside.dtype == half.dtype == torch.float32
    assert torch.equal(inside, plain)
    assert torch.equal(half, plain)


# -- what is said where something is wrong --------------------------------------------------------------------------


def anything(name: str) -> IdentityHead:
    return build_head(HeadSettings(name=name), 3, 3)


@pytest.mark.parametrize("name", sorted(all_kinds()))
def test_embeddings_that_are_not_finite_are_told(name: str) -> None:
    made = anything(name)
    with pytest.raises(Diverged, match=f"1 of 2 embeddings given to the {made.title} head"):
        made(torch.tensor([[1.0, 2.0, 3.0], [1.0, math.nan, 0.0]]), LABELS)


@pytest.mark.parametrize("name", sorted(all_kinds()))
@pytest.mark.parametrize(
    "labels", [torch.tensor([0.0, 1.0]), torch.tensor([0, 1]).int(), torch.tensor([0]), torch.tensor([[0], [1]])]
)
def test_labels_of_another_form_are_told(name: str, labels: Tensor) -> None:
    with pytest.raises(LabelError, match="needs 2 int64 labels"):
        anything(name)(EMBEDDINGS, labels)


@pytest.mark.parametrize("label", [-1, 3])
@pytest.mark.parametrize("name", [*RULES, "sface", "simplex"])
def test_a_label_out_of_range_is_named(name: str, label: int) -> None:
    with pytest.raises(LabelError, match=str(label)):
        anything(name)(EMBEDDINGS, torch.tensor([0, label]))


@pytest.mark.parametrize("name", [*RULES, "sface", "simplex"])
def test_embeddings_of_another_size_are_told(name: str) -> None:
    with pytest.raises(ContractError, match=r"\(N, 3\), not \(2, 4\)"):
        anything(name)(torch.ones(2, 4), LABELS)


@pytest.mark.parametrize(
    ("name", "length", "said"), [("adaface", 400.0, r"0\.001 to 100"), ("magface", 2.0, "10 to 110")]
)
def test_norms_all_out_of_band_are_told_in_training(name: str, length: float, said: str) -> None:
    made = anything(name)
    embeddings = length * torch.eye(3).repeat(3, 1)
    with pytest.raises(SettingError, match=f"norms of all 9 embeddings, {length:g} to {length:g}, lie outside {said}"):
        made(embeddings, torch.arange(9) % 3)
    assert made.eval()(embeddings, torch.arange(9) % 3).isfinite().all()


@pytest.mark.parametrize("name", [*RULES, "sface", "simplex"])
def test_one_person_is_not_enough(name: str) -> None:
    with pytest.raises(LabelError, match="at least two people"):
        build_head(HeadSettings(name=name), 1, 8)
