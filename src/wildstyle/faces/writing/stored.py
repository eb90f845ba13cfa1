"""One face on its way into a file: what is known of it, its name there, its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from wildstyle.errors import InputError
from wildstyle.faces.record import FaceRecord
from wildstyle.faces.row import KNOWN_COLUMNS, parse_row

FACTS = tuple(name for name in KNOWN_COLUMNS if name != "file")
"""All that a manifest can say of a face, attributes aside."""


@dataclass(frozen=True, slots=True)
class StoredFace:
    """A face to be written.

    Attributes:
        record: what is known of it.
        file: its relative path in the target, or None where no face was found.
        data: encoded picture, copied as it is; None where no face was found.
    """

    record: FaceRecord
    file: str | None
    data: bytes | None


class FaceWriter(Protocol):
    """Takes faces one by one; used in a ``with`` block, which closes its files."""

    def add(self, face: StoredFace) -> None:
        """Write the next face."""

    def finish(self) -> list[str]:
        """Write what comes last; names of the files in the folder it was given, the one to be opened last."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def facts_said(record: FaceRecord) -> dict[str, object]:
    """What is known of a face, by manifest column; unknown things are missing, numbers are exact.

    ``landmarks`` is a list of ten floats, x before y; ``enrolled`` a bool.

    Raises:
        InputError: ``enrolled`` is neither 0 nor 1.
    """
    role, enrolled = record.attributes.get("role"), record.attributes.get("enrolled")
    points = None if record.landmarks is None else [float(v) for v in record.landmarks.ravel()]
    flag = None if enrolled is None else parse_row({"enrolled": enrolled}, where=record.id).enrolled
    said: dict[str, object | None] = {
        "subject": record.subject,
        "media": record.media,
        "template": record.template,
        "role": role,
        "enrolled": flag,
        "min_side": record.size_before,
        "detector_score": record.detector_score,
        "eye_distance": record.eye_distance_before,
        "landmarks": points,
        "label": record.label,
    }
    return {column: value for column, value in said.items() if value is not None}


def attributes_of(record: FaceRecord) -> Mapping[str, str]:
    """The other columns, as text."""
    return {name: text for name, text in record.attributes.items() if name not in ("role", "enrolled")}


def needed_picture(face: StoredFace, kind: str) -> tuple[str, bytes]:
    """Name and bytes of a face for a format that holds pictures only.

    Raises:
        InputError: the face has no picture.
    """
    if face.file is None or face.data is None:
        raise InputError(f"face {face.record.id!r} has no picture, {kind} can't hold it", where=face.record.source)
    return face.file, face.data
