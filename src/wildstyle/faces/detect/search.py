"""A second and third look for pictures that are cut tightly around a face.

Detectors expect some surroundings. Where a picture shows only a face, a black margin around it is
what lets them find it; and the wider the margin, the smaller the face appears to the network.
"""

from __future__ import annotations

import numpy as np

from wildstyle.faces.detect.detection import Detection, Detector
from wildstyle.faces.record import Pixels

MARGINS = (0.0, 0.5, 1.5)
"""Margins to try, as shares of the longer side, on each side of the picture."""


def find_faces(
    detector: Detector, image: Pixels, *, least_score: float = 0.0, margins: tuple[float, ...] = MARGINS
) -> list[Detection]:
    """Detect with ever wider margins until a face is found.

    Args:
        detector: any detector.
        image: (H, W, 3) uint8 RGB.
        least_score: detections below it don't count.
        margins: as MARGINS; the first look that finds a face decides.

    Returns:
        Faces in px of ``image``, best first; boxes and points may lie outside of it.
    """
    for margin in margins:
        width = round(margin * max(image.shape[:2]))
        padded = np.pad(image, ((width, width), (width, width), (0, 0))) if width else image
        found = [face for face in detector.detect(padded) if face.score >= least_score]
        if found:
            return [face.mapped(1.0, (-width, -width)) for face in found]
    return []
