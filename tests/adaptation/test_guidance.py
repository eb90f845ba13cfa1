"""Guidance finds harder styles, stays in bounds and leaves no trace."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toy_faces import AXES, SIZE, ToyGenerator, recogniser

from wildstyle.adaptation import GuidanceSettings, Guided, Objective, StylePoint, StyleTwins, TwinRequest, guide
from wildstyle.adaptation.guidance import untouched
from wildstyle.errors import SettingError

N = 12


def point(generator: ToyGenerator, *, length: float = 2.0, images: int = N) -> StylePoint:
    drawn = torch.Generator().manual_seed(5)
    pictures = torch.rand(images, 3, SIZE, SIZE, generator=drawn) * 0.6 + 0.2
    codes = torch.randn(images, AXES, generator=drawn)
    codes = codes / codes.norm(dim=1, keepdim=True) * length
    with torch.no_grad():
        content = generator.encode(pictures)
    return StylePoint(pictures, content, codes, torch.arange(images))


def against_teacher(start: StylePoint) -> tuple[Objective, nn.Module]:
    teacher, student = recogniser().frozen_copy(), recogniser().trainable_copy()
    with torch.no_grad():
        target = teacher.embed(start.images)
    return Objective(lambda x: 1 - (student.embed(x) * target).sum(1), (student.network,)), student.network


def run(start: StylePoint, generator: ToyGenerator, longest: float = 6.0, **changes: Any) -> tuple[Guided, Tensor]:
    objective, _ = against_teacher(start)
    found = guide(generator, start, objective, GuidanceSettings(**changes), max_magnitude=longest)
    with torch.no_grad():
        after = objective.per_image(start.shown(generator, found.codes))
    return found, after


def snapshot(module: nn.Module) -> dict[str, Any]:
    return {
        "state": copy.deepcopy(module.state_dict()),
        "grads": [None if p.grad is None else p.grad.clone() for p in module.parameters()],
        "flags": [p.requires_grad for p in module.parameters()],
        "modes": [m.training for m in module.modules()],
    }


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert before["flags"] == after["flags"]
    assert before["modes"] == after["modes"]
    assert all(torch.equal(v, after["state"][k]) for k, v in before["state"].items())
    for a, b in zip(before["grads"], after["grads"], strict=True):
        assert (a is None and b is None) or torch.equal(a, b)


@pytest.mark.parametrize("steps", [1, 3])
def test_guided_styles_are_harder(steps: int) -> None:
    generator = ToyGenerator().eval()
    found, after = run(point(generator), generator, steps=steps)
    assert after.mean() > found.loss_before
    assert found.zero_signs == 0


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("fails", [False, True])
def test_no_trace_is_left(training: bool, fails: bool) -> None:
    generator = ToyGenerator().train(training)
    start = point(generator.eval())
    generator.train(training)
    objective, network = against_teacher(start)
    network.train(training)
    network[1].eval()
    next(network.parameters()).requires_grad_(False)
    for weight in list(network.parameters())[1:]:
        weight.grad = torch.full_like(weight, 0.25)
    before = [snapshot(generator), snapshot(network)]
    if fails:
        broken = Objective(lambda x: (_ for _ in ()).throw(RuntimeError("out of memory")), objective.modules)
        with pytest.raises(RuntimeError, match="out of memory"):
            guide(generator, start, broken, GuidanceSettings(), max_magnitude=6.0)
    else:
        guide(generator, start, objective, GuidanceSettings(), max_magnitude=6.0)
    assert_same(before[0], snapshot(generator))
    assert_same(before[1], snapshot(network))


def test_one_step_is_the_sign_of_the_gradient_image_by_image() -> None:
    generator = ToyGenerator().eval()
    start = point(generator)
    objective, _ = against_teacher(start)
    found = guide(generator, start, objective, GuidanceSettings(radius=0.2), max_magnitude=6.0)
    for i in range(N):
        code = start.codes[i : i + 1].clone().requires_grad_(True)
        alone = StylePoint(start.images[i : i + 1], start.content[i : i + 1], code, start.seeds[i : i + 1])
        (1 - torch.cosine_similarity(
            _embedding(alone.shown(generator, code)), _embedding(alone.images)
        )).sum().backward()  # fmt: skip
        assert code.grad is not None
        torch.testing.assert_close(found.codes[i], start.codes[i] + 0.2 * code.grad[0].sign())


def _embedding(images: Tensor) -> Tensor:
    return recogniser().frozen_copy().raw(images)


def test_batch_and_alone_agree() -> None:
    generator = ToyGenerator().eval()
    whole, _ = run(point(generator), generator)
    start = point(generator)
    part = StylePoint(start.images[3:5], start.content[3:5], start.codes[3:5], start.seeds[3:5])
    alone, _ = run(part, generator)
    torch.testing.assert_close(alone.codes, whole.codes[3:5])


def test_magnitudes_stay_in_range_and_drift_is_told() -> None:
    generator = ToyGenerator().eval()
    start = point(generator, length=5.99)
    found, _ = run(start, generator, radius=1.0)
    assert found.codes.norm(dim=1).max() <= 6.0 + 1e-5
    assert found.magnitude_before.item() == pytest.approx(5.99, abs=1e-4)
    assert found.magnitude_after.item() == pytest.approx(found.codes.norm(dim=1).mean().item())


def test_many_steps_stay_within_the_radius() -> None:
    generator = ToyGenerator().eval()
    start = point(generator)
    found, _ = run(start, generator, radius=0.3, steps=4)
    assert (found.codes - start.codes).abs().max() <= 0.3 + 1e-6


def test_a_flat_loss_is_seen_as_zero_signs() -> None:
    generator = ToyGenerator().eval()
    start = point(generator)
    flat = Objective(lambda x: (x * 0.0).sum(dim=(1, 2, 3)), ())
    found = guide(generator, start, flat, GuidanceSettings(), max_magnitude=6.0)
    assert found.zero_signs == 1
    assert torch.equal(found.codes, start.codes)


def test_half_precision_around_it_changes_nothing() -> None:
    generator = ToyGenerator().eval()
    start = point(generator)
    plain, _ = run(start, generator)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside, _ = run(start, generator)
    assert torch.equal(plain.codes, inside.codes)


def test_twins_encode_once_and_decode_twice() -> None:
    generator = ToyGenerator().eval()
    start = point(generator)
    objective, _ = against_teacher(start)
    generator.encoded = generator.decoded = 0
    request = TwinRequest(start.images, start.codes, start.seeds)
    twins = StyleTwins(generator, GuidanceSettings())(request, objective)
    assert (generator.encoded, generator.decoded) == (N, 2 * N)
    assert not twins.images.requires_grad
    generator.encoded = generator.decoded = 0
    plain = StyleTwins(generator, GuidanceSettings(enabled=False))(request, objective)
    assert (generator.encoded, generator.decoded) == (N, N)
    assert plain.diagnostics == {}
    assert not torch.equal(plain.images, twins.images)


def test_flags_come_back_for_shared_modules() -> None:
    shared = nn.BatchNorm2d(2).train()
    with untouched([shared, nn.Sequential(shared)]):
        assert not shared.training
        assert not shared.weight.requires_grad
    assert shared.training
    assert shared.weight.requires_grad


def test_a_step_along_the_gradient_is_as_long_as_one_along_its_signs() -> None:
    generator = ToyGenerator().eval()
    start = point(generator)
    signs, _ = run(start, generator, radius=0.2)
    slope, after = run(start, generator, radius=0.2, method="gradient")
    for found in (signs, slope):
        torch.testing.assert_close((found.codes - start.codes).norm(dim=1), torch.full((N,), 0.2 * AXES**0.5))
    assert after.mean() > slope.loss_before
    direction = slope.codes - start.codes
    assert torch.equal(direction.sign(), (signs.codes - start.codes).sign())
    assert direction.abs().std(dim=1).min() > 0.01, "a gradient is not a corner"


def test_many_steps_along_the_gradient_stay_in_the_ball() -> None:
    generator = ToyGenerator().eval()
    start = point(generator)
    found, _ = run(start, generator, radius=0.3, steps=4, method="gradient")
    assert (found.codes - start.codes).norm(dim=1).max() <= 0.3 * AXES**0.5 + 1e-5


def test_random_control_moves_as_far_looks_at_no_loss_and_depends_on_the_seed_alone() -> None:
    generator = ToyGenerator().eval()
    start = point(generator)
    broken = Objective(lambda x: pytest.fail("looked at"), ())
    found = guide(generator, start, broken, GuidanceSettings(method="random", radius=0.2), max_magnitude=6.0)
    torch.testing.assert_close((found.codes - start.codes).abs(), torch.full((N, AXES), 0.2))
    part = StylePoint(start.images[3:5], start.content[3:5], start.codes[3:5], start.seeds[3:5])
    alone, _ = run(part, generator, method="random", radius=0.2)
    assert torch.equal(alone.codes, found.codes[3:5])
    assert (found.codes > start.codes).float().mean().item() == pytest.approx(0.5, abs=0.25)


def test_restarts_never_end_lower_and_stay_in_the_box() -> None:
    generator = ToyGenerator().eval()
    start = point(generator)
    rugged = Objective(lambda x: torch.sin(300 * x.mean(dim=(1, 2, 3))), ())
    ends = []
    for restarts in (0, 3):
        settings = GuidanceSettings(steps=2, restarts=restarts)
        found = guide(generator, start, rugged, settings, max_magnitude=6.0)
        assert (found.codes - start.codes).abs().max() <= 0.314 + 1e-6
        with torch.no_grad():
            ends.append(rugged.per_image(start.shown(generator, found.codes)))
    assert (ends[1] >= ends[0] - 1e-6).all()
    assert (ends[1] > ends[0] + 0.01).any()


def test_styles_that_lose_the_person_are_taken_back() -> None:
    generator = ToyGenerator().eval()
    start = point(generator)
    objective, _ = against_teacher(start)
    free, _ = run(start, generator)
    with torch.no_grad():
        likeness = start.shown(generator, free.codes).mean(dim=(1, 2, 3))  # stands for a cosine
    bound = float(likeness.median())
    asked = replace(objective, similarity=lambda x: x.mean(dim=(1, 2, 3)))
    found = guide(generator, start, asked, GuidanceSettings(least_similarity=bound), max_magnitude=6.0)
    lost = likeness < bound
    assert 0 < int(lost.sum()) < N
    torch.testing.assert_close(found.codes[lost], start.codes[lost])
    torch.testing.assert_close(found.codes[~lost], free.codes[~lost])
    assert found.taken_back.item() == pytest.approx(lost.float().mean().item())


@pytest.mark.parametrize(
    "changes",
    [
        {"radius": 0.0},
        {"radius": float("nan")},
        {"steps": 0},
        {"restarts": -1},
        {"share": 1.5},
        {"least_similarity": 2.0},
        {"method": "newton"},
    ],
)
def test_settings_without_sense_are_refused_by_guidance(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        GuidanceSettings(**changes)
