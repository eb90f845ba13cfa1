"""Low-rank adapters (LoRA, Hu et al., ICLR 2022, arXiv 2106.09685), on grouped convolutions too.

They are added to the weights, not to the activations: a forward pass costs what it did, and merging is exact.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from wildstyle.adaptation.ways.way import Way, WaySettings
from wildstyle.recognisers.layers import Layer, weighted_layers
from wildstyle.recognisers.quality import QualityNetwork


class LowRankWeight(nn.Module):
    """A weight plus ``strength * up @ down``, for each group of a convolution by itself; at first it adds nothing.

    Args:
        layer: whose weight (O, I / G, ...) it is, G groups.
        rank: of a group's change; at most what its matrix (O / G, I / G * ...) can have.
        strength: factor.
    """

    def __init__(self, layer: Layer, rank: int, strength: float) -> None:
        super().__init__()
        groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
        out, within = layer.weight.shape[0] // groups, math.prod(layer.weight.shape[1:])
        rank = min(rank, out, within)
        self.strength = strength
        self.down = nn.Parameter(torch.randn(groups, rank, within) / math.sqrt(within))
        self.up = nn.Parameter(torch.zeros(groups, out, rank))

    def forward(self, weight: Tensor) -> Tensor:
        """The changed weight, of the same shape."""
        return weight + self.strength * (self.up @ self.down).reshape(weight.shape)


def prepare(network: nn.Module, settings: WaySettings, quality: QualityNetwork | None, seed: int) -> nn.Module:
    """Adapters on every convolution and linear layer take gradients, nothing else does."""
    network.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _, layer in list(weighted_layers(network)):
            parametrize.register_parametrization(
                layer, "weight", LowRankWeight(layer, settings.rank, settings.strength), unsafe=True
            )
    return network


def finish(network: nn.Module) -> nn.Module:
    """Adapters become part of the weights."""
    for module in list(network.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
    return network


WAY = Way("low-rank", prepare, finish)
