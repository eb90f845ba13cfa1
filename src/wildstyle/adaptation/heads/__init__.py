"""Losses on identity labels."""

from __future__ import annotations

from wildstyle.adaptation.heads.arcface import ArcFaceHead
from wildstyle.adaptation.heads.centres import class_centres

__all__ = ["ArcFaceHead", "class_centres"]
