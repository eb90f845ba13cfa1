from __future__ import annotations

from pathlib import Path

import pytest
import torch

from wildstyle.errors import InputError
from wildstyle.madeup import demo_recogniser_path
from wildstyle.recognisers import load_recogniser
from wildstyle.synthesis.cost import count_macs, count_parameters
from wildstyle.synthesis.kinds.released import ReleasedDiscriminator, ReleasedGenerator, ReleasedTask
from wildstyle.synthesis.kinds.released.networks import SampleNorm
from wildstyle.synthesis.kinds.released.training import wanted_distance
from wildstyle.synthesis.task import FitBatch
from wildstyle.training import LoopPlan, train

SEEDS = torch.zeros(2, dtype=torch.int64)


def faces(count: int = 2, size: int = 112) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def batch(count: int = 2) -> FitBatch:
    return FitBatch(
        faces(count),
        faces(count).flip(0),
        torch.zeros(count, 10),
        torch.zeros(count, dtype=torch.int64),
        torch.arange(count),
        torch.zeros(2, dtype=torch.int64),
    )


def test_sizes_and_costs_are_the_published_ones() -> None:
    generator, critic = ReleasedGenerator(), ReleasedDiscriminator()
    image, code = faces(1), torch.zeros(1, 10)
    assert count_parameters(generator.encoder) == 4_205_696
    assert count_parameters(generator) == 9_669_891
    assert count_parameters(critic) == 8_283_459
    assert count_macs(lambda: generator(image, code, SEEDS[:1])) == pytest.approx(11.746e9, rel=1e-4)
    assert count_macs(lambda: generator.encode(image)) == pytest.approx(3.7146e9, rel=1e-4)
    assert count_macs(lambda: critic(image)) == pytest.approx(0.4047e9, rel=1e-3)


def test_the_style_is_close_to_switched_off_at_the_start() -> None:
    torch.manual_seed(0)
    generator = ReleasedGenerator()
    with torch.no_grad():
        parameters = generator.decoder.style(torch.zeros(1, 128))
        moved = generator(faces(), torch.randn(2, 10), SEEDS) - generator(faces(), torch.zeros(2, 10), SEEDS)
    assert abs(float(parameters.mean())) < 0.02
    assert float(parameters.std()) == pytest.approx(0.048, abs=0.02)
    assert 0.0 < float(moved.abs().mean()) < 0.03


def test_every_part_of_the_repaired_discriminator_learns() -> None:
    critic = ReleasedDiscriminator()
    maps = critic(2 * faces() - 1)
    assert [tuple(m.shape[1:]) for m in maps] == [(1, 7, 7), (1, 3, 3), (1, 1, 1)]
    sum((m - 1).square().mean() for m in maps).backward()
    # Biases before an instance norm move nothing, as published.
    weights = [p for name, p in critic.named_parameters() if name.endswith("weight")]
    assert all(p.grad is not None and float(p.grad.abs().max()) > 0 for p in weights)


def test_the_norm_over_a_sample_uses_the_unbiased_deviation() -> None:
    norm = SampleNorm(1)
    with torch.no_grad():
        norm.gain.fill_(1.0)
    out = norm(torch.tensor([[[[0.0, 2.0], [4.0, 6.0]]]]))
    assert out.flatten().tolist() == pytest.approx([-1.16189, -0.38730, 0.38730, 1.16189], abs=1e-4)


def test_the_identity_target_is_the_published_line() -> None:
    assert wanted_distance(torch.tensor([0.0, 3.0, 6.0])).tolist() == pytest.approx([0.05, 0.35, 0.65])


def test_wrong_shapes_are_refused() -> None:
    generator = ReleasedGenerator()
    with pytest.raises(InputError, match="multiple of 4"):
        generator.encode(torch.rand(1, 3, 30, 30))
    with pytest.raises(InputError, match="codes"):
        generator(faces(), torch.zeros(2, 9), SEEDS)


def test_two_steps_teach_both_sides_and_leave_the_recogniser(tmp_path: Path) -> None:
    recogniser = load_recogniser(demo_recogniser_path()).frozen_copy()
    before = recogniser.hash
    torch.manual_seed(0)
    generator = ReleasedGenerator()
    start = {name: p.detach().clone() for name, p in generator.named_parameters()}
    task = ReleasedTask(generator, recogniser)
    result = train(task, lambda step: batch(), LoopPlan(steps=2, identity="x"), tmp_path)
    assert result.steps == 2
    assert recogniser.hash == before
    moved = [name for name, p in generator.named_parameters() if not torch.equal(p, start[name])]
    assert {"basis", "mean", "encoder.stem.weight", "decoder.last.weight"} <= set(moved)
    state = task.state_dict()
    other = ReleasedTask(ReleasedGenerator(), recogniser)
    other.load_state_dict(state)
    assert other.plain.hash == generator.hash
