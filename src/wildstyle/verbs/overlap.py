"""People and pictures that a training set and a test set share. Lists what to leave out; never deletes."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import NotMeasurable, UnreadableFace
from wildstyle.evaluation.overlapping import Centres, candidates_above, centre_threshold, class_centres, share_above
from wildstyle.faces import FaceSource, face_hash, open_faces, shared_subjects, stream
from wildstyle.faces.perceptual import NEAR, THUMB, dhash, look_alike, near_across, thumbnail
from wildstyle.recognisers import EmbeddingCache, Recogniser, embed_source, load_recogniser
from wildstyle.runs.atomic import write_text
from wildstyle.verbs.places import cache_folder
from wildstyle.verbs.progress import Progress, Silent

How = Literal["same name", "same picture", "near picture", "embedding"]

_WORDS: dict[How, str] = {
    "same name": "people by name",
    "same picture": "identical pictures",
    "near picture": "near-identical pictures",
    "embedding": "pairs of people by embedding",
}

_Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
_PART = 65536  # pairs of thumbnails held at a time

FMR = 1e-4
UNKNOWN = "Unknown overlap: what the recogniser itself was trained on before is not looked at, as nobody gives it here."


@dataclass(frozen=True, slots=True)
class SharedPair:
    """Something of both sets that is, or looks like, one person.

    Attributes:
        how: what says so.
        test, train: subjects, or ids of faces for pictures.
        test_subject, train_subject: people, "" where unknown.
        score: cosine of class centres, or None.
        train_faces: places of the training faces this speaks against.
    """

    how: How
    test: str
    train: str
    test_subject: str
    train_subject: str
    score: float | None
    train_faces: tuple[int, ...]


@dataclass(frozen=True)
class Overlap:
    """What two sets share.

    Attributes:
        pairs: names, pictures, then embeddings by falling score.
        leave_out: (id, subject, reason) of every training face to leave out.
        threshold: cosine used, None without a recogniser.
        threshold_note: where it comes from and how far to trust it.
        comparisons: pairs of class centres compared.
        expected_false: how many of the pairs by embedding chance alone gives.
        train_faces, test_faces, train_people, test_people: sizes.
        note: what is not known.
    """

    pairs: tuple[SharedPair, ...]
    leave_out: tuple[tuple[str, str, str], ...]
    threshold: float | None
    threshold_note: str
    comparisons: int
    expected_false: float
    train_faces: int
    test_faces: int
    train_people: int
    test_people: int
    note: str = UNKNOWN

    def count(self, how: How) -> int:
        """Pairs found in this way."""
        return sum(pair.how == how for pair in self.pairs)

    def sentence(self) -> str:
        """What was found, in plain words."""
        found = ", ".join(f"{self.count(how)} {text}" for how, text in _WORDS.items())
        chance = (
            f" Of those by embedding {self.expected_false:.1f} are to be expected by chance."
            if self.comparisons
            else ""
        )
        return (
            f"{found}; {len(self.leave_out):,} of {self.train_faces:,} training faces to leave out.{chance} {self.note}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapJob:
    """Two sets to hold against each other.

    Attributes:
        train, test: faces.
        recogniser: model file, or None: names and pictures only.
        contract: of the recogniser.
        threshold: cosine of class centres, or None: estimated on the data at ``fmr``.
        fmr: false match rate of that estimate.
        pictures: hash all pictures of both sets.
        workers: reading threads.
    """

    train: Path
    test: Path
    recogniser: Path | None = None
    contract: str | None = None
    threshold: float | None = None
    fmr: float = FMR
    pictures: bool = True
    workers: int = 2


def overlap(job: OverlapJob, *, progress: Progress | None = None) -> Overlap:
    """Names, exact and near pictures, and nearest class centres of two sets.

    Raises:
        InputError: a set can't be read.
        SettingError: ``fmr`` is no share.
    """
    progress = progress or Silent()
    with open_faces(job.train) as train, open_faces(job.test) as test:
        pairs = shared_names(train, test)
        if job.pictures:
            progress.stage("pictures", f"{len(train):,} and {len(test):,}")
            pairs += shared_pictures(train, test, job.workers)
        threshold, note, comparisons, expected = None, "no recogniser was given", 0, 0.0
        if job.recogniser is not None:
            loaded = load_recogniser(job.recogniser, contract=job.contract)
            more, threshold, note, comparisons, expected = _by_embedding(train, test, loaded, job, progress)
            pairs += more
        return Overlap(
            pairs=tuple(pairs),
            leave_out=_to_leave_out(train, pairs),
            threshold=threshold,
            threshold_note=note,
            comparisons=comparisons,
            expected_false=expected,
            train_faces=len(train),
            test_faces=len(test),
            train_people=len({s for s in train.subjects() if s}),
            test_people=len({s for s in test.subjects() if s}),
        )


def write_overlap(found: Overlap, pairs: Path | None, leave_out: Path | None) -> None:
    """Write the pairs as ``how,test,train,test_subject,train_subject,score`` and the faces as ``id,subject,reason``.

    Raises:
        StorageError: a file can't be written.
    """
    if pairs is not None:
        rows = (
            (p.how, p.test, p.train, p.test_subject, p.train_subject, "" if p.score is None else f"{p.score:.4f}")
            for p in found.pairs
        )
        _write(pairs, ("how", "test", "train", "test_subject", "train_subject", "score"), rows)
    if leave_out is not None:
        _write(leave_out, ("id", "subject", "reason"), found.leave_out)


def shared_names(train: FaceSource, test: FaceSource) -> list[SharedPair]:
    """People of both sets by name; names are compared as written, spaces as underscores."""
    names = shared_subjects(train, test)
    faces = _faces_of(train)
    return [SharedPair("same name", n, n, n, n, None, tuple(faces[n])) for n in names]


def _faces_of(faces: FaceSource) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(faces.subjects()):
        if name is not None:
            found[name.strip().replace(" ", "_")].append(place)
    return found


@dataclass(frozen=True)
class _Pictures:
    places: NDArray[np.int64]
    exact: list[bytes]
    hashes: NDArray[np.uint64]
    thumbnails: NDArray[np.int8]


def _pictures(faces: FaceSource, workers: int) -> _Pictures:
    places, exact, hashes, thumbs = [], [], [], []
    for place, face in enumerate(stream(faces, range(len(faces)), workers=workers)):
        if not isinstance(face, UnreadableFace):
            places.append(place)
            exact.append(face_hash(face.image))
            hashes.append(dhash(face.image))
            # A byte a value: a million pictures take 256 MB.
            thumbs.append(np.clip(thumbnail(face.image) / 2, -128, 127).round().astype(np.int8))
    small = np.array(thumbs, np.int8).reshape(-1, THUMB * THUMB)
    return _Pictures(np.array(places, np.int64), exact, np.array(hashes, np.uint64), small)


def shared_pictures(train: FaceSource, test: FaceSource, workers: int) -> list[SharedPair]:
    """Pictures of both sets, the same or saved again; every copy is listed at least once."""
    ours, theirs = _pictures(train, workers), _pictures(test, workers)
    same = _identical(theirs.exact, ours.exact)
    seen_test, seen_train = ({pair[side] for pair in same} for side in (0, 1))
    first, second = _across(theirs, ours)
    near = {(int(t), int(i)) for t, i in zip(first, second, strict=True)} - same
    # A picture that is there itself needs no near one besides, unless the other end is not listed yet.
    near = {(t, i) for t, i in near if t not in seen_test or i not in seen_train}
    found: list[tuple[How, list[tuple[int, int]]]] = [("same picture", sorted(same)), ("near picture", sorted(near))]
    return [
        _picture_pair(how, (test, int(theirs.places[t])), (train, int(ours.places[i])))
        for how, pairs in found
        for t, i in pairs
    ]


def _across(test: _Pictures, train: _Pictures) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Near pictures of two sets: to every test picture its nearest training picture, and the other way about.

    Of thousands of copies of one picture all pairs would be millions; so every copy is listed once.
    """
    to_train, to_test = _Nearest(len(test.hashes)), _Nearest(len(train.hashes))
    for one, other in _in_parts(near_across(test.hashes, train.hashes, NEAR)):
        apart = np.bitwise_count(test.hashes[one] ^ train.hashes[other])
        alike = _alike_bytes(test.thumbnails[one], train.thumbnails[other])
        to_train.see(one[alike], other[alike], apart[alike])
        to_test.see(other[alike], one[alike], apart[alike])
    (test_of, train_of), (other_train, other_test) = to_train.found(), to_test.found()
    pairs = np.stack([np.concatenate([test_of, other_test]), np.concatenate([train_of, other_train])])
    unique = np.unique(pairs, axis=1)
    return unique[0], unique[1]


