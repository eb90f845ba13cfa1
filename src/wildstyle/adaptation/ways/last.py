"""Only the last layers learn: cheap, and the early filters, which see every camera alike, stay."""

from __future__ import annotations

from torch import nn

from wildstyle.adaptation.ways.way import Way, WaySettings
from wildstyle.recognisers.layers import weighted_layers
from wildstyle.recognisers.quality import QualityNetwork


def prepare(network: nn.Module, settings: WaySettings, quality: QualityNetwork | None, seed: int) -> nn.Module:
    """Everything from the first of the last convolutions and linear layers on takes gradients."""
    names = [name for name, _ in weighted_layers(network)]
    first = names[-max(1, round(settings.last * len(names)))]
    network.requires_grad_(False)
    reached = False
    for name, module in network.named_modules():
        reached = reached or name == first
        if reached:
            for weight in module.parameters(recurse=False):
                weight.requires_grad_(True)
    return network


def finish(network: nn.Module) -> nn.Module:
    """Nothing is left to do."""
    return network


WAY = Way("last", prepare, finish)
