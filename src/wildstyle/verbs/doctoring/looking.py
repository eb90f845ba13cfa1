"""Faces whose labels and pictures are looked at as they are: more of them than causes are tried on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import UnreadableFace
from wildstyle.evaluation.outcome import Vectors
from wildstyle.faces import FaceRecord, Subset, face_hash, stream
from wildstyle.faces.perceptual import dhash, groups_of, look_alike, near_pairs, thumbnail
from wildstyle.recognisers import EmbeddingCache, Recogniser, embed_source
from wildstyle.verbs.doctoring.sample import people_of, rows_looked_at
from wildstyle.verbs.measuring import LabelledSet


@dataclass(frozen=True)
class Looked:
    """N faces of a set.

    Attributes:
        rows: (N,) int64 faces of the set.
        records: what is known of them.
        people: (N,) int64 person of each.
        vectors: (N, D) float32 unit where ``ok``.
        norms: (N,) float32 lengths of the embeddings, 0 where not ``ok``.
        ok: (N,) bool, readable and embedded.
        alike: groups of places in ``rows`` that show one picture, the same or saved again.
    """

    rows: NDArray[np.int64]
    records: tuple[FaceRecord, ...]
    people: NDArray[np.int64]
    vectors: Vectors
    norms: NDArray[np.float32]
    ok: NDArray[np.bool_]
    alike: tuple[tuple[int, ...], ...]


def look_at(
    labelled: LabelledSet, recogniser: Recogniser, most: int, *, cache: EmbeddingCache | None, workers: int
) -> Looked:
    """Embed and hash at most ``most`` faces."""
    rows = rows_looked_at(labelled, most)
    embedded = embed_source(recogniser, labelled.faces, indices=rows.tolist(), cache=cache, workers=workers)
    part = Subset(labelled.faces, rows)
    return Looked(
        rows=rows,
        records=tuple(part.record(i) for i in range(len(part))),
        people=people_of(labelled)[rows],
        vectors=np.where(embedded.ok[:, None], embedded.vectors, np.float32(0)),
        norms=np.where(embedded.ok, embedded.norms, np.float32(0)),
        ok=embedded.ok,
        alike=_alike(part, workers),
    )


def _alike(faces: Subset, workers: int) -> tuple[tuple[int, ...], ...]:
    places, hashes, thumbs, exact = [], [], [], []
    for place, face in enumerate(stream(faces, range(len(faces)), workers=workers)):
        if not isinstance(face, UnreadableFace):
            places.append(place)
            hashes.append(dhash(face.image))
            thumbs.append(thumbnail(face.image))
            exact.append(face_hash(face.image))
    if not places:
        return ()
    first, second = near_pairs(np.array(hashes, np.uint64))
    kept = look_alike(np.array(thumbs), first, second)
    kept |= np.array([exact[i] == exact[j] for i, j in zip(first, second, strict=True)], bool)
    groups = groups_of(len(places), first[kept], second[kept])
    return tuple(tuple(places[i] for i in group) for group in groups)
