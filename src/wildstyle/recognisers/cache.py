"""Embeddings remembered on disk by (recogniser hash, face hash).

A folder a recogniser; in it one append-only file a writing process, so that processes never share a
file. A row has a fixed size and its own checksum: a torn last row (power cut, full disk) is ignored.
"""

from __future__ import annotations

import os
import secrets
import zlib
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from wildstyle.runs.atomic import storage_error

HASH_BYTES = 16
MAGIC = b"wsemb001"


class EmbeddingCache:
    """A folder of remembered embeddings, for any number of recognisers and processes.

    Args:
        folder: made when the first embedding is written.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def shelf(self, recogniser_hash: str, embedding_size: int) -> Shelf:
        """The embeddings of one recogniser; use as a context manager so that rows are written out."""
        return Shelf(self.folder / recogniser_hash[:32], embedding_size)


class Shelf:
    """Remembered embeddings of one recogniser: (face hash) to (raw embedding's direction, its length)."""

    def __init__(self, folder: Path, embedding_size: int) -> None:
        self.folder = folder
        self._row = np.dtype(
            [("face", f"V{HASH_BYTES}"), ("norm", "<f4"), ("vector", "<f4", (embedding_size,)), ("check", "<u4")]
        )
        self._header = MAGIC + embedding_size.to_bytes(4, "little")
        self._found: dict[bytes, tuple[NDArray[np.float32], float]] = {}
        self._file: BinaryIO | None = None
        self._owner = 0
        for path in sorted(folder.glob("*.rows")) if folder.is_dir() else ():
            self._read(path)

    def __len__(self) -> int:
        return len(self._found)

    def get(self, face: bytes) -> tuple[NDArray[np.float32], float] | None:
        """Unit vector (D,) float32 and raw length, or None if this face is new."""
        return self._found.get(face)

    def put(self, face: bytes, vector: NDArray[np.float32], norm: float) -> None:
        """Remember one embedding; a face already known is left as it is.

        Raises:
            StorageError: the disk is full or not writable.
        """
        if face in self._found:
            return
        row = np.zeros((), self._row)
        row["face"], row["norm"], row["vector"] = np.void(face), norm, vector
        row["check"] = zlib.crc32(row.tobytes()[:-4])
        try:
            self._open().write(row.tobytes())
        except OSError as error:
            raise storage_error(error, self.folder) from error
        self._found[face] = (np.array(vector, dtype=np.float32), float(norm))

    def flush(self) -> None:
        """Write buffered rows out.

        Raises:
            StorageError: the disk is full or not writable.
        """
        if self._file is not None and self._owner == os.getpid():
            try:
                self._file.flush()
            except OSError as error:
                raise storage_error(error, self.folder) from error

    def close(self) -> None:
        """Write buffered rows out and close the file. Safe to call twice."""
        try:
            self.flush()
        finally:
            if self._file is not None and self._owner == os.getpid():
                opened, self._file = self._file, None
                opened.close()

    def __enter__(self) -> Shelf:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> BinaryIO:
        # A forked child must not append to its parent's file: their buffers would interleave.
        if self._file is None or self._owner != os.getpid():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._owner = os.getpid()
            self._file = (self.folder / f"{self._owner}-{secrets.token_hex(6)}.rows").open("xb")
            self._file.write(self._header)
        return self._file

    def _read(self, path: Path) -> None:
        data = path.read_bytes()
        if not data.startswith(self._header):
            return  # another version or another embedding size: compute again rather than guess
        size = self._row.itemsize
        count = (len(data) - len(self._header)) // size
        rows = np.frombuffer(data, self._row, count, len(self._header))
        body = memoryview(data)[len(self._header) :]
        for i in range(count):
            if zlib.crc32(body[i * size : (i + 1) * size - 4]) == rows[i]["check"]:
                vector = rows["vector"][i].astype(np.float32)
                self._found[rows["face"][i].tobytes()] = (vector, float(rows["norm"][i]))
