"""Make a face recogniser work on the cameras its owner really has.

The few verbs a program needs; the command line calls the same.

    >>> from pathlib import Path
    >>> from wildstyle import AdaptJob, adapt, check
    >>> job = AdaptJob(
    ...     recogniser=Path("mine.onnx"), source=Path("clean.tar"), target=(Path("footage/"),), out=Path("runs/first")
    ... )
    >>> [finding.what for finding in check(job).faults]  # doctest: +SKIP
    []
    >>> adapt(job).verdict.sentence  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wildstyle.errors import WildstyleError
    from wildstyle.faces import Face, FaceRecord, FaceSource, open_faces
    from wildstyle.recognisers import Recogniser, RecogniserContract, embed_source, load_recogniser, save_recogniser
    from wildstyle.verbs.adapt import AdaptOutcome, adapt
    from wildstyle.verbs.calibrate import calibrate
    from wildstyle.verbs.check import CheckReport, check
    from wildstyle.verbs.converting import ConvertJob, convert
    from wildstyle.verbs.demo import demo
    from wildstyle.verbs.doctoring import DoctorJob, doctor
    from wildstyle.verbs.evaluate import evaluate
    from wildstyle.verbs.faces import align_faces
    from wildstyle.verbs.fitting import FitJob, fit
    from wildstyle.verbs.jobs import AdaptJob, CalibrateJob, EvaluateJob, EvaluationSpec
    from wildstyle.verbs.synthesising import SynthesiseJob, synthesise_faces

__all__ = [
    "AdaptJob",
    "AdaptOutcome",
    "CalibrateJob",
    "CheckReport",
    "ConvertJob",
    "DoctorJob",
    "EvaluateJob",
    "EvaluationSpec",
    "Face",
    "FaceRecord",
    "FaceSource",
    "FitJob",
    "Recogniser",
    "RecogniserContract",
    "SynthesiseJob",
    "WildstyleError",
    "adapt",
    "align_faces",
    "calibrate",
    "check",
    "convert",
    "demo",
    "doctor",
    "embed_source",
    "evaluate",
    "fit",
    "load_recogniser",
    "open_faces",
    "save_recogniser",
    "synthesise_faces",
]

# Loaded when first asked for, so that reading a folder of faces does not load a deep-learning library.
_HOMES = {
    "wildstyle.errors": ("WildstyleError",),
    "wildstyle.faces": ("Face", "FaceRecord", "FaceSource", "open_faces"),
    "wildstyle.recognisers": (
        "Recogniser",
        "RecogniserContract",
        "embed_source",
        "load_recogniser",
        "save_recogniser",
    ),
    "wildstyle.verbs.adapt": ("AdaptOutcome", "adapt"),
    "wildstyle.verbs.calibrate": ("calibrate",),
    "wildstyle.verbs.check": ("CheckReport", "check"),
    "wildstyle.verbs.converting": ("ConvertJob", "convert"),
    "wildstyle.verbs.demo": ("demo",),
    "wildstyle.verbs.doctoring": ("DoctorJob", "doctor"),
    "wildstyle.verbs.evaluate": ("evaluate",),
    "wildstyle.verbs.faces": ("align_faces",),
    "wildstyle.verbs.fitting": ("FitJob", "fit"),
    "wildstyle.verbs.jobs": ("AdaptJob", "CalibrateJob", "EvaluateJob", "EvaluationSpec"),
    "wildstyle.verbs.synthesising": ("SynthesiseJob", "synthesise_faces"),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(_import_module(home), name)
    raise AttributeError(f"module 'wildstyle' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
