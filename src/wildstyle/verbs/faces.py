"""Look at faces, align them, and draw a contact sheet."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from wildstyle.errors import InputError, UnreadableFace
from wildstyle.faces import Face, FaceSource, open_faces, stream
from wildstyle.faces.contact_sheet import contact_sheet
from wildstyle.faces.cutting import IngestOptions
from wildstyle.faces.decode import encode_jpeg, encode_png
from wildstyle.faces.detect import open_detector
from wildstyle.faces.ingest import IngestReport, ingest
from wildstyle.runs.atomic import write_bytes
from wildstyle.verbs.measuring import spread
from wildstyle.verbs.progress import Progress, Silent


@dataclass(frozen=True)
class Inspection:
    """What a source holds.

    Attributes:
        faces: pictures, unreadable ones included.
        people: people with a name; 0 where nobody has one.
        media: films, cameras or days.
        unlabelled: pictures without a person.
        sizes: pictures by "width x height", most frequent first.
        fewest, most: pictures of the person with the fewest and the most; 0 where nobody has a name.
        unreadable: (id, reason) of every picture that can't be used.
        repeats: ids of pictures that are stored once more with the same bytes.
    """

    faces: int
    people: int
    media: int
    unlabelled: int
    sizes: tuple[tuple[str, int], ...]
    fewest: int
    most: int
    unreadable: tuple[tuple[str, str], ...]
    repeats: tuple[str, ...] = ()


def inspect(path: Path, *, workers: int = 2, progress: Progress | None = None) -> Inspection:
    """Read every picture of ``path`` once.

    Raises:
        InputError: the path can't be opened.
    """
    progress = progress or Silent()
    progress.stage("inspect", str(path))
    sizes: Counter[str] = Counter()
    unreadable: list[tuple[str, str]] = []
    with open_faces(path) as source:
        for done, face in enumerate(stream(source, range(len(source)), workers=workers), 1):
            if isinstance(face, UnreadableFace):
                unreadable.append((source.record(done - 1).id, face.what))
            else:
                sizes[f"{face.image.shape[1]} x {face.image.shape[0]}"] += 1
            progress.step(done, len(source))
        people = Counter(subject for subject in source.subjects() if subject is not None)
        media = {source.record(i).media for i in range(len(source))} - {None}
        return Inspection(
            faces=len(source),
            people=len(people),
            media=len(media),
            unlabelled=len(source) - people.total(),
            sizes=tuple(sizes.most_common()),
            fewest=min(people.values(), default=0),
            most=max(people.values(), default=0),
            unreadable=tuple(unreadable),
            repeats=source.repeats,
        )


def align_faces(
    path: Path,
    out: Path,
    *,
    detector: Path | None = None,
    settings: IngestOptions | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Detect and align every face of a folder, tar or video into ``out``.

    Raises:
        InputError: the path can't be used.
    """
    progress = progress or Silent()
    found = open_detector(detector)
    progress.stage("detect and align", f"{path} with {found.name}")
    return ingest(path, out, found, settings or IngestOptions(), on_progress=progress.step)


def sheet(path: Path, out: Path, *, count: int = 60, columns: int = 10) -> int:
    """Write a contact sheet of ``count`` pictures spread evenly over ``path``; returns how many are on it.

    Raises:
        InputError: nothing can be read, or ``out`` is neither .jpg nor .png.
    """
    encoders = {".jpg": encode_jpeg, ".jpeg": encode_jpeg, ".png": encode_png}
    if out.suffix.lower() not in encoders:
        raise InputError("a sheet is a .jpg or .png file", where=out, remedy="name it so")
    with open_faces(path) as source:
        faces = _readable(source, count)
        if not faces:
            raise InputError("no picture can be read", where=path, remedy="see `wildstyle faces inspect`")
        drawn = contact_sheet(faces, columns, lambda face: face.record.subject or face.record.id)
    write_bytes(out, encoders[out.suffix.lower()](drawn))
    return len(faces)


def _readable(source: FaceSource, count: int) -> list[Face]:
    found = stream(source, spread(len(source), count))
    return [face for face in found if isinstance(face, Face)]
