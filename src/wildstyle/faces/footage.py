"""Raw footage as one row of shots: pictures of a source, frames of videos, and what of them can't be read.

The order is a function of the footage alone, so work can stop after any shot and go on there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from wildstyle.errors import InputError, MissingExtra, UnreadableFace
from wildstyle.faces.listing import IMAGE_SUFFIXES, facts_of, is_hidden
from wildstyle.faces.opening import open_faces
from wildstyle.faces.record import Pixels
from wildstyle.faces.source import FaceSource
from wildstyle.faces.video import Fault, FrameStep, is_video, read_frames


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One picture or frame, readable or not.

    Attributes:
        id: picture id, ``video#frame``, or ``video#damage#n``.
        stem: name for the faces cut from it, without suffix; unique in the footage.
        subject, media: as far as paths and manifests tell.
        frame, seconds: place in the video, or None.
        image: (H, W, 3) uint8 RGB, or None where it can't be read or was skipped.
        fault: why it can't be read, or None.
        repeated: the same picture was there before.
    """

    id: str
    stem: str
    subject: str | None = None
    media: str | None = None
    frame: int | None = None
    seconds: float | None = None
    image: Pixels | None = None
    fault: str | None = None
    repeated: bool = False


class Footage(Protocol):
    """A row of shots."""

    name: str

    def shots(self, skip: int = 0) -> Iterator[Shot]:
        """All shots in order; the first ``skip`` come without pixels."""
        ...

    def count(self) -> int | None:
        """Number of shots, or None where only decoding would tell."""
        ...

    def fingerprint(self) -> str:
        """Text that changes with the names, the number or the sizes of what is read."""
        ...


def open_footage(given: str | Path | FaceSource, step: FrameStep | None = None) -> Footage:
    """Footage from a face source, a video file, or a folder or archive of pictures and (folder only) videos.

    Raises:
        InputError: nothing there that can be read.
        MissingExtra: there are videos and PyAV is not installed.
    """
    if isinstance(given, FaceSource):
        return Pictures(given)
    path, step = Path(given), step or FrameStep()
    if path.is_file() and is_video(path):
        return Videos(path.parent, [path], path.stem, step)
    if path.is_dir():
        files = [(f, f.relative_to(path).as_posix()) for f in sorted(path.rglob("*")) if f.is_file()]
        shown = [(file, name) for file, name in files if not is_hidden(name)]
        videos = [file for file, _ in shown if is_video(file)]
        pictures = any(file.suffix.lower() in IMAGE_SUFFIXES for file, _ in shown)
        if videos:
            parts: list[Footage] = [Pictures(open_faces(path))] if pictures else []
            return Joined([*parts, Videos(path, videos, path.name, step)], path.name)
    return Pictures(open_faces(path))


class Pictures:
    """The pictures of a face source."""

    def __init__(self, source: FaceSource) -> None:
        self.source = source
        self.name = source.name

    def shots(self, skip: int = 0) -> Iterator[Shot]:
        """All pictures in order; the first ``skip`` are not read."""
        stems = _stems(self.source.record(i).id for i in range(len(self.source)))
        for index, stem in enumerate(stems):
            record = self.source.record(index)
            image, fault = (None, None) if index < skip else self._read(index)
            yield Shot(record.id, stem, record.subject, record.media, image=image, fault=fault)
        for number, name in enumerate(self.source.repeats):
            yield Shot(name, f"repeat#{number}", fault="stored a second time with the same bytes", repeated=True)

    def _read(self, index: int) -> tuple[Pixels | None, str | None]:
        try:
            return self.source.read(index).image, None
        except UnreadableFace as error:
            return None, error.what

    def count(self) -> int:
        """Number of pictures."""
        return len(self.source) + len(self.source.repeats)

    def fingerprint(self) -> str:
        """Digest of all ids."""
        digest = hashlib.sha256()
        for index in range(len(self.source)):
            digest.update(self.source.record(index).id.encode("utf-8", "surrogateescape") + b"\0")
        return digest.hexdigest()


class Videos:
    """The taken frames of some videos below one folder, video after video."""

    def __init__(self, folder: Path, videos: Sequence[Path], name: str, step: FrameStep) -> None:
        self.folder, self.videos, self.name, self.step = folder, list(videos), name, step

    def shots(self, skip: int = 0) -> Iterator[Shot]:
        """All taken frames and faults in order; the first ``skip`` come without pixels."""
        names = [video.relative_to(self.folder).as_posix() for video in self.videos]
        for video, name, stem in zip(self.videos, names, _stems(names), strict=True):
            for shot in self._one(video, name, stem, skip):
                skip = max(0, skip - 1)
                yield shot

    def _one(self, video: Path, name: str, stem: str, skip: int) -> Iterator[Shot]:
        subject, media = facts_of(name).subject, PurePosixPath(name).stem
        faults = 0
        try:
            for number, thing in enumerate(read_frames(video, self.step, skip=skip)):
                if isinstance(thing, Fault):
                    reason = f"after frame {thing.after_frame}: {thing.reason}"
                    yield Shot(f"{stem}#damage#{faults}", stem, subject, media, fault=reason)
                    faults += 1
                    continue
                fault = "frame damaged" if thing.image is None and number >= skip else None
                place = f"{stem}#{thing.number:06d}"
                yield Shot(place, place, subject, media, thing.number, thing.seconds, thing.image, fault)
        except MissingExtra:
            raise
        except InputError as error:
            yield Shot(f"{stem}#damage#{faults}", stem, subject, media, fault=error.what)

    def count(self) -> None:
        """Unknown: containers state it wrongly."""
        return None

    def fingerprint(self) -> str:
        """Names and sizes of the videos, and the step."""
        return repr([self.step, *((v.relative_to(self.folder).as_posix(), v.stat().st_size) for v in self.videos)])


class Joined:
    """Several pieces of footage, one after the other."""

    def __init__(self, parts: Sequence[Footage], name: str) -> None:
        self.parts, self.name = list(parts), name

    def shots(self, skip: int = 0) -> Iterator[Shot]:
        """All shots in order; the first ``skip`` come without pixels."""
        for part in self.parts:
            for shot in part.shots(skip):
                skip = max(0, skip - 1)
                yield shot

    def count(self) -> int | None:
        """Sum of the parts, or None where one is unknown."""
        counts = [part.count() for part in self.parts]
        return None if None in counts else sum(c for c in counts if c is not None)

    def fingerprint(self) -> str:
        """Fingerprints of the parts."""
        return repr([part.fingerprint() for part in self.parts])


def _stems(names: Iterable[str]) -> Iterator[str]:
    """Names without suffix; where two would clash (``a.png``, ``a.jpg``) the later keeps its suffix as ``a_png``."""
    taken: set[str] = set()
    for name in names:
        path = PurePosixPath(name)
        stem = str(path.with_suffix("")) if path.suffix else name
        if stem in taken:
            stem = f"{stem}_{path.suffix[1:]}"
        while stem in taken:
            stem += "_"
        taken.add(stem)
        yield stem
