"""The run folder: everything one run made, in one place that can be moved, compared and shown.

    <run>/
      config.json              the resolved configuration; its presence makes the folder a run folder
      provenance.json          versions, machine, seeds, inputs with size and hash
      stages/<stage>.json      one marker a finished stage: hash of its inputs, what it left, what it did
      work/<stage>/            checkpoints and intermediate files; may be deleted after the run
      metrics/<name>.json      records the report is made from
      sheets/<name>.jpg        pictures of people, only where they were asked for
      events.jsonl             what happened, one line an event
      recogniser.safetensors   the adapted weights with their contract
      recogniser.onnx          the same, for deployment
      report.html, model_card.md

No record inside holds an absolute path of its own: all are relative to the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from wildstyle.errors import InputError, SettingError
from wildstyle.runs.atomic import storage_error, write_json
from wildstyle.runs.differences import differing_keys

RUN_SCHEMA_VERSION = 1

CONFIG = "config.json"
PROVENANCE = "provenance.json"
STAGES = "stages"
WORK = "work"
METRICS = "metrics"
SHEETS = "sheets"
EVENTS = "events.jsonl"
WEIGHTS = "recogniser.safetensors"
ONNX = "recogniser.onnx"
REPORT = "report.html"
MODEL_CARD = "model_card.md"

_DEBRIS = (".part", ".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageMarker:
    """What is kept of a finished stage.

    Attributes:
        stage: its name.
        inputs: hash of all it depends on (see :func:`inputs_hash`).
        summary: what it did, one sentence for the report.
        seconds: how long it took, all attempts together as far as the caller counts them.
        outputs: files it left, relative to the run folder, with their size in bytes.
        finished: UTC, ISO 8601.
    """

    stage: str
    inputs: str
    summary: str
    seconds: float
    outputs: Mapping[str, int]
    finished: str


class RunFolder:
    """One run's folder. Make one with :meth:`create` or :meth:`open`, never by hand."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(
        cls, path: Path | str, config: Mapping[str, Any], *, command: str = "adapt", may_differ: Collection[str] = ()
    ) -> RunFolder:
        """Start a run in ``path``, or go on with the one that lies there.

        Args:
            path: a folder that is missing, empty, or holds a run of the same configuration.
            config: the resolved configuration, JSON values only.
            command: the verb that runs.
            may_differ: dotted keys that may change between start and resume because no result depends on
                them, e.g. ``("workers", "out")``. A key stands for all keys below it.

        Raises:
            SettingError: the folder holds something else, or a run of another configuration; the message
                names the keys that differ.
            StorageError: the folder can't be made.
        """
        folder = cls(Path(path))
        record = {"schema_version": RUN_SCHEMA_VERSION, "command": command, "config": _as_json(config)}
        if folder.is_run():
            _refuse_other_run(folder, record, may_differ)
            return folder
        folder._refuse_foreign()
        write_json(folder.path / CONFIG, record)
        return folder

    @classmethod
    def open(cls, path: Path | str) -> RunFolder:
        """The run that lies in ``path``.

        Raises:
            InputError: there is no run, or it was made by a newer version.
        """
        folder = cls(Path(path))
        if not folder.is_run():
            raise InputError(f"is no run folder ({CONFIG} is missing)", where=path, remedy="name the folder of a run")
        record = folder.read_json(CONFIG)
        if not isinstance(record, dict) or not {"schema_version", "config"} <= record.keys():
            raise InputError("is no configuration of a run", where=folder.path / CONFIG, remedy="name another folder")
        version = record["schema_version"]
        if version != RUN_SCHEMA_VERSION or not isinstance(record["config"], dict):
            raise InputError(
                f"has schema version {version!r}, this version of wildstyle reads {RUN_SCHEMA_VERSION}",
                where=folder.path / CONFIG,
                remedy="use the version of wildstyle that made it",
            )
        return folder

    def is_run(self) -> bool:
        """Whether a run was started here."""
        return (self.path / CONFIG).is_file()

    @property
    def config(self) -> dict[str, Any]:
        """The resolved configuration."""
        return dict(self.read_json(CONFIG)["config"])

    @property
    def command(self) -> str:
        """The verb that started the run."""
        return str(self.read_json(CONFIG).get("command", "adapt"))

    def file(self, name: str) -> Path:
        """Path of a file or folder inside the run; ``name`` is relative and uses ``/``.

        Raises:
            InputError: ``name`` leads out of the run folder.
        """
        inside = PurePosixPath(name.replace("\\", "/"))
        parts = inside.parts
        if not parts or inside.is_absolute() or ".." in parts or ":" in parts[0]:
            raise InputError(f"{name!r} leads out of the run folder", where=self.path, remedy="use a relative name")
        return self.path / inside

    def work(self, stage: str) -> Path:
        """Folder for checkpoints and intermediate files of one stage; made if missing."""
        folder = self.file(f"{WORK}/{stage}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, folder) from error
        return folder

    def write_json(self, name: str, value: Any) -> Path:
        """Write ``value`` to ``name`` (``.json`` is added where missing) atomically; returns the path."""
        path = self.file(name if name.endswith(".json") else f"{name}.json")
        write_json(path, value)
        return path

    def read_json(self, name: str) -> Any:
        """Read what :meth:`write_json` wrote.

        Raises:
            InputError: the file is missing or damaged.
        """
        path = self.file(name if name.endswith(".json") else f"{name}.json")
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError("can't be read", where=path, remedy="the run has not come that far, resume it") from error
        except ValueError as error:
            raise InputError("is not valid JSON", where=path, remedy="delete it and resume the run") from error

    def write_metrics(self, name: str, value: Any) -> Path:
        """Write ``metrics/<name>.json`` atomically."""
        return self.write_json(f"{METRICS}/{name}", value)

    def metrics(self) -> dict[str, Any]:
        """All metric records by name, sorted."""
        found = sorted((self.path / METRICS).glob("*.json"))
        return {p.stem: self.read_json(f"{METRICS}/{p.name}") for p in found if not p.name.startswith(".")}

    def append_event(self, kind: str, **fields: Any) -> None:
        """Add one line to ``events.jsonl``; a line is written whole or, after a crash, ignored by :meth:`events`."""
        line = json.dumps({"utc": _now(), "event": kind, **fields}, ensure_ascii=False, allow_nan=False)
        path = self.path / EVENTS
        try:
            with open(path, "a+b") as file:
                # After a crash the last line may lack its end; it must not swallow this one.
                start = b"\n" if _is_torn(file) else b""
                file.write(start + line.encode("utf-8") + b"\n")
        except OSError as error:
            raise storage_error(error, path) from error

    def events(self) -> list[dict[str, Any]]:
        """All whole lines of ``events.jsonl``, oldest first."""
        path = self.path / EVENTS
        if not path.is_file():
            return []
        return [event for event in map(_event, path.read_bytes().split(b"\n")) if event is not None]

    def finish_stage(
        self, stage: str, inputs: str, *, summary: str = "", seconds: float = 0.0, outputs: Sequence[str] = ()
    ) -> StageMarker:
        """Mark ``stage`` as finished; call it when all its outputs are on disk.

        Args:
            inputs: hash of all the stage depends on.
            outputs: names relative to the run folder; a folder counts with all its files.

        Raises:
            InputError: an output is missing.
        """
        sizes: dict[str, int] = {}
        for name in outputs:
            if not self.file(name).exists():
                raise InputError(f"stage {stage!r} left no {name}", where=self.path, remedy="resume the run")
            sizes[name] = _size(self.file(name))
        marker = StageMarker(
            stage=stage, inputs=inputs, summary=summary, seconds=seconds, outputs=sizes, finished=_now()
        )
        fields = {name: getattr(marker, name) for name in StageMarker.__slots__}
        self.write_json(f"{STAGES}/{stage}", {**fields, "schema_version": RUN_SCHEMA_VERSION})
        return marker

    def stage_done(self, stage: str, inputs: str) -> bool:
        """Whether ``stage`` was finished with the same inputs and its outputs still lie there in full."""
        marker = self.stage(stage)
        if marker is None or marker.inputs != inputs:
            return False
        return all(self.file(n).exists() and _size(self.file(n)) == size for n, size in marker.outputs.items())

    def stage(self, stage: str) -> StageMarker | None:
        """The marker of a finished stage, or None."""
        if not self.file(f"{STAGES}/{stage}.json").is_file():
            return None
        record = self.read_json(f"{STAGES}/{stage}")
        return StageMarker(**{name: record[name] for name in StageMarker.__slots__})

    def stages(self) -> list[StageMarker]:
        """Markers of all finished stages, in the order in which they finished."""
        names = [p.stem for p in (self.path / STAGES).glob("*.json") if not p.name.startswith(".")]
        found = [marker for name in names if (marker := self.stage(name)) is not None]
        return sorted(found, key=lambda marker: (marker.finished, marker.stage))

    def sizes(self) -> dict[str, int]:
        """Bytes under each top-level name, sorted by name."""
        if not self.path.is_dir():
            return {}
        return {entry.name: _size(entry) for entry in sorted(self.path.iterdir())}

    def _refuse_foreign(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise SettingError("is a file", where=self.path, remedy="name a folder for the run")
        entries = self.path.iterdir() if self.path.is_dir() else ()
        found = sorted(p.name for p in entries if not p.name.endswith(_DEBRIS))
        if found:
            some = ", ".join(found[:3]) + (" …" if len(found) > 3 else "")
            raise SettingError(
                f"holds something that is no run ({some})", where=self.path, remedy="name a new or empty folder"
            )


def inputs_hash(*values: Any) -> str:
    """Hash of what a stage depends on: JSON values such as settings, seeds and the hashes of files.

    Returns:
        32 hexadecimal digits; equal for equal values whatever the order of keys.
    """
    text = json.dumps([_as_json(v) for v in values], sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:32]


def _refuse_other_run(folder: RunFolder, record: Mapping[str, Any], may_differ: Collection[str]) -> None:
    there = RunFolder.open(folder.path).read_json(CONFIG)
    differing = differing_keys(
        {"command": there.get("command"), **there["config"]},
        {"command": record["command"], **record["config"]},
        may_differ,
    )
    if differing:
        raise SettingError(
            "holds a run of another configuration: " + "; ".join(differing),
            where=folder.path,
            remedy="name another folder, or give the same settings to go on with this run",
        )


def _as_json(value: Any) -> Any:
    # Through text and back, so that a tuple equals the list it will be read back as.
    return json.loads(json.dumps(value, allow_nan=False))


def _is_torn(file: BinaryIO) -> bool:
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(Path(root, name).lstat().st_size for root, _, names in os.walk(path) for name in names)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
