"""From what the user named to aligned faces of the size the recogniser takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wildstyle.faces import FaceSource, ManifestSource, open_faces, read_manifest
from wildstyle.faces.cutting import IngestOptions
from wildstyle.faces.detect import open_detector
from wildstyle.faces.ingest import IngestReport, ingest
from wildstyle.faces.joined import Joined
from wildstyle.faces.video import is_video
from wildstyle.recognisers import Recogniser
from wildstyle.verbs.measuring import face_size, spread
from wildstyle.verbs.progress import Progress, Silent

_SAMPLED = 48

State = Literal["aligned", "raw"]


def state_of(path: Path, size: int) -> State:
    """Whether ``path`` holds faces of ``size`` px that go through as they are, or raw pictures.

    Looks at the headers of a spread sample. Raw is everything in which one picture differs from the square
    the recogniser takes, and every video.

    Raises:
        InputError: the path is missing, empty or of no known kind.
    """
    if holds_video(path):
        return "raw"
    with open_faces(path) as faces:
        return "aligned" if all_of_size(faces, size) else "raw"


def all_of_size(faces: FaceSource, size: int) -> bool:
    """Whether the headers of a spread sample all declare squares of ``size`` px."""
    return {face_size(faces, i) for i in spread(len(faces), _SAMPLED)} - {None} <= {(size, size)}


def holds_video(path: Path) -> bool:
    """Whether ``path`` is a video, or a folder with one below it."""
    return is_video(path) or (path.is_dir() and any(is_video(inside) for inside in path.rglob("*")))


@dataclass(frozen=True)
class Prepared:
    """Aligned faces and what was lost on the way.

    Attributes:
        faces: aligned, of the recogniser's size.
        reports: one for each path that needed detection and alignment.
    """

    faces: FaceSource
    reports: tuple[IngestReport, ...]


def prepare(
    paths: Sequence[Path],
    recogniser: Recogniser,
    folder: Path,
    *,
    name: str,
    detector: Path | None = None,
    settings: IngestOptions | None = None,
    progress: Progress | None = None,
) -> Prepared:
    """Open aligned faces, and detect and align whatever is raw into ``folder``.

    Raises:
        InputError: a path can't be used, or no face was found in any picture.
    """
    progress = progress or Silent()
    parts: list[FaceSource] = []
    reports: list[IngestReport] = []
    for path in paths:
        if state_of(path, recogniser.contract.input_size) == "aligned":
            parts.append(open_faces(path))
            continue
        progress.stage("detect and align", str(path))
        report = ingest(
            path,
            folder / _folder_name(path, paths),
            open_detector(detector),
            settings or IngestOptions(),
            on_progress=progress.step,
        )
        reports.append(report)
        progress.note(ingest_sentence(report))
        parts.append(ManifestSource(read_manifest(report.manifest), open_faces(report.faces_tar), name=path.stem))
    return Prepared(parts[0] if len(parts) == 1 else Joined(parts, name=name), tuple(reports))


def ingest_sentence(report: IngestReport) -> str:
    """What became of raw pictures, in one sentence."""
    lost = ", ".join(f"{count:,} {reason}" for reason, count in report.rejected.items() if count)
    return f"{report.used:,} of {report.seen:,} pictures gave {report.faces:,} faces" + (
        f"; left out: {lost}" if lost else ""
    )


def _folder_name(path: Path, paths: Sequence[Path]) -> str:
    # Two videos of the same name in different folders must not share a place.
    return f"{list(paths).index(path)}-{path.stem}"
