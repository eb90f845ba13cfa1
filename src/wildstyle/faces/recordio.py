"""InsightFace and MXNet record files (``.rec`` with ``.idx``), read without mxnet.

Two kinds are in use. In the *identity kind* record 0 is a header whose labels (a, b) say that the keys
1 to a-1 are images and a to b-1 are people. In the *plain kind* every key is an image, 0 included.

Labels are float32 in both: integers above 2**24 are rounded, so they don't say whom they mean and are
refused.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import CorruptArchive, InputError, LabelError, UnreadableFace
from wildstyle.faces.decode import MAX_ENCODED_BYTES, decode_image
from wildstyle.faces.record import Face, FaceRecord
from wildstyle.faces.record_index import RecordIndex, read_index, scan_index
from wildstyle.faces.record_parts import Payload, join_parts, read_part, read_payload
from wildstyle.faces.source import FaceSource

LARGEST_EXACT = 2**24
_FIRST_READ = 2**18
_HEAD_READ = 64


class RecordSource(FaceSource):
    """Images of a ``.rec``, by ascending key; ids are the keys.

    The person of a face is only a number in the file, so subjects are called ``<name>#<label>``. Where
    the ``.idx`` is missing, the file is scanned once. Where a file ``property`` lies beside it, its
    number of classes bounds the labels.

    Args:
        path: the ``.rec``.
        name: short name; the file's stem by default.

    Raises:
        InputError: the file is missing or empty.
        CorruptArchive: index or records are damaged or cut off, or a key that the header promises is
            missing.
    """

    def __init__(self, path: str | Path, *, name: str | None = None) -> None:
        self.path = Path(path)
        self.location = str(path)
        self.name = name or self.path.stem
        self._lock = threading.Lock()
        self._labels: NDArray[np.int64] | None = None
        try:
            self._file: int | None = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise InputError(f"can't be opened ({error.strerror})", where=path, remedy="check the path") from error
        self.classes = _classes(self.path.parent / "property")
        """Number of people as the file ``property`` says, or None."""
        self._index = self._images(self._records())

    def __len__(self) -> int:
        return len(self._index.keys)

    def record(self, index: int) -> FaceRecord:
        label = int(self._labels[index]) if self._labels is not None else self._label(index)
        return self._described(index, label)

    def encoded(self, index: int) -> bytes:
        return self._payload(index).data

    def read(self, index: int) -> Face:
        payload = self._payload(index)
        record = self._described(index, self._checked(payload, index))
        return Face(decode_image(payload.data, where=self._where(index)), record)

    def labels(self) -> NDArray[np.int64]:
        """Class index of every face, (N,) int64; the first call reads the head of every record.

        Raises:
            LabelError: a label is no integer, negative, above 2**24, or beyond the number of classes.
        """
        if self._labels is None:
            self._labels = np.fromiter((self._label(i) for i in range(len(self))), np.int64, len(self))
        return self._labels.copy()

    def subjects(self) -> list[str | None]:
        labels = self.labels()
        names = {label: f"{self.name}#{label}" for label in np.unique(labels).tolist()}
        return [names[label] for label in labels.tolist()]

    def index_of(self, face_id: str) -> int | None:
        if not (face_id.isascii() and face_id.isdecimal() and len(face_id) < 19):
            return None
        place = int(self._index.at(np.array([int(face_id)]))[0])
        return None if place < 0 or str(self._index.keys[place]) != face_id else place

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            self.close()

    def _records(self) -> RecordIndex:
        size = os.fstat(self._open()).st_size
        if size == 0:
            raise InputError("file is empty (0 bytes)", where=self.path, remedy="copy the file again")
        beside = self.path.with_suffix(".idx")
        found = beside.exists()
        index = read_index(beside, size) if found else scan_index(self._open(), size, where=self.location)
        # A copy that was cut off shows here, not after an hour.
        self._read(index, int(np.argmax(index.offsets)))
        return index

    def _images(self, index: RecordIndex) -> RecordIndex:
        if index.keys[0] != 0:
            return index
        header = self._read(index, 0)
        if header.flag == 0 or header.data:
            return index
        first_person = _key_range(header.labels, f"{self.location}:key 0")
        wanted = np.arange(1, first_person, dtype=np.int64)
        places = index.at(wanted)
        if (places < 0).any():
            key = wanted[places < 0][0]
            raise CorruptArchive(
                f"image {key} of 1 to {first_person - 1} is not in the index",
                where=self.location,
                remedy="copy .rec and .idx again, or remove the .idx to have it rebuilt",
            )
        return index.chosen(places)

    def _open(self) -> int:
        file = self._file
        if file is None:
            with self._lock:
                if self._file is None:
                    self._file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
                file = self._file
        return file

    def _raw(self, index: RecordIndex, place: int, limit: int = _FIRST_READ) -> bytes:
        """Bytes from the record's magic on, at most up to the next record; all of it if ``limit`` allows."""
        return os.pread(self._open(), min(int(index.rooms[place]), limit), int(index.offsets[place]))

    def _payload(self, place: int) -> Payload:
        return self._read(self._index, place)

    def _read(self, index: RecordIndex, place: int) -> Payload:
        """One short read suffices for nearly all records; longer ones are read again in full."""
        where, room = f"{self.location}:key {index.keys[place]}", int(index.rooms[place])
        data = self._raw(index, place)
        try:
            return read_payload(join_parts(data, where=where), where=where)
        except CorruptArchive:
            if len(data) >= room:
                raise
        if room > MAX_ENCODED_BYTES:
            raise UnreadableFace(f"record takes up to {room} bytes, more than {MAX_ENCODED_BYTES}", where=where)
        return read_payload(join_parts(self._raw(index, place, room), where=where), where=where)

    def _label(self, place: int) -> int:
        """From the first bytes alone, except where the head itself is cut into parts."""
        where = self._where(place)
        data = self._raw(self._index, place, _HEAD_READ)
        part = read_part(data, 0, where=where)
        if part.kind != 0 or part.length + 8 > len(data) < _HEAD_READ:
            return self._checked(self._payload(place), place)
        try:
            payload = read_payload(data[8 : 8 + part.length], where=where)
        except CorruptArchive:  # more labels than were read, or truly damaged
            payload = self._payload(place)
        return self._checked(payload, place)

    def _checked(self, payload: Payload, place: int) -> int:
        label = payload.labels[0]
        if not (0 <= label < LARGEST_EXACT and label.is_integer()):
            trap = label >= LARGEST_EXACT
            raise LabelError(
                f"label is {label:g}, "
                + ("above 2**24, where float32 rounds integers" if trap else "not an integer >= 0"),
                where=self._where(place),
                remedy="pack the faces again with labels counted from 0",
            )
        if self.classes is not None and label >= self.classes:
            raise LabelError(
                f"label is {int(label)}, but `property` says {self.classes} classes",
                where=self._where(place),
                remedy="correct the first number in `property`, or pack the faces again",
            )
        return int(label)

    def _described(self, place: int, label: int) -> FaceRecord:
        return FaceRecord(
            id=str(self._index.keys[place]), source=self.name, label=label, subject=f"{self.name}#{label}"
        )

    def _where(self, place: int) -> str:
        return f"{self.location}:key {self._index.keys[place]}"


def _key_range(labels: Sequence[float], where: str) -> int:
    """First key of a person from the header's labels (a, b): images are 1 to a-1, people a to b-1."""
    first, end = labels[0], labels[-1]
    if len(labels) != 2 or not 1 <= first <= end or not (first.is_integer() and end.is_integer()):
        raise CorruptArchive(f"header has labels {tuple(labels)}, expected two ascending keys", where=where)
    if end > LARGEST_EXACT:
        raise CorruptArchive(
            f"header has keys up to {end:.0f}, above 2**24, where float32 rounds them",
            where=where,
            remedy="pack the faces again in the plain kind, every record an image",
        )
    return int(first)


def _classes(path: Path) -> int | None:
    """First of the three numbers ``classes,height,width``."""
    if not path.is_file():
        return None
    first = path.read_text(encoding="utf-8", errors="replace").split(",")[0].strip()
    if not (first.isascii() and first.isdecimal() and int(first[:18]) > 0):
        raise CorruptArchive("holds no `classes,height,width`", where=path, remedy="correct or remove it")
    return int(first)
