"""What the user asks for, as data: one frozen record per verb."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from pathlib import Path
from typing import Any, Literal, get_args

from wildstyle.adaptation import AdaptSettings
from wildstyle.adaptation.gating import GateSettings
from wildstyle.errors import SettingError
from wildstyle.evaluation.old_rules import FmrRule
from wildstyle.evaluation.pooling import PoolingRule
from wildstyle.evaluation.survface import Gallery
from wildstyle.faces.cutting import IngestOptions
from wildstyle.synthesis import FitSettings

EvaluationRole = Literal["target", "guard"]
Layout = Literal["auto", "ijbb", "ijbc", "ijbs", "tinyface", "survface"]

MAY_DIFFER = ("workers", "out", "include_faces", "tensorboard")
"""Settings of an adapt job on which no result depends: a run may be continued with others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSpec:
    """One labelled set to measure on.

    Attributes:
        name: short name used in tables, unique in a job.
        path: a pair set (tar with ``pairs.txt``, or ``.bin``), a manifest (``.csv`` or ``.parquet``), or the folder of
            a public benchmark as it is handed out.
        faces: where a manifest's faces lie; the manifest's own folder if None.
        distractors: faces added to the gallery, one image a person, or None.
        role: "target" if it shows the user's cameras (the gain is looked for here), "guard" if it must
            not get worse. A pair set is a guard and a manifest a target unless said otherwise.
        by: columns whose values make groups: ``media``, ``camera`` or any other.
        bands: edges of the size bands in px; None: the usual ones.
        pooling: how templates are pooled, e.g. ``N1D0F0``, ``mean`` or ``norm-weighted``; None: as the protocol has it.
        fmr_rule: ``nearest`` or ``kth`` add the figures of older tables.
        discard_by: qualities for error-versus-discard curves.
        gallery: QMUL-SurvFace: ``images`` or ``prototypes``.
        layout: what kind of benchmark the folder holds; ``auto``: told by its files.
        embeddings: a ``.npy`` (N, D), one row a face of the set in its order, instead of a recogniser; or None.
    """

    name: str
    path: Path
    faces: Path | None = None
    distractors: Path | None = None
    role: EvaluationRole = "guard"
    by: tuple[str, ...] = ()
    bands: tuple[float, ...] | None = None
    pooling: str | None = None
    fmr_rule: FmrRule = "strict"
    discard_by: tuple[str, ...] = ()
    gallery: Gallery = "images"
    layout: Layout = "auto"
    embeddings: Path | None = None

    @property
    def is_manifest(self) -> bool:
        """Whether the set is a manifest of faces rather than a list of pairs or a benchmark's folder."""
        return self.path.suffix.lower() in (".csv", ".parquet")


_FORM = (
    "name=path[,faces=path][,distractors=path][,role=target|guard][,by=column+column][,bands=24+32+64]"
    "[,pooling=N1D0F0|mean|norm-weighted][,fmr_rule=nearest|kth][,discard_by=min_side+norm][,gallery=prototypes]"
    "[,layout=ijbc|ijbb|ijbs|tinyface|survface][,embeddings=path.npy]"
)
_PATHS = ("faces", "distractors", "embeddings")
_LISTS = ("by", "discard_by")
_CHOICES: dict[str, tuple[str, ...]] = {
    "role": get_args(EvaluationRole),
    "fmr_rule": get_args(FmrRule),
    "gallery": get_args(Gallery),
    "layout": get_args(Layout),
}


def parse_evaluation(text: str) -> EvaluationSpec:
    """Read ``name=path`` and options after commas; several values of one option are joined by ``+``.

    Raises:
        SettingError: the text has another form.

    >>> parse_evaluation("lfw=lfw.tar").role
    'guard'
    >>> parse_evaluation("shop=shop.csv,faces=shop.tar,by=camera+media").by
    ('camera', 'media')
    """
    first, *rest = text.split(",")
    name, equals, path = first.partition("=")
    if not (equals and name.strip() and path.strip()):
        raise SettingError(
            f"evaluation {text!r} has not the form {_FORM}", remedy="give it a name, as in lfw=pairs.tar"
        )
    given = dict(_option(part, text) for part in rest)
    default = "target" if Path(path).suffix.lower() in (".csv", ".parquet") else "guard"
    return EvaluationSpec(**{"name": name.strip(), "path": Path(path), "role": default, **given})