def _in_parts(pairs: Iterable[_Pairs]) -> Iterator[_Pairs]:
    for one, other in pairs:
        for start in range(0, len(one), _PART):
            yield one[start : start + _PART], other[start : start + _PART]


class _Nearest:
    """The nearest of what was seen, for each of ``count`` pictures."""

    def __init__(self, count: int) -> None:
        self.best = np.full(count, 255, np.uint8)
        self.place = np.full(count, -1, np.int64)

    def see(self, rows: NDArray[np.int64], others: NDArray[np.int64], apart: NDArray[np.uint8]) -> None:
        order = np.lexsort((others, apart))[::-1]  # of two writes to one row the nearer comes last
        rows, others, apart = rows[order], others[order], apart[order]
        nearer = apart < self.best[rows]
        self.best[rows[nearer]], self.place[rows[nearer]] = apart[nearer], others[nearer]

    def found(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        rows = np.flatnonzero(self.place >= 0)
        return rows, self.place[rows]


def _alike_bytes(one: NDArray[np.int8], other: NDArray[np.int8]) -> NDArray[np.bool_]:
    """``look_alike`` row by row on thumbnails kept as half levels in a byte each."""
    both = np.concatenate([one, other]).astype(np.float32) * 2
    rows = np.arange(len(one))
    return look_alike(both, rows, rows + len(one))


def _identical(test: Sequence[bytes], train: Sequence[bytes]) -> set[tuple[int, int]]:
    """Pairs of equal pictures that name every copy on either side at least once."""
    in_test, in_train = _first_places(test), _first_places(train)
    pairs = {(t, in_train[digest]) for t, digest in enumerate(test) if digest in in_train}
    return pairs | {(in_test[digest], i) for i, digest in enumerate(train) if digest in in_test}


def _first_places(digests: Sequence[bytes]) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for place, digest in enumerate(digests):
        found.setdefault(digest, place)
    return found


def _picture_pair(how: How, test: tuple[FaceSource, int], train: tuple[FaceSource, int]) -> SharedPair:
    ours, theirs = train[0].record(train[1]), test[0].record(test[1])
    return SharedPair(how, theirs.id, ours.id, theirs.subject or "", ours.subject or "", None, (train[1],))


Embedded = tuple[list[SharedPair], float, str, int, float]


def _by_embedding(
    train: FaceSource, test: FaceSource, recogniser: Recogniser, job: OverlapJob, progress: Progress
) -> Embedded:
    progress.stage("embed", f"{len(train):,} training and {len(test):,} test faces")
    ours, our_names = _centres(train, recogniser, job.workers)
    theirs, their_names = _centres(test, recogniser, job.workers)
    threshold, note = job.threshold, "as stated"
    fmr = job.fmr
    if threshold is None:
        estimate = centre_threshold((ours.vectors, theirs.vectors), job.fmr)
        threshold = estimate.value
        # With few pairs the rate can't be as small as asked: none of n above means about one in n.
        fmr = max(job.fmr, 1 / estimate.impostors)
        basis = f"at FMR {job.fmr:g} over {estimate.impostors:,} pairs of centres of different people"
        note = f"{basis}; rough: {estimate.note}" if estimate.note else basis
    else:
        fmr = _reached((ours.vectors, theirs.vectors), threshold, fmr)
        note = f"as stated; about FMR {fmr:.1g} between centres of different people"
    progress.stage("compare", f"{len(theirs):,} test people with {len(ours):,} training classes")
    found = candidates_above(theirs.vectors, ours.vectors, threshold)
    faces = _faces_by_code(train)
    pairs = [
        SharedPair(
            "embedding", their_names[t], our_names[k], their_names[t], our_names[k], float(s), faces[our_names[k]]
        )
        for t, k, s in zip(found.test.tolist(), found.train.tolist(), found.scores.tolist(), strict=True)
    ]
    return pairs, threshold, note, found.comparisons, found.comparisons * fmr


def _reached(sets: tuple[NDArray[np.float32], ...], threshold: float, fallback: float) -> float:
    """Share of pairs of different people's centres above a stated threshold."""
    try:
        return share_above(sets, threshold)
    except NotMeasurable:
        return fallback


def _faces_by_code(faces: FaceSource) -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(faces.subjects()):
        found[name if name is not None else faces.record(place).id].append(place)
    return {name: tuple(places) for name, places in found.items()}


def _centres(faces: FaceSource, recogniser: Recogniser, workers: int) -> tuple[Centres, list[str]]:
    """Centres of all people; a face of an unknown person is a class of its own, named by its id."""
    names = [name if name is not None else faces.record(i).id for i, name in enumerate(faces.subjects())]
    known = sorted(set(names))
    code = {name: i for i, name in enumerate(known)}
    embedded = embed_source(recogniser, faces, cache=EmbeddingCache(cache_folder()), workers=workers)
    labels = np.array([code[name] for name in names], np.int64)
    centres = class_centres(embedded.vectors, labels, embedded.ok)
    return centres, [known[i] for i in centres.ids]


def _to_leave_out(train: FaceSource, pairs: Sequence[SharedPair]) -> tuple[tuple[str, str, str], ...]:
    reasons: dict[int, str] = {}
    for pair in pairs:
        score = "" if pair.score is None else f" {pair.score:.3f}"
        for place in pair.train_faces:
            reasons.setdefault(place, f"{pair.how} as {pair.test}{score}")
    records = ((train.record(place), reason) for place, reason in sorted(reasons.items()))
    return tuple((record.id, record.subject or "", reason) for record, reason in records)


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())
