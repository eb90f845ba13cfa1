"""Answers of a person on a disk: a CSV that is only ever appended to, and filled-in copies of it.

Columns: ``kind,first,second,answer``; first and second are faces, so answers stay true when tracks are numbered anew.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from wildstyle.errors import InputError
from wildstyle.evaluation.asking import Kind
from wildstyle.evaluation.implied import Answer
from wildstyle.runs.atomic import storage_error

COLUMNS = ("kind", "first", "second", "answer")
WORDS: Mapping[str, Answer] = {
    "yes": "yes",
    "y": "yes",
    "no": "no",
    "n": "no",
    "unsure": "unsure",
    "can't tell": "unsure",
    "?": "unsure",
}


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """Whether two faces show one person.

    Attributes:
        kind: of the question.
        first, second: ids of the faces.
        answer: what was said.
    """

    kind: Kind
    first: str
    second: str
    answer: Answer


def read_answers(path: Path, known: Mapping[str, int]) -> list[GivenAnswer]:
    """Answers of a file, in order; rows with an empty answer are skipped, and a row that a power cut left unfinished.

    Args:
        path: CSV file.
        known: faces that may be named.

    Raises:
        InputError: the file can't be read, lacks a column, or has an answer or a face that is not known.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"answers can't be read ({error})", where=path, remedy="check the path") from error
    whole = text[: text.rfind("\n") + 1] if _torn(text) else text
    reader = csv.reader(io.StringIO(whole, newline=""))
    header = [cell.strip().lower() for cell in next(reader, [])]
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise InputError(
            f"has no column {', '.join(map(repr, missing))}",
            where=path,
            remedy=f"answers have the columns {','.join(COLUMNS)}; take the file that the page offers",
        )
    found = []
    for cells in reader:
        if any(cell.strip() for cell in cells):
            row = dict(zip(header, cells, strict=False))
            answer = _answer(row, f"{path}:{reader.line_num}", known)
            found += [answer] if answer is not None else []
    return found


def append_answers(path: Path, answers: Iterable[GivenAnswer]) -> None:
    """Add answers to the end of a file and wait until they are on the disk; a new file gets a header first.

    Raises:
        StorageError: the disk is full or not writable.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            if file.tell() == 0:
                writer.writerow(COLUMNS)
            else:
                _cut_torn_row(file)
            writer.writerows((a.kind, a.first, a.second, a.answer) for a in answers)
            file.write(text.getvalue().encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise storage_error(error, path) from error


def blank_answers(questions: Iterable[tuple[str, str, str]]) -> str:
    """CSV text of numbered questions (kind, first, second) whose answers are still empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("number", *COLUMNS))
    writer.writerows((number, *question, "") for number, question in enumerate(questions, 1))
    return text.getvalue()


def _cut_torn_row(file: io.BufferedRandom) -> None:
    file.seek(0)
    data = file.read()
    if not data.endswith(b"\n"):
        file.truncate(data.rfind(b"\n") + 1)
    file.seek(0, os.SEEK_END)


def _torn(text: str) -> bool:
    """Whether the last row has fewer cells than the header and no end of line."""
    if text.endswith("\n") or "\n" not in text:
        return False
    last = next(csv.reader([text[text.rfind("\n") + 1 :]]), [])
    return len(last) < len(COLUMNS) or last[-1].strip().lower() not in WORDS


def _answer(row: Mapping[str, str], where: str, known: Mapping[str, int]) -> GivenAnswer | None:
    said = row.get("answer", "").strip().lower()
    if not said:
        return None
    if said not in WORDS:
        raise InputError(f"answer is {said!r}", where=where, remedy="write yes, no or unsure, or leave it empty")
    kind = row.get("kind", "").strip()
    if kind not in get_args(Kind):
        raise InputError(f"kind is {kind!r}", where=where, remedy=f"leave it as it was: {', '.join(get_args(Kind))}")
    for column in ("first", "second"):
        if row.get(column, "") not in known:
            raise InputError(
                f"face {row.get(column, '')!r} is not in this footage",
                where=where,
                remedy="give the answers that belong to it",
            )
    return GivenAnswer(kind, row["first"], row["second"], WORDS[said])  # type: ignore[arg-type]
