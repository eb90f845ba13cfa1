"""Hugging Face data sets that lie on this disk: folders of ``save_to_disk`` and folders of parquet shards.

Nothing is fetched and the library ``datasets`` is not needed: such a folder is Arrow files, which are mapped
into memory, and JSON that names them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wildstyle.errors import CorruptArchive, HostileFile, InputError
from wildstyle.faces.listing import is_image
from wildstyle.faces.table import Facts, TableSource, arrow, bytes_of, features_of, picture_column

_SHARD = re.compile(r"(?P<split>.+)-\d{5}-of-\d{5}\.parquet", re.IGNORECASE)


def is_saved_dataset(folder: Path) -> bool:
    """Whether ``save_to_disk`` of a data set, or of a dictionary of splits, wrote this folder."""
    one = (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file()
    return one or (folder / "dataset_dict.json").is_file()


class SavedDataset(TableSource):
    """Faces of a folder that ``datasets.Dataset.save_to_disk`` wrote; read at random, mapped into memory.

    Args:
        path: the folder of one split, or of a dictionary with one split.
        name: short name; the folder's by default.

    Raises:
        InputError: there are several splits, or no column holds pictures.
        CorruptArchive: a file is missing or damaged.
        HostileFile: a file is named that lies outside the folder.
        MissingExtra: pyarrow is not installed.
    """

    def __init__(self, path: str | Path, *, name: str | None = None) -> None:
        folder = _one_split(Path(path))
        location = str(folder)
        self._maps: list[Any] = []
        table = self._table(folder)
        features = features_of(table.schema, location) or _stated_features(folder)
        column = picture_column(table.schema, features, location)
        if column is None:
            raise InputError("no column holds pictures", where=location, remedy="save it with its images embedded")
        self._column = column
        pictures = table.column(column.name)
        self._chunks = [chunk for chunk in pictures.chunks if len(chunk)]
        self._starts = np.cumsum([0, *map(len, self._chunks)])
        rest = table.drop_columns([column.name])
        if not rest.num_columns:
            rest = arrow("data sets").table({"file": [str(place) for place in range(len(pictures))]})
        super().__init__(Facts.of(rest, features, location), name=name or folder.name, location=location)

    def _picture(self, index: int) -> bytes | None:
        chunk = int(np.searchsorted(self._starts, index, side="right")) - 1
        return bytes_of(self._chunks[chunk][index - int(self._starts[chunk])].as_py(), self._column.nested)

    def _table(self, folder: Path) -> Any:
        pyarrow = arrow("data sets")
        tables = []
        for path in _arrow_files(folder):
            try:
                mapped = pyarrow.memory_map(str(path))
                table = pyarrow.ipc.open_stream(mapped).read_all()
                # Offsets that point outside would be believed later.
                table.validate(full=True)
            except (pyarrow.ArrowException, OSError) as error:
                said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
                raise CorruptArchive(
                    f"no Arrow file, or damaged ({said})", where=path, remedy="save the data set again"
                ) from error
            self._maps.append(mapped)
            tables.append(table)
        try:
            return pyarrow.concat_tables(tables)
        except pyarrow.ArrowException as error:
            raise CorruptArchive("its files have different columns", where=folder) from error


def only_parquet(folder: Path) -> list[Path]:
    """Sorted shards of a folder (or its ``data/``) that holds parquet files and no pictures; else nothing.

    Raises:
        InputError: there are shards of several splits.
    """
    if any(is_image(entry.name) or (entry.is_dir() and entry.name != "data") for entry in _visible(folder)):
        return []
    for place in (folder, folder / "data"):
        inside = _visible(place) if place.is_dir() else []
        shards = sorted(p for p in inside if p.suffix.lower() == ".parquet" and p.is_file())
        splits = sorted({found["split"] for p in shards if (found := _SHARD.fullmatch(p.name))})
        if len(splits) > 1:
            raise InputError(
                f"holds several splits: {', '.join(splits)}",
                where=place,
                remedy=f"give the shards of one, as in {splits[0]}-{{00000..00001}}-of-00002.parquet",
            )
        if shards:
            return shards
    return []


def _visible(folder: Path) -> list[Path]:
    return [entry for entry in folder.iterdir() if not entry.name.startswith(".")]


def _one_split(path: Path) -> Path:
    if not (path / "dataset_dict.json").is_file():
        return path
    splits = _json(path / "dataset_dict.json").get("splits")
    if not isinstance(splits, list) or not splits or not all(isinstance(s, str) and _plain(s) for s in splits):
        raise CorruptArchive("names no splits", where=path / "dataset_dict.json")
    if len(splits) > 1:
        raise InputError(
            f"holds several splits: {', '.join(splits)}", where=path, remedy=f"give one of them: {path / splits[0]}"
        )
    return path / str(splits[0])


def _arrow_files(folder: Path) -> list[Path]:
    state = folder / "state.json"
    stated = _json(state)
    if stated.get("_indices_data_files"):
        raise InputError(
            "the data set is a selection that was not written out",
            where=state,
            remedy="call flatten_indices() and save it again",
        )
    entries = stated.get("_data_files")
    if not isinstance(entries, list) or not entries:
        raise CorruptArchive("names no files", where=state, remedy="save the data set again")
    names = [entry.get("filename") if isinstance(entry, dict) else None for entry in entries]
    for name in names:
        if not isinstance(name, str) or not _plain(name) or (folder / name).is_symlink():
            raise HostileFile(f"names {name!r}, which is no file of this folder", where=state, remedy="don't use it")
    return [folder / str(name) for name in names]


def _plain(name: str) -> bool:
    return name not in ("", ".", "..") and not set("/\\\0") & set(name)


def _stated_features(folder: Path) -> Mapping[str, Any]:
    features = _json(folder / "dataset_info.json").get("features")
    return features if isinstance(features, dict) else {}


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CorruptArchive(f"can't be read ({error})", where=path, remedy="save the data set again") from error
    if not isinstance(value, dict):
        raise CorruptArchive("is no JSON object", where=path, remedy="save the data set again")
    return value
