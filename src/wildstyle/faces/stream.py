"""Read ahead with threads, in the order that was asked for.

Decoding releases the interpreter lock, so threads suffice. Work goes out in short runs of faces, so
that handing over costs little a face; the order and the failures are the same for any number of
workers, none included.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from queue import SimpleQueue
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, SettingError, UnreadableFace
from wildstyle.faces.record import Face
from wildstyle.faces.source import FaceSource

_RUN = 16
_MEMORY = 2**28


def stream(
    source: FaceSource, indices: Iterable[int] | None = None, *, workers: int = 2, read_ahead: int = 64
) -> Iterator[Face | UnreadableFace]:
    """Yield the faces at ``indices``, one for one and in that order; a face that can't be used comes as its error.

    Args:
        source: where the faces are.
        indices: positions, repeats allowed, may be endless; all faces in order by default.
        workers: threads that read and decode; 0 does it in the calling thread.
        read_ahead: how many faces may be decoded before they are asked for; fewer where they are so
            large that they would take more than 256 MiB.

    Raises:
        CorruptArchive: the container itself is damaged; the faces before it have been yielded.
        SettingError: ``workers`` or ``read_ahead`` is negative.
    """
    if workers < 0 or read_ahead < 0:
        raise SettingError(f"workers={workers}, read_ahead={read_ahead}: neither may be negative")
    wanted = iter(range(len(source))) if indices is None else map(int, indices)
    if workers == 0:
        return (_read_one(source, i) for i in wanted)
    return _prefetched(source, wanted, workers, read_ahead)


def _read_one(source: FaceSource, index: int) -> Face | UnreadableFace:
    try:
        return source.read(index)
    except UnreadableFace as error:
        return error


class _Found(NamedTuple):
    """Faces of one run, and the error of the container that ended it, if any."""

    faces: list[Face | UnreadableFace]
    error: Exception | None


_Job = tuple[list[int], "SimpleQueue[_Found]"]


def _work(source: FaceSource, jobs: SimpleQueue[_Job | None], stop: threading.Event) -> None:
    """Read runs until told to end; each run's faces go into the place that came with it."""
    while (job := jobs.get()) is not None:
        run, place = job
        place.put(_read_run(source, run, stop))


def _read_run(source: FaceSource, run: list[int], stop: threading.Event) -> _Found:
    faces: list[Face | UnreadableFace] = []
    if not stop.is_set():
        with contextlib.suppress(Exception):  # one by one it shows which face is to blame
            together = source.read_together(run)
            if together is not None:
                return _Found(list(together), None)
    for index in run:
        if stop.is_set():
            break
        try:
            faces.append(_read_one(source, index))
        except Exception as error:
            return _Found(faces, error)
    return _Found(faces, None)


def _prefetched(
    source: FaceSource, wanted: Iterator[int], workers: int, read_ahead: int
) -> Iterator[Face | UnreadableFace]:
    jobs: SimpleQueue[_Job | None] = SimpleQueue()
    waiting: deque[SimpleQueue[_Found]] = deque()
    stop = threading.Event()
    threads = _started(workers, source, jobs, stop)
    allowed, largest = workers, 0  # nothing is known of the sizes yet
    try:
        while True:
            length = max(1, min(_RUN, allowed // workers // 2))
            while len(waiting) < max(workers, allowed // length) and (run := list(islice(wanted, length))):
                waiting.append(SimpleQueue())
                jobs.put((run, waiting[-1]))
            if not waiting:
                return
            faces, error = waiting.popleft().get()
            largest = max(largest, 0, *(face.image.nbytes for face in faces if isinstance(face, Face)))
            allowed = max(workers, min(read_ahead, _MEMORY // largest)) if largest else workers
            yield from faces
            if error is not None:
                raise error
    finally:
        # Also on Ctrl-C and when the caller stops early: nobody waits for more than one short run.
        stop.set()
        for _ in threads:
            jobs.put(None)
        for thread in threads:
            thread.join()


def _started(
    count: int, source: FaceSource, jobs: SimpleQueue[_Job | None], stop: threading.Event
) -> list[threading.Thread]:
    """Daemons, since a stream that nobody reads to its end must not keep the program alive."""
    threads = [
        threading.Thread(target=_work, args=(source, jobs, stop), daemon=True, name=f"faces-{k}") for k in range(count)
    ]
    for thread in threads:
        thread.start()
    return threads


def working_batch(faces: Sequence[Face]) -> NDArray[np.float32]:
    """Working images of some faces of one size: (N, 3, H, W) float32 RGB in [0, 1], x / 255.

    Raises:
        InputError: no faces, or faces of different sizes.
    """
    if not faces:
        raise InputError("a batch needs at least one face")
    shape = faces[0].image.shape
    batch = np.empty((len(faces), 3, *shape[:2]), np.float32)
    for place, face in enumerate(faces):
        if face.image.shape != shape:
            raise InputError(
                f"face {face.record.id!r} is {face.image.shape[:2]}, but {faces[0].record.id!r} is {shape[:2]} (H, W)",
                where=face.record.source,
                remedy="align all faces to one size first, e.g. with `wildstyle faces align`",
            )
        batch[place] = face.image.transpose(2, 0, 1)
    batch /= np.float32(255)
    return batch
