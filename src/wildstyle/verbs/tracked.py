"""Footage without labels as faces, tracks and embeddings: where labelling and the proxy begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, SettingError
from wildstyle.faces import FaceSource, ManifestRow, ManifestSource, open_faces
from wildstyle.faces.cutting import IngestOptions
from wildstyle.faces.detect import open_detector
from wildstyle.faces.ingest import ingest
from wildstyle.faces.tracks import LinkRule, link_boxes, link_looks
from wildstyle.faces.video import FrameStep, is_video
from wildstyle.recognisers import EmbeddingCache, Embeddings, Recogniser, embed_source
from wildstyle.verbs.building import rows_of
from wildstyle.verbs.measuring import check_size
from wildstyle.verbs.places import cache_folder
from wildstyle.verbs.progress import Progress, Silent

TRACK, FRAME, BOX, PICTURE, SECONDS = "track", "frame", "box", "picture", "seconds"
"""Columns of a manifest that tell where a face was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FootageJob:
    """Footage to be looked at.

    Attributes:
        footage: video file, folder of videos, or aligned faces: folder, tar, or manifest.
        faces: where the faces of a manifest are, if not beside it.
        work: folder for the faces cut from videos.
        detector: SCRFD or YuNet as .onnx; the embedded one by default.
        per_second: frames of a video that are taken a second of playing time.
        media_minutes: cut each video into media of so many minutes; None: a video is one medium.
        workers: reading threads.
    """

    footage: Path
    work: Path
    faces: Path | None = None
    detector: Path | None = None
    per_second: float = 10.0
    media_minutes: float | None = None
    workers: int = 2

    def __post_init__(self) -> None:
        if self.media_minutes is not None and not self.media_minutes > 0:
            raise SettingError(f"media_minutes={self.media_minutes:g} is not above 0")


@dataclass(frozen=True)
class Seen:
    """N faces of footage, without anybody's name.

    Attributes:
        source: the faces.
        location: what ``wildstyle evaluate`` must be given as ``faces=``.
        rows: one a face; the medium is set, subject, template and role are not.
        media: (N,) int64 medium of each face.
        picture: (N,) int64 picture or frame of each face over all media, -1 where unknown.
        frame: (N,) int64 number of the frame in its medium; the place in the source where unknown.
        boxes: (N, 4) float32 in px of the frame; NaN where unknown.
    """

    source: FaceSource
    location: Path
    rows: tuple[ManifestRow, ...]
    media: NDArray[np.int64]
    picture: NDArray[np.int64]
    frame: NDArray[np.int64]
    boxes: NDArray[np.float32]

    @property
    def linkable(self) -> bool:
        """Whether every face has a frame and a box."""
        return bool((self.picture >= 0).all() and np.isfinite(self.boxes).all() and len(self.rows))


def open_seen(job: FootageJob, progress: Progress | None = None) -> Seen:
    """Open the faces of footage; those of videos are found, aligned and kept in ``job.work`` first.

    Raises:
        InputError: nothing can be read, or no face is found.
    """
    progress = progress or Silent()
    if _holds_videos(job.footage):
        progress.stage("find faces", f"{job.footage}, {job.per_second:g} frames a second")
        options = IngestOptions(several="all", step=FrameStep(per_second=job.per_second))
        report = ingest(job.footage, job.work, open_detector(job.detector), options, on_progress=progress.step)
        source: FaceSource = open_faces(report.faces_tar, manifest=report.manifest)
        location = report.faces_tar
    elif job.faces is not None:
        source, location = open_faces(job.faces, manifest=job.footage), job.faces
    else:
        source, location = open_faces(job.footage), _beside(job.footage)
    return _seen(source, location, job.media_minutes)


def embedded(seen: Seen, recogniser: Recogniser, job: FootageJob, progress: Progress | None = None) -> Embeddings:
    """Embeddings of all faces, remembered in the cache.

    Raises:
        ContractError: the faces have another size than the recogniser takes.
    """
    (progress or Silent()).stage("embed", f"{len(seen.rows):,} faces")
    check_size(seen.source, recogniser)
    return embed_source(recogniser, seen.source, cache=EmbeddingCache(cache_folder()), workers=job.workers)


def given_tracks(seen: Seen) -> NDArray[np.int64] | None:
    """(N,) int64 tracks from the column ``track``, -1 where empty; None where no row has one."""
    names = [row.attributes.get(TRACK) for row in seen.rows]
    if not any(names):
        return None
    pairs = [None if name is None else (int(medium), name) for medium, name in zip(seen.media, names, strict=True)]
    known = {pair: n for n, pair in enumerate(sorted({pair for pair in pairs if pair is not None}))}
    return np.array([-1 if pair is None else known[pair] for pair in pairs], np.int64)