def _option(part: str, text: str) -> tuple[str, Any]:
    key, _, value = part.partition("=")
    known = {field.name for field in fields(EvaluationSpec)} - {"name", "path"}
    if key not in known or not value:
        raise SettingError(f"evaluation {text!r}: can't read {part!r}", remedy=f"write {_FORM}")
    if key in _PATHS:
        return key, Path(value)
    if key in _LISTS:
        return key, tuple(value.split("+"))
    if key == "bands":
        return key, parse_bands(value, f"evaluation {text!r}")
    if key in _CHOICES and value not in _CHOICES[key]:
        raise SettingError(f"evaluation {text!r}: {key} is {value!r}", remedy=f"choose {' or '.join(_CHOICES[key])}")
    if key == "pooling":
        PoolingRule.parse(value)
    return key, value


def parse_bands(text: str, where: str) -> tuple[float, ...]:
    """Edges of size bands, joined by ``+`` or commas.

    Raises:
        SettingError: they are no rising numbers.

    >>> parse_bands("16+24.5", "--bands")
    (16.0, 24.5)
    """
    try:
        edges = tuple(float(edge) for edge in text.replace(",", "+").split("+"))
    except ValueError:
        edges = ()
    if not edges or not all(isfinite(edge) for edge in edges) or list(edges) != sorted(set(edges)):
        raise SettingError(f"{where}: bands are rising numbers, not {text!r}", remedy="write for example 24+32+64")
    return edges


def with_common(
    specs: Sequence[EvaluationSpec],
    *,
    by: tuple[str, ...] = (),
    bands: tuple[float, ...] | None = None,
    discard_by: tuple[str, ...] = (),
) -> tuple[EvaluationSpec, ...]:
    """The sets with these options wherever a manifest has none of its own; pair sets seldom have columns."""
    return tuple(
        replace(
            spec,
            by=spec.by or by,
            bands=bands if spec.bands is None else spec.bands,
            discard_by=spec.discard_by or discard_by,
        )
        if spec.is_manifest
        else spec
        for spec in specs
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateJob:
    """A recogniser to be measured.

    Attributes:
        recogniser: model file, or a ``.npy`` of embeddings (N, D), one row a face of the one set; sets with
            ``embeddings`` of their own need neither.
        evaluate: labelled sets.
        contract: as in ``AdaptJob``.
        seed: of the intervals.
        workers: reading threads.
        threshold: score from which on a deployed system accepts: a number, or ``contract:1e-3`` for the calibrated one.
    """

    recogniser: Path
    evaluate: tuple[EvaluationSpec, ...]
    contract: str | None = None
    seed: int = 0
    workers: int = 2
    threshold: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateJob:
    """A recogniser whose thresholds are wanted.

    Attributes:
        recogniser: model file.
        evaluate: labelled sets; thresholds are found on each.
        targets: wanted false match rates.
        contract: as in ``AdaptJob``.
        into: model file to write with what was found in its contract, or None.
        force: let ``into`` replace a file.
        seed: of the intervals.
        workers: reading threads.
    """

    recogniser: Path
    evaluate: tuple[EvaluationSpec, ...]
    targets: tuple[float, ...] = (1e-2, 1e-3)
    contract: str | None = None
    into: Path | None = None
    force: bool = False
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
        strong: model file of a stronger recogniser that the user owns, as a second teacher, or None.
        strong_contract: as ``contract``, of that one.
        detection, synthesis, adaptation, gate: settings of the stages.
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
    gate: GateSettings = field(default_factory=GateSettings)
    strong: Path | None = None
    strong_contract: str | None = None
