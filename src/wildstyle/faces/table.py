"""Faces whose facts are typed columns of an Arrow table, as parquet and Hugging Face datasets hold them.

The columns are those of a CSV manifest and are read by the same rules; numbers, booleans and lists become
the text a CSV cell would hold. A column of class numbers with names (``ClassLabel``) gives label and person.
"""

from __future__ import annotations

import datetime
import json
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import CorruptArchive, HostileFile, InputError, LabelError, MissingExtra, UnreadableFace
from wildstyle.faces.decode import MAX_ENCODED_BYTES
from wildstyle.faces.listing import Coded, facts_of
from wildstyle.faces.record import FaceRecord
from wildstyle.faces.row import ALIASES, ManifestRow, parse_row
from wildstyle.faces.source import FaceSource

UNKNOWN_LABELS = ("-1", "-100")
"""How data sets write "nobody knows who this is" where a class number is due."""

LONGEST_CELL = 2**17
"""Characters that a cell of text may have, as in CSV."""

_PREFERRED = ("image", "img", "face", "picture", "bytes", "jpg", "png")
_OTHER_NAMES = {**ALIASES, "labels": "label"}


def arrow(what: str) -> Any:
    """The ``pyarrow`` package.

    Raises:
        MissingExtra: it is not installed; the message names the extra.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise MissingExtra(
            f"reading {what} needs pyarrow", remedy="install it: pip install wildstyle[parquet]"
        ) from error
    return pyarrow


class PictureColumn(NamedTuple):
    """Name of the column with encoded pictures, and whether they are structs {bytes, path}."""

    name: str
    nested: bool


def features_of(schema: Any, where: object) -> Mapping[str, Any]:
    """What the Hugging Face library wrote about the columns into an Arrow schema; empty where nothing is.

    Raises:
        CorruptArchive: it is there and can't be read.
    """
    stated = (schema.metadata or {}).get(b"huggingface")
    if stated is None:
        return {}
    try:
        features = json.loads(stated)["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CorruptArchive(f"metadata of the columns can't be read ({error})", where=where) from error
    return features if isinstance(features, dict) else {}


def picture_column(schema: Any, features: Mapping[str, Any], where: object) -> PictureColumn | None:
    """The column that holds pictures: said to be one, or of bytes, or of structs {bytes, path}; None without one.

    Raises:
        InputError: there are several and none is called ``image``.
    """
    found = {field.name: _nested(field.type) for field in schema if _nested(field.type) is not None}
    said = [name for name, kind in features.items() if isinstance(kind, dict) and kind.get("_type") == "Image"]
    names = [name for name in said if name in found] or list(found)
    chosen = names if len(names) <= 1 else [name for name in _PREFERRED if name in names][:1]
    if names and not chosen:
        raise InputError(
            f"several columns may hold pictures: {', '.join(map(repr, names))}",
            where=where,
            remedy="call the right one 'image'",
        )
    return PictureColumn(chosen[0], bool(found[chosen[0]])) if chosen else None


def _nested(kind: Any) -> bool | None:
    """False for bytes, True for a struct with bytes in it, None for anything else."""
    types = arrow("tables").types
    if types.is_binary(kind) or types.is_large_binary(kind):
        return False
    if types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        inner = kind.field("bytes").type
        return True if types.is_binary(inner) or types.is_large_binary(inner) else None
    return None


def bytes_of(value: Any, nested: bool) -> bytes | None:
    """Bytes of one cell of a column of pictures, or None."""
    data = value.get("bytes") if nested and isinstance(value, dict) else value
    return data if isinstance(data, bytes) else None


@dataclass(frozen=True)
class Facts:
    """All columns of a table but the pictures, as manifest rows.

    Attributes:
        table: Arrow table with one chunk a column.
        classes: names of the classes by column.
        where: for messages.
    """

    table: Any
    classes: Mapping[str, Sequence[str]]
    where: str

    @staticmethod
    def of(table: Any, features: Mapping[str, Any], where: str) -> Facts:
        """Columns that no cell of text can hold (bytes) are left out.

        Raises:
            InputError: a column comes twice.
            HostileFile: a cell is longer than a CSV cell may be.
        """
        keep = [place for place, field in enumerate(table.schema) if _nested(field.type) is None]
        names = [_OTHER_NAMES.get(table.schema.field(place).name, table.schema.field(place).name) for place in keep]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"column {twice[0]!r} comes twice", where=where, remedy="remove one")
        classes = {
            _OTHER_NAMES.get(name, name): kind["names"]
            for name, kind in features.items()
            if isinstance(kind, dict) and kind.get("_type") == "ClassLabel" and isinstance(kind.get("names"), list)
        }
        kept = table.select(keep).rename_columns(names).unify_dictionaries()
        _refuse_long_cells(kept, where)
        return Facts(kept.combine_chunks(), classes, where)

    @property
    def names(self) -> tuple[str, ...]:
        """Columns, by the names a manifest knows."""
        return tuple(self.table.column_names)

    def texts(self, column: str) -> list[str]:
        """A whole column as text; empty where a value is missing."""
        found: list[str] = []
        for chunk in self.table.column(column).chunks:
            if not hasattr(chunk, "dictionary"):
                found += [self._text(column, value) for value in chunk.to_pylist()]
                continue
            # Repeated texts are one object, however often a row names them.
            known = [self._text(column, value) for value in chunk.dictionary.to_pylist()]
            found += ["" if place is None else known[place] for place in chunk.indices.to_pylist()]
        return found

    def row(self, index: int) -> ManifestRow:
        """One row, checked as a CSV row is.

        Raises:
            InputError: as ``parse_row``.
        """
        return self._parsed({name: self._text(name, self._value(name, index)) for name in self.names}, index)

    def rows(self) -> Iterator[ManifestRow]:
        """All rows; equal texts are one object.

        Raises:
            InputError: as ``parse_row``.
        """
        columns = {name: self.texts(name) for name in self.names}
        for index in range(len(self.table)):
            yield self._parsed({name: texts[index] for name, texts in columns.items()}, index)

    def _parsed(self, cells: dict[str, str], index: int) -> ManifestRow:
        if cells.get("label") in UNKNOWN_LABELS:
            cells["label"] = ""
        person = self._person(index) if not cells.get("subject") else None
        if person is not None:
            cells["subject"] = person
        return parse_row(cells, where=f"{self.where}:row {index}")

    def labels(self) -> NDArray[np.int64] | None:
        """Class number of every row, (N,) int64, -1 where unknown; None without a column ``label``.

        Raises:
            LabelError: one is no integer >= 0.
        """
        if "label" not in self.names:
            return None
        found = np.full(len(self.table), -1, np.int64)
        for place, text in enumerate(self.texts("label")):
            if text and text not in UNKNOWN_LABELS:
                found[place] = _class_number(text, f"{self.where}:row {place}")
        return found if (found >= 0).any() else None

    def _person(self, index: int) -> str | None:
        names = self.classes.get("label")
        number = self._value("label", index) if names and "label" in self.names else None
        if not names or number is None or number < 0:
            return None
        return self.class_name("label", number)

    def _value(self, column: str, index: int) -> Any:
        return self.table.column(column)[index].as_py()

    def class_name(self, column: str, number: int) -> str:
        """Name of a class of a ``ClassLabel`` column.

        Raises:
            LabelError: it has none.
        """
        names = self.classes[column]
        if not 0 <= number < len(names):
            raise LabelError(f"{column} is {number}, but only {len(names)} classes have names", where=self.where)
        return str(names[number])

    def _text(self, column: str, value: Any) -> str:
        if column in self.classes and column != "label" and isinstance(value, int):
            return "" if value < 0 else self.class_name(column, value)
        if column in ("label", "enrolled") and isinstance(value, float) and value.is_integer():
            value = int(value)  # a column with gaps, as data frames store it
        return cell_text(value)


def _refuse_long_cells(table: Any, where: str) -> None:
    pyarrow = arrow("tables")
    from pyarrow import compute

    for name in table.column_names:
        for chunk in table.column(name).chunks:
            values = getattr(chunk, "dictionary", chunk)
            if pyarrow.types.is_string(values.type) or pyarrow.types.is_large_string(values.type):
                longest = compute.max(compute.binary_length(values)).as_py() or 0
                if longest > LONGEST_CELL:
                    raise HostileFile(f"a cell of column {name!r} takes {longest} bytes", where=where)


def cell_text(value: Any) -> str:
    """What a CSV cell would hold for a typed value; empty for a missing one.

    >>> cell_text(True), cell_text([1.5, 2]), cell_text(float("nan"))
    ('1', '1.5 2', '')
    """
    match value:
        case None:
            return ""
        case bool():
            return str(int(value))
        case float():
            return "" if math.isnan(value) else repr(value)
        case str():
            return value
        case list() | tuple():
            return " ".join(filter(None, map(cell_text, value)))
        case datetime.date() | datetime.time():
            return value.isoformat()
        case dict():
            return json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
    return str(value)


def _class_number(text: str, where: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise LabelError(
            f"label is {text!r}, not an integer from 0 to 999999999",
            where=where,
            remedy="number the people from 0, or leave it empty where the person is unknown",
        )
    return int(text)


class TableSource(FaceSource):
    """Faces of a table: facts from its columns, pictures from wherever the format has them.

    Ids are the column ``file``; without one the row's number. A row whose ``file`` is empty is a face that
    was not found. A name that comes twice has ``#row<k>`` after it.

    Args:
        facts: the columns.
        name: short name.
        location: what the user gave.
    """

    def __init__(self, facts: Facts, *, name: str, location: str) -> None:
        self.facts, self.name, self.location = facts, name, location
        if not len(facts.table):
            raise InputError("holds no rows", where=location, remedy="check the path")
        self._files = facts.texts("file") if "file" in facts.names else None
        self._repeated = _repeated(self._files or ())
        given = facts.labels()
        people = Coded(self._people(given))
        self._subjects = people
        self._labels: NDArray[np.int64] = people.codes.astype(np.int64) if given is None else given

    def __len__(self) -> int:
        return len(self.facts.table)

    def record(self, index: int) -> FaceRecord:
        index = range(len(self))[index]
        row, label = self.facts.row(index), int(self._labels[index])
        file = row.file if self._files else None
        media = facts_of(file).media if file and "media" not in self.facts.names else None
        base = FaceRecord(id=self._id(index), source=self.name, media=media)
        return row.described(base).with_(label=label if label >= 0 else None, subject=self._subjects[index])

    def encoded(self, index: int) -> bytes:
        index = range(len(self))[index]
        where = f"{self.location}:{self._id(index)}"
        if not self.has_picture(index):
            raise UnreadableFace("no face was found in this picture (failure to enrol)", where=where)
        data = self._picture(index)
        if data is None:
            raise UnreadableFace("the row holds no bytes of a picture", where=where, remedy="embed the pictures")
        if len(data) > MAX_ENCODED_BYTES:
            raise UnreadableFace(f"picture takes {len(data)} bytes, more than {MAX_ENCODED_BYTES}", where=where)
        return data

    def has_picture(self, index: int) -> bool:
        """Whether a face was found for this row at all."""
        return self._files is None or bool(self._files[index].strip())

    def labels(self) -> NDArray[np.int64]:
        return self._labels.copy()

    def subjects(self) -> list[str | None]:
        return self._subjects.texts()

    def manifest_row(self, index: int) -> ManifestRow:
        """The row as a manifest of this source says it: ``file`` is the id here, empty without a picture."""
        record = self.record(index)
        row = self.facts.row(index)
        return ManifestRow(
            file=record.id if self.has_picture(index) else None,
            subject=record.subject,
            media=record.media,
            template=row.template,
            role=row.role,
            enrolled=row.enrolled,
            min_side=row.min_side,
            eye_distance=row.eye_distance,
            detector_score=row.detector_score,
            label=row.label,
            landmarks=row.landmarks,
            attributes=row.attributes,
        )

    @abstractmethod
    def _picture(self, index: int) -> bytes | None:
        """Stored bytes of the picture of a row."""

    def _id(self, index: int) -> str:
        file = self._files[index].strip() if self._files else None
        if file is None:
            return str(index)
        if not file:
            return f"row{index}"
        return f"{file}#row{index}" if file in self._repeated else file

    def _people(self, labels: NDArray[np.int64] | None) -> list[str | None]:
        known = self.facts
        texts = [text.strip() for text in known.texts("subject")] if "subject" in known.names else [""] * len(self)
        fallback = self._person_of(labels)
        return [text or fallback(place) for place, text in enumerate(texts)]

    def _person_of(self, labels: NDArray[np.int64] | None) -> Callable[[int], str | None]:
        """Who a row shows where no column says it: by class, or by the folder the file lies in."""
        files, classes = self._files, self.facts.classes.get("label")

        def person(place: int) -> str | None:
            if labels is not None and labels[place] >= 0:
                if classes:
                    return self.facts.class_name("label", int(labels[place]))
                if "subject" not in self.facts.names:
                    inside = facts_of(files[place]).subject if files else None
                    return inside or f"{self.name}#{labels[place]}"
            return facts_of(files[place]).subject if files and "subject" not in self.facts.names else None

        return person


def _repeated(files: Sequence[str]) -> frozenset[str]:
    seen: set[str] = set()
    return frozenset(file for file in files if file and (file in seen or seen.add(file)))  # type: ignore[func-returns-value]
