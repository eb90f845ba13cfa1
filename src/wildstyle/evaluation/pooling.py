"""From faces to templates: which faces count how much.

Within a template the faces of one medium (film, video, still) are averaged first, then the media are summed and the
sum is brought to unit length: hundreds of frames of one video must not outweigh a second source. So the IJB protocols
have it. Their common scripts differ in three switches, which old tables name by letters: N1 keeps the length of a
face's embedding, N0 does away with it; D1 multiplies by the detector's score, D0 does not; F1 adds the mirrored
face's embedding, F0 does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from wildstyle.errors import InputError, SettingError
from wildstyle.evaluation.blocks import in_threads, row_blocks

_BLOCK = 8_000_000  # numbers a thread holds at a time: 32 MB


@dataclass(frozen=True, slots=True)
class PoolingRule:
    """What a face's weight is.

    Attributes:
        norm: a face counts by the length of its embedding (N1), else all alike (N0).
        detector: a face counts by its detector score (D1).
        flip: the mirrored face's embedding is added first (F1).
        media_first: average inside media before media are summed.
    """

    norm: bool = False
    detector: bool = False
    flip: bool = False
    media_first: bool = True

    @property
    def name(self) -> str:
        """Letters as in old tables, or ``mean`` and ``norm-weighted`` where media don't matter."""
        letters = f"N{self.norm:d}D{self.detector:d}F{self.flip:d}"
        if self.media_first:
            return letters
        plain = {"N0D0F0": "mean", "N1D0F0": "norm-weighted"}
        return plain.get(letters, f"{letters} without media")

    @property
    def rule(self) -> str:
        """The rule in words, for a result's ``rules``."""
        weights = [word for said, word in ((self.norm, "norm"), (self.detector, "detector score")) if said]
        parts = [f"faces weighted by {' and '.join(weights)}" if weights else "unit embeddings weighted alike"]
        if self.flip:
            parts.append("the mirrored face added")
        parts.append("mean in each medium, then sum over media" if self.media_first else "summed")
        return f"{self.name}: {', '.join(parts)}, unit length"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``N1D0F0`` (in any case, in part: ``N0``), ``mean`` or ``norm-weighted``.

        Raises:
            SettingError: it is none of these.
        """
        if text in ("mean", "norm-weighted", "norm"):
            return cls(norm=text != "mean", media_first=False)
        found = re.fullmatch(r"N([01])(?:D([01]))?(?:F([01]))?", text, re.IGNORECASE)
        if found is None:
            raise SettingError(
                f"pooling {text!r} is unknown", remedy="write N1D1F0 and the like, mean, or norm-weighted"
            )
        norm, detector, flip = (digit == "1" for digit in found.groups())
        return cls(norm, detector, flip)


PLAIN_MEAN = PoolingRule(media_first=False)
"""All faces of a template alike."""


@dataclass(frozen=True)
class Pooled:
    """T templates.

    Attributes:
        ids: (T,) int64, rising.
        vectors: (T, D) float32 of unit length; zeros where the template failed.
        ok: (T,) bool; a template none of whose faces has an embedding is a failure.
        faces: (T,) int64, faces that were pooled.
    """

    ids: NDArray[np.int64]
    vectors: NDArray[np.float32]
    ok: NDArray[np.bool_]
    faces: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def place(self, ids: NDArray[np.integer]) -> NDArray[np.int64]:
        """(n,) rows of the templates named by ``ids``.

        Raises:
            InputError: one of them is not there.
        """
        found = np.searchsorted(self.ids, ids)
        inside = np.minimum(found, len(self.ids) - 1)
        wrong = self.ids[inside] != ids
        if wrong.any():
            raise InputError(f"template {np.asarray(ids)[wrong][0]} has no face, nor have {int(wrong.sum()) - 1} more")
        return inside


def pool(
    vectors: NDArray[np.float32],
    template: NDArray[np.integer],
    *,
    media: NDArray[np.integer] | None = None,
    norms: NDArray[np.float32] | None = None,
    detector: NDArray[np.float32] | None = None,
    ok: NDArray[np.bool_] | None = None,
    rule: PoolingRule = PLAIN_MEAN,
) -> Pooled:
    """Pool N faces into templates. A mirrored face is added by the caller, before (see ``PoolingRule.flip``).

    Args:
        vectors: (N, D) float32, unit where ``norms`` is given, else of any length (a memory map is read once);
            without ``norms`` their own length counts under N1 and is done away with under N0.
        template: (N,) ids.
        media: (N,) ids; without them every template is one medium.
        norms: (N,) lengths of the embeddings.
        detector: (N,) scores >= 0.
        ok: (N,) bool; faces without an embedding are left out, whatever stands in their rows.
        rule: see there.

    Raises:
        InputError: shapes disagree, or the rule needs a column that was not given.
    """
    template = np.asarray(template)
    count = len(template)
    given = {"vectors": vectors, "media": media, "norms": norms, "detector": detector, "ok": ok}
    for name, column in given.items():
        if column is not None and len(column) != count:
            raise InputError(f"{count} faces but {len(column)} {name}")
    if rule.detector and detector is None:
        raise InputError(f"pooling {rule.name} needs detector scores", remedy="give them, or use D0")
    good = np.arange(count) if ok is None else np.flatnonzero(ok)
    ids, place = np.unique(template, return_inverse=True)
    weight = _weights(vectors, good, norms, detector if rule.detector else None, rule)
    if rule.media_first and media is not None:
        weight /= _companions(place[good], np.asarray(media)[good])
    whole = _weighted_sums(vectors, good, place[good], weight, len(ids))
    faces = np.bincount(place[good], minlength=len(ids)).astype(np.int64)
    lengths = np.sqrt(np.einsum("td,td->t", whole, whole, dtype=np.float64))
    fine = (faces > 0) & (lengths > 1e-6)
    whole[~fine] = 0
    whole /= np.where(fine, lengths, 1)[:, None].astype(np.float32)
    return Pooled(ids.astype(np.int64), whole, fine, faces)


def _weights(
    vectors: NDArray[np.float32],
    rows: NDArray[np.int64],
    norms: NDArray[np.float32] | None,
    detector: NDArray[np.float32] | None,
    rule: PoolingRule,
) -> NDArray[np.float32]:
    """(n,) factor of each used row of ``vectors``."""
    out = np.ones(len(rows), np.float32)
    if norms is not None and rule.norm:
        out *= norms[rows]
    if norms is None and not rule.norm:
        for part in row_blocks(len(rows), vectors.shape[1], _BLOCK):
            values = vectors[rows[part]]
            out[part] /= np.maximum(np.sqrt(np.einsum("nd,nd->n", values, values)), np.float32(1e-12))
    if detector is not None:
        out *= detector[rows]
    return out


def _companions(place: NDArray[np.int64], media: NDArray[np.integer]) -> NDArray[np.float32]:
    """(n,) number of faces in each face's medium of its template."""
    _, medium = np.unique(media, return_inverse=True)
    key = place.astype(np.int64) * (int(medium.max(initial=0)) + 1) + medium
    _, which, counts = np.unique(key, return_inverse=True, return_counts=True)
    return np.asarray(counts[which], np.float32)


def _weighted_sums(
    vectors: NDArray[np.float32],
    rows: NDArray[np.int64],
    place: NDArray[np.int64],
    weight: NDArray[np.float32],
    templates: int,
) -> NDArray[np.float32]:
    """(T, D) sum of weighted rows by template, as a sparse product: each row is read once, where it lies."""
    table = coo_array((weight, (place, rows)), shape=(templates, len(vectors))).tocsr()
    out = np.empty((templates, vectors.shape[1]), np.float32)
    wanted = [block.start for block in row_blocks(len(rows), vectors.shape[1], _BLOCK)]
    cuts = np.unique(np.append(np.searchsorted(table.indptr[:-1], wanted), templates))

    def work(part: slice) -> None:
        low, high = table.indptr[part.start], table.indptr[part.stop]
        some = csr_array(
            (table.data[low:high], table.indices[low:high], table.indptr[part.start : part.stop + 1] - low),
            shape=(part.stop - part.start, len(vectors)),
        )
        out[part] = some @ vectors

    for _ in in_threads(work, [slice(int(a), int(b)) for a, b in pairwise(np.union1d([0], cuts))]):
        pass
    return out
