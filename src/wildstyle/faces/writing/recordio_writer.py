"""Writes InsightFace and MXNet record files: ``.rec``, ``.idx`` and ``property``, without mxnet.

Both kinds that are in use are written: *plain*, where every key is an image, from 0; and *identity*, where
key 0 is a header with labels (a, b), keys 1 to a-1 are images and a to b-1 are people, each with the first
and one past the last of its images. Labels and keys are float32 there, so above 2**24 they are refused.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from wildstyle.errors import InputError, LabelError
from wildstyle.faces.decode import read_header
from wildstyle.faces.record_parts import MAGIC
from wildstyle.faces.recordio import LARGEST_EXACT
from wildstyle.faces.writing.stored import StoredFace, needed_picture

_MAGIC_BYTES = struct.pack("<I", MAGIC)
_LONGEST_PART = 2**29 - 1


def image_payload(labels: float | Sequence[float], key: int, data: bytes, *, id2: int = 0) -> bytes:
    """Header of MXNet's image record and the encoded image.

    Args:
        labels: one number, or several, which take flag n and n float32 before the image.
        key: first id of the header.
        data: encoded image; empty in records of people.
        id2: second id of the header.

    Raises:
        LabelError: a label is an integer that float32 rounds, or there is none.

    >>> image_payload(7, 1, b"").hex()
    '000000000000e04001000000000000000000000000000000'
    """
    values = [float(labels)] if isinstance(labels, int | float) else [float(value) for value in labels]
    wrong = next((value for value in values if abs(value) > LARGEST_EXACT), None)
    if wrong is not None or not values:
        raise LabelError(
            "a record needs a label" if wrong is None else f"label {wrong:.0f} is above 2**24, where float32 rounds",
            where=f"key {key}",
            remedy="number the people from 0 without gaps",
        )
    if isinstance(labels, int | float):
        return struct.pack("<IfQQ", 0, values[0], key, id2) + data
    return struct.pack("<IfQQ", len(values), 0.0, key, id2) + struct.pack(f"<{len(values)}f", *values) + data


def record_parts(payload: bytes) -> bytes:
    """A payload as dmlc-core writes it: one part, or several where it holds the magic at a multiple of four.

    The four bytes of the magic are left out at each cut; readers put them back.

    Raises:
        InputError: a part is longer than the 29 bits of its length.
    """
    pieces, start, found = [], 0, payload.find(_MAGIC_BYTES)
    while found >= 0:
        if found % 4 == 0:
            pieces.append(payload[start:found])
            start = found + 4
        found = payload.find(_MAGIC_BYTES, found + (4 if found % 4 == 0 else 1))
    pieces.append(payload[start:])
    if len(pieces) == 1:
        return _part(payload, 0)
    kinds = [1, *[2] * (len(pieces) - 2), 3]
    return b"".join(_part(piece, kind) for piece, kind in zip(pieces, kinds, strict=True))


def _part(data: bytes, kind: int) -> bytes:
    if len(data) > _LONGEST_PART:
        raise InputError(f"a record takes {len(data)} bytes, at most {_LONGEST_PART} can be written")
    return struct.pack("<II", MAGIC, kind << 29 | len(data)) + data + bytes(-len(data) % 4)


class RecordWriter:
    """Writes ``<stem>.rec``, ``<stem>.idx`` and, if asked, ``property`` into a folder.

    Args:
        folder: an existing folder.
        stem: name of the files.
        identities: write the identity kind; faces must then come person by person.
        with_property: also write ``property`` (classes, height, width of the first picture).

    Raises:
        LabelError: a face has no label, a label is above 2**24, or a person's faces are not together.
    """

    def __init__(self, folder: Path, stem: str, *, identities: bool = False, with_property: bool = True) -> None:
        self._folder, self._stem = folder, stem
        self._identities, self._with_property = identities, with_property
        self._records = open(folder / f"{stem}.rec", "wb")  # noqa: SIM115 - closed by __exit__
        self._index = open(folder / f"{stem}.idx", "w", encoding="ascii", newline="\n")  # noqa: SIM115
        self._key = 1 if identities else 0
        self._people: dict[int, list[int]] = {}
        self._last: int | None = None
        self._classes, self._size = 0, (0, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._records.close()
        self._index.close()

    def add(self, face: StoredFace) -> None:
        """Write the next face under the next key."""
        _, data = needed_picture(face, "a record file")
        label = face.record.label
        if label is None or not 0 <= label < LARGEST_EXACT:
            raise LabelError(
                "face has no label" if label is None else f"label is {label}, not from 0 to 2**24 - 1",
                where=f"{face.record.source}:{face.record.id}",
                remedy="a record file needs people numbered from 0",
            )
        self.add_labels(label, data)

    def add_labels(self, labels: int | Sequence[float], data: bytes) -> int:
        """Write a picture with one label or several, the first of which is the person; returns its key."""
        person = int(labels if isinstance(labels, int) else labels[0])
        key = self._key
        if not key:
            read = read_header(data, where="key 0")
            self._size = (read.height, read.width)
        elif self._size == (0, 0):
            read = read_header(data, where=f"key {key}")
            self._size = (read.height, read.width)
        self._write(key, image_payload(labels, key, data))
        self._key += 1
        self._classes = max(self._classes, person + 1)
        if self._identities:
            self._note_person(person, key)
        return key

    def finish(self) -> list[str]:
        """Write people and header of the identity kind, and ``property``."""
        if self._identities:
            first = self._key
            if first + len(self._people) > LARGEST_EXACT:
                raise LabelError(
                    f"keys go up to {first + len(self._people)}, above 2**24, where float32 rounds them",
                    remedy="write the plain kind",
                )
            for key, (start, end) in enumerate(self._people[person] for person in sorted(self._people)):
                self._write(first + key, image_payload((start, end), first + key, b""))
            self._write(0, image_payload((first, first + len(self._people)), 0, b"", id2=1))
        names = [f"{self._stem}.idx", f"{self._stem}.rec"]
        if self._with_property:
            height, width = self._size
            (self._folder / "property").write_text(f"{self._classes},{height},{width}\n", encoding="ascii")
            names.insert(0, "property")
        return names

    def _write(self, key: int, payload: bytes) -> None:
        self._index.write(f"{key}\t{self._records.tell()}\n")
        self._records.write(record_parts(payload))

    def _note_person(self, person: int, key: int) -> None:
        if person == self._last:
            self._people[person][1] = key + 1
            return
        if person in self._people:
            raise LabelError(f"faces of person {person} are not together", remedy="write them person by person")
        self._people[person], self._last = [key, key + 1], person
