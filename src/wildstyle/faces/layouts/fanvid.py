"""Boxes with identities in short clips, as FANVID's task asks for them: what was there, or what a system found.

CSV with the columns ``clip, frame, x1, y1, x2, y2, identity``, or a JSON list of objects
``{"clip": ..., "frame": ..., "box": [x1, y1, x2, y2], "identity": ...}``; further columns are passed over. One row is
one box in one frame, in px with x2 > x1 and y2 > y1. Without ``identity`` a box of the truth is a distractor, a face
of nobody who is looked for, and a found box is one that was not named. A row that gives a clip only says that the
clip is there, though it shows no face.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import CorruptArchive, InputError

COLUMNS = ("clip", "frame", "x1", "y1", "x2", "y2", "identity")


@dataclass(frozen=True)
class VideoBoxes:
    """N boxes in C clips.

    Attributes:
        clips: C names, sorted.
        clip: (N,) int64 index of each box's clip.
        frame: (N,) int64 number of its frame.
        boxes: (N, 4) float64 px, x1 y1 x2 y2.
        identity: N names, None for a distractor or for a face that was not named.
    """

    clips: tuple[str, ...]
    clip: NDArray[np.int64]
    frame: NDArray[np.int64]
    boxes: NDArray[np.float64]
    identity: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.identity)


def read_video_boxes(path: str | Path) -> VideoBoxes:
    """Read boxes from ``.csv`` or ``.json``.

    Raises:
        InputError: the file is of another kind, can't be read, lacks a column, or a value is no number.
        CorruptArchive: a row is cut off.
    """
    path = Path(path)
    readers = {".csv": _csv_rows, ".json": _json_rows}
    if path.suffix.lower() not in readers:
        raise InputError("boxes are read from .csv or .json", where=path, remedy="name the file so")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"can't be read as text ({error})", where=path, remedy="check the path") from error
    clips: set[str] = set()
    found: list[tuple[str, int, list[float], str | None]] = []
    for where, row in readers[path.suffix.lower()](text, path):
        clip = row["clip"]
        if not clip:
            raise InputError("a row names no clip", where=where, remedy="fill the column")
        clips.add(clip)
        if any(row[name] for name in COLUMNS[1:]):
            found.append((clip, _frame(row["frame"], where), _box(row, where), row["identity"] or None))
    names = tuple(sorted(clips))
    place = {name: i for i, name in enumerate(names)}
    return VideoBoxes(
        names,
        np.array([place[clip] for clip, *_ in found], np.int64),
        np.array([frame for _, frame, *_ in found], np.int64),
        np.array([box for _, _, box, _ in found], np.float64).reshape(-1, 4),
        tuple(identity for *_, identity in found),
    )


def _csv_rows(text: str, path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip() for name in next(reader, [])]
    if missing := [name for name in COLUMNS if name not in header]:
        raise InputError(
            f"has no column {missing[0]!r}", where=path, remedy=f"the first line names {','.join(COLUMNS)}"
        )
    for cells in reader:
        if not cells:
            continue
        where = f"{path}:{reader.line_num}"
        if len(cells) != len(header):
            raise CorruptArchive(
                f"row has {len(cells)} cells, the header {len(header)}", where=where, remedy="is the file cut off?"
            )
        yield where, {name: cell.strip() for name, cell in zip(header, cells, strict=True)}


def _json_rows(text: str, path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise CorruptArchive(f"is no JSON ({error})", where=path, remedy="is the file cut off?") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError("is no list of objects", where=path, remedy='write [{"clip": ..., "frame": ..., ...}, ...]')
    for number, row in enumerate(rows, 1):
        where = f"{path}, object {number}"
        box = row.get("box")
        if box is not None and not (isinstance(box, list) and len(box) == 4):
            raise InputError("box is no list of four numbers", where=where, remedy="write [x1, y1, x2, y2]")
        given = {"clip": row.get("clip"), "frame": row.get("frame"), "identity": row.get("identity")}
        corners = dict(zip(COLUMNS[2:6], box or [None] * 4, strict=True))
        yield where, {name: _text(value) for name, value in {**given, **corners}.items()}


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _frame(text: str, where: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise InputError(f"frame is {text[:40]!r}, not an integer >= 0", where=where, remedy="number the frames")
    return int(text)


def _box(row: Mapping[str, str], where: str) -> list[float]:
    try:
        x1, y1, x2, y2 = box = [float(row[name]) for name in COLUMNS[2:6]]
    except ValueError as error:
        raise InputError(f"a corner is no number ({error})", where=where, remedy="correct the row") from error
    if not (np.isfinite(box).all() and x2 > x1 and y2 > y1):
        raise InputError(f"box {box} has no area", where=where, remedy="write x1,y1,x2,y2 with x2 > x1 and y2 > y1")
    return box
