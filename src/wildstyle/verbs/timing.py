"""How long one picture takes from its bytes to an answer, on one core: the whole of it, and stage by stage.

The rule follows the time-constrained protocol FRUITS (Zhu et al., WebFace260M, CVPR 2021): preprocessing counts, one
core, one picture at a time; a system that is over a budget is not eligible for that class, however accurate it is.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from wildstyle.errors import InputError, SettingError, UnreadableFace
from wildstyle.faces import open_faces
from wildstyle.faces.align import align
from wildstyle.faces.decode import decode_image
from wildstyle.faces.detect import Detector, open_detector
from wildstyle.faces.detect.search import find_faces
from wildstyle.faces.record import Pixels
from wildstyle.faces.video import Fault, FrameStep, is_video, read_frames
from wildstyle.randomness import item_rng
from wildstyle.recognisers import Recogniser, load_recogniser
from wildstyle.recognisers.engine import Embedder, embedder
from wildstyle.runs.provenance import machine
from wildstyle.verbs.measuring import spread
from wildstyle.verbs.progress import Progress, Silent

CLASSES_MS = (100, 500, 1000)
"""Budgets for one picture, in ms."""

STAGES = ("decode", "detect", "align", "embed", "match")
WHOLE = "whole"

_KEPT_PICTURES = 64  # bytes of so many pictures are held, so that no disk is timed


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingOptions:
    """How it is timed.

    Attributes:
        runs: timed pictures with a face; the pictures given come round again.
        warm_up: pictures before, not counted.
        gallery: enrolled templates that each face is compared with.
    """

    runs: int = 200
    warm_up: int = 10
    gallery: int = 1000

    def __post_init__(self) -> None:
        if self.runs < 20 or self.warm_up < 0 or self.gallery < 1:
            raise SettingError(
                f"{self.runs} runs, {self.warm_up} to warm up, a gallery of {self.gallery}",
                remedy="time at least 20 runs against a gallery of at least 1",
            )


@dataclass(frozen=True, slots=True)
class StageTime:
    """One stage: name, median and 95th percentile in ms."""

    name: str
    median_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingReport:
    """What was timed.

    Attributes:
        stages: in order of work, the whole last. Percentiles don't add up; the whole is timed as a whole.
        class_ms: smallest budget that 95 % of the pictures keep, or None if over all of them.
        runs: timed pictures.
        without_face: pictures met on the way in which no face was found; not timed, as they end early.
        pictures: different pictures used.
        largest: width and height of the largest of them, px.
        gallery: templates compared with.
        detector, engine: what found the faces and what ran the network.
        one_core: whether the system let itself be bound to one core; else only the libraries were.
        machine: processor, cores, memory, system.
    """

    stages: tuple[StageTime, ...]
    class_ms: int | None
    runs: int
    without_face: int
    pictures: int
    largest: tuple[int, int]
    gallery: int
    detector: str
    engine: str
    one_core: bool
    machine: dict[str, Any] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The outcome in one sentence."""
        whole = self.stages[-1]
        figures = f"{whole.median_ms:.0f} ms a picture (95 % within {whole.p95_ms:.0f} ms) on one core"
        if self.class_ms is None:
            return f"{figures}: over the largest budget of {CLASSES_MS[-1]} ms, not eligible for any class"
        return f"{figures}: meets the class of {self.class_ms} ms"

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"schema": 1, **asdict(self), "sentence": self.sentence}


def time_pipeline(
    model: Path,
    pictures: Path,
    *,
    contract: str | None = None,
    detector: Path | None = None,
    options: TimingOptions | None = None,
    progress: Progress | None = None,
) -> TimingReport:
    """Time decoding, detection, alignment, embedding and matching of raw pictures, one at a time, on one core.

    Args:
        model: recogniser file.
        pictures: raw pictures (folder, tar, ...) or a video; not aligned faces, or detection sees another task.
        contract: as everywhere, where the model's file does not say.
        detector: SCRFD or YuNet file; None takes the embedded one.
        options: see there.
        progress: told of every timed picture.

    Raises:
        InputError: nothing can be read, or no face is found in as many pictures as were asked for.
    """
    options, progress = options or TimingOptions(), progress or Silent()
    progress.stage("time", f"{options.runs} pictures on one core")
    with _one_core() as bound:
        recogniser = load_recogniser(model, contract=contract)
        finder = open_detector(detector, threads=1)
        with embedder(recogniser) as (embed, engine):
            pipeline = _Pipeline(recogniser, finder, embed, options.gallery)
            shots = _Shots(pictures)
            times = _timed(pipeline, shots, options, progress)
    return TimingReport(
        stages=tuple(_stage(name, times[:, i]) for i, name in enumerate((*STAGES, WHOLE))),
        class_ms=class_met(times[:, -1]),
        runs=len(times),
        without_face=shots.without_face,
        pictures=len(shots.seen),
        largest=shots.largest,
        gallery=options.gallery,
        detector=finder.name,
        engine=engine,
        one_core=bound,
        machine=machine(),
    )


