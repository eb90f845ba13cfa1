"""Adaptation: a student learns to see through the user's cameras without leaving its teacher's space."""

from __future__ import annotations

from wildstyle.adaptation.adapt import AdaptDiagnostics, AdaptedRecogniser, adapt_recogniser
from wildstyle.adaptation.guidance import Guided, Objective, StylePoint, guide
from wildstyle.adaptation.heads import ArcFaceHead
from wildstyle.adaptation.settings import AdaptSettings, GuidanceSettings
from wildstyle.adaptation.task import AdaptTask
from wildstyle.adaptation.twins import StyleTwins, TwinMaker, TwinRequest, Twins

__all__ = [
    "AdaptDiagnostics",
    "AdaptSettings",
    "AdaptTask",
    "AdaptedRecogniser",
    "ArcFaceHead",
    "GuidanceSettings",
    "Guided",
    "Objective",
    "StylePoint",
    "StyleTwins",
    "TwinMaker",
    "TwinRequest",
    "Twins",
    "adapt_recogniser",
    "guide",
]
