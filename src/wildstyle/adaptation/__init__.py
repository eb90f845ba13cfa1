"""Adaptation: a student learns to see through the user's cameras without leaving its teacher's space."""

from __future__ import annotations

from wildstyle.adaptation.adapt import AdaptDiagnostics, AdaptedRecogniser, adapt_recogniser
from wildstyle.adaptation.guidance import Guided, Objective, StylePoint, guide
from wildstyle.adaptation.heads import HeadSettings, IdentityHead, build_head
from wildstyle.adaptation.lessons import Lessons, StrongTeacher
from wildstyle.adaptation.material import Material
from wildstyle.adaptation.settings import AdaptSettings, GuidanceSettings
from wildstyle.adaptation.task import AdaptTask
from wildstyle.adaptation.twins import StyleTwins, TwinMaker, TwinRequest, Twins
from wildstyle.adaptation.ways import WaySettings

__all__ = [
    "AdaptDiagnostics",
    "AdaptSettings",
    "AdaptTask",
    "AdaptedRecogniser",
    "GuidanceSettings",
    "Guided",
    "HeadSettings",
    "IdentityHead",
    "Lessons",
    "Material",
    "Objective",
    "StrongTeacher",
    "StylePoint",
    "StyleTwins",
    "TwinMaker",
    "TwinRequest",
    "Twins",
    "WaySettings",
    "adapt_recogniser",
    "build_head",
    "guide",
]
