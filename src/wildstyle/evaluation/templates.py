"""From rows of a manifest to gallery and probe templates.

A template is the mean of its faces' unit embeddings, normalised. Failed faces are left out of the mean; a template
none of whose faces has an embedding is a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, LabelError
from wildstyle.evaluation.outcome import Vectors
from wildstyle.faces.row import ManifestRow


@dataclass(frozen=True)
class Templates:
    """T templates of one role.

    Attributes:
        vectors: (T, D) float32 unit; zeros where the template failed.
        ok: (T,) bool.
        subjects: T people, None where unknown.
        rows: T tuples of row numbers, in the manifest's order.
        faces: number of faces.
        failures: number of failed faces.
    """

    vectors: Vectors
    ok: NDArray[np.bool_]
    subjects: tuple[str | None, ...]
    rows: tuple[tuple[int, ...], ...]
    faces: int
    failures: int

    def __len__(self) -> int:
        return len(self.rows)


def build_templates(vectors: Vectors, ok: NDArray[np.bool_], rows: Sequence[ManifestRow], role: str) -> Templates:
    """Pool the faces of one role into templates, ordered by first appearance.

    Args:
        vectors: (R, D) float32 unit embeddings, one a row of the manifest.
        ok: (R,) bool.
        rows: the manifest's rows.
        role: ``gallery`` or ``probe``.

    Raises:
        LabelError: one template shows two people.
        InputError: no row has that role.
    """
    members: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        if row.role == role:
            members.setdefault(row.template or f"\0row {i}", []).append(i)
    if not members:
        raise InputError(f"no row of the manifest has the role {role!r}", remedy="name roles 'gallery' and 'probe'")
    groups = tuple(tuple(m) for m in members.values())
    pooled, good = _pool(vectors, ok, groups)
    flat = np.concatenate([np.asarray(g) for g in groups])
    return Templates(
        vectors=pooled,
        ok=good,
        subjects=tuple(_single_subject(rows, name, group) for name, group in zip(members, groups, strict=True)),
        rows=groups,
        faces=len(flat),
        failures=int((~ok[flat]).sum()),
    )


def _single_subject(rows: Sequence[ManifestRow], name: str, group: tuple[int, ...]) -> str | None:
    subjects = {rows[i].subject for i in group}
    if len(subjects) > 1:
        shown = " and ".join(sorted(str(s) for s in subjects)[:2])
        raise LabelError("one template holds faces of two people", where=f"{name} ({shown})")
    return subjects.pop()


def _pool(
    vectors: Vectors, ok: NDArray[np.bool_], groups: Sequence[tuple[int, ...]]
) -> tuple[Vectors, NDArray[np.bool_]]:
    sizes = np.array([len(g) for g in groups])
    flat = np.concatenate([np.asarray(g) for g in groups])
    used = np.where(ok[flat, None], vectors[flat], np.float32(0))
    sums = np.add.reduceat(used, np.cumsum(sizes) - sizes, axis=0)
    lengths = np.linalg.norm(sums, axis=1)
    good = lengths > 1e-6
    return (sums / np.where(good, lengths, 1)[:, None]).astype(np.float32), good


def template_value(
    templates: Templates,
    rows: Sequence[ManifestRow],
    ok: NDArray[np.bool_],
    value: Callable[[ManifestRow], float | None],
) -> NDArray[np.float64]:
    """(T,) median of a number over each template's good faces, NaN where none has it."""
    out = np.full(len(templates), np.nan)
    for t, group in enumerate(templates.rows):
        known = [v for i in group if ok[i] and (v := value(rows[i])) is not None]
        if known:
            out[t] = np.median(known)
    return out


def template_text(
    templates: Templates, rows: Sequence[ManifestRow], value: Callable[[ManifestRow], str | None]
) -> list[str | None]:
    """T texts of a column; None where a template's faces differ or have none."""
    texts = [{value(rows[i]) for i in group} for group in templates.rows]
    return [found.pop() if len(found) == 1 else None for found in texts]
