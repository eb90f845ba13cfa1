"""Manifests: what is known of each face, beside the images; as CSV, or as parquet with the same columns.

Columns: ``file, subject, media, template, role, enrolled, min_side, detector_score`` and, where known,
``eye_distance, landmarks, label``; only ``file`` must be there, any other column becomes an attribute.
A row with an empty ``file`` is a face that no detector found: it stays a row and can't be read.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import CorruptArchive, InputError, UnreadableFace
from wildstyle.faces.listing import Coded
from wildstyle.faces.record import Face, FaceRecord
from wildstyle.faces.row import ALIASES, KNOWN_COLUMNS, ManifestRow, parse_row
from wildstyle.faces.source import FaceSource, Subset
from wildstyle.runs.atomic import write_text


@dataclass(frozen=True, slots=True)
class Manifest:
    """Rows of a CSV file, in order.

    Attributes:
        rows: one a face.
        columns: the header as written.
        path: where it came from, for messages.
    """

    rows: tuple[ManifestRow, ...]
    columns: tuple[str, ...]
    path: Path

    def __len__(self) -> int:
        return len(self.rows)


def read_manifest(path: str | Path) -> Manifest:
    """Read a manifest, CSV or ``.parquet``; every row is checked.

    Raises:
        InputError: the file is missing or no UTF-8, there is no ``file`` column, a column comes twice or
            looks misspelt, there are no rows, or a cell that must be a number is none.
        CorruptArchive: a row has more or fewer cells than the header.
        LabelError: a label is no integer >= 0.
        HostileFile: a file name leaves its folder.
        MissingExtra: it is parquet and pyarrow is not installed.
    """
    path = Path(path)
    if path.suffix.lower() == ".parquet":
        from wildstyle.faces.parquet import read_parquet_manifest  # it needs this module

        return read_parquet_manifest(path)
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        check_columns(header, path)
        rows = []
        for cells in reader:
            if cells:
                rows.append(_row(header, cells, f"{path}:{reader.line_num}"))
    except csv.Error as error:
        raise CorruptArchive(f"line {reader.line_num} is no CSV ({error})", where=path) from error
    if not rows:
        raise InputError("manifest has no rows", where=path, remedy="check the path")
    return Manifest(tuple(rows), tuple(header), path)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")  # reading text would change line ends inside cells
    except OSError as error:
        raise InputError(
            f"manifest can't be read ({error.strerror or error})", where=path, remedy="check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"manifest is no UTF-8 text ({error})", where=path, remedy="save it as UTF-8") from error


def check_columns(header: Sequence[str], path: Path, needed: Sequence[str] = ("file",)) -> None:
    """Refuse a header that can't be meant.

    Raises:
        InputError: a column comes twice, looks like a known one misspelt, or one that is needed is missing.
    """
    known = [ALIASES.get(name, name) for name in header]
    twice = [name for name, times in Counter(known).items() if times > 1]
    if twice:
        raise InputError(f"column {twice[0]!r} comes twice", where=path, remedy="remove one")
    absent = [name for name in KNOWN_COLUMNS if name not in known]
    for name in known:
        near = difflib.get_close_matches(name.lower(), absent, n=1, cutoff=0.8)
        if name not in KNOWN_COLUMNS and near:
            raise InputError(
                f"column {name!r} is unknown",
                where=path,
                remedy=f"if you mean {near[0]!r}, write it so; else rename it",
            )
    if not set(needed) <= set(known):
        raise InputError(
            f"manifest has no column 'file', only {', '.join(map(repr, header)) or 'nothing'}",
            where=path,
            remedy=f"the first line names the columns: {','.join(KNOWN_COLUMNS[:8])}; all but 'file' may be left out",
        )


def _row(header: Sequence[str], cells: Sequence[str], where: str) -> ManifestRow:
    if len(cells) != len(header):
        raise CorruptArchive(
            f"row has {len(cells)} cells, the header {len(header)}", where=where, remedy="is the file cut off?"
        )
    return parse_row(dict(zip(header, cells, strict=True)), where=where)


def write_manifest(path: str | Path, rows: Iterable[ManifestRow]) -> None:
    """Write rows as CSV, atomically: the eight usual columns, the others where some row has them."""
    cells = [_cells(row) for row in rows]
    extra = sorted({name for row in cells for name in row} - set(KNOWN_COLUMNS))
    present = {name for row in cells for name in row}
    columns = [*KNOWN_COLUMNS[:8], *(name for name in KNOWN_COLUMNS[8:] if name in present), *extra]
    text = io.StringIO(newline="")
    write = row_writer(text, columns)
    for row in cells:
        write(row)
    write_text(Path(path), text.getvalue())


def row_writer(file: TextIO, columns: Sequence[str]) -> Callable[[Mapping[str, str]], None]:
    """Write the header of a manifest; what comes back writes one row, with missing cells left empty.

    Args:
        file: opened with ``newline=""``.
        columns: all columns, in order.
    """
    plain, quoted = (csv.writer(file, quoting=q, lineterminator="\n") for q in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL))

    def write(cells: Sequence[str]) -> None:
        # A bare carriage return ends a row for readers, yet csv does not quote it by itself.
        (quoted if any("\r" in cell for cell in cells) else plain).writerow(cells)

    write(columns)
    return lambda row: write([row.get(column, "") for column in columns])


def _cells(row: ManifestRow) -> dict[str, str]:
    given: Mapping[str, object] = {
        "file": row.file,
        "subject": row.subject,
        "media": row.media,
        "template": row.template,
        "role": row.role,
        "enrolled": None if row.enrolled is None else int(row.enrolled),
        "min_side": None if row.min_side is None else f"{row.min_side:g}",
        "detector_score": None if row.detector_score is None else f"{row.detector_score:.4g}",
        "eye_distance": None if row.eye_distance is None else f"{row.eye_distance:.4g}",
        "landmarks": None if row.landmarks is None else " ".join(f"{v:.2f}" for v in row.landmarks.ravel()),
        "label": row.label,
    }
    return {**row.attributes, **{name: str(value) for name, value in given.items() if value is not None}}


class ManifestSource(FaceSource):
    """The faces of a manifest, one a row, in its order; images come from another source.

    A row without a file is kept: reading it raises ``UnreadableFace``, so that it is counted. A label
    that no row gives is the rank of the subject among the sorted subjects of the manifest.

    Args:
        manifest: the rows.
        faces: where the files are, found by id.
        name: short name; the manifest's stem by default.

    Raises:
        InputError: files of the manifest are not in ``faces``.
    """

    def __init__(self, manifest: Manifest, faces: FaceSource, *, name: str | None = None) -> None:
        self.manifest = manifest
        self.faces = faces
        self.name = name or manifest.path.stem
        self.location = str(manifest.path)
        self.positions = self._find_files()
        """(N,) int64 index of each row's face in ``faces``, -1 for a failure to enrol."""
        self._times = Counter(row.file for row in manifest.rows)
        self._ranks = Coded(row.subject for row in manifest.rows).codes.astype(np.int64)
        self._given = any(row.label is not None for row in manifest.rows)

    def __len__(self) -> int:
        return len(self.manifest.rows)

    def record(self, index: int) -> FaceRecord:
        row, position = self.manifest.rows[index], int(self.positions[index])
        # The images' own numbering of people means nothing here.
        base = self.faces.record(position).with_(label=None) if position >= 0 else FaceRecord(id="", source="")
        described = row.described(base)
        label = int(self._ranks[index]) if not self._given else -1
        changes: dict[str, object] = {"label": label} if label >= 0 else {}
        return described.with_(id=self._id(index), source=self.name, **changes)

    def encoded(self, index: int) -> bytes:
        return self.faces.encoded(self._position(index))

    def read(self, index: int) -> Face:
        return Face(self.faces.read(self._position(index)).image, self.record(index))

    def labels(self) -> NDArray[np.int64]:
        if not self._given:
            return self._ranks.copy()
        return np.array([-1 if row.label is None else row.label for row in self.manifest.rows], np.int64)

    def enrolled_faces(self) -> Subset:
        """Only the rows that have a file."""
        return Subset(self, np.flatnonzero(self.positions >= 0))

    def close(self) -> None:
        self.faces.close()

    def _id(self, index: int) -> str:
        file = self.manifest.rows[index].file
        if file is None:
            return f"row{index}"
        return file if self._times[file] == 1 else f"{file}#row{index}"

    def _position(self, index: int) -> int:
        position = int(self.positions[index])
        if position < 0:
            raise UnreadableFace("no face was found in this picture (failure to enrol)", where=self._where(index))
        return position

    def _where(self, index: int) -> str:
        return f"{self.location}:{self._id(index)}"

    def _find_files(self) -> NDArray[np.int64]:
        files = [row.file for row in self.manifest.rows]
        found = [-1 if file is None else self.faces.index_of(file) for file in files]
        missing = [file for file, position in zip(files, found, strict=True) if position is None]
        if missing:
            shown = ", ".join(map(repr, missing[:3])) + (", ..." if len(missing) > 3 else "")
            raise InputError(
                f"{len(missing)} of {len(files)} files are not in {self.faces.location}: {shown}",
                where=self.location,
                remedy="give the images this manifest was made for",
            )
        return np.array(found, np.int64)
