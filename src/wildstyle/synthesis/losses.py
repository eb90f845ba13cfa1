"""What is asked of the generator and of the discriminator."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from wildstyle.synthesis.codes import magnitude_of
from wildstyle.synthesis.window import inner_face


def identity_target(magnitude: Tensor, at_max: float, max_magnitude: float) -> Tensor:
    """Wanted identity distance of magnitudes (N,): 0 at 0, linear to ``at_max``.

    As in CFSM (arXiv 2207.10180) but from 0 instead of 0.05, since here magnitude 0 is the input itself.
    """
    return magnitude * (at_max / max_magnitude)


def identity_distance(anchor: Tensor, embedding: Tensor) -> Tensor:
    """1 - cosine of unit embeddings (N, D), in [0, 2]: (N,)."""
    return 1.0 - (anchor * embedding).sum(dim=1)


def identity_miss(distance: Tensor, wanted: Tensor) -> Tensor:
    """Mean of (distance - wanted)² / (wanted + 0.15); 0-d. The division keeps small magnitudes from being ignored."""
    return ((distance - wanted).square() / (wanted + 0.15)).mean()


def target_weight(magnitude: Tensor, like_target: tuple[float, float]) -> Tensor:
    """How much a picture of this magnitude should look like the target: 0 up to the first value, 1 from the second."""
    low, high = like_target
    return ((magnitude - low) / (high - low)).clamp(0.0, 1.0)


def critic_loss(real: Tensor, fake: Tensor, weight: Tensor) -> Tensor:
    """Hinge loss of the discriminator; ``real`` (N, scales), ``fake`` (N, scales) weighted by (N,)."""
    share = weight / weight.sum().clamp_min(1e-6)
    against = (functional.relu(1.0 + fake).mean(dim=1) * share).sum()
    return functional.relu(1.0 - real).mean() + against


def fooling_loss(fake: Tensor, weight: Tensor) -> Tensor:
    """Hinge loss of the generator on scores (N, scales) weighted by (N,)."""
    share = weight / weight.sum().clamp_min(1e-6)
    return -(fake.mean(dim=1) * share).sum()


def residual_size(added: Tensor) -> Tensor:
    """Mean size of the learned change (N, 3, S, S), counted five times where nothing compares it to the target; 0-d."""
    size = added.abs()
    return 5.0 * size.mean() - 4.0 * inner_face(size).sum() / size.numel()


class DirectionReader(nn.Module):
    """Reads the direction of a style code off what it did to a face.

    Without such a reader nothing in the loss stops a generator from ignoring direction and using magnitude only.

    Args:
        axes: K.
        statistics: F, number of style statistics.
    """

    def __init__(self, axes: int, statistics: int) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(12, 24, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(24, 32, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.judge = nn.Sequential(nn.Linear(32 + statistics, 64), nn.ReLU(), nn.Linear(64, axes))

    def forward(self, images: Tensor, synthesised: Tensor, change: Tensor) -> Tensor:
        """Predicted directions (N, K), not normalised; ``change`` (N, F) is the change of the style statistics."""
        difference = inner_face(synthesised - images) * 4.0
        seen = self.look(difference).mean(dim=(2, 3))
        read: Tensor = self.judge(torch.cat([seen, change], dim=1))
        return read


def direction_loss(read: Tensor, code: Tensor) -> Tensor:
    """1 - cosine between read and true directions, mean over codes that are not tiny; 0-d."""
    weight = (magnitude_of(code) / 2.0).clamp(max=1.0)
    missed = 1.0 - functional.cosine_similarity(read, code, dim=1, eps=1e-6)
    return (missed * weight).sum() / weight.sum().clamp_min(1e-6)
