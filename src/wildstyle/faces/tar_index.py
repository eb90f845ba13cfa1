"""Where the members of a tar lie.

A strict reader of POSIX ustar and pax and of GNU long names. The standard library takes a damaged
header in the middle for the end of the archive and would lose the rest silently; here it is an error.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wildstyle.errors import CorruptArchive, HostileFile, InputError
from wildstyle.faces.listing import refuse_escape

BLOCK = 512
_ZEROS = bytes(BLOCK)
_LONGEST_HEADER = 2**20
_REGULAR, _FOLDER, _EXTENSIONS = b"0\0007", b"5", b"xgLK"
_REFUSED = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a named pipe",
}


@dataclass(frozen=True, slots=True)
class TarMember:
    """A regular file in a tar: relative name, offset of its first byte, size in bytes."""

    name: str
    offset: int
    size: int


def tar_members(path: Path) -> Iterator[TarMember]:
    """Regular files of an uncompressed tar, in order; folders are passed over.

    Raises:
        InputError: the file is missing, empty, compressed or no tar.
        CorruptArchive: a header is damaged, the archive is cut off, or data follows its end.
        HostileFile: a name leaves the archive, or a member is a link, a device or a pipe.
    """
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise InputError(f"can't be opened ({error.strerror})", where=path, remedy="check the path") from error
    try:
        yield from _Walk(fd, path).members()
    finally:
        os.close(fd)


class _Walk:
    """One pass over the headers."""

    def __init__(self, fd: int, path: Path) -> None:
        self.fd = fd
        self.path = path
        self.length = os.fstat(fd).st_size
        self.position = 0

    def members(self) -> Iterator[TarMember]:
        self._refuse_other_formats()
        extended: dict[str, str] = {}
        everywhere: dict[str, str] = {}
        while (header := self._header()) is not None:
            kind, size = header[156:157], self._number(header[124:136])
            if kind in _EXTENSIONS:
                found = self._extension(kind, size)
                (everywhere if kind == b"g" else extended).update(found)
                continue
            facts = {**everywhere, **extended}
            extended = {}
            name = facts.get("path") or self._name(header)
            size = self._size(facts["size"]) if "size" in facts else size
            refuse_escape(name, where=self.path)
            if kind in _REGULAR and not name.endswith("/"):
                yield self._member(name, size, facts)
            elif kind not in _FOLDER and kind != b"\0":
                self._refuse_kind(kind, name)
            self._skip(size)
        self._refuse_trailing_data()

    def _member(self, name: str, size: int, facts: dict[str, str]) -> TarMember:
        if any(key.startswith("GNU.sparse") for key in facts):
            self._refuse_kind(b"S", name)
        name = name.removeprefix("./")
        if self.position + size > self.length:
            raise self._cut(f"member {name!r} declares {size} bytes, {self.length - self.position} are there")
        return TarMember(name, self.position, size)

    def _header(self) -> bytes | None:
        """The next header, or None at the end mark."""
        header = os.pread(self.fd, BLOCK, self.position)
        if len(header) < BLOCK:
            raise self._cut("archive ends without an end mark")
        self.position += BLOCK
        if header == _ZEROS:
            return None
        # The checksum counts its own field as blanks.
        if sum(header) - sum(header[148:156]) + 256 != self._number(header[148:156]):
            raise self._damaged()
        return header

    def _number(self, field: bytes) -> int:
        if field[0] & 0x80:  # GNU: a binary number where octal digits don't suffice
            value = int.from_bytes(field[1:], "big") if field[0] == 0x80 else -1
        else:
            digits = field.split(b"\0", 1)[0].strip()
            value = int(digits or b"0", 8) if not digits.strip(b"01234567") else -1
        if value < 0:
            raise self._damaged()
        return value

    def _size(self, text: str) -> int:
        if not (text.isdecimal() and len(text) < 20):
            raise self._damaged()
        return int(text)

    def _damaged(self) -> CorruptArchive:
        if self.position <= BLOCK:
            return CorruptArchive("not a tar", where=self.path, remedy="check the path, or copy the file again")
        place = self.position - BLOCK
        return CorruptArchive(f"header at byte {place} is damaged", where=self.path, remedy="copy the file again")

    def _name(self, header: bytes) -> str:
        name = header[:100].split(b"\0", 1)[0]
        if header[257:263] == b"ustar\0":
            prefix = header[345:500].split(b"\0", 1)[0]
            name = prefix + b"/" + name if prefix else name
        return name.decode("utf-8", "backslashreplace")

    def _extension(self, kind: bytes, size: int) -> dict[str, str]:
        if size > _LONGEST_HEADER:
            raise HostileFile(f"a header takes {size} bytes", where=self.path)
        data = os.pread(self.fd, size, self.position)
        if len(data) < size:
            raise self._cut("archive ends in a header")
        self._skip(size)
        if kind == b"L":
            return {"path": data.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")}
        return {} if kind == b"K" else self._pax(data)

    def _pax(self, data: bytes) -> dict[str, str]:
        """Records ``<length> <key>=<value>\\n``."""
        found, start = {}, 0
        while start < len(data) and data[start]:
            digits = data[start : start + 20].split(b" ", 1)[0]
            length = int(digits) if digits.isdigit() else 0
            key, equals, value = data[start + len(digits) + 1 : start + length - 1].partition(b"=")
            if not equals or length <= len(digits) or start + length > len(data):
                raise CorruptArchive(f"pax header before byte {self.position} is damaged", where=self.path)
            found[key.decode("utf-8", "replace")] = value.decode("utf-8", "backslashreplace")
            start += length
        return found

    def _skip(self, size: int) -> None:
        self.position += (size + BLOCK - 1) // BLOCK * BLOCK

    def _refuse_other_formats(self) -> None:
        start = os.pread(self.fd, BLOCK, 0)
        if not start:
            raise InputError("file is empty (0 bytes)", where=self.path, remedy="copy the file again")
        if start[:2] == b"\x1f\x8b" or start[:3] == b"BZh" or start[:4] in (b"\xfd7zX", b"\x28\xb5\x2f\xfd"):
            raise InputError(
                "archive is compressed, so faces can't be read in any order",
                where=self.path,
                remedy="unpack it to a plain .tar first; the images in it are compressed already",
            )
        if start[:4] == b"PK\x03\x04":
            raise InputError("a zip, not a tar", where=self.path, remedy="unzip it and give the folder")

    def _refuse_kind(self, kind: bytes, name: str) -> None:
        if kind in _REFUSED:
            raise HostileFile(
                f"member {name!r} is {_REFUSED[kind]}",
                where=self.path,
                remedy="don't use this file unless you know who made it; repack it with plain files",
            )
        raise CorruptArchive(
            f"member {name!r} has type {kind!r}, which can't be read",
            where=self.path,
            remedy="repack it with plain files",
        )

    def _refuse_trailing_data(self) -> None:
        """Two archives written one after the other would else lose the second."""
        position = self.position
        while piece := os.pread(self.fd, 2**20, position):
            if piece.strip(b"\0"):
                raise CorruptArchive(
                    f"data follows the end mark at byte {self.position}",
                    where=self.path,
                    remedy="if archives were joined, unpack and repack them (`tar --ignore-zeros -xf`)",
                )
            position += len(piece)

    def _cut(self, what: str) -> CorruptArchive:
        return CorruptArchive(f"{what}: the archive is cut off", where=self.path, remedy="copy the file again")
