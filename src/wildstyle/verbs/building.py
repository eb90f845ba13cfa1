"""Build a protocol from a user's labelled faces: manifests, pairs, and a record of how they came about."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from wildstyle.errors import InputError, LabelError, UnreadableFace
from wildstyle.evaluation.building import BAND, DIGEST, LOOK, BuildOptions, BuiltPart, BuiltProtocol, build_protocol
from wildstyle.evaluation.pair_choice import ProtocolPair
from wildstyle.faces import (
    FaceRecord,
    FaceSource,
    ManifestRow,
    ManifestSource,
    PairList,
    open_faces,
    shared_subjects,
    write_manifest,
)
from wildstyle.faces.perceptual import THUMB, dhash, groups_of, look_alike, near_pairs, thumbnail
from wildstyle.runs.atomic import write_json, write_text
from wildstyle.verbs.progress import Progress, Silent

RECORD_SCHEMA = 1
PAIR_COLUMNS = ("first", "second", "same", "kind", "fold", "subject_1", "subject_2", "media_1", "media_2")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildJob:
    """A protocol to be built.

    Attributes:
        faces: folder, tar or manifest of labelled faces.
        out: CSV of the test part; what else is written lies beside it under the same stem.
        pairs: CSV of the test part's pairs; beside ``out`` by default.
        look_alikes: decode all faces and take pictures of one person that look the same for repeats, too.
        distractors: faces of other people that will be added to the gallery, or None; they are checked only.
        options: see there.
    """

    faces: Path
    out: Path
    pairs: Path | None = None
    look_alikes: bool = False
    distractors: Path | None = None
    options: BuildOptions = field(default_factory=BuildOptions)


@dataclass(frozen=True)
class BuildReport:
    """What was written.

    Attributes:
        protocol: the protocol itself.
        files: by what is in them: test, test pairs, tune, tune pairs, record.
        distractors: faces and people among the distractors, or None.
        evaluate: the argument that `wildstyle evaluate MODEL` takes for the test part.
    """

    protocol: BuiltProtocol
    files: dict[str, Path]
    distractors: dict[str, int] | None
    evaluate: str


def build(job: BuildJob, *, progress: Progress | None = None) -> BuildReport:
    """Read all faces once, build the protocol and write it.

    Raises:
        InputError: faces can't be read, ``out`` is no .csv, or no protocol can be built from them.
        LabelError: distractors show the protocol's people or pictures.
    """
    if job.out.suffix.lower() != ".csv":
        raise InputError("a protocol is a .csv file", where=job.out, remedy="name it so")
    progress = progress or Silent()
    progress.stage("read", str(job.faces))
    with open_faces(job.faces) as faces:
        rows = rows_of(faces, progress)
        if job.look_alikes:
            rows = with_look_alikes(faces, rows, progress)
        built = build_protocol(rows, job.options)
        found = None if job.distractors is None else _check_distractors(faces, rows, job.distractors, progress)
    files = _write_parts(job, built)
    name = job.out.stem
    evaluate = f"{name}={job.out},faces={job.faces}"
    if any(BAND in row.attributes for row in built.test.rows):
        evaluate += f",bands={'+'.join(f'{edge:g}' for edge in job.options.bands)}"
    if job.distractors is not None:
        evaluate += f",distractors={job.distractors}"
    files["record"] = job.out.with_suffix(".json")
    write_json(files["record"], _record(job, built, files, found))
    return BuildReport(built, files, found, evaluate)


def rows_of(faces: FaceSource, progress: Progress | None = None) -> list[ManifestRow]:
    """One row a face with all that the source knows, and the hash of the stored picture."""
    progress = progress or Silent()
    out = []
    for index in range(len(faces)):
        out.append(_row(faces, index))
        progress.step(index + 1, len(faces))
    return out


def with_look_alikes(
    faces: FaceSource, rows: Sequence[ManifestRow], progress: Progress | None = None
) -> list[ManifestRow]:
    """The rows with the column ``look``: pictures of one person that look the same carry the first one's file.

    A saved-again or resized copy has other bytes and the same look; so have neighbouring frames of a film.
    """
    progress = progress or Silent()
    progress.stage("compare looks", faces.location)
    hashes, thumbs = np.zeros(len(rows), np.uint64), np.zeros((len(rows), THUMB * THUMB), np.float32)
    seen = np.zeros(len(rows), bool)
    for index, row in enumerate(rows):
        progress.step(index + 1, len(rows))
        if row.file is None or row.subject is None:
            continue
        try:
            image = faces.read(index).image
        except UnreadableFace:
            continue
        hashes[index], thumbs[index], seen[index] = dhash(image), thumbnail(image), True
    out = list(rows)
    people = np.array([row.subject or "" for row in rows])
    for person in np.unique(people[seen]):
        mine = np.flatnonzero(seen & (people == person))
        first, second = near_pairs(hashes[mine])
        alike = look_alike(thumbs[mine], first, second)
        for group in groups_of(len(mine), first[alike], second[alike]):
            for i in mine[group]:
                out[i] = replace(rows[i], attributes={**rows[i].attributes, LOOK: str(rows[mine[group[0]]].file)})
    return out


def read_pairs(path: Path, faces: FaceSource) -> tuple[PairList, list[str]]:
    """Pairs written by ``build``, as indices into ``faces``, and their kinds.

    Raises:
        InputError: the file can't be read, lacks a column, or names a face that is not there.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"pairs can't be read ({error})", where=path, remedy="check the path") from error
    if not rows or not set(PAIR_COLUMNS[:5]) <= rows[0].keys():
        raise InputError(f"no pairs with the columns {', '.join(PAIR_COLUMNS[:5])}", where=path)
    places: dict[str, list[int]] = {"first": [], "second": []}
    for line, row in enumerate(rows, 2):
        if row["same"] not in ("0", "1") or not (row["fold"] or "").isdecimal():
            raise InputError("same is 0 or 1 and fold a number", where=f"{path}:{line}", remedy="build the pairs anew")
        for end, column in places.items():
            place = faces.index_of(row[end])
            if place is None:
                raise InputError(f"face {row[end]!r} is not in {faces.location}", where=f"{path}:{line}")
            column.append(place)
    pairs = PairList(
        np.array(places["first"], np.int64),
        np.array(places["second"], np.int64),
        np.array([row["same"] == "1" for row in rows], bool),
        np.array([int(row["fold"]) for row in rows], np.int64),
    )
    return pairs, [row["kind"] for row in rows]


