"""A stated sub-sample of a labelled set, decoded, with the comparisons its protocol makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import LabelError, UnreadableFace
from wildstyle.faces import Face, FaceRecord, FaceSource, ManifestRow, PairList, Pixels, encode_png, stream
from wildstyle.randomness import item_rng
from wildstyle.verbs.doctoring.separation import Comparisons
from wildstyle.verbs.measuring import LabelledSet, spread

_GALLERY = 5  # gallery faces a person
_MOST_PEOPLE = 300


class Altered(FaceSource):
    """Faces held in memory, for example after a change.

    Args:
        images: N pictures, (H, W, 3) uint8 RGB.
        records: their records.
    """

    def __init__(self, images: Sequence[Pixels], records: Sequence[FaceRecord]) -> None:
        self.name = self.location = "changed faces"
        self.images = images
        self.records = records

    def __len__(self) -> int:
        return len(self.images)

    def record(self, index: int) -> FaceRecord:
        return self.records[index]

    def encoded(self, index: int) -> bytes:
        return encode_png(self.images[index])

    def read(self, index: int) -> Face:
        return Face(self.images[index], self.records[index])


@dataclass(frozen=True)
class Sample:
    """Decoded faces of a labelled set.

    Attributes:
        rows: (N,) int64 faces of the set.
        images: N pictures, (S, S, 3) uint8 RGB.
        records: their records.
        comparisons: what is compared with what.
        probes: (N,) bool, faces of the searching side, which may have another fault than the gallery.
    """

    rows: NDArray[np.int64]
    images: tuple[Pixels, ...]
    records: tuple[FaceRecord, ...]
    comparisons: Comparisons
    probes: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rows)


def draw_sample(labelled: LabelledSet, faces: int, seed: int, size: int) -> Sample:
    """About ``faces`` faces: as many people as possible, and of each what makes mated comparisons.

    Args:
        size: side in px the recogniser takes; other faces are left out.

    Raises:
        LabelError: no two faces of one person can be compared.
    """
    chosen = _chosen(labelled, faces, seed)
    read = stream(labelled.faces, chosen.tolist())
    kept = [
        (row, face)
        for row, face in zip(chosen.tolist(), read, strict=True)
        if not isinstance(face, UnreadableFace) and face.image.shape == (size, size, 3)
    ]
    if not kept:
        raise LabelError(f"no readable face of {size}x{size} px", where=labelled.spec.path)
    rows = np.array([row for row, _ in kept], np.int64)
    comparisons, probes = _comparisons(labelled, rows)
    if not comparisons.mated.any() or comparisons.mated.all():
        raise LabelError(
            "no two faces of one person, or of two people, can be compared",
            where=labelled.spec.path,
            remedy="check the labels; comparisons inside one film or take don't count",
        )
    return Sample(rows, tuple(f.image for _, f in kept), tuple(f.record for _, f in kept), comparisons, probes)


def people_of(labelled: LabelledSet) -> NDArray[np.int64]:
    """(N,) int64 number of the person in every face, -1 where unknown.

    Faces of a pair set without names are one person where a mated pair joins them.
    """
    names = labelled.faces.subjects()
    if labelled.pairs is not None and not any(name is not None for name in names):
        return _joined(labelled.pairs, len(names))
    codes = {name: code for code, name in enumerate(sorted({n for n in names if n is not None}))}
    return np.array([-1 if name is None else codes[name] for name in names], np.int64)


def named(labelled: LabelledSet) -> bool:
    """Whether two people of the set are known to differ wherever their names do."""
    return any(name is not None for name in labelled.faces.subjects())


def rows_looked_at(labelled: LabelledSet, most: int) -> NDArray[np.int64]:
    """At most ``most`` faces that exist, whole people spread evenly, for looking at labels and pictures."""
    people = people_of(labelled)
    present = np.flatnonzero((people >= 0) & _present(labelled))
    if len(present) <= most:
        return present
    used = np.unique(people[present])
    share = most / len(present)
    several = used[spread(len(used), max(2, int(len(used) * share)))]
    return present[np.isin(people[present], several)][:most]


def _present(labelled: LabelledSet) -> NDArray[np.bool_]:
    if labelled.rows is None:
        return np.ones(len(labelled.faces), bool)
    return np.array([row.file is not None for row in labelled.rows])


def _chosen(labelled: LabelledSet, faces: int, seed: int) -> NDArray[np.int64]:
    rng = item_rng(seed, "doctor", "faces")
    if labelled.rows is not None:
        return _of_manifest(labelled.rows, faces, rng)
    pairs = labelled.pairs
    if pairs is None:
        raise LabelError("neither pairs nor gallery and probes", where=labelled.spec.path)
    mated, others = np.flatnonzero(pairs.same), np.flatnonzero(~pairs.same)
    if named(labelled):
        picked = rng.permutation(mated)[: max(2, faces // 2)]
    else:
        picked = np.concatenate([rng.permutation(side)[: max(2, faces // 4)] for side in (mated, others)])
    return np.unique(np.concatenate([pairs.first[picked], pairs.second[picked]]))


def _of_manifest(rows: Sequence[ManifestRow], faces: int, rng: np.random.Generator) -> NDArray[np.int64]:
    by_person: dict[str, dict[str, list[int]]] = {}
    for i, row in enumerate(rows):
        if row.file is not None and row.subject is not None and row.role in ("gallery", "probe"):
            by_person.setdefault(row.subject, {"gallery": [], "probe": []})[row.role].append(i)
    mated = [sides for _, sides in sorted(by_person.items()) if sides["gallery"] and sides["probe"]]
    order = rng.permutation(len(mated))[: min(_MOST_PEOPLE, max(2, faces // 4))]
    each = max(2, faces // max(1, len(order)))
    chosen: list[int] = []
    for person in order:
        sides = mated[person]
        gallery = rng.permutation(sides["gallery"])[: max(1, min(_GALLERY, each // 2))]
        chosen += [*gallery, *rng.permutation(sides["probe"])[: max(1, each - len(gallery))]]
    return np.array(sorted(chosen), np.int64)


def _comparisons(labelled: LabelledSet, rows: NDArray[np.int64]) -> tuple[Comparisons, NDArray[np.bool_]]:
    people = people_of(labelled)
    _, codes = np.unique(people[rows], return_inverse=True)
    probes = np.zeros(len(rows), bool)
    if labelled.rows is not None:
        first, second = np.triu_indices(len(rows), 1)
        probes = np.array([labelled.rows[i].role == "probe" for i in rows])
        media = np.array([labelled.rows[i].media or f"\0{i}" for i in rows])
        kept = (probes[first] != probes[second]) & ((codes[first] != codes[second]) | (media[first] != media[second]))
        first, second = first[kept], second[kept]
        mated = codes[first] == codes[second]
    elif named(labelled):
        first, second = np.triu_indices(len(rows), 1)
        mated = codes[first] == codes[second]
    else:
        first, second, mated = _listed(labelled.pairs, rows)
    if labelled.pairs is not None:
        probes = np.isin(rows, labelled.pairs.second)
    return Comparisons(first.astype(np.int64), second.astype(np.int64), mated, codes.astype(np.int64)), probes


def _listed(
    pairs: PairList | None, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """The pairs of the list whose faces are both there, as places in ``rows``."""
    if pairs is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, bool)
    inside = np.isin(pairs.first, rows) & np.isin(pairs.second, rows)
    return (
        np.searchsorted(rows, pairs.first[inside]),
        np.searchsorted(rows, pairs.second[inside]),
        pairs.same[inside],
    )


def _joined(pairs: PairList, faces: int) -> NDArray[np.int64]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second = pairs.first[pairs.same], pairs.second[pairs.same]
    joins = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(faces, faces))
    return np.asarray(connected_components(joins, directed=False)[1], np.int64)
