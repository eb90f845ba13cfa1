"""From what a user gives to a source."""

from __future__ import annotations

import re
from pathlib import Path

from wildstyle.errors import InputError
from wildstyle.faces.folder import FolderSource
from wildstyle.faces.hub_dataset import SavedDataset, is_saved_dataset, only_parquet
from wildstyle.faces.manifest import Manifest, ManifestSource, read_manifest
from wildstyle.faces.pairs_bin import BinSource
from wildstyle.faces.parquet import ParquetSource, holds_pictures
from wildstyle.faces.recordio import RecordSource
from wildstyle.faces.source import FaceSource
from wildstyle.faces.tar import TarSource

_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MOST_SHARDS = 100_000


def open_faces(path: str | Path, *, name: str | None = None, manifest: str | Path | None = None) -> FaceSource:
    """Open faces of any format that can be read here.

    Args:
        path: a folder of images; a ``.tar``; shards as ``name-{000..003}.tar`` or a folder that holds
            only them; a ``.rec``; a ``.bin``; a ``.csv`` manifest, whose images lie in a tar of the same
            stem or else relative to the manifest; a ``.parquet``, which holds the images or is a manifest
            like the ``.csv``, or shards of one; a folder that Hugging Face ``save_to_disk`` wrote.
        name: short name; from the path by default.
        manifest: CSV or parquet file that describes the faces at ``path``.

    Raises:
        InputError: the path does not exist or is of no known kind; and what the readers raise.
    """
    if manifest is not None:
        return ManifestSource(read_manifest(manifest), open_faces(path, name=name), name=name)
    shards = expand_braces(str(path))
    if len(shards) > 1:
        parquet = shards[0].lower().endswith(".parquet")
        return ParquetSource(shards, name=name) if parquet else TarSource(shards, name=name)
    path = Path(shards[0])
    if path.is_dir():
        return _open_folder(path, name)
    if not path.exists():
        raise InputError("does not exist", where=path, remedy="check the path")
    return _open_file(path, name)


def _open_folder(path: Path, name: str | None) -> FaceSource:
    if is_saved_dataset(path):
        return SavedDataset(path, name=name)
    if inside := _only_shards(path):
        return TarSource(inside, name=name or path.name)
    if inside := only_parquet(path):
        return ParquetSource(inside, name=name or path.name)
    return FolderSource(path, name=name)


def _open_file(path: Path, name: str | None) -> FaceSource:
    match path.suffix.lower():
        case ".tar":
            return TarSource(path, name=name)
        case ".rec":
            return RecordSource(path, name=name)
        case ".bin":
            return BinSource(path, name=name)
        case ".csv":
            return _open_manifest(path, name)
        case ".parquet":
            return ParquetSource(path, name=name) if holds_pictures(path) else _open_manifest(path, name)
        case ".idx" | ".lst":
            raise InputError("is only the index of a record file", where=path, remedy="give the .rec beside it")
    raise InputError(
        f"no kind of faces is known for {path.suffix!r}",
        where=path,
        remedy="give a folder of images, a .tar, a .rec, a .bin, a .csv manifest or a .parquet",
    )


def _open_manifest(path: Path, name: str | None) -> ManifestSource:
    manifest = read_manifest(path)
    beside = path.with_suffix(".tar")
    faces = TarSource(beside) if beside.exists() else _folder_of(manifest)
    return ManifestSource(manifest, faces, name=name)


def _folder_of(manifest: Manifest) -> FolderSource:
    files = dict.fromkeys(row.file for row in manifest.rows if row.file is not None)
    return FolderSource(manifest.path.parent, files=files)


def expand_braces(pattern: str) -> list[str]:
    """All paths of ``name-{000..003}.tar``, or the path itself where it has no braces.

    Raises:
        InputError: the range runs backwards or is endless.
    """
    found = _BRACES.search(pattern)
    if found is None:
        return [pattern]
    first, last = found.groups()
    if len(first) > 9 or len(last) > 9 or not 0 <= int(last) - int(first) < _MOST_SHARDS:
        raise InputError(f"{found.group()} is no ascending range of shards", where=pattern, remedy="write {000..003}")
    numbers = range(int(first), int(last) + 1)
    return [f"{pattern[: found.start()]}{n:0{len(first)}d}{pattern[found.end() :]}" for n in numbers]


def _only_shards(folder: Path) -> list[Path]:
    visible = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    shards = sorted(entry for entry in visible if entry.suffix.lower() == ".tar")
    folders_or_images = any(entry.is_dir() for entry in visible)
    return [] if folders_or_images else shards
