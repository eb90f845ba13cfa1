"""The layers of a network that hold most of its weights."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

Layer = nn.Conv2d | nn.Linear


def weighted_layers(network: nn.Module) -> Iterator[tuple[str, Layer]]:
    """Convolutions and linear layers by name, in the order in which they were built; each shared one once."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            yield name, module
