"""Raw footage to aligned faces: detection, alignment, and an account of everything that was seen.

Every picture or frame is either used or listed with the reason why not. Work is kept in parts beside
the result; stopped at any point and started again, it gives the same files byte for byte.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wildstyle.errors import InputError, Interrupted
from wildstyle.faces.cutting import IngestOptions, examine
from wildstyle.faces.detect.detection import Detector
from wildstyle.faces.footage import Footage, Shot, open_footage
from wildstyle.faces.manifest import write_manifest
from wildstyle.faces.parts import Parts
from wildstyle.faces.row import ManifestRow
from wildstyle.faces.source import FaceSource
from wildstyle.runs.atomic import write_json, write_text

_PART = 64
_VERSION = 1


@dataclass(frozen=True)
class IngestReport:
    """What became of the footage.

    Attributes:
        folder: where the results lie: ``faces.tar``, ``manifest.csv``, ``rejected.csv``, ``ingest.json``.
        seen: pictures and frames, and places where a video was damaged; used + sum(rejected) = seen.
        used: pictures and frames that gave at least one face.
        faces: stored faces.
        rejected: pictures by reason.
        left_out: further faces in used pictures, by reason.
        detector: name of the detector.
    """

    folder: Path
    seen: int
    used: int
    faces: int
    rejected: Mapping[str, int]
    left_out: Mapping[str, int]
    detector: str

    @property
    def faces_tar(self) -> Path:
        """The aligned faces."""
        return self.folder / "faces.tar"

    @property
    def manifest(self) -> Path:
        """What is known of each face."""
        return self.folder / "manifest.csv"

    @property
    def rejected_csv(self) -> Path:
        """Columns id, kind (picture or face), reason, detail."""
        return self.folder / "rejected.csv"


def ingest(
    footage: str | Path | FaceSource,
    out_folder: str | Path,
    detector: Detector,
    options: IngestOptions | None = None,
    *,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> IngestReport:
    """Find, align and store the faces of raw footage.

    Args:
        footage: a folder of pictures and videos, a tar of pictures, a video file, or a face source.
        out_folder: where the results go. If it holds the result of the same call, nothing is done.
        detector: from ``open_detector``.
        options: see IngestOptions.
        on_progress: called with the number of shots done and of all shots, if known.

    Raises:
        InputError: nothing to read, not one usable face, or the folder holds the result of another call.
        Interrupted: stopped by the user; the same call goes on where it was.
        StorageError: the disk is full or the folder is not writable.
    """
    options, out = options or IngestOptions(), Path(out_folder)
    opened = open_footage(footage, options.step)
    purpose = _purpose(opened, detector, options)
    done = _finished(out, purpose)
    if done is not None:
        return done
    parts = Parts(out / ".ingest-parts", purpose)
    try:
        _work(opened, parts, detector, options, on_progress)
        return _finish(out, parts, options, detector.name, purpose)
    except KeyboardInterrupt as stop:
        raise Interrupted(
            f"stopped after {_PART * parts.number} pictures, which are kept",
            where=out,
            remedy="run the same command again to go on",
        ) from stop


def _purpose(footage: Footage, detector: Detector, options: IngestOptions) -> str:
    """A digest of all that the result depends on."""
    stated = json.dumps([_VERSION, footage.name, footage.fingerprint(), detector.name, asdict(options)], sort_keys=True)
    return hashlib.sha256(stated.encode("utf-8", "surrogateescape")).hexdigest()


def _finished(out: Path, purpose: str) -> IngestReport | None:
    """The report of the same work, if it is complete.

    Raises:
        InputError: there is a result of other footage, another detector or other options.
    """
    note = out / "ingest.json"
    if not note.exists():
        return None
    try:
        stated = json.loads(note.read_text(encoding="utf-8"))
        same = stated["purpose"] == purpose
        report = IngestReport(folder=out, **stated["report"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("is damaged", where=note, remedy="remove it to start over") from error
    if not same:
        raise InputError(
            "holds faces of other footage, another detector or other options",
            where=out,
            remedy="choose another folder, or remove this one",
        )
    return report if report.faces_tar.exists() and report.manifest.exists() else None


def _work(
    footage: Footage,
    parts: Parts,
    detector: Detector,
    options: IngestOptions,
    on_progress: Callable[[int, int | None], None] | None,
) -> None:
    """Add parts until the footage is used up. A part with fewer than _PART shots is the last."""
    total = footage.count()
    done = sum(note["seen"] for note in parts.notes())
    if done % _PART:
        return
    shots = itertools.islice(footage.shots(skip=done), done, None)
    for group in _groups(shots):
        members: dict[str, bytes] = {}
        faces: list[dict[str, Any]] = []
        lost: list[dict[str, Any]] = []
        for shot in group:
            cuts, losses = examine(shot, detector, options)
            members |= {cut.file: cut.data for cut in cuts}
            faces += [cut.cells for cut in cuts]
            lost += [{**asdict(loss), "subject": shot.subject, "media": shot.media} for loss in losses]
        parts.add(members, {"seen": len(group), "faces": faces, "lost": lost})
        done += len(group)
        if on_progress is not None:
            on_progress(done, total)


def _groups(shots: Iterator[Shot]) -> Iterator[list[Shot]]:
    while group := list(itertools.islice(shots, _PART)):
        yield group


def _finish(out: Path, parts: Parts, options: IngestOptions, detector: str, purpose: str) -> IngestReport:
    """Write the results from the parts; ``ingest.json`` comes last and says that all is there."""
    notes = list(parts.notes())
    lost = [loss for note in notes for loss in note["lost"]]
    report = _counted(out, notes, lost, detector)
    write_text(report.rejected_csv, _rejected_text(lost))
    if not report.faces:
        parts.discard()
        counts = ", ".join(f"{count} {reason}" for reason, count in report.rejected.items())
        raise InputError(
            f"not one usable face in {report.seen} pictures ({counts})",
            where=report.rejected_csv,
            remedy="look at some of the pictures, or try another detector",
        )
    parts.write_tar(report.faces_tar)
    rows = [_row(cells) for note in notes for cells in note["faces"]]
    if options.failures:
        rows += [_failure(loss) for loss in lost if loss["kind"] == "picture"]
    write_manifest(report.manifest, rows)
    stated = {key: value for key, value in asdict(report).items() if key != "folder"}
    write_json(out / "ingest.json", {"purpose": purpose, "options": asdict(options), "report": stated})
    parts.discard()
    return report


def _counted(out: Path, notes: list[Any], lost: list[Any], detector: str) -> IngestReport:
    by_kind = {k: Counter(loss["reason"] for loss in lost if loss["kind"] == k) for k in ("picture", "face")}
    seen = sum(note["seen"] for note in notes)
    return IngestReport(
        folder=out,
        seen=seen,
        used=seen - by_kind["picture"].total(),
        faces=sum(len(note["faces"]) for note in notes),
        rejected=dict(sorted(by_kind["picture"].items())),
        left_out=dict(sorted(by_kind["face"].items())),
        detector=detector,
    )


def _rejected_text(lost: list[Any]) -> str:
    text = io.StringIO(newline="")
    columns = ("id", "kind", "reason", "detail")
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lost)
    return text.getvalue()


def _row(cells: dict[str, Any]) -> ManifestRow:
    points = np.asarray(cells["landmarks"], np.float32).reshape(5, 2)
    return ManifestRow(**{**cells, "landmarks": points})


def _failure(loss: dict[str, Any]) -> ManifestRow:
    attributes = {"picture": loss["id"], "failure": loss["reason"]}
    return ManifestRow(subject=loss["subject"], media=loss["media"], attributes=attributes)
