"""Pictures that become faces of the wanted size when they are read: by given landmarks, or by plain resizing."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, UnreadableFace
from wildstyle.faces.align import align
from wildstyle.faces.record import Face, FaceRecord, Pixels
from wildstyle.faces.source import FaceSource


class Recut(FaceSource):
    """Faces cut out of the pictures of another source.

    Args:
        base: the pictures.
        rows: (N,) int64 picture of each face; -1 where a protocol names a face that has no picture.
        size: side of the faces in px.
        landmarks: (N, 5, 2) float32 px in the picture, NaN where none are known: those faces are failures. None: every
            picture is a face as it is and is resized (bicubic), whatever its proportions.
        names: N ids for the faces; by default those of the pictures.
        detector: (N,) float32 scores, or None.
    """

    def __init__(
        self,
        base: FaceSource,
        rows: NDArray[np.int64],
        size: int,
        *,
        landmarks: NDArray[np.float32] | None = None,
        names: Sequence[str] | None = None,
        detector: NDArray[np.float32] | None = None,
    ) -> None:
        for what, column in (("landmarks", landmarks), ("names", names), ("detector scores", detector)):
            if column is not None and len(column) != len(rows):
                raise InputError(f"{len(rows)} faces but {len(column)} {what}", where=base.location)
        self.base, self.rows, self.size = base, np.asarray(rows, np.int64), size
        self.landmarks, self.names, self.detector = landmarks, names, detector
        self.name, self.location = base.name, base.location

    def __len__(self) -> int:
        return len(self.rows)

    def record(self, index: int) -> FaceRecord:
        row = int(self.rows[index])
        known = self.base.record(row) if row >= 0 else FaceRecord(id=f"missing #{index}", source=self.name)
        if self.names is not None:
            known = known.with_(id=self.names[index])
        return known if self.detector is None else known.with_(detector_score=float(self.detector[index]))

    def encoded(self, index: int) -> bytes:
        return self.base.encoded(self._row(index))

    def read(self, index: int) -> Face:
        picture = self.base.read(self._row(index))
        if self.landmarks is None:
            return Face(resized(picture.image, self.size), self.record(index))
        points = self.landmarks[index]
        if not np.isfinite(points).all():
            raise UnreadableFace("no landmarks are known", where=f"{self.location}:{self.record(index).id}")
        return Face(align(picture.image, points, self.size), self.record(index))

    def _row(self, index: int) -> int:
        row = int(self.rows[index])
        if row < 0:
            raise UnreadableFace("the picture is missing", where=f"{self.location}:{self.record(index).id}")
        return row

    def close(self) -> None:
        self.base.close()


class Mirrored(FaceSource):
    """The faces of another source, left and right exchanged."""

    def __init__(self, base: FaceSource) -> None:
        self.base, self.name, self.location = base, base.name, base.location

    def __len__(self) -> int:
        return len(self.base)

    def record(self, index: int) -> FaceRecord:
        return self.base.record(index)

    def encoded(self, index: int) -> bytes:
        return self.base.encoded(index)

    def read(self, index: int) -> Face:
        face = self.base.read(index)
        return Face(np.ascontiguousarray(face.image[:, ::-1]), face.record)


def resized(image: Pixels, size: int) -> Pixels:
    """(H, W, 3) uint8 to (size, size, 3): bicubic upwards, by area downwards."""
    if image.shape[:2] == (size, size):
        return image
    larger = max(image.shape[:2]) <= size
    out = cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC if larger else cv2.INTER_AREA)
    return np.asarray(out, np.uint8)