def _row(faces: FaceSource, index: int) -> ManifestRow:
    record = faces.record(index)
    try:
        digest = hashlib.sha256(faces.encoded(index)).hexdigest()
    except UnreadableFace:
        digest = None
    file: str | None = record.id
    if isinstance(faces, ManifestSource):
        file = faces.manifest.rows[index].file
    return _described(record, file if digest else None, digest)


def _described(record: FaceRecord, file: str | None, digest: str | None) -> ManifestRow:
    attributes = {key: text for key, text in record.attributes.items() if key not in ("role", "enrolled", DIGEST, LOOK)}
    if digest:
        attributes[DIGEST] = digest
    return ManifestRow(
        file=file,
        subject=record.subject,
        media=record.media,
        template=record.template,
        min_side=record.size_before,
        eye_distance=record.eye_distance_before,
        detector_score=record.detector_score,
        landmarks=record.landmarks,
        attributes=attributes,
    )


def _check_distractors(faces: FaceSource, rows: list[ManifestRow], path: Path, progress: Progress) -> dict[str, int]:
    """Count distractors after a check that they show nobody and no picture of the protocol."""
    progress.stage("check distractors", str(path))
    pictures = {row.attributes[DIGEST] for row in rows if DIGEST in row.attributes}
    with open_faces(path) as others:
        if shared := shared_subjects(faces, others):
            raise LabelError(
                f"{len(shared)} people are among the distractors too, the first is {shared[0]!r}",
                where=path,
                remedy="take distractors of other people, or take these out",
            )
        found = rows_of(others, progress)
        twice = [row.file for row in found if row.attributes.get(DIGEST) in pictures]
        if twice:
            raise LabelError(
                f"{len(twice)} distractors are pictures of the protocol too, the first is {twice[0]!r}",
                where=path,
                remedy="take distractors of other people, or take these out",
            )
        return {"faces": len(found), "people": len({row.subject for row in found} - {None})}


def _write_parts(job: BuildJob, built: BuiltProtocol) -> dict[str, Path]:
    stem = job.out.with_suffix("")
    files = {"test": job.out, "test pairs": job.pairs or stem.with_name(f"{stem.name}.pairs.csv")}
    _write_part(built.test, files["test"], files["test pairs"])
    if built.tune is not None:
        files["tune"] = stem.with_name(f"{stem.name}.tune.csv")
        files["tune pairs"] = stem.with_name(f"{stem.name}.tune.pairs.csv")
        _write_part(built.tune, files["tune"], files["tune pairs"])
    return files


def _write_part(part: BuiltPart, manifest: Path, pairs: Path) -> None:
    write_manifest(manifest, part.rows)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(PAIR_COLUMNS)
    writer.writerows(_pair_cells(part.pairs))
    write_text(pairs, text.getvalue())


def _pair_cells(pairs: tuple[ProtocolPair, ...]) -> Iterator[tuple[object, ...]]:
    for pair in pairs:
        a, b = pair.first, pair.second
        yield a.file, b.file, int(pair.same), pair.kind, pair.fold, a.subject, b.subject, a.media, b.media


def _record(
    job: BuildJob, built: BuiltProtocol, files: dict[str, Path], distractors: dict[str, int] | None
) -> dict[str, Any]:
    parts = {"test": built.test, **({} if built.tune is None else {"tune": built.tune})}
    return {
        "schema": RECORD_SCHEMA,
        "faces": job.faces.name,
        "seed": job.options.seed,
        "options": asdict(job.options),
        "look_alikes": job.look_alikes,
        "counts": dict(built.counts),
        "parts": {
            name: {
                "manifest": files[name].name,
                "sha256": _digest(files[name]),
                "pairs": files[f"{name} pairs"].name,
                "pairs_sha256": _digest(files[f"{name} pairs"]),
                "counts": dict(part.counts),
                "people_without_gallery": list(part.strangers),
            }
            for name, part in parts.items()
        },
        "media_kept_together": [list(group) for group in built.joined],
        "left_out": [{"face": face, "reason": reason} for face, reason in built.left_out],
        "distractors": distractors,
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
