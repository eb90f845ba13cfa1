"""What is measured: a recogniser alone, with a trick that needs no training, or two sides with a gate between them.

Both sides of a gate are embedded once and mixed afterwards, so that every gate over the same weights comes for free;
that the deployed network gives the same is checked on a few faces of each set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from wildstyle.errors import UnreadableFace
from wildstyle.faces import FaceSource
from wildstyle.faces.recut import Mirrored
from wildstyle.faces.stream import stream, working_batch
from wildstyle.recognisers import BranchedNetwork, EmbeddingCache, Recogniser, embed_source, load_recogniser
from wildstyle.recognisers.quality import UNKNOWN_SIZE
from wildstyle.verbs.benchmarks import Embedded

CHECKED = 8


class System(Protocol):
    """Anything that embeds faces."""

    def embedded(self, faces: FaceSource) -> Embedded:
        """Embeddings of all faces."""


@dataclass(frozen=True)
class Alone:
    """One recogniser."""

    recogniser: Recogniser
    cache: EmbeddingCache

    def embedded(self, faces: FaceSource) -> Embedded:
        """Embeddings of all faces."""
        found = embed_source(self.recogniser, faces, cache=self.cache)
        return Embedded(found.vectors, found.ok, found.norms)


@dataclass(frozen=True)
class Tricked:
    """One recogniser with a trick: ``flip`` adds the mirrored face, ``centred`` takes the footage's mean off."""

    recogniser: Recogniser
    cache: EmbeddingCache
    trick: str
    footage: FaceSource

    def embedded(self, faces: FaceSource) -> Embedded:
        """Embeddings of all faces."""
        found = embed_source(self.recogniser, faces, cache=self.cache)
        if self.trick == "flip":
            other = embed_source(self.recogniser, Mirrored(faces), cache=self.cache)
            changed = found.vectors * found.norms[:, None] + other.vectors * other.norms[:, None]
        else:
            footage = embed_source(self.recogniser, self.footage, cache=self.cache)
            changed = found.vectors - footage.vectors[footage.ok].mean(axis=0)
        norms = np.linalg.norm(changed, axis=1)
        return Embedded((changed / norms[:, None]).astype(np.float32), found.ok, norms.astype(np.float32))


@dataclass(frozen=True)
class Mixed:
    """Both sides of a gated recogniser, mixed as its gate says.

    Attributes:
        path: the gated recogniser.
        untouched, adapted: its sides.
        sizes: whether the gate is told the sizes before alignment.
    """

    path: Path
    untouched: Alone
    adapted: Alone
    sizes: bool = False

    def embedded(self, faces: FaceSource) -> Embedded:
        """Embeddings of all faces."""
        whole = replace(load_recogniser(self.path), known_sizes=self.sizes)
        old, new = self.untouched.embedded(faces), self.adapted.embedded(faces)
        share = self._shares(whole, faces)[:, None]
        mixed = (1.0 - share) * old.vectors + share * new.vectors
        vectors = (mixed / np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-12)).astype(np.float32)
        vectors[~old.ok] = np.nan
        some = list(range(0, len(faces), max(1, len(faces) // CHECKED)))
        deployed = embed_source(whole, faces, indices=some)
        apart = np.abs(deployed.vectors - vectors[some])[deployed.ok]
        if len(apart) and apart.max() > 1e-3:
            raise RuntimeError(f"the deployed network differs by {apart.max():.1e} from its sides, mixed")
        return Embedded(vectors, old.ok, np.where(old.ok, 1.0, np.nan).astype(np.float32))

    @torch.no_grad()
    def _shares(self, whole: Recogniser, faces: FaceSource) -> NDArray[np.float32]:
        assert isinstance(whole.network, BranchedNetwork)
        shares, waiting = np.zeros(len(faces), np.float32), []
        for row, face in enumerate(stream(faces, range(len(faces)))):
            if not isinstance(face, UnreadableFace):
                waiting.append((row, face))
            if waiting and (len(waiting) == 64 or row == len(faces) - 1):
                images = whole.contract.normalise(torch.from_numpy(working_batch([face for _, face in waiting])))
                known = [face.record.size_before if self.sizes else None for _, face in waiting]
                sizes = torch.tensor([[UNKNOWN_SIZE if size is None else size] for size in known])
                shares[[row for row, _ in waiting]] = whole.network.gate(images, sizes)[:, 0].numpy()
                waiting = []
        return shares


@dataclass(frozen=True)
class Enrolled:
    """Probes by one system, the gallery and everybody else in it by another: what is enrolled stays enrolled.

    Attributes:
        probes, gallery: systems of one embedding space.
        roles: of each face of the set; faces of another set are all in the gallery.
    """

    probes: System
    gallery: System
    roles: tuple[str | None, ...]

    def embedded(self, faces: FaceSource) -> Embedded:
        """Embeddings of all faces."""
        old = self.gallery.embedded(faces)
        if len(faces) != len(self.roles):
            return old
        new = self.probes.embedded(faces)
        probe = np.array([role == "probe" for role in self.roles])
        sides = zip((new.vectors, new.ok, new.norms), (old.vectors, old.ok, old.norms), strict=True)
        vectors, ok, norms = (np.where(probe if a.ndim == 1 else probe[:, None], a, b) for a, b in sides)
        return Embedded(vectors, ok, norms)
