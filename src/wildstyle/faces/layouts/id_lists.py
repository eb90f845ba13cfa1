"""Pictures and the numbers of their people, from MATLAB or text lists or from file names alone.

Low-resolution benchmarks name a picture ``<person>_...jpg`` and hand out a list of names and numbers beside it. The
numbers of a list may be others than those in the names, but they must tell the same people apart.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, LabelError
from wildstyle.faces.listing import is_image, refuse_escape

NOBODY = -100
"""Number of a picture whose person is unknown: it matches nothing, not even another such picture."""

_DIGITS = 18  # that an int64 holds for certain

Numbered = tuple[list[str], NDArray[np.int64]]
"""n file names and (n,) numbers of their people."""


def read_part(folder: Path, lists: Sequence[Path], keys: tuple[str, str]) -> Numbered:
    """Pictures of one part of a benchmark and their people.

    Args:
        folder: where the pictures lie.
        lists: places in which the list may be, ``.mat`` or ``.txt`` (``name number`` a line); the first that is there
            is read, and without any the folder's file names are taken.
        keys: names of the variables with names and numbers in a ``.mat``.

    Raises:
        InputError: the folder or the list is empty, a list can't be read, or a name has no number.
        LabelError: the list and the names tell different people apart.
    """
    listing = next((path for path in lists if path.is_file()), None)
    if listing is None:
        names = folder_names(folder)
        return names, _all_known(names, folder)
    names, numbers = _from_mat(listing, keys) if listing.suffix == ".mat" else _from_text(listing)
    if not names or len(names) != len(numbers):
        raise InputError(
            f"{len(names)} names and {len(numbers)} numbers, as many of each are needed",
            where=listing,
            remedy="copy the list again",
        )
    if numbers.min() < 0:
        raise InputError(f"the number {numbers.min()} is below 0", where=listing, remedy="copy the list again")
    _check_same_people(names, numbers, listing)
    return names, numbers


def folder_names(folder: Path) -> list[str]:
    """Names of the pictures in a folder, sorted; folders in it are not looked into.

    Raises:
        InputError: there are none, or the folder can't be read.
    """
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and is_image(entry.name))
    except OSError as error:
        raise InputError(
            f"folder can't be read ({error.strerror or error})", where=folder, remedy="check the path"
        ) from error
    if not names:
        raise InputError("folder holds no pictures", where=folder, remedy="unpack the benchmark in full")
    return names


def numbers_of(names: Sequence[str]) -> NDArray[np.int64]:
    """(n,) integer before the first underscore of each name, ``NOBODY`` where there is none."""
    heads = (PurePosixPath(name).name.partition("_") for name in names)
    found = (int(head) if bar and _is_number(head) else NOBODY for head, bar, _ in heads)
    return np.fromiter(found, np.int64, len(names))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS


def read_mat(path: Path) -> dict[str, Any]:
    """Variables of a MATLAB file of version 7 or older.

    Raises:
        InputError: it can't be read.
    """
    from scipy.io import loadmat

    try:
        return dict(loadmat(str(path)))
    except Exception as error:  # scipy's own MatReadError, and whatever damaged streams raise inside it
        raise InputError(f"can't be read as a MATLAB file ({error})", where=path, remedy="copy it again") from error


def texts_of(value: Any, where: object) -> list[str]:
    """Flat list of the texts of a MATLAB cell array or character matrix.

    Raises:
        InputError: a cell holds no single text.
        HostileFile: a text is a path that leaves its folder.
    """
    cells = [np.asarray(cell).ravel() for cell in np.asarray(value).ravel()]
    for number, cell in enumerate(cells, 1):
        if cell.size != 1 or not isinstance(cell[0], str):
            raise InputError(f"cell {number} holds no file name", where=where, remedy="copy the list again")
    texts = [str(cell[0]).strip() for cell in cells]
    for text in texts:
        refuse_escape(text, where=where)
    return texts


def variable(mat: dict[str, Any], key: str, where: object) -> Any:
    """One variable of a MATLAB file.

    Raises:
        InputError: it isn't there; the message names those that are.
    """
    if key not in mat:
        known = ", ".join(sorted(name for name in mat if not name.startswith("__"))) or "nothing"
        raise InputError(f"holds no {key!r}, only {known}", where=where, remedy="copy the list again")
    return mat[key]


def _from_mat(path: Path, keys: tuple[str, str]) -> Numbered:
    mat = read_mat(path)
    values = np.asarray(variable(mat, keys[1], path)).ravel()
    whole = values.dtype.kind in "iu" or (
        values.dtype.kind == "f" and bool(np.isfinite(values).all() and (values == np.floor(values)).all())
    )
    if not whole:
        raise InputError(f"{keys[1]!r} holds other things than integers", where=path, remedy="copy the list again")
    return texts_of(variable(mat, keys[0], path), path), values.astype(np.int64)


def _from_text(path: Path) -> Numbered:
    names, numbers = [], []
    for line, text in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        cells = text.replace(",", " ").split()
        if not cells:
            continue
        if len(cells) != 2 or not _is_number(cells[1]):
            raise InputError(f"line {line} is no `name number`", where=path, remedy="correct the list")
        refuse_escape(cells[0], where=path)
        names.append(cells[0])
        numbers.append(int(cells[1]))
    return names, np.array(numbers, np.int64)


def _all_known(names: list[str], folder: Path) -> NDArray[np.int64]:
    numbers = numbers_of(names)
    if (lost := np.flatnonzero(numbers == NOBODY)).size:
        raise InputError(
            f"{names[lost[0]]!r} does not start with a person's number and an underscore, nor do {len(lost) - 1} more",
            where=folder,
            remedy="put the benchmark's list of numbers beside the folder",
        )
    return numbers


def _check_same_people(names: list[str], numbers: NDArray[np.int64], where: Path) -> None:
    said = numbers_of(names)
    known = said != NOBODY
    both = np.unique(np.stack([said[known], numbers[known]]), axis=1)
    for side, other in ((0, 1), (1, 0)):
        people, times = np.unique(both[side], return_counts=True)
        if (times > 1).any():
            clash = both[:, both[side] == people[times > 1][0]]
            raise LabelError(
                f"{('names', 'numbers')[side]} say one person, {people[times > 1][0]}, where the"
                f" {('names', 'numbers')[other]} say {clash[other][0]} and {clash[other][1]}",
                where=where,
                remedy="take list and pictures from one download",
            )
