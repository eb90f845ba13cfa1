"""What is stated of the licences of files a user brings: in contracts, beside the files, or by the user."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from wildstyle.errors import SettingError, WildstyleError
from wildstyle.recognisers import read_contract
from wildstyle.recognisers.files import SUFFIXES
from wildstyle.report import Licence

if TYPE_CHECKING:
    from wildstyle.verbs.jobs import AdaptJob, EvaluateJob

_LICENCE_FILES = ("LICENSE*", "LICENCE*", "COPYING*")
_READMES = ("README*", "DATASET*.md", "DATASHEET*")
_MODELS = SUFFIXES
_LONGEST = 200_000
_HEADING = re.compile(r"^\W*(?:the )?licen[cs]e\b", re.IGNORECASE)

# Most telling first; a phrase that forbids trade is told beside the licence's name.
_KNOWN = (
    ("AGPL-3.0", r"\bAGPL|Affero General Public"),
    ("LGPL", r"\bLGPL|Lesser General Public"),
    ("GPL", r"(?<!A)(?<!L)\bGPL|(?<!Affero )(?<!Lesser )GNU General Public"),
    ("Apache-2.0", r"\bApache[ -]?(?:License,? )?(?:Version )?-?2(?:\.0)?"),
    ("BSD-3-Clause", r"\bBSD[ -]?3|BSD 3-Clause|Neither the name of"),
    ("BSD-2-Clause", r"\bBSD[ -]?2"),
    ("MIT", r"\bMIT\b(?! Press)|Permission is hereby granted, free of charge"),
    ("CC0", r"\bCC0\b|CC Zero"),
    ("CC BY-NC-SA", r"\bCC[ -]BY-NC-SA|Attribution-NonCommercial-ShareAlike"),
    ("CC BY-NC-ND", r"\bCC[ -]BY-NC-ND|Attribution-NonCommercial-NoDeriv"),
    ("CC BY-NC", r"\bCC[ -]BY-NC(?!-)|Attribution-NonCommercial(?!-)"),
    ("CC BY-SA", r"\bCC[ -]BY-SA|Attribution-ShareAlike"),
    ("CC BY", r"\bCC[ -]BY(?!-)|Creative Commons Attribution(?!-)"),
    ("ODbL", r"\bODbL\b|Open Database License"),
    ("non-commercial", r"\bnon-?commercial\b"),
    ("research only", r"\b(?:academic |scientific )?research (?:use |purposes? )?only|only for (?:\w+ )?research"),
)


def licences_of(brought: Mapping[str, Path], stated: Mapping[str, str] | None = None) -> tuple[Licence, ...]:
    """The ledger for files the user brought, by what they are to the user.

    What the user states wins, then a model's own contract, then ``<file>.license``, a LICENSE in the folder and a
    README that names the file. What is found nowhere is listed without a licence.

    Args:
        brought: path by name, e.g. ``{"recogniser": Path("mine.onnx"), "shop": Path("shop.csv")}``.
        stated: licence by the same names; further names make entries without a file.
    """
    stated = dict(stated or {})
    entries = []
    for name, path in brought.items():
        if name in stated:
            licence, source = stated.pop(name), "the user"
        else:
            licence, source = next(_found(path), ("", ""))
        entries.append(Licence(name=name, file=path.name, licence=licence or None, source=source))
    return (*entries, *(Licence(name=n, licence=text, source="the user") for n, text in stated.items()))


def brought_to(job: AdaptJob | EvaluateJob) -> dict[str, Path]:
    """Paths of all files a job brings in, by what they are to the user."""
    from wildstyle.verbs.jobs import AdaptJob

    brought = {"recogniser": job.recogniser}
    if isinstance(job, AdaptJob):
        brought["source"] = job.source
        brought |= {"target" if i == 0 else f"target {i + 1}": path for i, path in enumerate(job.target)}
        brought |= {"detector": job.detector} if job.detector is not None else {}
    for spec in job.evaluate:
        brought[spec.name] = spec.path
        brought |= {f"{spec.name}, distractors": spec.distractors} if spec.distractors is not None else {}
    return brought


def parse_licence(text: str) -> tuple[str, str]:
    """Read ``name=licence``.

    Raises:
        SettingError: the text has another form.

    >>> parse_licence("lfw=research only")
    ('lfw', 'research only')
    """
    name, equals, licence = (part.strip() for part in text.partition("="))
    if not (name and equals and licence):
        raise SettingError(f"licence {text!r} has not the form name=licence", remedy="write for example lfw=CC-BY-4.0")
    return name, licence


def licence_in(text: str) -> str:
    """Names of the licences a text speaks of, "" where it names none that is known.

    >>> licence_in("Released under CC BY-NC-SA 4.0, non-commercial use"), licence_in("Ask us.")
    ('CC BY-NC-SA, non-commercial', '')
    """
    return ", ".join(name for name, pattern in _KNOWN if re.search(pattern, text, re.IGNORECASE))


def _found(path: Path) -> Iterator[tuple[str, str]]:
    """Licences and where they are stated, most trusted first."""
    if licence := _of_contract(path):
        yield licence, "contract"
    own = path.with_name(f"{path.name}.license")
    if own.is_file() and (licence := licence_in(_text(own))):
        yield licence, own.name
    folder = path if path.is_dir() else path.parent
    readmes = [file for pattern in _READMES for file in sorted(folder.glob(pattern))]
    for file in [*readmes, *(f for p in _READMES for f in sorted(folder.absolute().parent.glob(p)))]:
        if licence := licence_in("\n".join(_lines_on(path, file))):
            yield licence, file.name
    for pattern in _LICENCE_FILES:
        for file in sorted(folder.glob(pattern)):
            if file.is_file():
                yield licence_in(_text(file)) or "own terms", file.name
    for file in readmes:
        if licence := licence_in("\n".join(_under_heading(_text(file)))):
            yield licence, file.name


def _of_contract(path: Path) -> str:
    if path.suffix.lower() not in _MODELS or not path.is_file():
        return ""
    try:
        contract = read_contract(path)
    except WildstyleError:
        return ""
    return "" if contract is None or contract.licence == "unknown" else contract.licence


def _lines_on(path: Path, file: Path) -> list[str]:
    """Lines of a README that name a file; a folder named like its parent speaks of something else."""
    return [line for line in _text(file).splitlines() if re.search(rf"(?<![\w.-]){re.escape(path.name)}(?!\w)", line)]


def _under_heading(text: str) -> list[str]:
    """Lines that begin with "licence", each with the three after it."""
    lines = text.splitlines()
    return [line for i, start in enumerate(lines) if _HEADING.match(start) for line in lines[i : i + 4]]


def _text(file: Path) -> str:
    try:
        with open(file, "rb") as opened:
            return opened.read(_LONGEST).decode("utf-8", "replace")
    except OSError:
        return ""
