"""Further looks at pictures that are cut tightly around a face.

Detectors expect some surroundings. Where a face fills the picture, a black margin lets them find it,
and places their points better; the wider the margin, the smaller the face appears to the network.
"""

from __future__ import annotations

import numpy as np

from wildstyle.faces.detect.detection import Detection, Detector
from wildstyle.faces.detect.scaling import scaled
from wildstyle.faces.record import Pixels

MARGINS = (0.5, 1.5, 0.25)
"""Margins to try in turn, as shares of the longer side, on each side of the picture."""

_FILLS = 0.6
_LONGEST = 1024


def find_faces(
    detector: Detector, image: Pixels, *, least_score: float = 0.0, margins: tuple[float, ...] = MARGINS
) -> list[Detection]:
    """Detect; where nothing is found or a face fills the picture, detect again with a margin.

    Args:
        detector: any detector.
        image: (H, W, 3) uint8 RGB.
        least_score: detections below it don't count.
        margins: as MARGINS; the first with a face decides, the look without margin counts if none has.

    Returns:
        Faces in px of ``image``, best first; boxes and points may lie outside of it.
    """
    plain = _look(detector, image, least_score, 0.0)
    if plain and not _fills(plain[0], image):
        return plain
    for margin in margins:
        found = _look(detector, image, least_score, margin)
        if found:
            return found
    return plain


def _look(detector: Detector, image: Pixels, least_score: float, margin: float) -> list[Detection]:
    if not margin:
        return [face for face in detector.detect(image) if face.score >= least_score]
    # A margin of 1.5 makes a picture 16 times as large; what detectors would shrink anyway is shrunk before.
    scale = min(1.0, _LONGEST / max(image.shape[:2]))
    small = scaled(image, scale)
    width = round(margin * max(small.shape[:2]))
    padded = np.pad(small, ((width, width), (width, width), (0, 0)))
    found = [face for face in detector.detect(padded) if face.score >= least_score]
    return [face.moved(-width, -width).unscaled(scale) for face in found]


def _fills(face: Detection, image: Pixels) -> bool:
    return bool(face.side > _FILLS * min(image.shape[:2]))
