"""Writes ``.bin`` pair sets as InsightFace's loader reads them: a pickle of (images, same or not).

The pickle is written opcode by opcode, so that a set need not fit into memory: two lists, one of bytes and
one of booleans, and nothing that any unpickler would have to call.
"""

from __future__ import annotations

import struct
from pathlib import Path
from types import TracebackType
from typing import Self

from wildstyle.errors import InputError, SettingError
from wildstyle.faces.pairs_bin import LARGEST_BYTES

_BATCH = 1000


class PairSetWriter:
    """Writes one ``.bin``, pair by pair.

    Args:
        path: the file.
        protocol: 2 (bytes as Python 2 wrote them; Python 3 needs ``encoding="bytes"``), 3 or 4.

    Raises:
        SettingError: another protocol.
        InputError: there are no pairs, or the file grows beyond what readers accept.
    """

    def __init__(self, path: Path, *, protocol: int = 4) -> None:
        if protocol not in (2, 3, 4):
            raise SettingError(f"pickle protocol {protocol} is none of 2, 3, 4")
        self._path, self._protocol = path, protocol
        self._same: list[bool] = []
        self._images = 0
        self._file = open(path, "wb")  # noqa: SIM115 - closed by __exit__
        self._file.write(bytes((0x80, protocol)) + b"]")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add_pair(self, first: bytes, second: bytes, same: bool) -> None:
        """Write the next pair: two encoded pictures, and whether they show one person."""
        for data in (first, second):
            if self._images % _BATCH == 0:
                self._file.write(b"e(" if self._images else b"(")
            self._file.write(self._bytes(data))
            self._images += 1
        self._same.append(bool(same))
        if self._file.tell() > LARGEST_BYTES - len(self._same) - 2**10:
            raise InputError(f"pair set grows beyond {LARGEST_BYTES} bytes", remedy="write a tar with pairs.txt")

    def finish(self) -> list[str]:
        """Write the marks."""
        if not self._same:
            raise InputError("a pair set needs at least one pair", where=self._path)
        self._file.write(b"e](" + b"".join(b"\x88" if same else b"\x89" for same in self._same) + b"e\x86.")
        return [self._path.name]

    def _bytes(self, data: bytes) -> bytes:
        # BINSTRING is what Python 2 called a text; BINBYTES came with protocol 3.
        return (b"T" if self._protocol == 2 else b"B") + struct.pack("<I", len(data)) + data
