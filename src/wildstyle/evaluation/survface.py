"""QMUL-SurvFace: faces of 20 px, open-set search against a watch list, and pairs (Cheng, Zhu and Gong 2018).

The figure is TPIR20: the share of the mated probes whose person is among the first 20 *and* whose own score reaches
the threshold at which at most the stated share of the non-mated probes has any candidate. The set says nothing of how
a person's pictures make one score. ``images``: the best of them. ``prototypes``: one vector a person, the mean of the
embeddings as the network gives them, as a public evaluator has it; lengths count there, so norms are needed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, LabelError
from wildstyle.evaluation.areas import AreaQuestion
from wildstyle.evaluation.curves import cmc_curve, open_set_curve
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.outcome import Outcome, Vectors, checked_vectors
from wildstyle.evaluation.pairs import PairOptions, PairOutcome, evaluate_pairs
from wildstyle.evaluation.pooling import PoolingRule, pool
from wildstyle.evaluation.rates import rate_name
from wildstyle.evaluation.search import Search, Side, search
from wildstyle.evaluation.shares import Impostors, Question
from wildstyle.faces.layouts.id_lists import NOBODY
from wildstyle.faces.layouts.survface import SurvFaceLayout, SurvFacePairs

VERSION = "1"
FPIR_TARGETS = (3e-1, 2e-1, 1e-1, 1e-2)
FMR_TARGETS = (3e-1, 1e-1, 1e-2, 1e-3)
LIST_LENGTH = 20
RANKS = (1, 20)

Gallery = Literal["images", "prototypes"]

_PROTOTYPE = PoolingRule(norm=True, media_first=False)
_POOLING = {
    "images": "none: a person's score is the best of the person's gallery images",
    "prototypes": f"one prototype a person, {_PROTOTYPE.rule}",
}
_RULES = {
    "fpir_rule": "strict, on the highest score of each non-mated probe; a hit also needs the person among the first "
    f"{LIST_LENGTH} people and the person's own score above the threshold",
    "auc_rule": "area under TPIR20 against FPIR over all thresholds, straight between points",
    "ranks": "among people; closed set, over mated probes",
    "flip": "none",
    "ties": "against the system: the mate ranks last among equals",
    "failures": "a failed probe is a miss and raises no alarm; failed gallery faces are left out, a person without any "
    "is not found",
    "comparisons": "cosine, float32; each probe against the whole gallery",
    "unknown people": "equal to nobody; each non-mated picture of an unknown person counts as a person of its own",
}


def evaluate_survface(
    vectors: Vectors,
    ok: NDArray[np.bool_],
    layout: SurvFaceLayout,
    *,
    norms: NDArray[np.float32] | None = None,
    gallery: Gallery = "images",
    data: str = "survface",
) -> Outcome:
    """Run the open-set identification protocol; scores are held in blocks only.

    Args:
        vectors: (N, D) float32 unit embeddings of the layout's pictures, in its order.
        ok: (N,) bool, False where there is no embedding.
        layout: what ``read_survface`` gave.
        norms: (N,) lengths of the embeddings before normalisation, for ``prototypes``.
        gallery: see above.
        data: name for the result.

    Raises:
        InputError: shapes disagree, embeddings are not of unit length, norms are missing, or nothing can be searched.
        LabelError: a mated probe's person is not in the gallery, or a non-mated one's is.
    """
    vectors, ok = checked_vectors(vectors, ok, len(layout.files))
    labels, names = _people(layout)
    size, known = layout.gallery, layout.gallery + layout.mated
    _check_roles(labels, layout)
    side = _gallery(vectors[:size], ok[:size], labels[:size], norms, gallery)
    probes, good = labels[size:], ok[size:]
    found, _ = search(Side(vectors[size:], probes).part(good), side)
    spread = found.spread(good)
    hits, alarms = _sides(spread, probes, good, layout.mated)
    impostors = Impostors.of(alarms)
    people_listed = len(np.unique(labels[:size]))
    return Outcome(
        protocol=f"survface identification, gallery of {gallery}",
        version=VERSION,
        data=data,
        rules={"pooling": _POOLING[gallery], **_RULES},
        counts={
            "people": len(names),
            "gallery people": people_listed,
            "gallery faces": size,
            "gallery failures": int((~ok[:size]).sum()),
            "gallery templates": len(side),
            "probes": len(probes),
            "probe failures": int((~good).sum()),
            "mated probes": layout.mated,
            "non-mated probes": layout.unmated,
            "non-mated probes compared": int(ok[known:].sum()),
            "non-mated probes of unknown people": int((layout.people[known:] == NOBODY).sum()),
        },
        people=names,
        questions=_questions(spread, hits, impostors),
        curves=(
            *(
                replace(curve, note=f"a hit is among the first {LIST_LENGTH}")
                for curve in open_set_curve(hits, impostors)
            ),
            *cmc_curve(np.where(np.isfinite(spread.mate), spread.ahead + 1, 0)[: layout.mated], people_listed),
        ),
    )


def evaluate_survface_pairs(
    vectors: Vectors, ok: NDArray[np.bool_], layout: SurvFacePairs, *, data: str = "survface-pairs"
) -> PairOutcome:
    """Run the verification protocol: TAR at FMR 30, 10, 1 and 0.1 %, area under the ROC, accuracy over ten folds.

    Args and errors as for ``evaluate_pairs``; the N faces are those of ``layout.files``.
    """
    options = PairOptions(fmr_targets=FMR_TARGETS)
    found = evaluate_pairs(vectors, ok, layout.pairs, data=data, people=layout.people, options=options)
    accuracy, *points = found.questions
    asked = points[0]
    others = Items(found.scores[:0], asked.items.first[:0]) if asked.impostors is None else asked.impostors.scores
    return replace(
        found,
        protocol="survface verification",
        version=VERSION,
        rules={**found.rules, "auc_rule": "area under TAR against FMR; equal scores count half"},
        questions=(*points, AreaQuestion("auc", asked.items, asked.groups, others=others), accuracy),
    )


def _sides(found: Search, people: NDArray[np.int64], good: NDArray[np.bool_], mated: int) -> tuple[Items, Items]:
    """Own scores of the mated probes, minus infinity beyond the list, and the strangers' highest scores."""
    listed = np.isfinite(found.mate) & (found.ahead < LIST_LENGTH)
    hits = Items(np.where(listed, found.mate, np.float32(-np.inf))[:mated], people[:mated])
    strangers = np.flatnonzero(good[mated:]) + mated
    return hits, Items(found.best_other[strangers], people[strangers])


