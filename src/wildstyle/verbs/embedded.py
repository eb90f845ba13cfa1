"""Embeddings that were computed elsewhere, and sets that need no pictures because of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wildstyle.errors import InputError, UnreadableFace
from wildstyle.faces import FaceRecord, FaceSource, ManifestRow
from wildstyle.verbs.benchmarks import Embedded


class RowsAlone(FaceSource):
    """The rows of a manifest without their pictures; reading one raises ``UnreadableFace``.

    Args:
        rows: one a face.
        name: short name.
        location: the manifest, for messages.
    """

    def __init__(self, rows: Sequence[ManifestRow], *, name: str, location: str) -> None:
        self.rows, self.name, self.location = rows, name, location

    def __len__(self) -> int:
        return len(self.rows)

    def record(self, index: int) -> FaceRecord:
        return self.rows[index].described(FaceRecord(id=f"row{index}", source=self.name))

    def encoded(self, index: int) -> bytes:
        raise UnreadableFace(
            "the set was opened with its embeddings, without pictures", where=f"{self.location}:row{index}"
        )


def read_embeddings(path: Path) -> Embedded:
    """A ``.npy`` of (N, D) floats; rows of zeros or NaN are failures.

    Raises:
        InputError: the file is no such array.
    """
    try:
        raw = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError("is no .npy file of numbers", where=path, remedy="write it with numpy.save") from error
    if raw.ndim != 2 or not np.issubdtype(raw.dtype, np.floating):
        raise InputError(f"holds {raw.dtype} of shape {raw.shape}, expected floats (N, D)", where=path)
    vectors = np.array(raw, np.float32)
    norms = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)).astype(np.float32)
    ok = np.isfinite(norms) & (norms > 1e-6)
    vectors /= np.where(ok, norms, np.float32(1))[:, None]
    return Embedded(vectors, ok, norms)


def row_of(record: FaceRecord) -> ManifestRow:
    """What is known of a face of a pair set, as a row of a manifest."""
    return ManifestRow(
        file=record.id,
        subject=record.subject,
        media=record.media,
        template=record.template,
        min_side=record.size_before,
        eye_distance=record.eye_distance_before,
        detector_score=record.detector_score,
        attributes=record.attributes,
    )
