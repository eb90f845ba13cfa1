"""The bytes of one record: parts of RecordIO (dmlc-core) and the image header of MXNet inside them.

A part is magic, a word with three bits of kind and 29 bits of length, the bytes, zeros up to a multiple
of four. A payload that holds the magic at a multiple of four is cut there into several parts (kinds
1, 2 ..., 3) without those four bytes, which are put back here.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from wildstyle.errors import CorruptArchive

MAGIC = 0xCED7230A
OLD_MAGIC = 0x3ED7230A
_MAGIC_BYTES = struct.pack("<I", MAGIC)
_PART = struct.Struct("<II")
_IMAGE = struct.Struct("<IfQQ")
HEAD_BYTES = _PART.size + _IMAGE.size
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)


class Part(NamedTuple):
    """Kind (0 whole, 1 first, 2 middle, 3 last) and number of bytes of one part, without its padding."""

    kind: int
    length: int

    @property
    def stride(self) -> int:
        """Bytes from this part's magic to the next part's."""
        return _PART.size + (self.length + 3) // 4 * 4


class Payload(NamedTuple):
    """An image record: labels (one, or as many as the flag said), two ids, the encoded image."""

    flag: int
    labels: tuple[float, ...]
    id: int
    data: bytes


def read_part(data: bytes, start: int, *, where: str) -> Part:
    """Read the eight bytes before a part.

    Raises:
        CorruptArchive: they are cut off, of the 2015 format, or no record starts here.
    """
    if len(data) - start < _PART.size:
        raise CorruptArchive("record is cut off in its header", where=where, remedy="copy the file again")
    magic, word = _PART.unpack_from(data, start)
    if magic == OLD_MAGIC:
        raise CorruptArchive(
            "record has the magic of early dmlc-core (0x3ed7230a, 30-bit lengths), which nobody writes any more",
            where=where,
            remedy="write the file again with a current im2rec",
        )
    if magic != MAGIC:
        raise CorruptArchive(
            f"no record starts here (found {magic:#010x}, expected {MAGIC:#010x})",
            where=where,
            remedy="remove the .idx to have it rebuilt, or copy the file again",
        )
    kind, length = word >> 29, word & 0x1FFFFFFF
    if kind > _LAST:
        raise CorruptArchive(f"record part has kind {kind}, expected 0 to 3", where=where, remedy="copy the file again")
    return Part(kind, length)


def join_parts(data: bytes, *, where: str) -> bytes:
    """Payload of the record at the start of ``data``; what follows the record is ignored.

    Raises:
        CorruptArchive: the record is cut off or its parts are out of order.
    """
    part = read_part(data, 0, where=where)
    if part.kind == _WHOLE:
        return _bytes_of(data, 0, part, where)
    if part.kind != _FIRST:
        raise CorruptArchive("record starts in the middle of a longer one", where=where, remedy="remove the .idx")
    pieces, start = [_bytes_of(data, 0, part, where)], 0
    while part.kind != _LAST:
        start += part.stride
        part = read_part(data, start, where=where)
        if part.kind not in (_MIDDLE, _LAST):
            raise CorruptArchive("last part of the record is missing", where=where, remedy="copy the file again")
        pieces.append(_bytes_of(data, start, part, where))
    return _MAGIC_BYTES.join(pieces)


def _bytes_of(data: bytes, start: int, part: Part, where: str) -> bytes:
    begin = start + _PART.size
    if len(data) - begin < part.length:
        raise CorruptArchive(
            f"record declares {part.length} bytes, {len(data) - begin} are there",
            where=where,
            remedy="the file is cut off: copy it again",
        )
    return data[begin : begin + part.length]


def read_payload(payload: bytes, *, where: str) -> Payload:
    """Split an image record into labels and image.

    Raises:
        CorruptArchive: it is too short for what its flag declares.
    """
    if len(payload) < _IMAGE.size:
        raise CorruptArchive(
            f"record holds {len(payload)} bytes, an image header takes {_IMAGE.size}",
            where=where,
            remedy="is this a record file of images?",
        )
    flag, label, identity, _ = _IMAGE.unpack_from(payload)
    if flag == 0:
        return Payload(0, (label,), identity, payload[_IMAGE.size :])
    end = _IMAGE.size + 4 * flag
    if end > len(payload):
        raise CorruptArchive(
            f"record declares {flag} labels but holds {len(payload)} bytes", where=where, remedy="copy the file again"
        )
    labels = struct.unpack_from(f"<{flag}f", payload, _IMAGE.size)
    return Payload(flag, labels, identity, payload[end:])
