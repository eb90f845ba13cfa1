"""From rows of a manifest to gallery and probe templates.

A template is pooled by a ``PoolingRule``: the mean of its faces' unit embeddings, normalised, unless said otherwise.
Failed faces are left out; a template none of whose faces has an embedding is a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, LabelError
from wildstyle.evaluation.outcome import Vectors
from wildstyle.evaluation.pooling import PLAIN_MEAN, PoolingRule, pool
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


def build_templates(
    vectors: Vectors,
    ok: NDArray[np.bool_],
    rows: Sequence[ManifestRow],
    role: str,
    *,
    rule: PoolingRule = PLAIN_MEAN,
    norms: NDArray[np.float32] | None = None,
) -> Templates:
    """Pool the faces of one role into templates, ordered by first appearance.

    Args:
        vectors: (R, D) float32 unit embeddings, one a row of the manifest.
        ok: (R,) bool.
        rows: the manifest's rows.
        role: ``gallery`` or ``probe``.
        rule: how much each face counts.
        norms: (R,) float32 lengths of the embeddings; a rule that weighs by norm needs them.

    Raises:
        LabelError: one template shows two people.
        InputError: no row has that role, or the rule needs what is not there.
    """
    members: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        if row.role == role:
            members.setdefault(row.template or f"\0row {i}", []).append(i)
    if not members:
        raise InputError(f"no row of the manifest has the role {role!r}", remedy="name roles 'gallery' and 'probe'")
    if rule.norm and norms is None:
        raise InputError(f"pooling {rule.name} weighs faces by the length of their embeddings, which are not known")
    groups = tuple(tuple(m) for m in members.values())
    flat = np.concatenate([np.asarray(g) for g in groups])
    pooled = pool(
        np.where(ok[flat, None], vectors[flat], np.float32(0)),
        np.repeat(np.arange(len(groups)), [len(g) for g in groups]),
        media=_media(rows, flat),
        norms=np.ones(len(flat), np.float32) if norms is None else norms[flat],
        detector=_detector_scores(rows, flat) if rule.detector else None,
        ok=ok[flat],
        rule=rule,
    )
    return Templates(
        vectors=pooled.vectors,
        ok=pooled.ok,
        subjects=tuple(_single_subject(rows, name, group) for name, group in zip(members, groups, strict=True)),
        rows=groups,
        faces=len(flat),
        failures=int((~ok[flat]).sum()),
    )


def _media(rows: Sequence[ManifestRow], flat: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of each face's medium; a face of an unknown medium is one of its own."""
    names = [rows[i].media or f"\0row {i}" for i in flat.tolist()]
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)


def _detector_scores(rows: Sequence[ManifestRow], flat: NDArray[np.int64]) -> NDArray[np.float32]:
    scores = [rows[i].detector_score for i in flat.tolist()]
    if any(score is None for score in scores):
        raise InputError(
            "pooling by detector score needs one for every face", remedy="fill the column detector_score, or use D0"
        )
    return np.array(scores, np.float32)


def _single_subject(rows: Sequence[ManifestRow], name: str, group: tuple[int, ...]) -> str | None:
    subjects = {rows[i].subject for i in group}
    if len(subjects) > 1:
        shown = " and ".join(sorted(str(s) for s in subjects)[:2])
        raise LabelError("one template holds faces of two people", where=f"{name} ({shown})")
    return subjects.pop()


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
