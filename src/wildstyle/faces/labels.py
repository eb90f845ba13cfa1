"""People as class numbers, and whether two sets are really apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import LabelError
from wildstyle.faces.source import FaceSource


def labels_of(source: FaceSource) -> NDArray[np.int64]:
    """Class index of every face, (N,) int64, -1 where the person is unknown."""
    return source.labels()


def check_labels(labels: NDArray[np.int64], classes: int, *, where: str | None = None) -> None:
    """See that every label fits a head with ``classes`` outputs; -1 (unknown) passes.

    Raises:
        LabelError: a label is below -1 or not below ``classes``; the first such face is named.
    """
    wrong = np.flatnonzero((labels < -1) | (labels >= classes))
    if len(wrong):
        raise LabelError(
            f"face {wrong[0]} has label {labels[wrong[0]]}, expected 0 to {classes - 1} (and {len(wrong) - 1} more)",
            where=where,
            remedy="number the people from 0 without gaps",
        )


def require_people(source: FaceSource, at_least: int = 2) -> NDArray[np.int64]:
    """Labels of a source that holds several people, (N,) int64.

    Raises:
        LabelError: fewer than ``at_least`` people are known: no person can be told from another.
    """
    labels = source.labels()
    people = len(np.unique(labels[labels >= 0]))
    if people < at_least:
        known = {0: "no person is known", 1: "one person only"}.get(people, f"{people} people only")
        raise LabelError(
            f"{known}, at least {at_least} are needed",
            where=source.location,
            remedy="store faces as <subject>/<file>, or give a manifest with a 'subject' column",
        )
    return labels


def shared_subjects(first: FaceSource, second: FaceSource) -> list[str]:
    """Names of people who are in both sources, sorted; names are compared as written, spaces as underscores."""
    return sorted(_people(first) & _people(second))


def _people(source: FaceSource) -> set[str]:
    return {name.strip().replace(" ", "_") for name in set(source.subjects()) if name}