def tracks_by_boxes(seen: Seen, rule: LinkRule | None = None, found: Embeddings | None = None) -> NDArray[np.int64]:
    """(N,) int64 tracks by linking boxes inside each medium; by boxes alone where no embeddings are given.

    Raises:
        InputError: a face has no frame or no box.
    """
    if not seen.linkable:
        raise InputError(
            "the faces have neither tracks nor frames with boxes",
            where=seen.source.location,
            remedy="give a video, or a manifest with the column track, or with frame and box",
        )
    track, count = np.full(len(seen.rows), -1, np.int64), 0
    for medium in np.unique(seen.media):
        inside = np.flatnonzero(seen.media == medium)
        looks = (None, None) if found is None else (found.vectors[inside], found.ok[inside])
        linked = link_boxes(seen.frame[inside], seen.boxes[inside], rule, vectors=looks[0], ok=looks[1])
        track[inside] = linked + count
        count += int(linked.max()) + 1
    return track


def tracks_of(seen: Seen, found: Embeddings, *, alike: float = 0.5) -> NDArray[np.int64]:
    """(N,) int64 tracks: those given, else by boxes and looks, else by looks alone; -1 for none.

    Args:
        seen: the faces.
        found: their embeddings.
        alike: cosine from which two faces of one medium are of one track.
    """
    track = given_tracks(seen)
    if track is None:
        rule = LinkRule(alike=alike, unlike=min(alike, LinkRule().unlike))
        track = tracks_by_boxes(seen, rule, found) if seen.linkable else None
    if track is None:
        track = link_looks(found.vectors, found.ok, seen.media, alike=alike)
    # A face without an embedding stays in a track that others hold, where it will count as a miss.
    held = np.unique(track[found.ok & (track >= 0)])
    return np.where(np.isin(track, held), np.searchsorted(held, track), -1).astype(np.int64)


def track_names(seen: Seen, track: NDArray[np.int64]) -> tuple[str, ...]:
    """A name for each track, unique over media: ``medium:first face``."""
    first: dict[int, int] = {}
    for place, number in enumerate(track.tolist()):
        if number >= 0:
            first.setdefault(number, place)
    return tuple(f"{seen.rows[first[t]].media}:{seen.rows[first[t]].file}" for t in sorted(first))


def _holds_videos(path: Path) -> bool:
    if path.is_dir():
        return any(is_video(inside) for inside in path.rglob("*"))
    return path.is_file() and is_video(path)


def _beside(path: Path) -> Path:
    """Where the pictures of a manifest lie; other faces lie where they are."""
    if path.suffix.lower() != ".csv":
        return path
    tar = path.with_suffix(".tar")
    return tar if tar.exists() else path.parent


def _seen(source: FaceSource, location: Path, media_minutes: float | None) -> Seen:
    rows = [_nameless(source, index, row, media_minutes) for index, row in enumerate(rows_of(source))]
    if not rows:
        raise InputError("holds no face", where=source.location, remedy="check the path")
    names = {name: n for n, name in enumerate(sorted({row.media or "" for row in rows}))}
    pictures: dict[tuple[str | None, str], int] = {}
    picture = np.full(len(rows), -1, np.int64)
    frame = np.arange(len(rows), dtype=np.int64)
    boxes = np.full((len(rows), 4), np.nan, np.float32)
    for place, row in enumerate(rows):
        number = row.attributes.get(FRAME) or row.attributes.get(PICTURE)
        if number is not None:
            picture[place] = pictures.setdefault((row.media, number), len(pictures))
        if row.attributes.get(FRAME):
            frame[place] = _whole(row.attributes[FRAME], source.location)
        if row.attributes.get(BOX):
            boxes[place] = _box(row.attributes[BOX], source.location)
    media = np.array([names[row.media or ""] for row in rows], np.int64)
    return Seen(source, location, tuple(rows), media, picture, frame, boxes)


def _nameless(source: FaceSource, index: int, row: ManifestRow, media_minutes: float | None) -> ManifestRow:
    """What is known of a face, without who it is; the medium is the column, else the folder, else the source."""
    stated = source.manifest.rows[index].media if isinstance(source, ManifestSource) else None
    folder = "/".join((row.file or "").split("/")[:-1])
    media = stated or folder or source.name
    if media_minutes is not None and row.attributes.get(SECONDS):
        media = f"{media}@{int(float(row.attributes[SECONDS]) // (60 * media_minutes))}"
    return replace(row, subject=None, template=None, media=media)


def _whole(text: str, where: str) -> int:
    if not text.isdecimal():
        raise InputError(f"frame is {text!r}, not a whole number", where=where, remedy="correct the manifest")
    return int(text)


def _box(text: str, where: str) -> Sequence[float]:
    try:
        numbers = [float(part) for part in text.split()]
    except ValueError:
        numbers = []
    if len(numbers) != 4:
        raise InputError(f"box is {text[:40]!r}, not four numbers", where=where, remedy="write left top right bottom")
    return numbers
