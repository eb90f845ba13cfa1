"""Duplicates inside a set of faces: the same file, the same picture saved again, one take many times. Never deletes."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, UnreadableFace
from wildstyle.faces import FaceSource, open_faces, stream
from wildstyle.faces.perceptual import NEAR, THUMB, dhash, groups_of, look_alike, near_pairs, thumbnail
from wildstyle.recognisers import EmbeddingCache, Recogniser, embed_source, load_recogniser
from wildstyle.runs.atomic import write_text
from wildstyle.verbs.errors_shown import sharpness
from wildstyle.verbs.places import cache_folder
from wildstyle.verbs.progress import Progress, Silent

Kind = Literal["exact", "near", "same take"]

SAME_TAKE = 0.95
"""Cosine from which two pictures of one person and medium count as one take shown twice."""

_MOST_OF_A_PERSON = 5000


@dataclass(frozen=True, slots=True)
class Member:
    """A face of a group of duplicates.

    Attributes:
        id: of the face.
        subject: person, or None.
        pixels: width times height.
        sharpness: variance of the Laplacian.
        keep: the largest and then sharpest of its group.
    """

    id: str
    subject: str | None
    pixels: int
    sharpness: float
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Faces that are one picture or one take; the first is the one to keep.

    Attributes:
        kind: the weakest likeness that joins it: "exact" (same bytes), "near" (same picture), "same take".
        members: two or more.
    """

    kind: Kind
    members: tuple[Member, ...]

    @property
    def people(self) -> int:
        """Different names in the group; two are one picture under two names."""
        return len({m.subject for m in self.members if m.subject is not None})


@dataclass(frozen=True)
class Duplicates:
    """What was found.

    Attributes:
        faces: pictures looked at.
        unreadable: pictures that could not be.
        groups: by kind and size.
        repeats: ids of files that the reader of the source counted once already, as they repeat a file's bytes.
    """

    faces: int
    unreadable: int
    groups: tuple[Group, ...]
    repeats: tuple[str, ...] = ()

    @property
    def to_spare(self) -> dict[str, int]:
        """Faces that could be left out, by kind."""
        counts: Counter[str] = Counter()
        for group in self.groups:
            counts[group.kind] += len(group.members) - 1
        return dict(counts)


@dataclass(frozen=True)
class _Seen:
    """The readable faces of a source."""

    members: list[Member]
    media: list[str | None]
    bytes_hash: list[bytes]
    hashes: NDArray[np.uint64]
    thumbnails: NDArray[np.float32]
    places: list[int]
    unreadable: int


def find_duplicates(
    path: Path,
    *,
    recogniser: Path | None = None,
    contract: str | None = None,
    distance: int = NEAR,
    workers: int = 2,
    progress: Progress | None = None,
) -> Duplicates:
    """Group exact copies, near copies and, with a recogniser, frames of one take.

    Args:
        path: faces.
        recogniser: model file; pictures of one person and medium with a cosine of 0.95 or more are then joined too.
        contract: of the recogniser.
        distance: bits of 64 in which the hashes of near copies may differ.

    Raises:
        InputError: the path can't be opened or no picture can be read.
        ContractError: faces and recogniser disagree.
    """
    progress = progress or Silent()
    progress.stage("duplicates", str(path))
    with open_faces(path) as source:
        seen = _seen(source, workers, progress)
        if not seen.members:
            raise InputError("no picture can be read", where=path, remedy="see `wildstyle faces inspect`")
        pairs = {"exact": _exact(seen), "near": _near(seen, distance)}
        if recogniser is not None:
            loaded = load_recogniser(recogniser, contract=contract)
            pairs["same take"] = _same_take(source, seen, loaded, workers)
        return Duplicates(len(source), seen.unreadable, _groups(seen, pairs), tuple(source.repeats))


