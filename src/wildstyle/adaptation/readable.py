"""Some faces of a source, in memory."""

from __future__ import annotations

import numpy as np

from wildstyle.errors import UnreadableFace
from wildstyle.faces.record import Face
from wildstyle.faces.source import FaceSource
from wildstyle.randomness import item_rng


def readable_faces(faces: FaceSource, most: int, seed: int, name: str) -> list[Face]:
    """Those that can be read of at most ``most`` faces, drawn by seed and name, in the order of the source."""
    found = []
    for index in np.sort(item_rng(seed, name).permutation(len(faces))[:most]):
        try:
            found.append(faces.read(int(index)))
        except UnreadableFace:
            continue
    return found
