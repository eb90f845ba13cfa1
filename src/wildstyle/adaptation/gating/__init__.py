"""The gate: a quality taught without labels, and the knees between untouched and adapted weights."""

from __future__ import annotations

from wildstyle.adaptation.gating.assembling import Gated, TrialFaces, assemble, gate_by_trial, some_faces
from wildstyle.adaptation.gating.effective_size import SizeCurve, shrunk, size_curve
from wildstyle.adaptation.gating.knees import Knees, Trial, choose_knees
from wildstyle.adaptation.gating.settings import GateSettings
from wildstyle.adaptation.gating.teaching import QualitySettings, TaughtQuality, log_sizes, settle, teach_quality
from wildstyle.adaptation.gating.worse import Worse

__all__ = [
    "GateSettings",
    "Gated",
    "Knees",
    "QualitySettings",
    "SizeCurve",
    "TaughtQuality",
    "Trial",
    "TrialFaces",
    "Worse",
    "assemble",
    "choose_knees",
    "gate_by_trial",
    "log_sizes",
    "settle",
    "shrunk",
    "size_curve",
    "some_faces",
    "teach_quality",
]
