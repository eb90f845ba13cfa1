"""``.bin`` verification sets: a pickled pair of encoded images and same-or-not marks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import CorruptArchive, HostileFile, InputError
from wildstyle.faces.record import FaceRecord
from wildstyle.faces.safe_pickle import FlatArray, load_pickle
from wildstyle.faces.source import FaceSource

LARGEST_BYTES = 4 * 2**30


class BinSource(FaceSource):
    """Images of a ``.bin``, 2P of them; images 2k and 2k+1 are pair k. Ids are ``<k>/0`` and ``<k>/1``.

    Nobody is named in such a file. The images are held in memory, as they are stored.

    Args:
        path: the ``.bin``.
        name: short name; the file's stem by default.
        largest_bytes: a larger file is refused.

    Raises:
        InputError: the file is missing, empty or too large.
        CorruptArchive: it is cut off, no pickle, or not (2P images, P marks).
        HostileFile: the pickle asks for anything but lists of bytes.
    """

    def __init__(self, path: str | Path, *, name: str | None = None, largest_bytes: int = LARGEST_BYTES) -> None:
        self.location = str(path)
        self.name = name or Path(path).stem
        content = load_pickle(_read(Path(path), largest_bytes), where=self.location)
        if not (isinstance(content, tuple | list) and len(content) == 2):
            raise self._odd("the pickle is no pair (images, marks)")
        images, marks = (item.tolist() if isinstance(item, FlatArray) else item for item in content)
        if not isinstance(images, list | tuple) or not isinstance(marks, list | tuple):
            raise self._odd("images or marks are no list")
        if len(images) != 2 * len(marks) or not marks:
            raise self._odd(f"{len(images)} images for {len(marks)} pairs")
        self._images = [self._image(item, k) for k, item in enumerate(images)]
        self.same: NDArray[np.bool_] = np.array([self._mark(m, k) for k, m in enumerate(marks)], np.bool_)
        """(P,) whether pair k shows one person."""

    def __len__(self) -> int:
        return len(self._images)

    def record(self, index: int) -> FaceRecord:
        pair, side = divmod(range(len(self))[index], 2)
        return FaceRecord(id=f"{pair}/{side}", source=self.name)

    def encoded(self, index: int) -> bytes:
        return self._images[index]

    def _image(self, item: Any, place: int) -> bytes:
        if isinstance(item, FlatArray) and item.kind == "u1" and item.data:
            return item.data
        if isinstance(item, bytes | bytearray):
            return bytes(item)
        raise self._odd(f"image {place} is {type(item).__name__}, not bytes")

    def _mark(self, item: Any, place: int) -> bool:
        if isinstance(item, bool | int) and item in (0, 1):
            return bool(item)
        raise self._odd(f"mark {place} is {str(item)[:20]!r}, not true or false")

    def _odd(self, what: str) -> CorruptArchive:
        return CorruptArchive(what, where=self.location, remedy="is this a .bin of face pairs? Copy it again")


def _read(path: Path, largest: int) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(largest + 1)
    except OSError as error:
        raise InputError(f"can't be opened ({error.strerror})", where=path, remedy="check the path") from error
    if not data:
        raise InputError("file is empty (0 bytes)", where=path, remedy="copy the file again")
    if len(data) > largest:
        raise HostileFile(f"file has more than {largest} bytes, no pair file has", where=path)
    return data