def write_duplicates(found: Duplicates, path: Path) -> None:
    """Write one row a face of a group: ``group,kind,id,subject,width_x_height,sharpness,keep``.

    Raises:
        StorageError: the file can't be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["group", "kind", "id", "subject", "pixels", "sharpness", "keep"])
    for number, group in enumerate(found.groups, 1):
        for m in group.members:
            row = [number, group.kind, m.id, m.subject or "", m.pixels, f"{m.sharpness:.1f}", int(m.keep)]
            writer.writerow(row)
    write_text(path, text.getvalue())


def _seen(source: FaceSource, workers: int, progress: Progress) -> _Seen:
    members, media, digests, hashes, thumbs, places = [], [], [], [], [], []
    for place, face in enumerate(stream(source, range(len(source)), workers=workers)):
        progress.step(place + 1, len(source))
        if isinstance(face, UnreadableFace):
            continue
        image, record = face.image, face.record
        members.append(Member(record.id, record.subject, image.shape[0] * image.shape[1], sharpness(image)))
        media.append(record.media)
        digests.append(hashlib.sha256(source.encoded(place)).digest())
        hashes.append(dhash(image))
        thumbs.append(thumbnail(image))
        places.append(place)
    stacked = np.array(thumbs, np.float32).reshape(-1, THUMB * THUMB)
    return _Seen(members, media, digests, np.array(hashes, np.uint64), stacked, places, len(source) - len(members))


Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


def _exact(seen: _Seen) -> Pairs:
    first: dict[bytes, int] = {}
    pairs = [(first[d], i) for i, d in enumerate(seen.bytes_hash) if first.setdefault(d, i) != i]
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _near(seen: _Seen, distance: int) -> Pairs:
    first, second = near_pairs(seen.hashes, distance)
    kept = look_alike(seen.thumbnails, first, second)
    return first[kept], second[kept]


def _same_take(source: FaceSource, seen: _Seen, recogniser: Recogniser, workers: int) -> Pairs:
    """Pairs of one person and one medium whose cosine is high; without a person nothing is compared."""
    cache = EmbeddingCache(cache_folder())
    found = embed_source(recogniser, source, indices=seen.places, cache=cache, workers=workers)
    takes: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for i, member in enumerate(seen.members):
        if member.subject is not None and found.ok[i]:
            takes[member.subject, seen.media[i]].append(i)
    firsts, seconds = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for take in takes.values():
        rows = np.array(take[:_MOST_OF_A_PERSON])
        one, other = np.nonzero(np.triu(found.vectors[rows] @ found.vectors[rows].T >= SAME_TAKE, 1))
        firsts.append(rows[one])
        seconds.append(rows[other])
    return np.concatenate(firsts), np.concatenate(seconds)


def _groups(seen: _Seen, pairs: dict[str, Pairs]) -> tuple[Group, ...]:
    """Groups of all pairs together, each named by the weakest kind that was needed to join it."""
    first = np.concatenate([a for a, _ in pairs.values()])
    second = np.concatenate([b for _, b in pairs.values()])
    joined: list[list[set[int]]] = []
    kinds: list[Kind] = ["exact", "near", "same take"]
    for k in range(len(pairs)):
        some = [pairs[kind] for kind in kinds[: k + 1]]
        one, other = (np.concatenate(side) for side in zip(*some, strict=True))
        joined.append([set(group) for group in groups_of(len(seen.members), one, other)])
    known = [{frozenset(group): None for group in groups} for groups in joined]
    groups = []
    for group in groups_of(len(seen.members), first, second):
        kind = next(kinds[k] for k, some in enumerate(known) if frozenset(group) in some)
        best = sorted((seen.members[i] for i in group), key=lambda m: (-m.pixels, -m.sharpness, m.id))
        groups.append(Group(kind, (replace(best[0], keep=True), *best[1:])))
    return tuple(sorted(groups, key=lambda g: (kinds.index(g.kind), -len(g.members), g.members[0].id)))
