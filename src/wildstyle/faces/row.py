"""One row of a manifest: what a user or a protocol says of one face, in text columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, LabelError
from wildstyle.faces.listing import refuse_escape
from wildstyle.faces.record import FaceRecord

KNOWN_COLUMNS = (
    "file",
    "subject",
    "media",
    "template",
    "role",
    "enrolled",
    "min_side",
    "detector_score",
    "eye_distance",
    "landmarks",
    "label",
)
ALIASES = {"size_before": "min_side", "eye_distance_before": "eye_distance"}
_YES, _NO = frozenset(("1", "true", "yes")), frozenset(("0", "false", "no"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRow:
    """One face as a manifest describes it; None where a cell is empty or the column is missing.

    Attributes:
        file: id of the face in its source, or None where no face was found (a failure to enrol).
        subject, media, template: as in ``FaceRecord``.
        role: ``gallery``, ``probe`` or any other word of a protocol.
        enrolled: whether the person is in the gallery of the open-set part.
        min_side: smaller side of the face box in px before alignment.
        eye_distance: distance of the eyes in px before alignment.
        detector_score: detector's confidence.
        label: class index >= 0 for training.
        landmarks: (5, 2) float32 in px of the stored image.
        attributes: all other columns that are not empty, as text.
    """

    file: str | None = None
    subject: str | None = None
    media: str | None = None
    template: str | None = None
    role: str | None = None
    enrolled: bool | None = None
    min_side: float | None = None
    eye_distance: float | None = None
    detector_score: float | None = None
    label: int | None = None
    landmarks: NDArray[np.float32] | None = field(default=None, compare=False)
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)

    def described(self, record: FaceRecord) -> FaceRecord:
        """``record`` with what this row knows laid over it; role and enrolment become attributes."""
        said = {
            "label": self.label,
            "subject": self.subject,
            "media": self.media,
            "template": self.template,
            "landmarks": self.landmarks,
            "detector_score": self.detector_score,
            "size_before": self.min_side,
            "eye_distance_before": self.eye_distance,
        }
        attributes = {**record.attributes, **self.attributes}
        if self.role is not None:
            attributes["role"] = self.role
        if self.enrolled is not None:
            attributes["enrolled"] = str(int(self.enrolled))
        changes: dict[str, object] = {key: value for key, value in said.items() if value is not None}
        return record.with_(attributes=attributes, **changes)


def parse_row(columns: Mapping[str, str], *, where: str) -> ManifestRow:
    """Read one row of text cells; empty cells count as missing.

    Args:
        columns: cell by column; the ten numbers of ``landmarks`` are separated by blanks, x before y.
        where: file and line, for messages.

    Raises:
        InputError: a cell that must be a number or 0/1 is not.
        LabelError: the label is no integer >= 0.
        HostileFile: the file name is absolute or climbs out of its folder.
    """
    cells = {ALIASES.get(key, key): value.strip() for key, value in columns.items() if value and value.strip()}
    file = cells.get("file")
    if file is not None:
        refuse_escape(file, where=where)
    return ManifestRow(
        file=file,
        subject=cells.get("subject"),
        media=cells.get("media"),
        template=cells.get("template"),
        role=cells.get("role"),
        enrolled=_flag(cells.get("enrolled"), "enrolled", where),
        min_side=_number(cells.get("min_side"), "min_side", where),
        eye_distance=_number(cells.get("eye_distance"), "eye_distance", where),
        detector_score=_number(cells.get("detector_score"), "detector_score", where),
        label=_label(cells.get("label"), where),
        landmarks=_landmarks(cells.get("landmarks"), where),
        attributes={key: value for key, value in cells.items() if key not in KNOWN_COLUMNS},
    )


def _number(text: str | None, column: str, where: str) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise InputError(f"{column} is {text!r}, not a number >= 0", where=where, remedy="correct it or leave it empty")
    return value


def _flag(text: str | None, column: str, where: str) -> bool | None:
    if text is None:
        return None
    if text.lower() not in _YES | _NO:
        raise InputError(f"{column} is {text!r}, not 0 or 1", where=where, remedy="correct it or leave it empty")
    return text.lower() in _YES


def _label(text: str | None, where: str) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise LabelError(
            f"label is {text!r}, not an integer from 0 to 999999999",
            where=where,
            remedy="number the people from 0, or leave it empty where the person is unknown",
        )
    return int(text)


def _landmarks(text: str | None, where: str) -> NDArray[np.float32] | None:
    if text is None:
        return None
    try:
        points = np.array([float(number) for number in text.split()], np.float32)
    except ValueError:
        points = np.zeros(0, np.float32)
    if points.shape != (10,) or not np.isfinite(points).all():
        raise InputError(f"landmarks are {text[:60]!r}, not ten numbers x y x y ...", where=where)
    return points.reshape(5, 2)
