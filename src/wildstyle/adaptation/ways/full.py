"""Every weight learns."""

from __future__ import annotations

from torch import nn

from wildstyle.adaptation.ways.way import Way, WaySettings
from wildstyle.recognisers.quality import QualityNetwork


def prepare(network: nn.Module, settings: WaySettings, quality: QualityNetwork | None, seed: int) -> nn.Module:
    """All weights take gradients."""
    return network.requires_grad_(True)


def finish(network: nn.Module) -> nn.Module:
    """Nothing is left to do."""
    return network


WAY = Way("full", prepare, finish)
