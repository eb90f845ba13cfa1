"""What the user asks for, as data: one frozen record per verb."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from wildstyle.adaptation import AdaptSettings
from wildstyle.errors import SettingError
from wildstyle.faces.cutting import IngestOptions
from wildstyle.synthesis import FitSettings

EvaluationRole = Literal["target", "guard"]

MAY_DIFFER = ("workers", "out", "include_faces", "tensorboard")
"""Settings of an adapt job on which no result depends: a run may be continued with others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSpec:
    """One labelled set to measure on.

    Attributes:
        name: short name used in tables, unique in a job.
        path: a pair set (tar with ``pairs.txt``, or ``.bin``) or a manifest (``.csv``).
        faces: where a manifest's faces lie; the manifest's own folder if None.
        distractors: faces added to the gallery, one image a person, or None.
        role: "target" if it shows the user's cameras (the gain is looked for here), "guard" if it must
            not get worse. A pair set is a guard and a manifest a target unless said otherwise.
    """

    name: str
    path: Path
    faces: Path | None = None
    distractors: Path | None = None
    role: EvaluationRole = "guard"

    @property
    def is_manifest(self) -> bool:
        """Whether the set is a manifest of faces rather than a list of pairs."""
        return self.path.suffix.lower() == ".csv"


def parse_evaluation(text: str) -> EvaluationSpec:
    """Read ``name=path[,faces=path][,distractors=path][,role=target|guard]``.

    Raises:
        SettingError: the text has another form.

    >>> parse_evaluation("lfw=lfw.tar").role
    'guard'
    >>> parse_evaluation("shop=shop.csv,faces=shop.tar").faces.name
    'shop.tar'
    """
    form = "name=path[,faces=path][,distractors=path][,role=target|guard]"
    first, *rest = text.split(",")
    name, equals, path = first.partition("=")
    if not (equals and name.strip() and path.strip()):
        raise SettingError(f"evaluation {text!r} has not the form {form}", remedy="give it a name, as in lfw=pairs.tar")
    options: dict[str, str] = {}
    for part in rest:
        key, equals, value = part.partition("=")
        if key not in ("faces", "distractors", "role") or not value:
            raise SettingError(f"evaluation {text!r}: can't read {part!r}", remedy=f"write {form}")
        options[key] = value
    role = options.get("role", "target" if path.lower().endswith(".csv") else "guard")
    if role not in ("target", "guard"):
        raise SettingError(f"evaluation {text!r}: role is {role!r}", remedy="choose target or guard")
    return EvaluationSpec(
        name=name.strip(),
        path=Path(path),
        faces=Path(options["faces"]) if "faces" in options else None,
        distractors=Path(options["distractors"]) if "distractors" in options else None,
        role="target" if role == "target" else "guard",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateJob:
    """A recogniser to be measured."""

    recogniser: Path
    evaluate: tuple[EvaluationSpec, ...]
    contract: str | None = None
    seed: int = 0
    workers: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptJob:
    """The whole way: recogniser + clean faces + footage → adapted recogniser and a verdict.

    Attributes:
        recogniser: model file (.onnx, .safetensors, .pt).
        source: labelled clean faces (a folder, tar, .rec or manifest).
        target: unlabelled footage: aligned faces, raw pictures or video files.
        out: run folder.
        contract: how the recogniser wants its input, e.g. "rgb,imagenet", where its file does not say.
        evaluate: labelled sets measured before and after.
        detector: ONNX file of a better face detector than the embedded one, or None.
        budget_seconds: time for all stages together on this machine.
        fit_steps: steps of learning the camera, instead of a share of the budget.
        adapt_steps: steps of adapting, instead of a share of the budget.
        seed: of everything random.
        workers: reading threads.
        include_faces: show people's faces in the report.
        tensorboard: also write TensorBoard events.
        detection, synthesis, adaptation: settings of the stages.
    """

    recogniser: Path
    source: Path
    target: tuple[Path, ...]
    out: Path
    contract: str | None = None
    evaluate: tuple[EvaluationSpec, ...] = ()
    detector: Path | None = None
    budget_seconds: float = 1200.0
    fit_steps: int | None = None
    adapt_steps: int | None = None
    seed: int = 0
    workers: int = 2
    include_faces: bool = False
    tensorboard: bool = False
    detection: IngestOptions = field(default_factory=IngestOptions)
    synthesis: FitSettings = field(default_factory=FitSettings)
    adaptation: AdaptSettings = field(default_factory=AdaptSettings)
