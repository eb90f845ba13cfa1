"""Frames of a video file, every n-th or so many a second, upright, with what was damaged.

Reading is forgiving: a damaged packet costs its frame, a cut-off file ends early, and both are told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from wildstyle.errors import InputError, MissingExtra, SettingError
from wildstyle.faces.decode import MAX_PIXELS
from wildstyle.faces.record import Pixels

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ts", ".webm", ".wmv"}
)


@dataclass(frozen=True, kw_only=True)
class FrameStep:
    """Which frames are taken.

    Attributes:
        every: take every n-th frame, n >= 1; used where ``per_second`` is None.
        per_second: take at most so many frames a second of playing time.
        at_most: stop after so many taken frames; None takes all.
    """

    every: int = 1
    per_second: float | None = None
    at_most: int | None = None

    def __post_init__(self) -> None:
        if self.every < 1:
            raise SettingError(f"every={self.every} frames", remedy="use 1 or more")
        if self.per_second is not None and not self.per_second > 0:
            raise SettingError(f"per_second={self.per_second}", remedy="use a number above 0, e.g. 2")
        if self.at_most is not None and self.at_most < 1:
            raise SettingError(f"at_most={self.at_most} frames", remedy="use 1 or more")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One taken frame.

    Attributes:
        number: position among all decoded frames of the video, from 0.
        seconds: playing time.
        image: (H, W, 3) uint8 RGB, upright; None where the picture was damaged or not asked for.
    """

    number: int
    seconds: float
    image: Pixels | None


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in a video that couldn't be read.

    Attributes:
        after_frame: number of the last good frame before it, -1 where there was none.
        reason: what was wrong.
    """

    after_frame: int
    reason: str


def is_video(path: str | Path) -> bool:
    """Whether the name ends like a video file."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def read_frames(path: str | Path, step: FrameStep | None = None, *, skip: int = 0) -> Iterator[Frame | Fault]:
    """Decode a video.

    Args:
        path: any file FFmpeg can read.
        step: which frames; every one by default.
        skip: the first so many things come without pixels, which saves their conversion.

    Yields:
        Taken frames in order, and faults where they occur.

    Raises:
        MissingExtra: PyAV is not installed.
        InputError: no such file, no video in it, or its frames are too large.
    """
    av = _library()
    path = Path(path)
    if not path.is_file():
        raise InputError("no such video file", where=path, remedy="check the path")
    step = step or FrameStep()
    try:
        container = av.open(str(path), metadata_errors="ignore")
    except av.error.FFmpegError as error:
        remedy = "copy the file again, or convert it with ffmpeg"
        raise InputError(f"not a video that can be opened ({error.strerror})", where=path, remedy=remedy) from error
    with container:
        yield from _Reader(av, path, container, step, skip).walk()


def _library() -> ModuleType:
    try:
        import av
    except ImportError as error:
        raise MissingExtra("reading videos needs PyAV", remedy="install it: pip install wildstyle[video]") from error
    return av


class _Reader:
    """The walk through one open container."""

    def __init__(self, av: ModuleType, path: Path, container: Any, step: FrameStep, skip: int) -> None:
        self.av, self.path, self.container = av, path, container
        self.step, self.skip = step, skip
        self.decoded = self.taken = self.given = 0
        self.seconds = 0.0
        self.due = 0.0
        if not container.streams.video:
            raise InputError("holds no video stream", where=path)
        self.stream = container.streams.video[0]
        self._refuse_bombs()

    def _refuse_bombs(self) -> None:
        width, height = self.stream.codec_context.width, self.stream.codec_context.height
        if width * height > MAX_PIXELS:
            raise InputError(
                f"frames of {width}x{height} px are larger than {MAX_PIXELS} px",
                where=self.path,
                remedy="shrink the video first",
            )

    def walk(self) -> Iterator[Frame | Fault]:
        for thing in self._things():
            self.given += 1
            yield thing

    def _things(self) -> Iterator[Frame | Fault]:
        packets = self.container.demux(self.stream)
        while self.step.at_most is None or self.taken < self.step.at_most:
            try:
                packet = next(packets, None)
            except self.av.error.FFmpegError as error:
                yield Fault(self.decoded - 1, f"container damaged ({error.strerror})")
                return
            if packet is None:
                yield from self._missing_end()
                return
            yield from self._decode(packet)

    def _decode(self, packet: Any) -> Iterator[Frame | Fault]:
        try:
            pictures = packet.decode()
        except self.av.error.FFmpegError as error:
            if not isinstance(error, self.av.error.EOFError):
                yield Fault(self.decoded - 1, f"packet damaged ({error.strerror})")
            return
        for picture in pictures:
            number, self.decoded = self.decoded, self.decoded + 1
            self.seconds = self._time(picture, number)
            full = self.step.at_most is not None and self.taken >= self.step.at_most
            if not full and self._wanted(number):
                self.taken += 1
                yield Frame(number, self.seconds, self._pixels(picture) if self.given >= self.skip else None)

    def _time(self, picture: Any, number: int) -> float:
        if picture.time is not None:
            return float(picture.time)
        return number / float(self.stream.average_rate or 25)

    def _wanted(self, number: int) -> bool:
        if self.step.per_second is None:
            return number % self.step.every == 0
        # Half a millisecond of slack: time stamps are rounded to the container's clock.
        if self.seconds + 5e-4 < self.due:
            return False
        self.due = (np.floor((self.seconds + 5e-4) * self.step.per_second) + 1) / self.step.per_second
        return True

    def _pixels(self, picture: Any) -> Pixels | None:
        if picture.is_corrupt:
            return None
        pixels = picture.to_ndarray(format="rgb24")
        # Phones store the frame as the sensor saw it and note by how much to turn it anticlockwise.
        quarters = round(getattr(picture, "rotation", 0) / 90) % 4
        return np.ascontiguousarray(np.rot90(pixels, quarters))

    def _missing_end(self) -> Iterator[Fault]:
        """A fault where the file is much shorter than it says."""
        if self.stream.duration is None or self.stream.time_base is None:
            return
        stated = float(self.stream.duration * self.stream.time_base)
        if self.seconds < stated - max(1.0, 0.05 * stated):
            yield Fault(self.decoded - 1, f"ends at {self.seconds:.1f} s of {stated:.1f} s: the file is cut off")
