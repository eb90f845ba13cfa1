"""What a network is made of, as data: enough to build it again without its weights."""

from __future__ import annotations

from typing import Any

from torch import nn

ARCHITECTURE = "architecture"
"""Attribute under which a network carries its description; it survives ``copy.deepcopy``."""


def describe(network: nn.Module) -> dict[str, Any]:
    """The description a network carries.

    Returns:
        JSON-able: ``{"kind": "backbone", "name", "options"}`` or ``{"kind": "graph", "layers", ...}``;
        for a network that carries none, ``{"kind": "foreign", "class"}``, which can't be built again.
    """
    found = getattr(network, ARCHITECTURE, None)
    if isinstance(found, dict):
        return found
    return {"kind": "foreign", "class": f"{type(network).__module__}.{type(network).__qualname__}"}
