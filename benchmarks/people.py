"""Which people are put aside."""

from __future__ import annotations

from wildstyle.faces import FaceSource, Subset


def split(faces: FaceSource, every: int) -> tuple[FaceSource, FaceSource]:
    """All faces but those of every n-th person by name, and those."""
    subjects = faces.subjects()
    names = sorted({s for s in subjects if s is not None})
    held = set(names[::every])
    sides = [[i for i, s in enumerate(subjects) if (s in held) == side] for side in (False, True)]
    return Subset(faces, sides[0]), Subset(faces, sides[1])
