"""Pair sets from one container to another: no pair may be left out, folds and order stay."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from wildstyle.errors import InputError
from wildstyle.faces.listing import is_image
from wildstyle.faces.pairs import PAIRS_FILE, PairList
from wildstyle.faces.pairs_bin import BinSource
from wildstyle.faces.source import FaceSource
from wildstyle.faces.writing.bin_writer import PairSetWriter
from wildstyle.faces.writing.copying import Heard, prepared
from wildstyle.faces.writing.folder_writer import FolderWriter
from wildstyle.faces.writing.stored import StoredFace
from wildstyle.faces.writing.tar_writer import TarWriter

_LFW = re.compile(r"(?P<name>[^/\t\n\r]+)/(?P=name)_(?P<number>\d{4,9})")


def write_bin(
    source: FaceSource, pairs: PairList, writer: PairSetWriter, quality: int | None, on_progress: Heard | None
) -> None:
    """All pairs in their order; a picture of several pairs is stored several times, as the format wants it.

    Raises:
        UnreadableFace: a picture can't be read.
        InputError: the folds are not those a reader of ``.bin`` takes.
    """
    runs = np.array_split(np.zeros(len(pairs)), min(10, len(pairs)))
    if not np.array_equal(pairs.fold, np.repeat(np.arange(len(runs)), [len(run) for run in runs])):
        raise InputError(
            f"pairs have {len(np.unique(pairs.fold))} folds, a .bin has ten equal ones in order",
            where=source.location,
            remedy="write a tar or a folder",
        )
    for place in range(len(pairs)):
        ends = (int(pairs.first[place]), int(pairs.second[place]))
        first, second = (prepared(source.encoded(i), quality, _where(source, i))[0] for i in ends)
        writer.add_pair(first, second, bool(pairs.same[place]))
        if on_progress is not None:
            on_progress(place + 1, len(pairs))


def write_listed(
    source: FaceSource,
    pairs: PairList,
    writer: TarWriter | FolderWriter,
    quality: int | None,
    on_progress: Heard | None,
) -> None:
    """All pictures of the source, and ``pairs.txt``.

    Raises:
        UnreadableFace: a picture can't be read.
        InputError: the pairs have no form that ``pairs.txt`` can hold.
    """
    stems = _stems(source, pairs)
    text = pairs_text(stems, pairs, where=source.location)
    writer.add_other(PAIRS_FILE, text.encode("utf-8"))
    for index in range(len(source)):
        record = source.record(index)
        data, suffix = prepared(source.encoded(index), quality, _where(source, index))
        given = record.id[record.id.rindex(".") :] if is_image(record.id) and quality is None else suffix
        writer.add(StoredFace(record, stems(index) + given, data))
        if on_progress is not None:
            on_progress(index + 1, len(source))


def pairs_text(stems: Callable[[int], str], pairs: PairList, *, where: str) -> str:
    """``pairs.txt`` as LFW has it: folds and pairs, then n lines of one person and n of two, fold by fold.

    Args:
        stems: path ``<name>/<name>_0001`` of a face by index, without suffix.
        pairs: equally many same and different pairs in every fold, the same ones first.
        where: for messages.

    Raises:
        InputError: the pairs or the names have another form.
    """
    folds = len(np.unique(pairs.fold))
    each = len(pairs) // (2 * folds)
    form = np.tile(np.repeat([True, False], each), folds)
    if not (np.array_equal(pairs.same, form) and np.array_equal(pairs.fold, np.repeat(np.arange(folds), 2 * each))):
        raise InputError(
            "pairs don't come in equal folds of n same, then n different ones, so pairs.txt can't hold them",
            where=where,
            remedy="write a .bin",
        )
    lines = [f"{folds}\t{each}"]
    for first, second, same in zip(pairs.first.tolist(), pairs.second.tolist(), pairs.same.tolist(), strict=True):
        (name, number), (other, last) = _named(stems(first), where), _named(stems(second), where)
        if same != (name == other):
            raise InputError(f"pair {name} {number}, {other} {last} contradicts its mark", where=where)
        lines.append(f"{name}\t{number}\t{last}" if same else f"{name}\t{number}\t{other}\t{last}")
    return "\n".join(lines) + "\n"


def _named(stem: str, where: str) -> tuple[str, int]:
    found = _LFW.fullmatch(stem)
    if found is None or stem != f"{found['name']}/{found['name']}_{int(found['number']):04d}":
        raise InputError(f"picture {stem!r} is not called <name>/<name>_0001", where=where, remedy="write a .bin")
    return found["name"], int(found["number"])


def _stems(source: FaceSource, pairs: PairList) -> Callable[[int], str]:
    """Names without suffix. In a ``.bin`` nobody has a name: each pair gets a number, two people a letter each."""
    if isinstance(source, BinSource):
        same = pairs.same.tolist()

        def numbered(index: int) -> str:
            pair, side = divmod(index, 2)
            name = f"{pair:06d}" if same[pair] else f"{pair:06d}{'ab'[side]}"
            return f"{name}/{name}_{side + 1 if same[pair] else 1:04d}"

        return numbered

    def stem(index: int) -> str:
        path = source.record(index).id
        return path[: path.rindex(".")] if is_image(path) else path

    return stem


def _where(source: FaceSource, index: int) -> str:
    return f"{source.location}:{source.record(index).id}"
