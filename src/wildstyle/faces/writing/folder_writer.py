"""Writes a folder of pictures, ``<subject>/<media>/<file>``."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from wildstyle.faces.listing import refuse_escape
from wildstyle.faces.writing.stored import StoredFace, needed_picture


class FolderWriter:
    """Writes each picture as a file below ``root``; person and medium are told by the path only.

    Args:
        root: an existing folder.

    Raises:
        HostileFile: a name leaves the folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._made: set[Path] = {root}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Every file is closed already."""

    def add(self, face: StoredFace) -> None:
        """Write the next picture; a name that was there before is an error of the caller."""
        name, data = needed_picture(face, "a folder")
        self.add_other(name, data)

    def add_other(self, name: str, data: bytes) -> None:
        """Write a file that is no face, e.g. ``pairs.txt``."""
        refuse_escape(name, where=self._root)
        path = self._root / name
        if path.parent not in self._made:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(path.parent)
        with open(path, "xb") as file:
            file.write(data)

    def finish(self) -> list[str]:
        """The folder is named as a whole."""
        return []
