"""One picture or frame to its aligned faces, or to the reason why there are none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from wildstyle.errors import SettingError
from wildstyle.faces.align import align, plausible, similarity, template_points, transform
from wildstyle.faces.decode import encode_jpeg
from wildstyle.faces.detect.detection import Detection, Detector
from wildstyle.faces.detect.search import MARGINS, find_faces
from wildstyle.faces.footage import Shot
from wildstyle.faces.record import Pixels
from wildstyle.faces.video import FrameStep

UNREADABLE = "unreadable"
REPEATED = "repeated"
NO_FACE = "no face"
TOO_SMALL = "too small"
IMPLAUSIBLE = "implausible landmarks"
NOT_LARGEST = "not the largest face"


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


@dataclass(frozen=True, slots=True)
class Cut:
    """A stored face: archive member, its bytes, its manifest cells."""

    file: str
    data: bytes
    cells: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Loss:
    """A picture or a further face in it that is not used."""

    id: str
    kind: Literal["picture", "face"]
    reason: str
    detail: str


def examine(shot: Shot, detector: Detector, options: IngestOptions) -> tuple[list[Cut], list[Loss]]:
    """Cut the faces of one shot; without any, one loss of kind picture says why."""
    if shot.image is None:
        return [], [Loss(shot.id, "picture", REPEATED if shot.repeated else UNREADABLE, shot.fault or "no pixels")]
    # Frames without a face are common and not tightly cut: no need to look at them four times.
    margins = MARGINS if shot.frame is None else ()
    found = find_faces(detector, shot.image, least_score=options.least_score, margins=margins)
    if not found:
        height, width = shot.image.shape[:2]
        return [], [Loss(shot.id, "picture", NO_FACE, f"{width}x{height} px")]
    cuts: list[Cut] = []
    losses: list[Loss] = []
    for rank, face in enumerate(sorted(found, key=lambda f: -f.area)):
        reason, detail = _objection(face, shot.image, options)
        if reason is None and cuts and options.several == "largest":
            reason, detail = NOT_LARGEST, f"{face.side:.0f} px"
        if reason is None:
            cuts.append(_cut(shot, shot.image, rank, face, options))
        else:
            losses.append(Loss(f"{shot.id}#{rank}", "face", reason, detail))
    if cuts:
        return cuts, losses
    return [], [Loss(shot.id, "picture", losses[0].reason, losses[0].detail)]


def _objection(face: Detection, image: Pixels, options: IngestOptions) -> tuple[str | None, str]:
    if face.side < options.smallest:
        return TOO_SMALL, f"{face.side:.0f} px, less than {options.smallest:g}"
    doubt = plausible(face.landmarks, face.box, (image.shape[0], image.shape[1]))
    return (IMPLAUSIBLE, doubt) if doubt else (None, "")


def _cut(shot: Shot, image: Pixels, rank: int, face: Detection, options: IngestOptions) -> Cut:
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
    return Cut(file, encode_jpeg(aligned, options.quality), cells)
