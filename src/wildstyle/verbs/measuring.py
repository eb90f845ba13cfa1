"""From a labelled set and a recogniser to an outcome: the join between reading, embedding and protocols."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import ContractError, InputError, SettingError
from wildstyle.evaluation import IdentificationOptions, Outcome, evaluate_identification, evaluate_pairs
from wildstyle.evaluation.grouping import check_columns
from wildstyle.evaluation.operating import measured_at
from wildstyle.evaluation.pairs import PairOptions
from wildstyle.evaluation.pooling import PoolingRule
from wildstyle.evaluation.qualities import FacesSeen, check_qualities
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
from wildstyle.faces.parquet import holds_pictures
from wildstyle.faces.recut import Mirrored
from wildstyle.recognisers import EmbeddingCache, Recogniser, embed_source
from wildstyle.verbs.benchmarks import BENCHMARKS, Benchmark, Embedded, benchmark_of
from wildstyle.verbs.embedded import RowsAlone, row_of
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
        benchmark: the kind of a public benchmark and its lists, or None.
    """

    spec: EvaluationSpec
    faces: FaceSource
    rows: tuple[ManifestRow, ...] | None = None
    pairs: PairList | None = None
    distractors: FaceSource | None = None
    benchmark: tuple[Benchmark, Any] | None = None

    @property
    def images(self) -> int:
        """Faces to embed for one system."""
        return len(self.faces) + (len(self.distractors) if self.distractors else 0)

    def close(self) -> None:
        """Release files."""
        self.faces.close()
        if self.distractors is not None:
            self.distractors.close()


def open_labelled(spec: EvaluationSpec, *, size: int = 112) -> LabelledSet:
    """Open the files of one labelled set.

    Args:
        spec: what the user named.
        size: side in px to which a benchmark's pictures are aligned.

    Raises:
        InputError: a file is missing or is not what its name says.
    """
    kind = _benchmark(spec)
    if kind is not None:
        layout = kind.read(spec.path)
        return LabelledSet(spec, kind.faces(layout, size), benchmark=(kind, layout))
    distractors = None if spec.distractors is None else _first_of_each_person(open_faces(spec.distractors))
    if not spec.is_manifest:
        faces, pairs = open_pairs(spec.path)
        return LabelledSet(spec, faces, pairs=pairs, distractors=distractors)
    manifest = read_manifest(spec.path)
    if not {"gallery", "probe"} <= {row.role for row in manifest.rows}:
        raise InputError(
            "the manifest has no column 'role' with the values gallery and probe",
            where=spec.path,
            remedy="say for each row whether it is enrolled (gallery) or searched (probe)",
        )
    check_columns(manifest.rows, spec.by)
    check_qualities(manifest.rows, spec.discard_by)
    if spec.embeddings is not None:
        alone = RowsAlone(manifest.rows, name=spec.name, location=str(spec.path))
        return LabelledSet(spec, alone, rows=manifest.rows, distractors=distractors)
    embedded = spec.path.suffix.lower() == ".parquet" and holds_pictures(spec.path)
    images = open_faces(spec.faces or (spec.path if embedded else spec.path.parent))
    source = ManifestSource(manifest, images, name=spec.name)
    return LabelledSet(spec, source, rows=manifest.rows, distractors=distractors)


_LAYOUT_KINDS = {"ijbb": "ijb", "ijbc": "ijb"}


def _benchmark(spec: EvaluationSpec) -> Benchmark | None:
    """The kind of a benchmark's folder: as its files tell, or as the user says."""
    if spec.layout == "auto":
        return benchmark_of(spec.path)
    named = _LAYOUT_KINDS.get(spec.layout, spec.layout)
    kinds = [kind for kind in BENCHMARKS if kind.kind.split()[0] == named]
    # Where none of them is found, the first one's reader says what is missing.
    return next((kind for kind in kinds if spec.path.is_dir() and kind.found(spec.path)), kinds[0])


def measure(
    labelled: LabelledSet,
    recogniser: Recogniser,
    *,
    cache: EmbeddingCache | None = None,
    workers: int = 2,
    progress: Progress | None = None,
    threshold: float | None = None,
) -> dict[str, Outcome]:
    """Embed a labelled set and run its protocols.

    Args:
        threshold: score from which on a deployed system accepts; its errors are then measured too.

    Returns:
        Outcomes by name: that of the set, with the protocol's behind it where a benchmark has several.

    Raises:
        ContractError: the faces have another size than the recogniser takes.
        SettingError: the set brings its own embeddings.
    """
    if labelled.spec.embeddings is not None:
        raise SettingError(
            f"{labelled.spec.name} brings embeddings of one recogniser, so no other can be measured on it",
            where=labelled.spec.embeddings,
            remedy="leave embeddings= out",
        )
    progress = progress or Silent()
    progress.stage("measure", f"{labelled.spec.name}, {labelled.images:,} faces")
    if labelled.benchmark is None:
        check_size(labelled.faces, recogniser)
    faces = _embed(labelled.faces, recogniser, cache, workers)
    if _wants_mirrored(labelled):
        faces = replace(faces, mirrored=_mirrored(labelled.faces, recogniser, workers))
    distractors = None
    if labelled.distractors is not None:
        found = _embed(labelled.distractors, recogniser, cache, workers)
        distractors = found.vectors[found.ok]
    return outcomes_of(labelled, faces, distractors=distractors, threshold=threshold)


