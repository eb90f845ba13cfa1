"""Our own small registry of backbones: a name and options give a network that can be described as data."""

from __future__ import annotations

from wildstyle.recognisers.backbones.registry import backbone_names, build_backbone

__all__ = ["backbone_names", "build_backbone"]
