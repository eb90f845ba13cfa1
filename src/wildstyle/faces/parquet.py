"""Parquet: manifests with typed columns, and pictures embedded in a column.

Pictures are bytes, or structs {bytes, path} as Hugging Face writes them. They are read a row group at a
time and a few groups are kept, so memory stays bounded; reading in order, or within a few groups, is fast,
jumping about in large groups is slow.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wildstyle.errors import CorruptArchive, HostileFile, InputError
from wildstyle.faces.manifest import Manifest, check_columns
from wildstyle.faces.table import Facts, TableSource, arrow, bytes_of, features_of, picture_column

LARGEST_GROUP = 2 * 2**30
_KEPT_BYTES = 2**28
_MOST_OPEN = 64


class ParquetSource(TableSource):
    """Faces embedded in one parquet file or several shards.

    Args:
        paths: one file, or shards in order, all with the same columns.
        name: short name; the stem of the first by default.

    Raises:
        InputError: a file is missing, or no column holds pictures.
        CorruptArchive: a file is damaged, or shards have different columns.
        HostileFile: a file name leaves its folder, or a row group is too large to be held.
        MissingExtra: pyarrow is not installed.
    """

    def __init__(self, paths: str | Path | Sequence[str | Path], *, name: str | None = None) -> None:
        self.paths = [Path(paths)] if isinstance(paths, str | Path) else [Path(p) for p in paths]
        location = str(self.paths[0]) if len(self.paths) == 1 else f"{self.paths[0]} ... {self.paths[-1].name}"
        self._lock = threading.Lock()
        self._open: OrderedDict[int, Any] = OrderedDict()
        self._kept: OrderedDict[int, Any] = OrderedDict()
        with _opened(self.paths[0]) as first:
            schema = first.schema_arrow
        features = features_of(schema, location)
        column = picture_column(schema, features, location)
        if column is None:
            raise InputError("no column holds pictures", where=location, remedy="give it as a manifest with its faces")
        self._column = column
        self._groups: list[tuple[int, int]] = []
        facts = Facts.of(self._index(schema), features, location)
        if not features:
            check_columns(facts.names, self.paths[0], needed=())
        super().__init__(facts, name=name or self.paths[0].stem, location=location)

    def close(self) -> None:
        """Close the files and let go of the groups that are kept; reading opens them again."""
        with self._lock:
            self._kept.clear()
            while self._open:
                self._open.popitem()[1].close()

    def _index(self, schema: Any) -> Any:
        """All columns but the pictures, of all shards; and where the row groups are."""
        tables, rows = [], [0]
        for shard, path in enumerate(self.paths):
            with _opened(path) as file:
                if not file.schema_arrow.equals(schema):
                    raise CorruptArchive(
                        f"has other columns than {self.paths[0].name}", where=path, remedy="give shards of one data set"
                    )
                tables.append(_facts_table(file, path))
                groups = [file.metadata.row_group(group) for group in range(file.metadata.num_row_groups)]
            for number, group in enumerate(groups):
                _refuse_large(group.total_byte_size, number, path)
                if group.num_rows:
                    self._groups.append((shard, number))
                    rows.append(group.num_rows)
        self._starts = np.cumsum(rows)
        whole = arrow("parquet").concat_tables(tables)
        if whole.num_columns:
            return whole
        return arrow("parquet").table({"file": [str(place) for place in range(int(self._starts[-1]))]})

    def _picture(self, index: int) -> bytes | None:
        group = int(np.searchsorted(self._starts, index, side="right")) - 1
        values = self._group(group)
        return bytes_of(values[index - int(self._starts[group])].as_py(), self._column.nested)

    def _group(self, number: int) -> Any:
        with self._lock:
            values = self._kept.get(number)
            if values is None:
                values = self._kept[number] = self._read(number)
                while len(self._kept) > 1 and sum(v.nbytes for v in self._kept.values()) > _KEPT_BYTES:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(number)
            return values

    def _read(self, number: int) -> Any:
        shard, group = self._groups[number]
        wanted = f"{self._column.name}.bytes" if self._column.nested else self._column.name
        try:
            table = self._file(shard).read_row_group(group, columns=[wanted], use_threads=False)
        except (arrow("parquet").ArrowException, OSError) as error:
            raise _damaged(error, self.paths[shard]) from error
        return table.column(self._column.name)

    def _file(self, shard: int) -> Any:
        file = self._open.get(shard)
        if file is None:
            file = self._open[shard] = _opened(self.paths[shard])
            if len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)[1].close()
        return file


def _refuse_large(size: int, group: int, path: Path) -> None:
    if size > LARGEST_GROUP:
        raise HostileFile(
            f"row group {group} takes {size} bytes, more than {LARGEST_GROUP}",
            where=path,
            remedy="write it again with smaller row groups, e.g. of 1000 rows",
        )


def holds_pictures(path: str | Path) -> bool:
    """Whether a parquet file has pictures in it, rather than being a manifest only.

    Raises:
        InputError: as ``ParquetSource``.
    """
    with _opened(Path(path)) as file:
        schema = file.schema_arrow
    return picture_column(schema, features_of(schema, path), path) is not None


def read_parquet_manifest(path: Path) -> Manifest:
    """A manifest with typed columns; where the pictures are embedded, ``file`` is the face's id there.

    Raises:
        InputError: as ``read_manifest``.
    """
    if holds_pictures(path):
        with ParquetSource(path) as source:
            rows = tuple(source.manifest_row(index) for index in range(len(source)))
            return Manifest(rows, tuple(dict.fromkeys(("file", *source.facts.names))), path)
    with _opened(path) as file:
        facts = Facts.of(_facts_table(file, path), features_of(file.schema_arrow, path), str(path))
    check_columns(facts.names, path)
    if not len(facts.table):
        raise InputError("manifest has no rows", where=path, remedy="check the path")
    return Manifest(tuple(facts.rows()), facts.names, path)


def _facts_table(file: Any, path: Path) -> Any:
    """All columns but the pictures."""
    schema = file.schema_arrow
    pictures = picture_column(schema, features_of(schema, path), path)
    names = [field.name for field in schema if pictures is None or field.name != pictures.name]
    try:
        return file.read(columns=names, use_threads=False)
    except (arrow("parquet").ArrowException, OSError) as error:
        raise _damaged(error, path) from error


def _opened(path: Path) -> Any:
    pyarrow = arrow("parquet")
    from pyarrow import parquet

    if not path.is_file():
        raise InputError("does not exist", where=path, remedy="check the path")
    try:
        schema = parquet.read_schema(path)
        texts = [field.name for field in schema if pyarrow.types.is_string(field.type)]
        # A text that a thousand rows share is then held once, as it is stored.
        return parquet.ParquetFile(path, read_dictionary=texts)
    except (pyarrow.ArrowException, OSError) as error:
        raise _damaged(error, path) from error


def _damaged(error: Exception, path: Path) -> CorruptArchive:
    said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return CorruptArchive(f"no parquet, or damaged ({said})", where=path, remedy="copy the file again")
