"""Where the records of a ``.rec`` lie: from its ``.idx``, or by one pass over the file."""

from __future__ import annotations

import os
import struct
from array import array
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import CorruptArchive
from wildstyle.faces.record_parts import HEAD_BYTES, read_part

_PIECE = 2**22


class RecordIndex(NamedTuple):
    """Keys in ascending order, (N,) int64; byte offset of each magic; bytes up to the next record."""

    keys: NDArray[np.int64]
    offsets: NDArray[np.int64]
    rooms: NDArray[np.int64]

    def at(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of these keys, (M,) int64, -1 where a key is absent."""
        places = np.searchsorted(self.keys, keys)
        found = self.keys[np.minimum(places, len(self.keys) - 1)] == keys
        return np.where(found, places, -1)

    def chosen(self, places: NDArray[np.int64]) -> RecordIndex:
        """Only the records at these positions."""
        return RecordIndex(self.keys[places], self.offsets[places], self.rooms[places])


def read_index(path: Path, size: int) -> RecordIndex:
    """Read ``key<TAB>offset`` lines, in any order.

    Args:
        path: the ``.idx``.
        size: bytes of the ``.rec``.

    Raises:
        CorruptArchive: a line is no pair of integers, a key comes twice, or an offset lies outside the file.
    """
    pairs = _pairs(path)
    if not len(pairs):
        raise CorruptArchive("index is empty", where=path, remedy="remove it to have it rebuilt")
    keys, offsets = pairs[:, 0], pairs[:, 1]
    wrong = np.flatnonzero((offsets < 0) | (offsets > size - 8) | (offsets % 4 != 0))
    if len(wrong):
        raise CorruptArchive(
            f"key {keys[wrong[0]]} points to byte {offsets[wrong[0]]}, the records have {size} bytes",
            where=path,
            remedy="does the .idx belong to this .rec? Copy both again, or remove the .idx to have it rebuilt",
        )
    return _sorted(keys, offsets, size, path)


def _pairs(path: Path) -> NDArray[np.int64]:
    """All numbers of the file, (N, 2); read in pieces, since text of millions of lines is large."""
    found, rest = [], b""
    with open(path, "rb") as file:
        while True:
            piece = file.read(_PIECE)
            lines, _, rest = (rest + piece).rpartition(b"\n") if piece else (rest, b"", b"")
            try:
                found.append(np.array(lines.split(), dtype=np.int64).reshape(-1, 2))
            except (ValueError, OverflowError) as error:
                raise CorruptArchive(
                    "index holds something else than `key<TAB>offset` lines",
                    where=path,
                    remedy="remove it to have it rebuilt",
                ) from error
            if not piece:
                return np.concatenate(found)


def scan_index(file: int, size: int, *, where: str) -> RecordIndex:
    """Find all records by one pass; the ids inside them are the keys where no id comes twice.

    Args:
        file: descriptor of the ``.rec``.
        size: its bytes.

    Raises:
        CorruptArchive: something else than a record is met, or the last one is cut off.
    """
    offsets, ids, position = array("q"), array("Q"), 0
    while position < size:
        head = os.pread(file, HEAD_BYTES, position)
        if not head.strip(b"\0") and _only_zeros(file, position):
            break
        place = f"{where}, byte {position}"
        offsets.append(position)
        ids.append(struct.unpack_from("<Q", head, 16)[0] if len(head) >= 24 else 0)
        part = read_part(head, 0, where=place)
        position += part.stride
        while part.kind in (1, 2):
            part = read_part(os.pread(file, 8, position), 0, where=place)
            position += part.stride
        # The last padding may be missing.
        if position > size + 3:
            raise CorruptArchive(f"last record ends {position - size} bytes too late", where=place, remedy="copy again")
    numbers, found = np.array(ids, np.uint64), np.array(offsets, np.int64)
    if not len(found):
        raise CorruptArchive("file holds no records", where=where, remedy="copy the file again")
    named = len(np.unique(numbers)) == len(numbers) and numbers.max() < 2**63
    return _sorted(numbers.astype(np.int64) if named else np.arange(len(found)), found, size, where)


def _only_zeros(file: int, position: int) -> bool:
    while piece := os.pread(file, _PIECE, position):
        if piece.strip(b"\0"):
            return False
        position += len(piece)
    return True


def _sorted(keys: NDArray[np.int64], offsets: NDArray[np.int64], size: int, where: object) -> RecordIndex:
    starts = np.append(np.unique(offsets), size)
    rooms = starts[np.searchsorted(starts, offsets) + 1] - offsets
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    twice = np.flatnonzero(keys[1:] == keys[:-1])
    if len(twice):
        raise CorruptArchive(f"key {keys[twice[0]]} comes twice", where=where, remedy="remove the .idx")
    return RecordIndex(keys, offsets[order], rooms[order])