def class_met(seconds: NDArray[np.float64]) -> int | None:
    """Smallest budget in ms that the 95th percentile of (n,) seconds keeps, or None."""
    slow = 1000 * float(np.percentile(seconds, 95))
    return next((budget for budget in CLASSES_MS if slow <= budget), None)


class _Shots:
    """Raw pictures that come round again; reading the next one is the decoding."""

    def __init__(self, path: Path) -> None:
        self.without_face = 0
        self.seen: set[int] = set()
        self.largest = (0, 0)
        self._next = _frames(path) if is_video(path) else _decoded(path)

    def __next__(self) -> Pixels:
        number, image = next(self._next)
        self.seen.add(number)
        self.largest = max(self.largest, (image.shape[1], image.shape[0]), key=lambda size: size[0] * size[1])
        return image


class _Pipeline:
    """From pixels to the nearest enrolled template, each stage timed."""

    def __init__(self, recogniser: Recogniser, detector: Detector, embed: Embedder, gallery: int) -> None:
        self._contract = recogniser.contract
        self._detector = detector
        self._embed = embed
        rng = item_rng(0, "timing", "gallery")
        self._gallery = rng.standard_normal((gallery, self._contract.embedding_size)).astype(np.float32)

    def __call__(self, shots: _Shots) -> list[float] | None:
        """Seconds by stage and for the whole, or None where no face was found."""
        marks = [time.perf_counter()]
        image = next(shots)
        marks.append(time.perf_counter())
        found = find_faces(self._detector, image)
        if not found:
            return None
        marks.append(time.perf_counter())
        face = align(image, found[0].landmarks, self._contract.input_size, self._contract.landmark_template)
        marks.append(time.perf_counter())
        planes = np.ascontiguousarray(face.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
        vector = self._embed(planes)[0]
        vector = vector / max(float(np.linalg.norm(vector)), 1e-12)
        marks.append(time.perf_counter())
        int(np.argmax(self._gallery @ vector))
        marks.append(time.perf_counter())
        return [*np.diff(marks), marks[-1] - marks[0]]


def _timed(pipeline: _Pipeline, shots: _Shots, options: TimingOptions, progress: Progress) -> NDArray[np.float64]:
    """(runs, stages + 1) seconds."""
    times: list[list[float]] = []
    warm = options.warm_up
    while len(times) < options.runs:
        found = pipeline(shots)
        if found is None:
            shots.without_face += 1
            if shots.without_face > 20 * (len(times) + 10):
                raise InputError(
                    f"no face was found in {shots.without_face} pictures and one in {len(times)}",
                    remedy="give raw pictures with faces, or a better detector with --detector",
                )
            continue
        if warm > 0:
            warm -= 1
            continue
        times.append(found)
        progress.step(len(times), options.runs)
    return np.array(times)


def _stage(name: str, seconds: NDArray[np.float64]) -> StageTime:
    median, slow = 1000 * np.percentile(seconds, (50, 95))
    return StageTime(name, round(float(median), 3), round(float(slow), 3))


def _decoded(path: Path) -> Iterator[tuple[int, Pixels]]:
    with open_faces(path) as source:
        kept: list[tuple[int, bytes]] = []
        for index in spread(len(source), _KEPT_PICTURES):
            try:
                data = source.encoded(index)
                decode_image(data, where=source.record(index).id)
            except UnreadableFace:
                continue
            kept.append((index, data))
    if not kept:
        raise InputError(
            "no picture can be read", where=path, remedy="give a folder or tar of raw pictures, or a video"
        )
    for index, data in itertools.cycle(kept):
        yield index, decode_image(data, where=str(path))


def _frames(path: Path) -> Iterator[tuple[int, Pixels]]:
    while True:
        frames = 0
        for frame in read_frames(path, FrameStep()):
            if not isinstance(frame, Fault) and frame.image is not None:
                frames += 1
                yield frame.number, frame.image
        if not frames:
            raise InputError("no frame can be read", where=path, remedy="give another video or a folder of pictures")


@contextmanager
def _one_core() -> Iterator[bool]:
    """Bind the process, torch and OpenCV to one core; yields whether the system allowed the first."""
    undo: list[Callable[[], object]] = []
    before = torch.get_num_threads(), cv2.getNumThreads()
    undo += [lambda: torch.set_num_threads(before[0]), lambda: cv2.setNumThreads(before[1])]
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    affinity = getattr(os, "sched_getaffinity", None)
    if affinity is not None:
        cores = affinity(0)
        os.sched_setaffinity(0, {max(cores)})
        undo.append(lambda: os.sched_setaffinity(0, cores))
    try:
        yield affinity is not None
    finally:
        for step in reversed(undo):
            step()
