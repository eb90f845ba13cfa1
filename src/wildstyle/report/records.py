"""The records a report is made from, and where they lie in a run folder.

    metrics/evaluation-<name>.json   EvaluatedSet      one a labelled set
    metrics/ingest-<name>.json       Ingested          one a source of footage
    metrics/diagnostics-<stage>.json Diagnostics       one a stage that has something to say about itself
    metrics/recogniser.json          AdaptedRecogniser
    metrics/checks.json              list of Check     what was looked at before the run
    metrics/licences.json            list of Licence   under which terms each file came that was brought in
    verdict.json                     Verdict

Each is optional: what is missing is said to be missing in the report.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeVar

from wildstyle.errors import CorruptArchive, SettingError
from wildstyle.evaluation.result import Comparison
from wildstyle.report.licences import Licence, ledger, read_licences
from wildstyle.runs.folder import RunFolder

RECORDS_SCHEMA = 1

Role = Literal["target", "guard"]
Gallery = Literal["keep", "re-enrol", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedSet:
    """One labelled set, measured before and after.

    Attributes:
        name: short name, unique in a run.
        role: "target" shows the user's cameras, "guard" must not get worse.
        comparison: the figures, and the curves of both sides.
    """

    name: str
    role: Role
    comparison: Comparison

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "schema": RECORDS_SCHEMA,
            "name": self.name,
            "role": self.role,
            "comparison": self.comparison.to_json(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> EvaluatedSet:
        """Inverse of ``to_json``; raises CorruptArchive where it is not such a record."""
        # Curves lay here before results carried their own; nobody ever wrote any.
        if isinstance(value, Mapping) and value.get("curves", 0) is None:
            value = {key: kept for key, kept in value.items() if key != "curves"}
        body = _body(value, cls)
        if body.get("role") not in ("target", "guard"):
            raise CorruptArchive(f"an evaluation record has the role {body.get('role')!r}", remedy=_REMEDY)
        return cls(**{**body, "comparison": Comparison.from_json(body["comparison"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What became of one source of footage.

    Attributes:
        name: of the source.
        read: pictures looked at.
        kept: faces that went on.
        rejected: pictures or faces left out, by reason.
        listing: file with every rejected item, relative to the run folder, or None.
        eye_distances: histogram of the distance of the eyes in px before alignment,
            ``{"edges": [n + 1 numbers], "counts": [n integers]}``, or None.
        media: how many films, cameras or days the footage comes from, or None.
    """

    name: str
    read: int
    kept: int
    rejected: Mapping[str, int] = field(default_factory=dict)
    listing: str | None = None
    eye_distances: Mapping[str, list[float]] | None = None
    media: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number or word about a stage, with what it means in one clause."""

    name: str
    value: float | int | str
    meaning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """What a stage says about its own health.

    Attributes:
        stage: its name, e.g. "synthesis".
        figures: most telling first.
        curves: by name, ``[[step, value], …]``, e.g. losses.
    """

    stage: str
    figures: tuple[Figure, ...] = ()
    curves: Mapping[str, list[list[float]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingCost:
    """What the exported file costs where it serves.

    Attributes:
        megabytes: its size.
        milliseconds: one face on one thread by onnxruntime, median.
        before_milliseconds: the untouched recogniser, timed by turns with it; or None.
    """

    megabytes: float
    milliseconds: float
    before_milliseconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptedRecogniser:
    """The recogniser before and after, as a reader of the report must know it.

    Attributes:
        contract: the recogniser contract as JSON values.
        before_hash: sha256 of the untouched recogniser.
        after_hash: sha256 of the adapted one.
        parameters: count, or None.
        gallery: whether stored templates stay usable with the adapted weights.
        gallery_reason: one clause saying why.
        method: how it was adapted, one sentence.
        labels_used: whether labels of the footage went into training.
        files: what to deploy, relative to the run folder.
        cost: of serving it, or None where it was not timed.
    """

    contract: Mapping[str, Any]
    before_hash: str
    after_hash: str
    parameters: int | None = None
    gallery: Gallery = "unknown"
    gallery_reason: str = ""
    method: str = ""
    labels_used: bool = False
    files: tuple[str, ...] = ()
    cost: ServingCost | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at before the run.

    Attributes:
        what: what was checked, e.g. "people shared between source and lfw".
        outcome: what was found, one clause.
        passed: False for a fault that did not stop the run.
    """

    what: str
    outcome: str
    passed: bool = True


FlatRecord = TypeVar("FlatRecord", Ingested, Diagnostics, AdaptedRecogniser, Check)


def store_evaluation(folder: RunFolder, evaluated: EvaluatedSet) -> None:
    """Write ``metrics/evaluation-<name>.json``."""
    folder.write_metrics(f"evaluation-{file_name(evaluated.name)}", evaluated.to_json())


def store_ingested(folder: RunFolder, ingested: Ingested) -> None:
    """Write ``metrics/ingest-<name>.json``."""
    folder.write_metrics(f"ingest-{file_name(ingested.name)}", _to_json(ingested))


