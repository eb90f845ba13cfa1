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
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from wildstyle.errors import InputError, Interrupted, SettingError
from wildstyle.faces.align import align, plausible, similarity, template_points, transform
from wildstyle.faces.decode import encode_jpeg
from wildstyle.faces.detect.detection import Detection, Detector
from wildstyle.faces.detect.search import find_faces
from wildstyle.faces.footage import Footage, Shot, open_footage
from wildstyle.faces.manifest import write_manifest
from wildstyle.faces.parts import Parts
from wildstyle.faces.record import Pixels
from wildstyle.faces.row import ManifestRow
from wildstyle.faces.source import FaceSource
from wildstyle.faces.video import FrameStep
from wildstyle.runs.atomic import write_json, write_text

UNREADABLE = "unreadable"
NO_FACE = "no face"
TOO_SMALL = "too small"
IMPLAUSIBLE = "implausible landmarks"
NOT_LARGEST = "not the largest face"

_PART = 64
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class IngestOptions:
    """What is done with footage.

    Attributes:
        size: side of the aligned faces in px.
        template: landmark template, a key of ``align.TEMPLATES``.
        several: of several faces in one picture take the ``"largest"`` or ``"all"``.
        smallest: faces whose box has a smaller side are too small, px of the original picture.
        least_score: detections below it don't count; detectors have thresholds of their own.
        quality: JPEG quality of the stored faces.
        step: which frames of videos are taken.
        failures: keep pictures without a usable face as manifest rows with an empty ``file``, so that
            an evaluation counts them as misses. For footage whose people are known.
    """

    size: int = 112
    template: str = "arcface-112"
    several: Literal["largest", "all"] = "largest"
    smallest: float = 12.0
    least_score: float = 0.0
    quality: int = 90
    step: FrameStep = field(default_factory=FrameStep)
    failures: bool = False

    def __post_init__(self) -> None:
        template_points(self.size, self.template)
        if self.several not in ("largest", "all"):
            raise SettingError(f"several={self.several!r}", remedy="choose 'largest' or 'all'")
        if not 1 <= self.quality <= 100:
            raise SettingError(f"quality={self.quality}", remedy="use 1 to 100, usually 90")


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


# --- one picture ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Cut:
    """A stored face: archive member, its bytes, its manifest cells."""

    file: str
    data: bytes
    cells: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Lost:
    """A picture or a further face in it that is not used."""

    id: str
    kind: Literal["picture", "face"]
    reason: str
    detail: str


def _examine(shot: Shot, detector: Detector, options: IngestOptions) -> tuple[list[_Cut], list[_Lost]]:
    """Cut the faces of one shot; without any, one loss of kind picture says why."""
    if shot.image is None:
        return [], [_Lost(shot.id, "picture", UNREADABLE, shot.fault or "no pixels")]
    found = find_faces(detector, shot.image, least_score=options.least_score)
    if not found:
        height, width = shot.image.shape[:2]
        return [], [_Lost(shot.id, "picture", NO_FACE, f"{width}x{height} px")]
    cuts: list[_Cut] = []
    losses: list[_Lost] = []
    for rank, face in enumerate(sorted(found, key=lambda f: -f.area)):
        reason, detail = _objection(face, shot.image, options)
        if reason is None and cuts and options.several == "largest":
            reason, detail = NOT_LARGEST, f"{face.side:.0f} px"
        if reason is None:
            cuts.append(_cut(shot, shot.image, rank, face, options))
        else:
            losses.append(_Lost(f"{shot.id}#{rank}", "face", reason, detail))
    if cuts:
        return cuts, losses
    return [], [_Lost(shot.id, "picture", losses[0].reason, losses[0].detail)]


def _objection(face: Detection, image: Pixels, options: IngestOptions) -> tuple[str | None, str]:
    if face.side < options.smallest:
        return TOO_SMALL, f"{face.side:.0f} px, less than {options.smallest:g}"
    doubt = plausible(face.landmarks, face.box, (image.shape[0], image.shape[1]))
    return (IMPLAUSIBLE, doubt) if doubt else (None, "")


def _cut(shot: Shot, image: Pixels, rank: int, face: Detection, options: IngestOptions) -> _Cut:
    aligned = align(image, face.landmarks, options.size, options.template)
    matrix = similarity(face.landmarks, template_points(options.size, options.template))
    numbered = options.several == "all" or shot.frame is not None
    file = f"{shot.stem}#{rank}.jpg" if numbered else f"{shot.stem}.jpg"
    attributes = {"picture": shot.id, "box": " ".join(f"{v:.0f}" for v in face.box)}
    if shot.frame is not None and shot.seconds is not None:
        attributes |= {"frame": str(shot.frame), "seconds": f"{shot.seconds:.3f}"}
    cells = {
        "file": file,
        "subject": shot.subject,
        "media": shot.media,
        "min_side": round(face.side, 1),
        "eye_distance": round(face.eye_distance, 2),
        "detector_score": round(face.score, 4),
        "landmarks": [round(float(v), 2) for v in transform(face.landmarks, matrix).ravel()],
        "attributes": attributes,
    }
    return _Cut(file, encode_jpeg(aligned, options.quality), cells)


# --- all pictures --------------------------------------------------------------------------------


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
            cuts, losses = _examine(shot, detector, options)
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


# --- is it aligned already? ----------------------------------------------------------------------


def alignment_error(image: Pixels, detector: Detector, template: str = "arcface-112") -> float | None:
    """How far the detected points lie from the template, mean distance in px of a 112 px crop.

    Args:
        image: (S, S, 3) uint8 RGB.
        detector: any.
        template: a key of ``align.TEMPLATES``.

    Returns:
        None where no face is found or the picture is not square.
    """
    side = image.shape[0]
    if image.shape[1] != side or side < 16:
        return None
    found = find_faces(detector, image)
    if not found:
        return None
    face = max(found, key=lambda f: f.area)
    distances = np.hypot(*(face.landmarks - template_points(side, template)).T)
    return float(distances.mean()) * 112 / side


def looks_aligned(image: Pixels, detector: Detector, *, tolerance: float = 6.0) -> bool:
    """Whether the picture is square and its detected points lie on the template.

    One picture proves little, as profiles fit badly; ask for several and take the majority.

    Args:
        image: (H, W, 3) uint8 RGB.
        detector: any.
        tolerance: largest mean distance in px of a 112 px crop.
    """
    error = alignment_error(image, detector)
    return error is not None and error <= tolerance
