"""Writes tars and WebDataset shards: the same bytes whoever writes them and when."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from wildstyle.errors import InputError
from wildstyle.faces.listing import facts_of
from wildstyle.faces.parts import tar_entry
from wildstyle.faces.record import FaceRecord
from wildstyle.faces.writing.stored import StoredFace, attributes_of, facts_said, needed_picture

_END = bytes(1024)


class ShardLimits(NamedTuple):
    """When a new shard begins: bytes and faces that a shard may have (one face always fits)."""

    size: int = 10**9
    faces: int = 10_000


class TarWriter:
    """Writes ``<stem>.tar``, or shards ``<stem>-000000.tar``, into a folder.

    ``<name>.cls`` (the label) and ``<name>.json`` (the manifest row) follow each picture if ``notes`` is set;
    the row is left out where path and label say all.

    Args:
        folder: an existing folder.
        stem: name of the files.
        limits: write shards of at most this; None for one tar.
        notes: whether to write what is known beside the pictures.
    """

    def __init__(self, folder: Path, stem: str, *, limits: ShardLimits | None = None, notes: bool = True) -> None:
        self._folder, self._stem, self._limits, self._notes = folder, stem, limits, notes
        self._names: list[str] = []
        self._file: BinaryIO | None = None
        self._faces = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, face: StoredFace) -> None:
        """Write the next face: picture, label, row."""
        name, data = needed_picture(face, "a tar")
        entry = tar_entry(name, data)
        if self._notes:
            stem = name[: name.rindex(".")]
            if face.record.label is not None:
                entry += tar_entry(f"{stem}.cls", str(face.record.label).encode())
            said = note_of(face.record, name)
            if said:
                entry += tar_entry(f"{stem}.json", json.dumps(said, ensure_ascii=True, sort_keys=True).encode())
        self._room_for(len(entry)).write(entry)
        self._faces += 1

    def add_other(self, name: str, data: bytes) -> None:
        """Write a member that is no face, e.g. ``pairs.txt``."""
        entry = tar_entry(name, data)
        self._room_for(len(entry)).write(entry)

    def finish(self) -> list[str]:
        """End the last archive."""
        self._end()
        return list(self._names)

    def _room_for(self, size: int) -> BinaryIO:
        limits, file = self._limits, self._file
        if file is not None and limits is not None and self._faces:
            full = file.tell() + size + len(_END) > limits.size or self._faces >= limits.faces
            if full:
                self._end()
                file = None
        if file is None:
            if len(self._names) >= 10**6:
                raise InputError("more than a million shards", remedy="choose larger shards")
            self._names.append(f"{self._stem}.tar" if limits is None else f"{self._stem}-{len(self._names):06d}.tar")
            file = self._file = open(self._folder / self._names[-1], "wb")  # noqa: SIM115 - closed by __exit__
            self._faces = 0
        return file

    def _end(self) -> None:
        if self._file is not None:
            self._file.write(_END)
            self._file.close()
            self._file = None


def note_of(record: FaceRecord, name: str) -> dict[str, object]:
    """The manifest row of a member, without its label and without what its path says."""
    said, told = facts_said(record), facts_of(name)
    said.pop("label", None)
    for column, value in (("subject", told.subject), ("media", told.media)):
        if said.get(column) == value:
            said.pop(column, None)
    if "enrolled" in said:
        said["enrolled"] = int(bool(said["enrolled"]))
    return {**attributes_of(record), **said}
