"""Uncompressed tar archives, one or several shards, read in any order.

WebDataset samples are understood: ``<key>.cls`` (an integer) gives the label and ``<key>.json`` (a
manifest row) the rest, when they stand beside the image in the archive.
"""

from __future__ import annotations

import json
import os
import threading
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import compress, groupby, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wildstyle.errors import CorruptArchive, InputError, LabelError, UnreadableFace
from wildstyle.faces.decode import MAX_ENCODED_BYTES
from wildstyle.faces.listing import Coded, ListedSource, Listing, Names, facts_of, is_hidden, is_image
from wildstyle.faces.record import FaceRecord
from wildstyle.faces.row import ManifestRow, parse_row
from wildstyle.faces.tar_index import TarMember, tar_members

_LARGEST_NOTE = 2**20
_WASTE = 4096
"""Bytes a face that may be read for nothing when neighbours are read at once: member headers and padding."""
_LARGEST_SPAN = 2**22


class Place(NamedTuple):
    """Where some bytes are: which shard, offset and size in bytes."""

    shard: int
    offset: int
    size: int


class TarSource(ListedSource):
    """Images in one tar or several shards, in archive order.

    Ids are member paths; where shards share paths, each id is preceded by its shard's stem. Hidden
    members are skipped; other members can be read with ``member``. The whole index is checked when the
    source is made; one thread-safe read of the file then gives a face.

    A file that is stored twice is one face; ``repeats`` names them.

    Args:
        paths: one tar, or shards in order.
        name: short name; the stem of the first by default.

    Raises:
        InputError: a file is missing, compressed, no tar, or there are no images.
        CorruptArchive: an archive is damaged or cut off, or a name has two pictures.
        HostileFile: a name leaves the archive, or a member is a link or a device.
        LabelError: a ``.cls`` holds no integer >= 0.
    """

    def __init__(self, paths: str | Path | Sequence[str | Path], *, name: str | None = None) -> None:
        self.paths = [Path(paths)] if isinstance(paths, str | Path) else [Path(p) for p in paths]
        if not self.paths:
            raise InputError("no shards were given")
        self.location = str(self.paths[0]) if len(self.paths) == 1 else f"{self.paths[0]} ... {self.paths[-1].name}"
        self.name = name or self.paths[0].stem
        self._lock = threading.Lock()
        self._files: list[int | None] = [None] * len(self.paths)
        self._others: dict[str, Place] = {}
        self._index()

    def encoded(self, index: int) -> bytes:
        columns = self._columns
        size = columns.sizes[index]
        if size > MAX_ENCODED_BYTES:
            raise UnreadableFace(
                f"member takes {size} bytes, more than {MAX_ENCODED_BYTES}",
                where=f"{self.location}:{self.listing.names[index]}",
            )
        return self._bytes(columns.shards[index], columns.offsets[index], size)

    def encoded_together(self, indices: Sequence[int]) -> list[bytes]:
        columns = self._columns
        places = [columns.place(index) for index in indices]
        first, last = places[0], places[-1]
        span = last.offset + last.size - first.offset
        neighbours = all(a.offset < b.offset and a.shard == b.shard for a, b in pairwise(places))
        # One read for all where little of it is wasted: headers of members lie between the images.
        wasteful = span > sum(place.size for place in places) + _WASTE * len(places)
        if not neighbours or wasteful or span > _LARGEST_SPAN:
            return super().encoded_together(indices)
        data = self._bytes(first.shard, first.offset, span)
        starts = [place.offset - first.offset for place in places]
        return [data[start : start + place.size] for start, place in zip(starts, places, strict=True)]

    def record(self, index: int) -> FaceRecord:
        record, columns = self.listing.record(index, self.name), self._columns
        if not self._has_notes or columns.note_sizes[index] == 0:
            return record
        place = Place(columns.shards[index], columns.note_offsets[index], columns.note_sizes[index])
        return self._row(place, f"{self.location}:{record.id}").described(record)

    def member(self, name: str) -> bytes | None:
        """Bytes of a member that is no face, e.g. ``pairs.txt``; None where there is none.

        Raises:
            InputError: it is larger than an image may be.
        """
        place = self._others.get(name)
        if place is None:
            return None
        if place.size > MAX_ENCODED_BYTES:
            raise InputError(f"member {name!r} takes {place.size} bytes", where=self.location)
        return self._bytes(*place)

    def close(self) -> None:
        with self._lock:
            for shard, file in enumerate(self._files):
                if file is not None:
                    os.close(file)
                    self._files[shard] = None

    def __del__(self) -> None:
        if hasattr(self, "_files"):
            self.close()

    def _bytes(self, shard: int, offset: int, size: int) -> bytes:
        file = self._files[shard]
        if file is None:
            file = self._open(shard)
        data = os.pread(file, size, offset)
        if len(data) < size:
            raise CorruptArchive(
                f"{size} bytes at {offset} can't be read in full",
                where=self.paths[shard],
                remedy="was the file changed while it was read? Copy it again",
            )
        return data

    def _open(self, shard: int) -> int:
        with self._lock:
            file = self._files[shard]
            if file is None:
                file = self._files[shard] = os.open(self.paths[shard], os.O_RDONLY | os.O_CLOEXEC)
            return file

    def _index(self) -> None:
        columns = _Columns()
        for shard, path in enumerate(self.paths):
            for images, others in _samples(tar_members(path)):
                for image in images:
                    self._add(columns, shard, image, others)
                if not images:
                    self._keep(shard, others)
        if not len(columns.names):
            raise InputError("archive holds no images", where=self.location, remedy="check the path")
        columns.seal([path.stem for path in self.paths])
        self.repeats = self._drop_repeats(columns)
        self._columns = columns
        self._has_notes = any(columns.note_sizes)
        self.listing = columns.listing()

    def _add(self, columns: _Columns, shard: int, image: TarMember, others: Sequence[TarMember]) -> None:
        where = f"{self.paths[shard]}:{image.name}"
        note, label = _beside(image, others, ".json"), _beside(image, others, ".cls")
        note_place = Place(shard, note.offset, note.size) if note else Place(shard, 0, 0)
        row = self._row(note_place, where) if note else ManifestRow()
        if label is not None:
            text = self._bytes(shard, label.offset, min(label.size, 64))
            row = replace(row, label=_class_index(text, where))
        columns.add(image, Place(shard, image.offset, image.size), note_place, row, self.name)

    def _drop_repeats(self, columns: _Columns) -> tuple[str, ...]:
        """The same file stored twice is one face; two files of one name can't be told apart later."""
        repeats = columns.names.repeats()
        for place, first in repeats:
            if self._bytes(*columns.place(place)) != self._bytes(*columns.place(first)):
                raise CorruptArchive(
                    f"name {columns.names[place]!r} comes twice with different pictures",
                    where=self.location,
                    remedy="repack it with one face a name",
                )
        names = tuple(columns.names[place] for place, _ in repeats)
        columns.drop([place for place, _ in repeats])
        return names

    def _keep(self, shard: int, others: Sequence[TarMember]) -> None:
        for other in others:
            if other.name in self._others:
                raise CorruptArchive(f"name {other.name!r} comes twice", where=self.location)
            self._others[other.name] = Place(shard, other.offset, other.size)

    def _row(self, place: Place, where: str) -> ManifestRow:
        try:
            if place.size > _LARGEST_NOTE:
                raise ValueError(f"it takes {place.size} bytes")
            cells = json.loads(self._bytes(*place))
            if not isinstance(cells, dict):
                raise ValueError("it is no object")
        except (ValueError, RecursionError) as error:
            raise CorruptArchive(f"the .json beside the image can't be read ({error})", where=where) from error
        return parse_row({str(k): _cell(v) for k, v in cells.items() if k != "file"}, where=where)


