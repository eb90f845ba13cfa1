"""Writes a manifest as CSV, row by row and with every digit, beside the pictures it describes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from wildstyle.faces.manifest import row_writer
from wildstyle.faces.writing.folder_writer import FolderWriter
from wildstyle.faces.writing.naming import shared_file
from wildstyle.faces.writing.stored import StoredFace, attributes_of, facts_said
from wildstyle.faces.writing.tar_writer import TarWriter


class ManifestWriter:
    """Writes ``<stem>.csv`` and hands the pictures to another writer.

    Args:
        folder: an existing folder.
        stem: name of the manifest.
        columns: all columns but ``file`` that some face has, in order.
        pictures: takes the pictures; a tar of the same stem or a folder is found by the manifest.
    """

    def __init__(self, folder: Path, stem: str, columns: Sequence[str], pictures: TarWriter | FolderWriter) -> None:
        self._name, self._pictures = f"{stem}.csv", pictures
        self._file = open(folder / self._name, "w", encoding="utf-8", newline="")  # noqa: SIM115 - closed by __exit__
        self._shared: set[str] = set()
        self._write = row_writer(self._file, ["file", *columns])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._pictures.__exit__(kind, error, trace)

    def add(self, face: StoredFace) -> None:
        """Write the next row and its picture, if it has one; a picture of several rows is written once."""
        if face.data is not None and face.file not in self._shared:
            self._pictures.add(face)
            if face.file is not None and shared_file(face.record.id)[1] is not None:
                self._shared.add(face.file)
        cells = {column: _cell(value) for column, value in facts_said(face.record).items()}
        self._write({**attributes_of(face.record), **cells, "file": face.file or ""})

    def finish(self) -> list[str]:
        """End the pictures; the manifest comes last."""
        self._file.flush()
        return [*self._pictures.finish(), self._name]


def _cell(value: object) -> str:
    """Shortest text that reads back as the same number; landmarks are float32."""
    match value:
        case bool():
            return str(int(value))
        case list():
            return " ".join(str(np.float32(number)) for number in value)
        case float():
            return repr(value)
    return str(value)
