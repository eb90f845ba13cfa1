"""Writes parquet with embedded pictures and typed columns, as the reader here and Hugging Face read it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from wildstyle.errors import InputError
from wildstyle.faces.table import arrow
from wildstyle.faces.writing.stored import FACTS, StoredFace, attributes_of, facts_said

IMAGE = "image"
_GROUP_FACES, _GROUP_BYTES = 1000, 2**24
_NUMBERS = {"min_side": "float64", "detector_score": "float64", "eye_distance": "float64", "label": "int64"}


class ParquetWriter:
    """Writes ``<stem>.parquet``: column ``image`` {bytes, path}, ``file`` and whatever is known.

    Row groups have at most 1000 faces or about 16 MiB, so that single faces can be read.

    Args:
        folder: an existing folder.
        stem: name of the file.
        columns: all columns but ``file`` that some face has, in order.

    Raises:
        MissingExtra: pyarrow is not installed.
        InputError: an attribute is called ``image``.
    """

    def __init__(self, folder: Path, stem: str, columns: Sequence[str]) -> None:
        pyarrow = arrow("parquet")
        from pyarrow import parquet

        if IMAGE in columns:
            raise InputError("an attribute is called 'image', as the pictures are", remedy="rename it")
        self._name = f"{stem}.parquet"
        self._columns = ["file", *columns]
        self._schema = _schema(pyarrow, self._columns)
        self._writer = parquet.ParquetWriter(
            folder / self._name,
            self._schema,
            compression={**dict.fromkeys(self._paths(), "SNAPPY"), f"{IMAGE}.bytes": "NONE"},
            use_dictionary=[path for path in self._paths() if path != f"{IMAGE}.bytes"],
            write_statistics=["file"],
        )
        self._pyarrow = pyarrow
        self._rows: list[dict[str, object]] = []
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def add(self, face: StoredFace) -> None:
        """Keep the next face until its row group is full."""
        picture = None if face.data is None else {"bytes": face.data, "path": face.file}
        row: dict[str, object] = {**attributes_of(face.record), **facts_said(face.record), "file": face.file}
        self._rows.append({**row, IMAGE: picture})
        self._bytes += len(face.data or b"")
        if len(self._rows) >= _GROUP_FACES or self._bytes >= _GROUP_BYTES:
            self._write_group()

    def finish(self) -> list[str]:
        """Write the last row group and the footer."""
        if self._rows:
            self._write_group()
        self._writer.close()
        return [self._name]

    def _write_group(self) -> None:
        table = self._pyarrow.Table.from_pylist(self._rows, schema=self._schema)
        self._writer.write_table(table, row_group_size=len(self._rows))
        self._rows, self._bytes = [], 0

    def _paths(self) -> list[str]:
        leaves = {"landmarks": "landmarks.list.element"}
        return [f"{IMAGE}.bytes", f"{IMAGE}.path", *(leaves.get(name, name) for name in self._columns)]


def _schema(pyarrow: Any, columns: Sequence[str]) -> Any:
    kinds = {
        "landmarks": pyarrow.list_(pyarrow.field("element", pyarrow.float32())),
        "enrolled": pyarrow.bool_(),
        "label": pyarrow.int64(),
        **{name: pyarrow.float64() for name, kind in _NUMBERS.items() if kind == "float64"},
    }
    picture = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    fields = [(IMAGE, picture), *((name, kinds.get(name, pyarrow.string())) for name in columns)]
    features = {IMAGE: {"_type": "Image"}, **{name: _feature(name) for name in columns}}
    said = json.dumps({"info": {"features": features}})
    return pyarrow.schema(fields, metadata={"huggingface": said})


def _feature(column: str) -> dict[str, object]:
    if column == "landmarks":
        return {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "Sequence"}
    kind = "bool" if column == "enrolled" else _NUMBERS.get(column, "string")
    return {"dtype": kind, "_type": "Value"}


def column_order(known: frozenset[str], attributes: Sequence[str]) -> list[str]:
    """Columns that some face has, in the order of the manifest, then attributes by name."""
    return [*(name for name in FACTS if name in known), *sorted(attributes)]
