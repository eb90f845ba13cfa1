"""TinyFace: closed-set search among small faces, with and without 153,428 distractors (Cheng, Zhu and Gong 2018).

A probe has several mates in the gallery; it is a hit at rank k if any of them is among the first k pictures. The mean
average precision follows the set's own tool, the trapezoid form of MARS and Market, which lies below the plain one;
both are given, under names that say which. Every probe has a mate, so nobody could raise a false alarm: TinyFace has
no FPIR, and none is made up here by taking scores of pairs for alarms.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError
from wildstyle.evaluation.average_precision import average_precision
from wildstyle.evaluation.curves import cmc_curve
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.outcome import Outcome, Vectors, checked_vectors
from wildstyle.evaluation.ratios import RatioQuestion
from wildstyle.evaluation.result import Curve, Measure
from wildstyle.evaluation.search import Side, ranks_of_mates
from wildstyle.evaluation.shares import Question
from wildstyle.faces.layouts.tinyface import TinyFaceLayout

VERSION = "1"
RANKS = (1, 5, 10, 20, 50)

RULES = {
    "gallery": "Gallery_Match and Gallery_Distractor; 'without distractors': Gallery_Match alone",
    "ranks": "among pictures; a hit if any of the probe's mates is among the first k",
    "map_rule": "'map trapezoid': steps of recall times the mean of the precisions before and at a mate, precision 1 "
    "before the first place (the set's own tool); 'map plain': mean of i / rank of the i-th mate",
    "pooling": "none: one image against one image",
    "flip": "none",
    "ties": "against the system: a mate ranks last among equals",
    "failures": "a failed probe is a miss with average precision 0; a failed gallery face of the probe's person is a "
    "mate that is never found; failed distractors are left out",
    "comparisons": "cosine, float32; each probe against the whole gallery",
}

NO_FPIR = (
    "not measurable: every probe of TinyFace has a mate in the gallery, so there is no non-mated probe that could "
    "raise a false alarm"
)


@dataclass(frozen=True)
class _Ranked:
    """The mates of n probes in one gallery.

    Attributes:
        first: (n,) int64 rank of the best mate, 0 where none was found.
        trapezoid: (n,) average precision by the set's own rule.
        plain: (n,) average precision by the plain rule.
    """

    first: NDArray[np.int64]
    trapezoid: NDArray[np.float64]
    plain: NDArray[np.float64]


def evaluate_tinyface(
    vectors: Vectors, ok: NDArray[np.bool_], layout: TinyFaceLayout, *, data: str = "tinyface"
) -> Outcome:
    """Run the protocol.

    Args:
        vectors: (N, D) float32 unit embeddings of the layout's pictures, in its order.
        ok: (N,) bool, False where there is no embedding.
        layout: what ``read_tinyface`` gave.
        data: name for the result.

    Raises:
        InputError: shapes disagree, embeddings are not of unit length, or a probe has no mate.
    """
    vectors, ok = checked_vectors(vectors, ok, len(layout.files))
    known = layout.probes + layout.gallery
    numbers, labels = np.unique(layout.people[:known], return_inverse=True)
    probes, gallery = labels[: layout.probes], labels[layout.probes :]
    mates = np.bincount(gallery, minlength=len(numbers))[probes]
    if (alone := np.flatnonzero(mates == 0)).size:
        raise InputError(
            f"{len(alone)} probes have no mate in the gallery, the first is {layout.files[alone[0]]}",
            where=layout.root,
            remedy="take Probe and Gallery_Match from one download",
        )
    good = ok[: layout.probes], ok[layout.probes : known], ok[known:]
    sides = (
        Side(vectors[: layout.probes], probes).part(good[0]),
        Side(vectors[layout.probes : known], gallery).part(good[1]),
    )
    galleries = {" without distractors": _ranked(sides, None, good[0], mates)}
    if layout.distractors:
        galleries = {"": _ranked(sides, vectors[known:][good[2]], good[0], mates), **galleries}
    return Outcome(
        protocol="tinyface",
        version=VERSION,
        data=data,
        rules=RULES,
        counts=_counts(layout, ok, len(numbers), mates),
        people=tuple(str(number) for number in numbers),
        questions=tuple(
            question for suffix, ranked in galleries.items() for question in _questions(ranked, probes, suffix)
        ),
        curves=_curves(next(iter(galleries.values())), layout),
        fixed=(Measure("tpir@fpir=1e-2", None, None, None, layout.probes, note=NO_FPIR),),
    )


def _ranked(
    sides: tuple[Side, Side], distractors: Vectors | None, good: NDArray[np.bool_], mates: NDArray[np.int64]
) -> _Ranked:
    probe, rank, _ = ranks_of_mates(*sides, distractors)
    probe = np.flatnonzero(good)[probe]
    first = np.zeros(len(good), np.int64)
    who, place = np.unique(probe, return_index=True)
    first[who] = rank[place]
    # Mates that failed are never found: their share of the recall is lost.
    found = np.bincount(probe, minlength=len(good)) / mates
    rules = (average_precision(probe, rank, len(good), "trapezoid"), average_precision(probe, rank, len(good), "plain"))
    return _Ranked(first, rules[0] * found, rules[1] * found)


def _questions(ranked: _Ranked, people: NDArray[np.int64], suffix: str) -> list[Question]:
    everyone = {"all": np.ones(len(people), bool)}
    hits = [(rank, (ranked.first > 0) & (ranked.first <= rank)) for rank in RANKS]
    precisions = (("map trapezoid", ranked.trapezoid), ("map plain", ranked.plain))
    return [
        *(Question(f"rank-{rank}{suffix}", Items(hit.astype(np.float32), people), everyone) for rank, hit in hits),
        *(
            RatioQuestion.mean(f"{name}{suffix}", Items(values.astype(np.float32), people), everyone)
            for name, values in precisions
        ),
    ]


def _curves(ranked: _Ranked, layout: TinyFaceLayout) -> tuple[Curve, ...]:
    size = layout.gallery + layout.distractors
    return tuple(replace(curve, note=f"gallery of {size:,} pictures") for curve in cmc_curve(ranked.first, size))


def _counts(layout: TinyFaceLayout, ok: NDArray[np.bool_], people: int, mates: NDArray[np.int64]) -> dict[str, int]:
    known = layout.probes + layout.gallery
    return {
        "people": people,
        "gallery faces": layout.gallery,
        "gallery failures": int((~ok[layout.probes : known]).sum()),
        "probes": layout.probes,
        "probe failures": int((~ok[: layout.probes]).sum()),
        "mated probes": layout.probes,
        "mates": int(mates.sum()),
        "distractors": int(ok[known:].sum()),
        "distractor failures": int((~ok[known:]).sum()),
    }