class _Columns:
    """What the index knows of every image, a few numbers each."""

    def __init__(self) -> None:
        self.names = Names()
        self.shards, self.offsets, self.sizes = array("i"), array("q"), array("q")
        self.note_offsets, self.note_sizes = array("q"), array("q")
        self.subjects, self.media = Coded(), Coded()
        self.class_indices = array("q")

    def add(self, image: TarMember, place: Place, note: Place, row: ManifestRow, source: str) -> None:
        facts = facts_of(image.name)
        subject = row.subject or facts.subject
        if subject is None and row.label is not None:
            subject = f"{source}#{row.label}"
        self.names.append(image.name)
        self.shards.append(place.shard)
        self.offsets.append(place.offset)
        self.sizes.append(place.size)
        self.note_offsets.append(note.offset)
        self.note_sizes.append(note.size)
        self.subjects.append(subject)
        self.media.append(row.media or facts.media)
        self.class_indices.append(-1 if row.label is None else row.label)

    def place(self, index: int) -> Place:
        return Place(self.shards[index], self.offsets[index], self.sizes[index])

    def seal(self, stems: Sequence[str]) -> None:
        """Close the columns; shards that share names put their stem before each."""
        self.subjects.seal()
        self.media.seal()
        self.names.seal()
        if any(self.shards[place] != self.shards[first] for place, first in self.names.repeats()):
            self.names = Names(f"{stems[s]}/{name}" for s, name in zip(self.shards, self.names, strict=True))

    def drop(self, places: Sequence[int]) -> None:
        if not places:
            return
        keep = np.ones(len(self.names), np.bool_)
        keep[places] = False
        self.names = Names(compress(self.names, keep))
        self.subjects.kept(keep)
        self.media.kept(keep)
        for column in ("shards", "offsets", "sizes", "note_offsets", "note_sizes", "class_indices"):
            values: array[int] = getattr(self, column)
            setattr(self, column, array(values.typecode, compress(values, keep)))

    def listing(self) -> Listing:
        given = np.array(self.class_indices, np.int64)
        labels = given if (given >= 0).any() else None
        return Listing(self.names, subjects=self.subjects, media=self.media, labels=labels)


def _samples(members: Iterable[TarMember]) -> Iterator[tuple[list[TarMember], list[TarMember]]]:
    """Images and other members that stand together and share the name up to the first dot."""
    visible = (member for member in members if not is_hidden(member.name))
    for _, group in groupby(visible, key=lambda member: _key(member.name)):
        together = list(group)
        yield [m for m in together if is_image(m.name)], [m for m in together if not is_image(m.name)]


def _key(name: str) -> str:
    folder, slash, file = name.rpartition("/")
    return folder + slash + file.split(".", 1)[0]


def _beside(image: TarMember, others: Sequence[TarMember], suffix: str) -> TarMember | None:
    wanted = (image.name.rpartition(".")[0] + suffix, _key(image.name) + suffix)
    return next((other for other in others if other.name in wanted), None)


def _class_index(text: bytes, where: str) -> int:
    digits = text.strip()
    if not (digits.isdigit() and len(digits) < 10):
        raise LabelError(
            f"the .cls beside the image holds {text[:20]!r}, not an integer from 0 to 999999999",
            where=where,
            remedy="number the people from 0",
        )
    return int(digits)


def _cell(value: object) -> str:
    """A JSON value as the text a CSV cell would hold."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, list):
        return " ".join(_cell(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value)
