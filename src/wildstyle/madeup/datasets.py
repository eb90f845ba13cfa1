"""Writing sets of made-up people: a tar of pictures and manifests that say all that is true of each.

The same plan gives the same pixels for any number of workers; an interrupted writing goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from wildstyle.errors import Interrupted, SettingError
from wildstyle.faces.align import align, similarity, template_points, transform
from wildstyle.faces.decode import encode_jpeg
from wildstyle.faces.manifest import write_manifest
from wildstyle.faces.record import Face, FaceRecord, Pixels
from wildstyle.faces.row import ManifestRow
from wildstyle.faces.source import FaceSource
from wildstyle.madeup.camera import BAD_CAMERA, EVERYDAY
from wildstyle.madeup.person import person, subject_name
from wildstyle.madeup.plans import Item, MadeUpSet
from wildstyle.madeup.shot import Shot, ShotOptions, shot
from wildstyle.runs.atomic import replacing, write_text

RENDERER_VERSION = 1
"""Raised whenever the same seed gives another picture."""

_CHUNK = 32
_QUALITY = 95
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class WrittenSet:
    """Paths of a written set: the tar, and manifests by name ("all"; "clean" and "camera" of held-back people)."""

    faces: Path
    manifests: dict[str, Path]


def take(plan: MadeUpSet, item: Item) -> tuple[Pixels, ManifestRow]:
    """One picture of a plan and its row.

    ``min_side`` and ``eye_distance`` are in the camera's own pixels, that is before a coarse camera's picture was
    enlarged. ``landmarks`` are true, in pixels of the stored picture.
    """
    strength = plan.strength if item.camera == "bad" else 1.0
    camera = BAD_CAMERA if item.camera == "bad" else EVERYDAY
    options = ShotOptions(difficulty=plan.difficulty, side=plan.side, camera=camera, strength=strength)
    taken = shot(person(item.person), item.shot, options)
    image, points = taken.image, taken.landmarks
    if plan.aligned:
        matrix = similarity(points, template_points(112))
        image, points = align(image, points), transform(points, matrix)
    return image, _row(item, taken, points)


def _row(item: Item, taken: Shot, points: np.ndarray) -> ManifestRow:
    side, eyes = taken.face_side, float(np.hypot(*(taken.landmarks[1] - taken.landmarks[0])))
    return ManifestRow(
        file=item.file,
        subject=item.subject,
        media=item.media,
        template=item.template,
        role=item.role,
        enrolled=item.enrolled,
        min_side=round(side / taken.camera.shrink, 1),
        eye_distance=round(eyes / taken.camera.shrink, 2),
        landmarks=points,
        attributes={"true_person": subject_name(item.person), "true_shot": str(item.shot), **taken.attributes()},
    )


def write_made_up_set(
    plan: MadeUpSet, folder: Path, *, workers: int = 1, on_progress: Progress | None = None
) -> WrittenSet:
    """Write ``<kind>.tar`` and its manifests into ``folder``.

    Finished sets of the same plan are left as they are. With more than one worker, processes are spawned, so a
    script must have the usual ``if __name__ == "__main__"``.

    Args:
        plan: what to write.
        folder: made if missing.
        workers: processes, >= 1; 1 renders in this one.
        on_progress: called with (pictures done, pictures in all).

    Raises:
        SettingError: ``workers`` is below 1.
        StorageError: the disk is full.
        Interrupted: Ctrl-C; the next call goes on.
    """
    if workers < 1:
        raise SettingError(f"workers is {workers}, expected 1 or more", where="made-up set")
    folder = Path(folder)
    items, mark = plan.items(), _fingerprint(plan)
    written = _paths(plan, folder)
    done_mark = folder / f".{plan.kind}.json"
    if _is_done(written, done_mark, mark):
        return written
    parts = folder / f".{plan.kind}.{mark[:12]}.parts"
    chunks = [(plan, parts, n, items[n : n + _CHUNK]) for n in range(0, len(items), _CHUNK)]
    finished = 0
    try:
        for count in _run(chunks, workers):
            finished += count
            if on_progress is not None:
                on_progress(finished, len(items))
        _join(plan, parts, len(items), written)
    except KeyboardInterrupt as stop:
        raise Interrupted(
            f"stopped after {finished} of {len(items)} made-up pictures",
            where=folder,
            remedy="give the same command again to go on",
        ) from stop
    write_text(done_mark, json.dumps({"plan": mark}) + "\n")
    shutil.rmtree(parts, ignore_errors=True)
    return written


def _fingerprint(plan: MadeUpSet) -> str:
    cameras = [asdict(EVERYDAY), asdict(BAD_CAMERA)]
    text = json.dumps({"version": RENDERER_VERSION, "cameras": cameras, **asdict(plan)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _paths(plan: MadeUpSet, folder: Path) -> WrittenSet:
    names = ("all", "clean", "camera") if plan.kind == "held-back" else ("all",)
    manifests = {n: folder / (f"{plan.kind}.csv" if n == "all" else f"{plan.kind}-{n}.csv") for n in names}
    return WrittenSet(folder / f"{plan.kind}.tar", manifests)


def _is_done(written: WrittenSet, done_mark: Path, mark: str) -> bool:
    if not (done_mark.exists() and written.faces.exists() and all(p.exists() for p in written.manifests.values())):
        return False
    return bool(json.loads(done_mark.read_text())["plan"] == mark)


_Chunk = tuple[MadeUpSet, Path, int, tuple[Item, ...]]


def _run(chunks: list[_Chunk], workers: int) -> Iterator[int]:
    """Render the chunks in any order; yields the number of pictures of each."""
    if workers == 1:
        yield from map(_render_chunk, chunks)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        waiting: set[Future[int]] = {pool.submit(_render_chunk, chunk) for chunk in chunks}
        try:
            while waiting:
                ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in ready:
                    yield future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _one_thread() -> None:
    """Workers share the cores; more threads in each would only fight."""
    import cv2

    cv2.setNumThreads(1)


def _render_chunk(chunk: _Chunk) -> int:
    plan, parts, first, items = chunk
    rows_path = parts / f"{first:07d}.json"
    if rows_path.exists():
        return len(items)
    rows = []
    with replacing(parts / f"{first:07d}.tar") as temporary, tarfile.open(temporary, "w") as tar:
        for item in items:
            image, row = take(plan, item)
            _add(tar, item.file, encode_jpeg(image, _QUALITY))
            rows.append(_plain(row))
    # The rows come last: a chunk with rows is complete.
    write_text(rows_path, json.dumps(rows))
    return len(items)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def _plain(row: ManifestRow) -> dict[str, object]:
    plain = {name: getattr(row, name) for name in ManifestRow.__slots__}
    plain["landmarks"] = None if row.landmarks is None else row.landmarks.tolist()
    plain["attributes"] = dict(row.attributes)
    return plain


def _join(plan: MadeUpSet, parts: Path, count: int, written: WrittenSet) -> None:
    """Put the chunks together, in order."""
    rows: list[ManifestRow] = []
    with replacing(written.faces) as temporary, tarfile.open(temporary, "w") as tar:
        for first in range(0, count, _CHUNK):
            with tarfile.open(parts / f"{first:07d}.tar") as part:
                for member in part:
                    tar.addfile(member, part.extractfile(member))
            for plain in json.loads((parts / f"{first:07d}.json").read_text()):
                plain["landmarks"] = np.array(plain["landmarks"], np.float32)
                rows.append(ManifestRow(**plain))
    for name, path in written.manifests.items():
        write_manifest(path, [r for r in rows if name == "all" or r.role == "gallery" or r.media == name])


class MadeUpSource(FaceSource):
    """The faces of a plan, rendered when they are read; the last ``kept`` pictures are kept in memory.

    ``record(i)`` renders nothing and so knows the person but neither landmarks nor conditions; ``read(i)`` does.
    """

    def __init__(self, plan: MadeUpSet, *, kept: int = 512) -> None:
        self.plan = plan
        self.name = f"made-up-{plan.kind}"
        self.location = f"made-up people, {plan.kind}, seed {plan.seed}"
        self._items = plan.items()
        self._labels = {name: n for n, name in enumerate(sorted({i.subject for i in self._items if i.subject}))}
        self._take = lru_cache(maxsize=kept)(lambda index: take(plan, self._items[index]))

    def __len__(self) -> int:
        return len(self._items)

    def record(self, index: int) -> FaceRecord:
        """Person, file and label of one face; renders nothing."""
        item = self._items[index]
        label = None if item.subject is None else self._labels[item.subject]
        return FaceRecord(id=item.file, source=self.name, subject=item.subject, media=item.media, label=label)

    def encoded(self, index: int) -> bytes:
        """JPEG of one face."""
        return encode_jpeg(self._take(index)[0], _QUALITY)

    def read(self, index: int) -> Face:
        """Render one face, with its landmarks and conditions."""
        image, row = self._take(index)
        return Face(image.copy(), row.described(self.record(index)))
