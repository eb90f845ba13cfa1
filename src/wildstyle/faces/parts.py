"""Work that is kept in parts until all of it is done.

A part is a piece of a tar archive and a JSON file with what is known of its members. The JSON file is
written last: where it exists, the part is whole. At the end the pieces are strung together.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wildstyle.runs.atomic import replacing, write_bytes, write_json


class Parts:
    """Parts of one piece of work in a folder of their own, numbered from 0 without gaps.

    Args:
        folder: where they lie; created when the first is written.
        purpose: text that tells one piece of work from another; parts of another purpose are discarded.
    """

    def __init__(self, folder: Path, purpose: str) -> None:
        self.folder = folder
        self.purpose = purpose
        stated = folder / "purpose.json"
        if folder.exists() and (not stated.exists() or _loaded(stated) != purpose):
            shutil.rmtree(folder)
        self.number = 0
        while self._note(self.number).exists():
            self.number += 1

    def add(self, members: dict[str, bytes], notes: Any) -> None:
        """Keep the next part: archive members by name, and a JSON value."""
        if self.number == 0:
            write_json(self.folder / "purpose.json", self.purpose)
        write_bytes(self._piece(self.number), b"".join(tar_entry(name, data) for name, data in members.items()))
        write_json(self._note(self.number), notes)
        self.number += 1

    def notes(self) -> Iterator[Any]:
        """JSON values of all parts in order."""
        return (_loaded(self._note(number)) for number in range(self.number))

    def write_tar(self, path: Path) -> None:
        """String the pieces together to one archive, atomically.

        Raises:
            StorageError: the disk is full or the folder is not writable; the parts stay.
        """
        with replacing(path) as temporary, open(temporary, "wb") as archive:
            for number in range(self.number):
                with open(self._piece(number), "rb") as piece:
                    shutil.copyfileobj(piece, archive)
            archive.write(b"\0" * (2 * tarfile.BLOCKSIZE))

    def discard(self) -> None:
        """Remove all parts."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _piece(self, number: int) -> Path:
        return self.folder / f"{number:06d}.tar"

    def _note(self, number: int) -> Path:
        return self.folder / f"{number:06d}.json"


def _loaded(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def tar_entry(name: str, data: bytes) -> bytes:
    """Header, data and padding of one archive member; the same bytes whoever writes it and when."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    entry = io.BytesIO()
    entry.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
    entry.write(data)
    entry.write(b"\0" * (-len(data) % tarfile.BLOCKSIZE))
    return entry.getvalue()
