"""What is known of one face, with and without its pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(H, W, 3) uint8, RGB."""


@dataclass(frozen=True, kw_only=True)
class FaceRecord:
    """All that is known of one face except its pixels.

    Attributes:
        id: unique inside its source, stable over time: member path, record key, ``video#frame#n``.
        source: name of the source it came from.
        label: class index >= 0 for training, or None where the person is unknown.
        subject: the person's name, or None. Two None are never the same person.
        media: film, video, camera-day or take the picture comes from, or None.
        template: name of the set of images that is matched as one, or None.
        landmarks: (5, 2) float32 in pixels of the stored image, x right, y down, in the order
            left eye (image left), right eye, nose, left mouth corner, right mouth corner; or None.
        detector_score: detector's confidence in [0, 1], or None.
        size_before: smaller side in px of the face box in the original picture, *before* alignment.
        eye_distance_before: distance of the eyes in px in the original picture, before alignment.
        attributes: any other column, as text.
    """

    id: str
    source: str
    label: int | None = None
    subject: str | None = None
    media: str | None = None
    template: str | None = None
    landmarks: NDArray[np.float32] | None = field(default=None, compare=False)
    detector_score: float | None = None
    size_before: float | None = None
    eye_distance_before: float | None = None
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)

    def with_(self, **changes: object) -> FaceRecord:
        """A copy with some fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


_NOTHING: Mapping[str, str] = {}


def brief_record(face_id: str, source: str, label: int | None, subject: str | None, media: str | None) -> FaceRecord:
    """A record with only these fields, four times as fast as by name.

    A frozen dataclass pays for each field when it is made, and one is made for every face that is read.
    """
    record = object.__new__(FaceRecord)
    fields = record.__dict__
    fields["id"] = face_id
    fields["source"] = source
    fields["label"] = label
    fields["subject"] = subject
    fields["media"] = media
    fields["attributes"] = _NOTHING
    return record


@dataclass(frozen=True, slots=True)
class Face:
    """One face: its pixels, (H, W, 3) uint8 RGB, and its record."""

    image: Pixels
    record: FaceRecord
