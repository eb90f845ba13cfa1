"""A pair of low-rank adapters, mixed face by face by quality, as in PETALface; see ``recognisers.paired``."""

from __future__ import annotations

import torch
from torch import nn

from wildstyle.adaptation.ways.way import Way, WaySettings
from wildstyle.errors import SettingError
from wildstyle.recognisers.paired import PairedNetwork
from wildstyle.recognisers.quality import QualityNetwork


def prepare(network: nn.Module, settings: WaySettings, quality: QualityNetwork | None, seed: int) -> nn.Module:
    """Adapters take gradients, nothing else does.

    Raises:
        SettingError: there is no quality, and no constant gate was asked for.
    """
    if quality is None and not settings.constant_gate:
        raise SettingError(
            "a pair of adapters is mixed by the quality of a face, and none was taught",
            where="adaptation",
            remedy="teach a quality first, or set constant_gate",
        )
    network.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = PairedNetwork(
            network,
            None if settings.constant_gate or quality is None else quality.requires_grad_(False),
            rank=settings.rank,
            strength=settings.strength,
        )
    return made.eval()


def finish(network: nn.Module) -> nn.Module:
    """Nothing can be merged."""
    return network


WAY = Way("paired", prepare, finish)
