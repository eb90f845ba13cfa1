"""From a labelled set and a recogniser to an outcome: the join between reading, embedding and protocols."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import ContractError, InputError
from wildstyle.evaluation import Outcome, evaluate_identification, evaluate_pairs
from wildstyle.faces import (
    FaceSource,
    ManifestRow,
    ManifestSource,
    PairList,
    Subset,
    open_faces,
    open_pairs,
    read_manifest,
)
from wildstyle.faces.decode import read_header
from wildstyle.recognisers import EmbeddingCache, Recogniser, embed_source
from wildstyle.verbs.jobs import EvaluationSpec
from wildstyle.verbs.progress import Progress, Silent


@dataclass(frozen=True)
class LabelledSet:
    """A labelled set, opened.

    Attributes:
        spec: what the user named.
        faces: one face a manifest row, or all faces of a pair set.
        rows: the manifest's rows, or None for a pair set.
        pairs: the pair list, or None for a manifest.
        distractors: one face a person, or None.
    """

    spec: EvaluationSpec
    faces: FaceSource
    rows: tuple[ManifestRow, ...] | None = None
    pairs: PairList | None = None
    distractors: FaceSource | None = None

    @property
    def images(self) -> int:
        """Faces to embed for one system."""
        return len(self.faces) + (len(self.distractors) if self.distractors else 0)

    def close(self) -> None:
        """Release files."""
        self.faces.close()
        if self.distractors is not None:
            self.distractors.close()


def open_labelled(spec: EvaluationSpec) -> LabelledSet:
    """Open the files of one labelled set.

    Raises:
        InputError: a file is missing or is not what its name says.
    """
    distractors = None if spec.distractors is None else _first_of_each_person(open_faces(spec.distractors))
    if not spec.is_manifest:
        faces, pairs = open_pairs(spec.path)
        return LabelledSet(spec, faces, pairs=pairs, distractors=distractors)
    manifest = read_manifest(spec.path)
    images = open_faces(spec.faces if spec.faces is not None else spec.path.parent)
    source = ManifestSource(manifest, images, name=spec.name)
    if not {"gallery", "probe"} <= {row.role for row in manifest.rows}:
        raise InputError(
            "the manifest has no column 'role' with the values gallery and probe",
            where=spec.path,
            remedy="say for each row whether it is enrolled (gallery) or searched (probe)",
        )
    return LabelledSet(spec, source, rows=manifest.rows, distractors=distractors)


def measure(
    labelled: LabelledSet,
    recogniser: Recogniser,
    *,
    cache: EmbeddingCache | None = None,
    workers: int = 2,
    progress: Progress | None = None,
) -> Outcome:
    """Embed a labelled set and run its protocol.

    Raises:
        ContractError: the faces have another size than the recogniser takes.
    """
    progress = progress or Silent()
    progress.stage("measure", f"{labelled.spec.name}, {labelled.images:,} faces")
    check_size(labelled.faces, recogniser)
    vectors, ok = _embed(labelled.faces, recogniser, cache, workers)
    if labelled.pairs is not None:
        people = labelled.faces.subjects()
        known = people if any(p is not None for p in people) else None
        return evaluate_pairs(vectors, ok, labelled.pairs, data=labelled.spec.name, people=known)
    distractors = None
    if labelled.distractors is not None:
        found, good = _embed(labelled.distractors, recogniser, cache, workers)
        distractors = found[good]
    return evaluate_identification(vectors, ok, labelled.rows or (), data=labelled.spec.name, distractors=distractors)


def check_size(faces: FaceSource, recogniser: Recogniser, *, sample: int = 16) -> None:
    """Refuse faces of another size than the contract's, looking at headers of a spread sample.

    Raises:
        ContractError: names both sizes and the first face that differs.
    """
    wanted = recogniser.contract.input_size
    for index in spread(len(faces), sample):
        size = face_size(faces, index)
        if size is not None and size != (wanted, wanted):
            raise ContractError(
                f"face {faces.record(index).id!r} is {size[0]}x{size[1]} px,"
                f" recogniser {recogniser.contract.model_id!r} takes {wanted}x{wanted}",
                where=faces.location,
                remedy="align the faces with `wildstyle faces align`",
            )


def face_size(faces: FaceSource, index: int) -> tuple[int, int] | None:
    """(width, height) from the header of a stored face, or None where there is none to read."""
    try:
        header = read_header(faces.encoded(index), where=faces.location)
    except InputError:
        return None
    return header.width, header.height


def spread(count: int, sample: int) -> list[int]:
    """At most ``sample`` indices, evenly over ``range(count)``."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(sample, count))}) if count else []


def _embed(
    faces: FaceSource, recogniser: Recogniser, cache: EmbeddingCache | None, workers: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    embedded = embed_source(recogniser, faces, cache=cache, workers=workers)
    return embedded.vectors, embedded.ok


def _first_of_each_person(faces: FaceSource) -> FaceSource:
    first: dict[str, int] = {}
    for index, subject in enumerate(faces.subjects()):
        if subject is not None:
            first.setdefault(subject, index)
    return Subset(faces, list(first.values()) or range(len(faces)))
