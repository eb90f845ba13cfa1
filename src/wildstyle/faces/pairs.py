"""Lists of pairs for verification, with their folds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import CorruptArchive, InputError
from wildstyle.faces.folder import FolderSource
from wildstyle.faces.listing import IMAGE_SUFFIXES, refuse_escape
from wildstyle.faces.opening import open_faces
from wildstyle.faces.pairs_bin import BinSource
from wildstyle.faces.source import FaceSource
from wildstyle.faces.tar import TarSource

PAIRS_FILE = "pairs.txt"


@dataclass(frozen=True, slots=True)
class PairList:
    """P pairs of faces of one source.

    Attributes:
        first, second: (P,) int64 indices into the source.
        same: (P,) bool, whether both show one person.
        fold: (P,) int64, 0 to folds-1; pairs keep the order of the protocol.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    same: NDArray[np.bool_]
    fold: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.same)


def open_pairs(path: str | Path, *, name: str | None = None) -> tuple[FaceSource, PairList]:
    """Faces and pairs of a ``.bin``, or of a tar or folder with ``pairs.txt`` in it.

    Raises:
        InputError: there are no pairs in it, or an image of a pair is missing.
        CorruptArchive: the list or the container is damaged.
        HostileFile: as the readers of the containers say.
    """
    source = open_faces(path, name=name)
    if isinstance(source, BinSource):
        return source, bin_pairs(source)
    return source, read_lfw_pairs(source)


def bin_pairs(source: BinSource, folds: int = 10) -> PairList:
    """Pairs of a ``.bin`` in ``folds`` runs of equal length (the first ones longer by one where needed)."""
    count = len(source.same)
    runs = np.array_split(np.zeros(count), min(folds, count))
    fold = np.repeat(np.arange(len(runs)), [len(run) for run in runs])
    first = np.arange(0, 2 * count, 2, dtype=np.int64)
    return PairList(first, first + 1, source.same, fold.astype(np.int64))


def read_lfw_pairs(source: FaceSource) -> PairList:
    """Pairs of the ``pairs.txt`` inside a tar or folder of faces ``<name>/<name>_0001.jpg``.

    The first line gives the number of folds (absent: one) and of pairs n; each fold has n lines
    ``name i j`` (one person), then n lines ``name i name j``. Format: Huang et al., Labeled Faces in the
    Wild, 2007. No pair is left out: a missing image is an error, else folds would not be the official ones.

    Raises:
        InputError: no ``pairs.txt``, or an image is missing.
        CorruptArchive: a line is no pair, or there are too few or too many.
    """
    where = f"{source.location}:{PAIRS_FILE}"
    lines = [
        line.split("\t") if "\t" in line else line.split() for line in _list_of(source).splitlines() if line.strip()
    ]
    folds, each = _counts(lines, where)
    if len(lines) - 1 != folds * each * 2:
        raise CorruptArchive(
            f"{len(lines) - 1} pairs, the first line promises {folds * each * 2}",
            where=where,
            remedy="copy the file again",
        )
    pairs = [_pair(source, cells, f"{where}, pair {k}") for k, cells in enumerate(lines[1:])]
    fold = np.repeat(np.arange(folds, dtype=np.int64), 2 * each)
    same = np.array([len(cells) == 3 for cells in lines[1:]], np.bool_)
    if not np.array_equal(same, np.tile(np.repeat([True, False], each), folds)):
        raise CorruptArchive(f"a fold is not {each} same and {each} different pairs", where=where)
    indices = np.array(pairs, np.int64)
    return PairList(indices[:, 0].copy(), indices[:, 1].copy(), same, fold)


def _list_of(source: FaceSource) -> str:
    data: bytes | None = None
    if isinstance(source, TarSource):
        data = source.member(PAIRS_FILE)
    elif isinstance(source, FolderSource) and (source.root / PAIRS_FILE).is_file():
        data = (source.root / PAIRS_FILE).read_bytes()
    if data is None:
        raise InputError(
            f"no {PAIRS_FILE} in it",
            where=source.location,
            remedy="give a .bin, or a tar or folder with the list of pairs",
        )
    return data.decode("utf-8", "replace")


def _counts(lines: list[list[str]], where: str) -> tuple[int, int]:
    numbers = [cell.strip() for cell in lines[0]] if lines else []
    if len(numbers) not in (1, 2) or not all(n.isascii() and n.isdecimal() and int(n[:9]) > 0 for n in numbers):
        raise CorruptArchive("first line is not `folds pairs`", where=where, remedy="copy the file again")
    counts = [int(number[:9]) for number in numbers]
    return (1, counts[0]) if len(counts) == 1 else (counts[0], counts[1])


def _pair(source: FaceSource, cells: list[str], where: str) -> tuple[int, int]:
    if len(cells) not in (3, 4):
        raise CorruptArchive(f"line {' '.join(cells)[:80]!r} is no pair", where=where, remedy="copy the file again")
    name, other = cells[0], cells[0] if len(cells) == 3 else cells[2]
    return _find(source, name, cells[1], where), _find(source, other, cells[-1], where)


def _find(source: FaceSource, name: str, number: str, where: str) -> int:
    number = number.strip()
    if not (number.isascii() and number.isdecimal()):
        raise CorruptArchive(f"{number!r} is no number of an image", where=where, remedy="copy the file again")
    stem = f"{name}/{name}_{int(number[:9]):04d}"
    refuse_escape(stem, where=where)
    for suffix in IMAGE_SUFFIXES:
        place = source.index_of(stem + suffix)
        if place is not None:
            return place
    raise InputError(
        f"image {stem}.jpg is missing", where=where, remedy="copy the images again; no pair may be left out"
    )