def store_diagnostics(folder: RunFolder, diagnostics: Diagnostics) -> None:
    """Write ``metrics/diagnostics-<stage>.json``."""
    folder.write_metrics(f"diagnostics-{file_name(diagnostics.stage)}", _to_json(diagnostics))


def store_recogniser(folder: RunFolder, recogniser: AdaptedRecogniser) -> None:
    """Write ``metrics/recogniser.json``."""
    folder.write_metrics("recogniser", _to_json(recogniser))


def store_licences(folder: RunFolder, licences: Sequence[Licence]) -> None:
    """Write ``metrics/licences.json``."""
    folder.write_metrics("licences", {"schema": RECORDS_SCHEMA, "licences": [asdict(one) for one in licences]})


def store_checks(folder: RunFolder, checks: list[Check]) -> None:
    """Write ``metrics/checks.json``."""
    folder.write_metrics("checks", {"schema": RECORDS_SCHEMA, "checks": [asdict(check) for check in checks]})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecords:
    """All records of a run folder that a report or a model card shows."""

    config: Mapping[str, Any]
    command: str
    provenance: Mapping[str, Any] | None
    evaluations: tuple[EvaluatedSet, ...]
    ingested: tuple[Ingested, ...]
    diagnostics: tuple[Diagnostics, ...]
    recogniser: AdaptedRecogniser | None
    checks: tuple[Check, ...]
    licences: tuple[Licence, ...] = ()


def read_records(folder: RunFolder) -> RunRecords:
    """Read what is there.

    Raises:
        InputError: a record is not valid JSON.
        CorruptArchive: a record lacks a key or has another schema.
    """
    metrics = folder.metrics()
    checks = metrics.get("checks", {"checks": []})
    recogniser = _recogniser(metrics["recogniser"]) if "recogniser" in metrics else None
    provenance = folder.read_json("provenance") if folder.file("provenance.json").is_file() else None
    stated = read_licences(metrics.get("licences", {}).get("licences", ()))
    evaluations = [EvaluatedSet.from_json(v) for k, v in metrics.items() if k.startswith("evaluation-")]
    return RunRecords(
        config=folder.config,
        command=folder.command,
        provenance=provenance,
        # What was adapted for comes first.
        evaluations=tuple(sorted(evaluations, key=lambda e: (e.role != "target", e.name))),
        ingested=tuple(_flat(v, Ingested) for k, v in metrics.items() if k.startswith("ingest-")),
        diagnostics=tuple(_diagnostics(v) for k, v in metrics.items() if k.startswith("diagnostics-")),
        recogniser=recogniser,
        checks=tuple(Check(**check) for check in checks["checks"]),
        licences=ledger(stated, provenance, None if recogniser is None else recogniser.contract),
    )


def file_name(name: str) -> str:
    """``name`` as a file name that works on every system: letters, digits, dot, dash and underscore.

    Raises:
        SettingError: nothing is left of it.
    """
    kept = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")
    if not kept:
        raise SettingError(f"the name {name!r} has no letter or digit", remedy="choose another name")
    return kept


_REMEDY = "the file was cut or written by another version; run that stage again"


def _to_json(record: Ingested | Diagnostics | AdaptedRecogniser) -> dict[str, Any]:
    return {"schema": RECORDS_SCHEMA, **{f.name: _plain(getattr(record, f.name)) for f in fields(record)}}


def _plain(value: Any) -> Any:
    if isinstance(value, Figure | ServingCost):
        return asdict(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value


def _body(value: Any, kind: type[Any]) -> dict[str, Any]:
    what = kind.__name__
    if not isinstance(value, Mapping):
        raise CorruptArchive(f"a record of {what} is no table", remedy=_REMEDY)
    if value.get("schema") != RECORDS_SCHEMA:
        raise CorruptArchive(
            f"a record of {what} has schema {value.get('schema')!r}, this version reads {RECORDS_SCHEMA}",
            remedy=_REMEDY,
        )
    body = {k: v for k, v in value.items() if k != "schema"}
    if wrong := sorted(body.keys() ^ {f.name for f in fields(kind)}):
        raise CorruptArchive(f"a record of {what} lacks or does not know {', '.join(wrong)}", remedy=_REMEDY)
    return body


def _flat(value: Any, kind: type[FlatRecord]) -> FlatRecord:
    return kind(**_body(value, kind))


def _diagnostics(value: Any) -> Diagnostics:
    body = _body(value, Diagnostics)
    return Diagnostics(**{**body, "figures": tuple(Figure(**figure) for figure in body["figures"])})


def _recogniser(value: Any) -> AdaptedRecogniser:
    body = _body(value, AdaptedRecogniser)
    cost = None if body["cost"] is None else ServingCost(**body["cost"])
    return AdaptedRecogniser(**{**body, "files": tuple(body["files"]), "cost": cost})
