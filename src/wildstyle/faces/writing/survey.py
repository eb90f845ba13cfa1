"""What a source says of its faces, and which of it a format can't hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError
from wildstyle.faces.listing import Coded, facts_of, is_image
from wildstyle.faces.manifest import ManifestSource
from wildstyle.faces.pairs_bin import BinSource
from wildstyle.faces.source import FaceSource
from wildstyle.faces.table import TableSource
from wildstyle.faces.writing.naming import Namer, shared_file
from wildstyle.faces.writing.stored import FACTS, attributes_of, facts_said

_SAMPLE = 64
_FOLDERS = frozenset(("subject", "media"))
_WORDS = {
    "subject": "names of people",
    "min_side": "sizes before alignment",
    "detector_score": "detector scores",
    "eye_distance": "distances of the eyes",
    "label": "class numbers",
    "template": "templates",
    "role": "roles",
    "enrolled": "who is enrolled",
}


@dataclass(frozen=True)
class Survey:
    """What was found in one pass over the records; no picture was decoded.

    Attributes:
        faces: rows, those without a picture included.
        known: manifest columns that some face has.
        attributes: other columns, sorted.
        without_picture: rows for which no face was found.
        renamed: pictures whose name can't stay.
        media_alone: faces with a medium but without a person.
        altered: faces whose folders can't say person and medium as they are written.
        named: whether some person is more than a number.
        labels: (N,) int64 class numbers, -1 where unknown.
        ranked: whether the class numbers are no more than the rank of the people's names.
        picture_bytes: mean bytes of a picture, from a sample.
        pairs: whether the source is a pair set by its format.
    """

    faces: int
    known: frozenset[str]
    attributes: tuple[str, ...]
    without_picture: int
    renamed: int
    media_alone: int
    altered: int
    named: bool
    labels: NDArray[np.int64]
    ranked: bool
    picture_bytes: float
    pairs: bool


def has_picture(source: FaceSource, index: int) -> bool:
    """False where a manifest says that no face was found."""
    if isinstance(source, ManifestSource):
        return int(source.positions[index]) >= 0
    return source.has_picture(index) if isinstance(source, TableSource) else True


def survey(source: FaceSource, namer: Namer, *, on_progress: Callable[[int, int], None] | None = None) -> Survey:
    """Look at all records once, and foresee their names.

    Raises:
        InputError: as the source's records do.
    """
    labels, known, attributes = source.labels(), set[str](), set[str]()
    without = renamed = media_alone = altered = 0
    named = False
    for index in range(len(source)):
        record = source.record(index)
        stem, suffix = namer.foresee(record)
        known.update(facts_said(record))
        attributes.update(attributes_of(record))
        named = named or (record.subject is not None and record.subject != f"{source.name}#{record.label}")
        media_alone += record.media is not None and record.subject is None
        if not has_picture(source, index):
            without += 1
        else:
            file, row = shared_file(record.id)
            stays = stem + (suffix or "") == file and (row is None or namer.rules.rows_share)
            renamed += is_image(file) and not stays
        altered += record.subject is not None and facts_of(stem) != (record.subject, record.media)
        if on_progress is not None and index % 1000 == 0:
            on_progress(index, len(source))
    namer.seal()
    return Survey(
        faces=len(source),
        known=frozenset(known),
        attributes=tuple(sorted(attributes)),
        without_picture=without,
        renamed=renamed,
        media_alone=media_alone,
        altered=altered,
        named=named,
        labels=labels,
        ranked=np.array_equal(labels, Coded(source.subjects()).codes),
        picture_bytes=_mean_bytes(source),
        pairs=isinstance(source, BinSource),
    )


def _mean_bytes(source: FaceSource) -> float:
    sizes = []
    for index in np.linspace(0, len(source) - 1, min(_SAMPLE, len(source))).astype(int).tolist():
        try:
            sizes.append(len(source.encoded(index)))
        except InputError:
            continue
    return float(np.mean(sizes)) if sizes else 0.0


def what_is_lost(
    found: Survey, kind: str, holds: frozenset[str], *, rows: bool, paths: bool, pairs: bool
) -> str | None:
    """One sentence on what a format can't hold, or None where it holds all.

    Args:
        found: what there is.
        kind: the format, as in "a folder".
        holds: manifest columns that the format holds.
        rows: whether it holds rows without a picture.
        paths: whether it holds names of pictures.
        pairs: whether it holds pairs.
    """
    gone = found.known - holds
    if "subject" in holds and found.ranked:  # a reader numbers people in the same way
        gone -= {"label"}
    if not found.named:
        gone -= {"subject"}
    lost = [_WORDS.get(name, name) for name in FACTS if name in gone]
    if holds == _FOLDERS and found.media_alone:
        lost.append(f"the media of {found.media_alone} faces without a person")
    if holds == _FOLDERS and found.altered:
        lost.append(f"person or medium of {found.altered} faces as written (%XX stands for what no path holds)")
    if holds != frozenset(FACTS):
        lost += [f"column {name!r}" for name in found.attributes]
    if found.without_picture and not rows:
        lost.append(f"{found.without_picture} rows for which no face was found")
    if not paths:
        lost.append("names of pictures")
    elif found.renamed:
        lost.append(f"the names of {found.renamed} pictures, which get others")
    if found.pairs and not pairs:
        lost.append("which pictures form pairs")
    return f"{kind[0].upper()}{kind[1:]} can't hold {_listed(lost)}." if lost else None


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
