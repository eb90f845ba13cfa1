"""Who is searched among whom: the probes, the gallery and the watch list of one manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, LabelError
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.outcome import Vectors, checked_vectors, name_people
from wildstyle.evaluation.pooling import PLAIN_MEAN, PoolingRule
from wildstyle.evaluation.search import Search, Side, count_at_or_above, search
from wildstyle.evaluation.templates import Templates, build_templates
from wildstyle.faces.row import ManifestRow


@dataclass(frozen=True)
class Trial:
    """T probes, G gallery templates and P people.

    Attributes:
        probes: probe templates.
        gallery: gallery templates.
        names: P names.
        probe_people: (T,) int64.
        gallery_people: (G,) int64.
        in_gallery: (P,) bool, whether the person has gallery rows, failed or not.
        enrolled: (P,) bool, whether the person is on the watch list of the open-set part.
        distractors: (M, D) float32, or None.
    """

    probes: Templates
    gallery: Templates
    names: tuple[str, ...]
    probe_people: NDArray[np.int64]
    gallery_people: NDArray[np.int64]
    in_gallery: NDArray[np.bool_]
    enrolled: NDArray[np.bool_]
    distractors: Vectors | None

    @classmethod
    def of(
        cls,
        vectors: Vectors,
        ok: NDArray[np.bool_],
        rows: Sequence[ManifestRow],
        distractors: Vectors | None,
        *,
        rule: PoolingRule = PLAIN_MEAN,
        norms: NDArray[np.float32] | None = None,
    ) -> Trial:
        """Pool templates and name people; errors as in ``evaluate_identification``."""
        vectors, ok = checked_vectors(vectors, ok, len(rows))
        if distractors is not None:
            distractors = _checked_distractors(distractors, vectors.shape[1])
        probes = build_templates(vectors, ok, rows, "probe", rule=rule, norms=norms)
        gallery = build_templates(vectors, ok, rows, "gallery", rule=rule, norms=norms)
        labels, names = name_people([*probes.subjects, *gallery.subjects])
        in_gallery = np.zeros(len(names), bool)
        in_gallery[labels[len(probes) :]] = True
        return cls(
            probes=probes,
            gallery=gallery,
            names=names,
            probe_people=labels[: len(probes)],
            gallery_people=labels[len(probes) :],
            in_gallery=in_gallery,
            enrolled=_enrolled(rows, names, in_gallery),
            distractors=distractors,
        )

    @property
    def mated(self) -> NDArray[np.bool_]:
        """(T,) whether the probe's person is in the gallery, failed or not."""
        return self.in_gallery[self.probe_people]

    @property
    def on_list(self) -> NDArray[np.bool_]:
        """(T,) whether the probe's person is on the watch list."""
        return self.enrolled[self.probe_people]

    def search(self, people: NDArray[np.bool_], *, impostors_kept: int = 0) -> tuple[Search, Items]:
        """Search all good probes among the (P,) ``people``; failed probes find nobody."""
        inside = self.gallery.ok & people[self.gallery_people]
        ok = self.probes.ok
        probes = Side(self.probes.vectors, self.probe_people).part(ok)
        gallery = Side(self.gallery.vectors, self.gallery_people).part(inside)
        if not len(gallery):
            raise InputError("no face of the gallery has an embedding")
        found, impostors = search(probes, gallery, impostors_kept=impostors_kept)
        rows = np.flatnonzero(ok)
        return found.spread(ok), replace(impostors, rows=None if impostors.rows is None else rows[impostors.rows])

    def distractors_ahead(self, mate: NDArray[np.float32]) -> NDArray[np.int64]:
        """(T,) distractors that reach the mate's score."""
        if self.distractors is None:
            return np.zeros(len(mate), np.int64)
        return count_at_or_above(self.probes.vectors, mate, self.distractors)

    def probes_per_person(self, part: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """(P,) good probes of each person, of a (T,) part of them where one is given."""
        chosen = self.probes.ok if part is None else self.probes.ok & part
        return np.bincount(self.probe_people[chosen], minlength=len(self.names))

    def candidates_per_person(self) -> NDArray[np.int64]:
        """(P,) 1 for each person with a good gallery template."""
        return np.minimum(np.bincount(self.gallery_people[self.gallery.ok], minlength=len(self.names)), 1)

    def sharing_media(self, rows: Sequence[ManifestRow]) -> int:
        """How many mated probes show their person in a medium that the person's gallery uses."""
        used = {(rows[i].subject, rows[i].media) for group in self.gallery.rows for i in group}
        return sum(
            any(rows[i].media is not None and (rows[i].subject, rows[i].media) in used for i in group)
            for group, mated in zip(self.probes.rows, self.mated, strict=True)
            if mated
        )

    def counts(self) -> dict[str, int]:
        """Sizes for the result."""
        listed, ok = self.on_list, self.probes.ok
        return {
            "people": len(self.names),
            "gallery people": int(self.in_gallery.sum()),
            "gallery faces": self.gallery.faces,
            "gallery failures": self.gallery.failures,
            "probes": len(self.probes),
            "probe faces": self.probes.faces,
            "probe failures": int((~ok).sum()),
            "mated probes": int(self.mated.sum()),
            "distractors": 0 if self.distractors is None else len(self.distractors),
            "enrolled people": int(self.enrolled.sum()),
            "open-set mated probes": int(listed.sum()),
            "open-set non-mated probes": int((~listed & ok).sum()),
        }


def _enrolled(rows: Sequence[ManifestRow], names: tuple[str, ...], in_gallery: NDArray[np.bool_]) -> NDArray[np.bool_]:
    index = {name: i for i, name in enumerate(names)}
    said: dict[int, bool] = {}
    for row in rows:
        if row.enrolled is None or row.subject is None or row.subject not in index:
            continue
        person = index[row.subject]
        if said.setdefault(person, row.enrolled) != row.enrolled:
            raise LabelError("a person is both enrolled and not enrolled", where=row.subject)
        if row.enrolled and not in_gallery[person]:
            raise LabelError("a person is enrolled but has no gallery rows", where=row.subject)
    out = in_gallery.copy()
    out[list(said)] = list(said.values())
    return out


def _checked_distractors(distractors: Vectors, width: int) -> Vectors:
    checked, _ = checked_vectors(distractors, np.ones(len(distractors), bool), len(distractors))
    if checked.shape[1] != width:
        raise InputError(f"distractors have {checked.shape[1]} numbers, the faces {width}")
    return checked