def outcomes_of(
    labelled: LabelledSet,
    faces: Embedded,
    *,
    distractors: NDArray[np.float32] | None = None,
    threshold: float | None = None,
) -> dict[str, Outcome]:
    """Run the protocols of a labelled set on embeddings that are at hand.

    Raises:
        InputError: there is not one embedding a face, or an option doesn't fit the set.
    """
    spec = labelled.spec
    if len(faces.vectors) != len(labelled.faces):
        raise InputError(
            f"{spec.name} has {len(labelled.faces):,} faces, there are {len(faces.vectors):,} embeddings",
            where=spec.path,
            remedy="give one row a face, in the order of the set",
        )
    if labelled.benchmark is not None:
        kind, layout = labelled.benchmark
        _refuse_columns(spec, kind)
        found = kind.outcomes(layout, faces, spec)
        if threshold is not None:
            found = {protocol: measured_at(outcome, threshold) for protocol, outcome in found.items()}
        return {f"{spec.name} {protocol}".strip(): outcome for protocol, outcome in found.items()}
    if labelled.pairs is not None:
        return {spec.name: _pairs_outcome(labelled, labelled.pairs, faces, threshold)}
    rows = labelled.rows or ()
    asked = _identification_options(spec, threshold)
    outcome = evaluate_identification(
        faces.vectors, faces.ok, rows, data=spec.name, distractors=distractors, options=asked, norms=faces.norms
    )
    return {spec.name: outcome}


def _refuse_columns(spec: EvaluationSpec, kind: Benchmark) -> None:
    asked = [name for name in ("by", "bands", "discard_by") if getattr(spec, name)]
    if asked:
        raise SettingError(
            f"{spec.name}: {kind.kind} has no columns, so {' and '.join(asked)} can't be followed",
            remedy="leave it out, or give a manifest",
        )


def _pairs_outcome(labelled: LabelledSet, pairs: PairList, faces: Embedded, threshold: float | None) -> Outcome:
    spec = labelled.spec
    people = labelled.faces.subjects()
    options = PairOptions(
        fmr_rule=spec.fmr_rule, threshold=threshold, by=spec.by, bands=spec.bands or (), discard_by=spec.discard_by
    )
    seen = None
    if spec.by or spec.bands or spec.discard_by:
        rows = [row_of(labelled.faces.record(i)) for i in range(len(labelled.faces))]
        seen = FacesSeen(rows, faces.ok, faces.norms)
    return evaluate_pairs(
        faces.vectors,
        faces.ok,
        pairs,
        data=spec.name,
        people=people if any(p is not None for p in people) else None,
        options=options,
        faces=seen,
    )


def _identification_options(spec: EvaluationSpec, threshold: float | None) -> IdentificationOptions:
    usual = IdentificationOptions()
    return IdentificationOptions(
        bands=usual.bands if spec.bands is None else spec.bands,
        by=spec.by,
        pooling=usual.pooling if spec.pooling is None else PoolingRule.parse(spec.pooling),
        fmr_rule=spec.fmr_rule,
        discard_by=spec.discard_by,
        threshold=threshold,
    )


def _wants_mirrored(labelled: LabelledSet) -> bool:
    pooling = labelled.spec.pooling
    wanted = pooling is not None and PoolingRule.parse(pooling).flip
    if wanted and labelled.benchmark is None:
        raise SettingError(f"pooling {pooling} adds mirrored faces, which only the IJB protocols do", remedy="use F0")
    return wanted


def _mirrored(faces: FaceSource, recogniser: Recogniser, workers: int) -> NDArray[np.float32]:
    found = embed_source(recogniser, Mirrored(faces), workers=workers)
    return np.where(found.ok[:, None], found.vectors * found.norms[:, None], np.float32(0))


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


def _embed(faces: FaceSource, recogniser: Recogniser, cache: EmbeddingCache | None, workers: int) -> Embedded:
    found = embed_source(recogniser, faces, cache=cache, workers=workers)
    return Embedded(found.vectors, found.ok, found.norms)


def _first_of_each_person(faces: FaceSource) -> FaceSource:
    first: dict[str, int] = {}
    for index, subject in enumerate(faces.subjects()):
        if subject is not None:
            first.setdefault(subject, index)
    return Subset(faces, list(first.values()) or range(len(faces)))
