"""Whether faces are aligned already."""

from __future__ import annotations

import numpy as np

from wildstyle.faces.align import template_points
from wildstyle.faces.detect.detection import Detector
from wildstyle.faces.detect.search import find_faces
from wildstyle.faces.record import Pixels


def alignment_error(image: Pixels, detector: Detector, template: str = "arcface-112") -> float | None:
    """How far the detected points lie from the template, mean distance in px of a 112 px crop.

    Args:
        image: (S, S, 3) uint8 RGB.
        detector: any.
        template: a key of ``align.TEMPLATES``.

    Returns:
        None where no face is found or the picture is not square.
    """
    side = image.shape[0]
    if image.shape[1] != side or side < 16:
        return None
    found = find_faces(detector, image)
    if not found:
        return None
    face = max(found, key=lambda f: f.area)
    distances = np.hypot(*(face.landmarks - template_points(side, template)).T)
    return float(distances.mean() * 112 / side)


def looks_aligned(image: Pixels, detector: Detector, *, tolerance: float = 6.0) -> bool:
    """Whether the picture is square and its detected points lie on the template.

    One picture proves little, as profiles fit badly; ask for several and take the majority.

    Args:
        image: (H, W, 3) uint8 RGB.
        detector: any.
        tolerance: largest mean distance in px of a 112 px crop.
    """
    error = alignment_error(image, detector)
    return error is not None and error <= tolerance
