"""Embeddings of a whole source, computed once and remembered."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import ContractError, SettingError, UnreadableFace
from wildstyle.faces.hashing import face_hash
from wildstyle.faces.record import Face
from wildstyle.faces.source import FaceSource
from wildstyle.faces.stream import stream, working_batch
from wildstyle.recognisers.cache import EmbeddingCache, Shelf
from wildstyle.recognisers.engine import Embedder, embedder
from wildstyle.recognisers.quality import UNKNOWN_SIZE
from wildstyle.recognisers.recogniser import NORM_FLOOR, Recogniser


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of N faces.

    Attributes:
        vectors: (N, D) float32, unit length where ``ok``, NaN elsewhere (so that a failure can't pass for a face).
        norms: (N,) float32, length before normalisation; NaN where not ``ok``.
        ok: (N,) bool.
        failures: (row in this result, reason) of every face that could not be read or embedded.
        computed: how many were computed now rather than remembered.
        engine: what computed them: "torch" or "onnxruntime".
    """

    vectors: NDArray[np.float32]
    norms: NDArray[np.float32]
    ok: NDArray[np.bool_]
    failures: list[tuple[int, str]]
    computed: int = 0
    engine: str = "torch"


def embed_source(
    recogniser: Recogniser,
    source: FaceSource,
    *,
    indices: Sequence[int] | None = None,
    batch: int = 64,
    cache: EmbeddingCache | None = None,
    workers: int = 2,
    engine: str = "auto",
) -> Embeddings:
    """Embed faces of ``source`` (all, or ``indices`` in that order), reading ahead with threads.

    A face that can't be read is a row that is not ``ok``, with its reason.

    Args:
        batch: faces a forward pass.
        cache: where embeddings are remembered; None computes all of them.
        engine: "auto", "torch" or "onnxruntime".

    Raises:
        ContractError: a face has another size than the contract says.
        CorruptArchive: the source itself is damaged.
        SettingError: ``batch`` below 1 or an unknown engine.
        StorageError: the cache can't be written.
    """
    if batch < 1:
        raise SettingError(f"batch={batch}: at least one face is embedded at a time")
    wanted = range(len(source)) if indices is None else indices
    with ExitStack() as stack:
        run, name = stack.enter_context(embedder(recogniser, engine))
        shelf = None
        if cache is not None:
            shelf = stack.enter_context(cache.shelf(recogniser.hash, recogniser.contract.embedding_size))
        filling = _Filling(recogniser, run, shelf, len(wanted))
        for row, face in enumerate(stream(source, wanted, workers=workers, read_ahead=max(64, batch))):
            filling.take(row, face)
            if len(filling.waiting) == batch:
                filling.compute()
        filling.compute()
    return filling.result(name)


class _Filling:
    """Rows being filled: remembered ones at once, the others in batches."""

    def __init__(self, recogniser: Recogniser, run: Embedder, shelf: Shelf | None, count: int) -> None:
        self.contract = recogniser.contract
        self.known_sizes = recogniser.known_sizes and recogniser.takes_sizes
        self.run = run
        self.shelf = shelf
        self.vectors = np.full((count, self.contract.embedding_size), np.nan, np.float32)
        self.norms = np.full(count, np.nan, np.float32)
        self.failures: list[tuple[int, str]] = []
        self.waiting: list[tuple[int, Face, bytes]] = []
        self.computed = 0

    def take(self, row: int, face: Face | UnreadableFace) -> None:
        if isinstance(face, UnreadableFace):
            self.failures.append((row, str(face)))
            return
        size = self.contract.input_size
        if face.image.shape != (size, size, 3):
            raise ContractError(
                f"face {face.record.id!r} is {face.image.shape[1]}x{face.image.shape[0]} px,"
                f" the recogniser {self.contract.model_id!r} takes {size}x{size}",
                where=face.record.source,
                remedy="align the faces first (wildstyle faces align)",
            )
        key = self._key(face) if self.shelf is not None else b""
        known = self.shelf.get(key) if self.shelf is not None else None
        if known is None:
            self.waiting.append((row, face, key))
        else:
            self.vectors[row], self.norms[row] = known

    def _key(self, face: Face) -> bytes:
        key = face_hash(face.image)
        if not self.known_sizes or face.record.size_before is None:
            return key
        return hashlib.blake2b(key + struct.pack("<d", face.record.size_before), digest_size=len(key)).digest()

    def _sizes(self) -> NDArray[np.float32] | None:
        if not self.known_sizes:
            return None
        sizes = [face.record.size_before for _, face, _ in self.waiting]
        return np.array([[UNKNOWN_SIZE if size is None else size] for size in sizes], np.float32)

    def compute(self) -> None:
        if not self.waiting:
            return
        raw = self.run(working_batch([face for _, face, _ in self.waiting]), self._sizes())
        norms = np.linalg.norm(raw, axis=1)
        for (row, _, key), vector, norm in zip(self.waiting, raw, norms, strict=True):
            if not np.isfinite(norm) or norm <= NORM_FLOOR:
                self.failures.append((row, f"the recogniser gives an embedding of length {norm:g}"))
                continue
            self.vectors[row], self.norms[row] = vector / norm, norm
            if self.shelf is not None:
                self.shelf.put(key, self.vectors[row], float(norm))
        self.computed += len(self.waiting)
        if self.shelf is not None:
            self.shelf.flush()
        self.waiting.clear()

    def result(self, engine: str) -> Embeddings:
        ok = ~np.isnan(self.norms)
        return Embeddings(self.vectors, self.norms, ok, sorted(self.failures), self.computed, engine)
