"""What a face detector answers, and the wall between detectors and everything else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from wildstyle.faces.record import Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One face found in a picture.

    Attributes:
        box: (4,) float32, left, top, right, bottom in px of the picture; may reach outside it.
        landmarks: (5, 2) float32 in px, x right, y down, in the order left eye (image left), right eye,
            nose, left mouth corner, right mouth corner.
        score: the detector's confidence in [0, 1]; not comparable between detectors.
    """

    box: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    score: float

    @property
    def side(self) -> float:
        """Smaller side of the box in px."""
        return float(min(self.box[2] - self.box[0], self.box[3] - self.box[1]))

    @property
    def area(self) -> float:
        """Area of the box in square px."""
        return float((self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))

    @property
    def eye_distance(self) -> float:
        """Distance between the eyes in px."""
        return float(np.hypot(*(self.landmarks[1] - self.landmarks[0])))

    def moved(self, x: float, y: float) -> Detection:
        """The same face seen from a picture whose origin lies at (-x, -y)."""
        return self._mapped(1.0, x, y)

    def unscaled(self, scale: float) -> Detection:
        """The same face in the picture that was resized by ``scale`` before detection.

        Coordinates are those of pixel centres, so half a pixel goes missing on the way: without it a
        face that was enlarged eight times would come out 0.44 px too far to the right and down.
        """
        rest = 0.5 / scale - 0.5
        return self._mapped(1 / scale, rest, rest)

    def _mapped(self, scale: float, x: float, y: float) -> Detection:
        shift = np.array([x, y])
        box = (self.box * scale + np.tile(shift, 2)).astype(np.float32)
        return Detection(box, (self.landmarks * scale + shift).astype(np.float32), self.score)


@runtime_checkable
class Detector(Protocol):
    """Finds faces with five landmarks. ``detect`` may be called from several threads.

    Attributes:
        name: kind or file stem, with the first digits of the weights' SHA-256, for provenance.
    """

    name: str

    def detect(self, image: Pixels) -> list[Detection]:
        """Faces in ``image``, (H, W, 3) uint8 RGB, best score first; empty when there is none."""
        ...


def overlaps(box: NDArray[np.float32], others: NDArray[np.float32], *, of_smaller: bool = False) -> NDArray[np.float32]:
    """Overlap of one box (4,) with N others (N, 4), in [0, 1].

    Intersection over union, or over the smaller of the two areas.
    """
    corner = np.maximum(box[:2], others[:, :2])
    extent = np.maximum(np.minimum(box[2:], others[:, 2:]) - corner, 0)
    shared = extent[:, 0] * extent[:, 1]
    own = (box[2] - box[0]) * (box[3] - box[1])
    areas = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
    whole = np.minimum(own, areas) if of_smaller else own + areas - shared
    return np.asarray(shared / np.maximum(whole, 1e-9), np.float32)


def suppress(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], threshold: float, *, of_smaller: bool = False
) -> NDArray[np.int64]:
    """Greedy non-maximum suppression.

    Args:
        boxes: (N, 4) float32, left, top, right, bottom.
        scores: (N,) float32.
        threshold: a box that overlaps a kept, better one by more than this is dropped.
        of_smaller: measure overlap against the smaller box instead of the union.

    Returns:
        Indices of kept boxes, best first; of equal scores the earlier box wins.
    """
    waiting = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while waiting.size:
        best, rest = int(waiting[0]), waiting[1:]
        kept.append(best)
        waiting = rest[overlaps(boxes[best], boxes[rest], of_smaller=of_smaller) <= threshold]
    return np.asarray(kept, np.int64)
