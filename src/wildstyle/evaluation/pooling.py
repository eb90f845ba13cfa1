"""From faces to templates: which faces count how much.

Within a template the faces of one medium (film, video, still) are averaged first, then the media are summed and the
sum is brought to unit length: hundreds of frames of one video must not outweigh a second source. So the IJB protocols
have it. Their common scripts differ in three switches, which old tables name by letters: N1 keeps the length of a
face's embedding, N0 does away with it; D1 multiplies by the detector's score, D0 does not; F1 adds the mirrored
face's embedding, F0 does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

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
    order, edges, owner, ids = _segments(template, media if rule.media_first else None)
    weight = _weights(vectors, norms, detector if rule.detector else None, rule)
    good = np.ones(count, bool) if ok is None else np.asarray(ok, bool)
    faces = np.add.reduceat(good[order], edges[:-1], dtype=np.int64)
    starts = np.append(np.flatnonzero(np.diff(owner, prepend=-1)), len(owner))
    segments = _Segments(order, edges, starts, faces if rule.media_first else None)
    whole = _sums(vectors, segments, (weight, good))
    counted = np.add.reduceat(faces, starts[:-1])
    lengths = np.sqrt(np.einsum("td,td->t", whole, whole, dtype=np.float64))
    fine = (counted > 0) & (lengths > 1e-6)
    whole[~fine] = 0
    whole /= np.where(fine, lengths, 1)[:, None].astype(np.float32)
    return Pooled(ids, whole, fine, counted)


Weight = Callable[[NDArray[np.int64], NDArray[np.float32]], NDArray[np.float32] | None]
"""Rows and their vectors to weights (n,), None for 1."""


def _weights(
    vectors: NDArray[np.float32],
    norms: NDArray[np.float32] | None,
    detector: NDArray[np.float32] | None,
    rule: PoolingRule,
) -> Weight:
    def weight(rows: NDArray[np.int64], values: NDArray[np.float32]) -> NDArray[np.float32] | None:
        out = None if detector is None else np.asarray(detector[rows], np.float32)
        if norms is not None:
            factor = np.asarray(norms[rows], np.float32) if rule.norm else None
        elif rule.norm:
            factor = None
        else:
            factor = 1 / np.maximum(np.sqrt(np.einsum("nd,nd->n", values, values)), np.float32(1e-12))
        if factor is None:
            return out
        return factor if out is None else out * factor

    return weight


def _segments(
    template: NDArray[np.integer], media: NDArray[np.integer] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Order of the rows by (template, medium), borders of the segments, template index of each, template ids."""
    ids, place = np.unique(template, return_inverse=True)
    if media is None:
        order = np.argsort(place, kind="stable")
        change = np.diff(place[order], prepend=-1) != 0
    else:
        _, medium = np.unique(media, return_inverse=True)
        key = place.astype(np.int64) * (int(medium.max(initial=0)) + 1) + medium
        order = np.argsort(key, kind="stable")
        change = np.diff(key[order], prepend=-1) != 0
    starts = np.flatnonzero(change)
    return order, np.append(starts, len(order)), place[order][starts], ids.astype(np.int64)


@dataclass(frozen=True)
class _Segments:
    """Rows by template and medium.

    Attributes:
        order: (N,) rows.
        edges: (M + 1,) borders of the media in ``order``.
        starts: (T + 1,) borders of the templates among the media.
        faces: (M,) good faces of each medium where means are wanted, None for sums.
    """

    order: NDArray[np.int64]
    edges: NDArray[np.int64]
    starts: NDArray[np.int64]
    faces: NDArray[np.int64] | None


def _sums(
    vectors: NDArray[np.float32], segments: _Segments, used: tuple[Weight, NDArray[np.bool_]]
) -> NDArray[np.float32]:
    """(T, D) sum over each template's media of their means, or of all faces."""
    weight, good = used
    order, edges, starts = segments.order, segments.edges, segments.starts
    out = np.empty((len(starts) - 1, vectors.shape[1]), np.float32)
    all_good = bool(good.all())

    def work(part: slice) -> None:
        first, last = starts[part.start], starts[part.stop]
        rows = order[edges[first] : edges[last]]
        values = np.asarray(vectors[rows], np.float32)
        factor = weight(rows, values)
        if not all_good:
            bad = ~good[rows]
            values[bad] = 0
            if factor is not None:
                factor = np.where(bad, np.float32(0), factor)
        if factor is not None:
            values *= factor[:, None]
        media = np.add.reduceat(values, edges[first:last] - edges[first], axis=0)
        if segments.faces is not None:
            media /= np.maximum(segments.faces[first:last], 1)[:, None].astype(np.float32)
        np.add.reduceat(media, starts[part.start : part.stop] - first, axis=0, out=out[part])

    for _ in in_threads(work, _even_parts(edges[starts], vectors.shape[1])):
        pass
    return out


def _even_parts(edges: NDArray[np.int64], width: int) -> list[slice]:
    """Slices over the templates, each of about equally many rows."""
    wanted = [block.start for block in row_blocks(int(edges[-1]), width, _BLOCK)]
    cuts = np.unique(np.append(np.searchsorted(edges[:-1], wanted), len(edges) - 1))
    return [slice(int(a), int(b)) for a, b in pairwise(cuts)]
