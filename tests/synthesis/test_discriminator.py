from __future__ import annotations

import torch

from wildstyle.synthesis.discriminator import Discriminator


def scores(faces: torch.Tensor) -> torch.Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Discriminator().eval()(faces)


def test_two_scales_give_two_scores() -> None:
    assert scores(torch.rand(3, 3, 64, 64)).shape == (3, 2)


def test_every_parameter_gets_a_gradient() -> None:
    critic = Discriminator()
    critic(torch.rand(4, 3, 64, 64)).square().sum().backward()
    assert [n for n, p in critic.named_parameters() if p.grad is None or p.grad.abs().max() == 0] == []


def test_contrast_and_colour_are_seen_at_both_scales() -> None:
    face = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    for other in (0.5 + (face - 0.5) * 0.5, face * torch.tensor([1.0, 0.9, 0.8]).view(1, 3, 1, 1)):
        assert ((scores(face) - scores(other)).abs() > 1e-4).all()