def _questions(found: Search, hits: Items, impostors: Impostors) -> tuple[Question, ...]:
    mated, everyone = len(hits), {"all": np.ones(len(hits), bool)}
    places = [(rank, (np.isfinite(found.mate) & (found.ahead < rank))[:mated].astype(np.float32)) for rank in RANKS]
    return (
        *(Question(f"tpir{LIST_LENGTH}@fpir={rate_name(t)}", hits, everyone, impostors, t) for t in FPIR_TARGETS),
        AreaQuestion("auc", hits, everyone, others=impostors.scores),
        *(Question(f"rank-{rank}", Items(hit, hits.first), everyone) for rank, hit in places),
    )


def _gallery(
    vectors: Vectors,
    ok: NDArray[np.bool_],
    labels: NDArray[np.int64],
    norms: NDArray[np.float32] | None,
    gallery: Gallery,
) -> Side:
    if not ok.any():
        raise InputError("no face of the gallery has an embedding")
    if gallery == "images":
        return Side(vectors, labels).part(ok)
    if gallery != "prototypes":
        raise InputError(f"gallery {gallery!r} is unknown", remedy="choose images or prototypes")
    if norms is None:
        raise InputError("prototypes are means of embeddings of full length", remedy="give norms, or take images")
    pooled = pool(vectors, labels, norms=norms[: len(labels)], ok=ok, rule=_PROTOTYPE)
    return Side(pooled.vectors, pooled.ids).part(pooled.ok)


def _people(layout: SurvFaceLayout) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """(N,) index of each picture's person, and names; an unknown person is one of its own."""
    unknown = layout.people == NOBODY
    numbers, labels = np.unique(layout.people[~unknown], return_inverse=True)
    out = np.empty(len(layout.people), np.int64)
    out[~unknown] = labels
    out[unknown] = len(numbers) + np.arange(int(unknown.sum()))
    lost = np.flatnonzero(unknown).tolist()
    return out, (*(str(number) for number in numbers), *(f"unknown #{i}" for i in lost))


def _check_roles(labels: NDArray[np.int64], layout: SurvFaceLayout) -> None:
    size, known = layout.gallery, layout.gallery + layout.mated
    inside = np.isin(labels, labels[:size])
    wrong = [
        (np.flatnonzero(~inside[size:known]) + size, "mated probe's person is not in the gallery"),
        (np.flatnonzero(inside[known:]) + known, "non-mated probe's person is in the gallery"),
    ]
    for rows, fault in wrong:
        if len(rows):
            raise LabelError(
                f"a {fault}: {layout.files[rows[0]]}, and {len(rows) - 1} more",
                where=layout.root,
                remedy="take all folders from one download",
            )
