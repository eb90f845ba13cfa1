"""IJB-B and IJB-C: verification of listed template pairs, and search in two disjoint galleries.

1:1 (Whitelam et al. 2017; Maze et al. 2018): pooled templates, cosine, TAR at FMR 1e-6 to 1e-1. Old tables take the
ROC point *nearest* to the wanted FMR, which may exceed it; here the rule is strict and theirs stands beside it.

1:N: every probe is searched in each gallery alone, so the people of the other gallery are the non-mated ones and the
FPIR is one. The mean of both TPIRs is the figure. Common scripts join the galleries: every probe then has a mate, no
false alarm is possible, and what they call FPIR is a rate of pairs; that figure stands here under a legacy name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, NotMeasurable
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.listed import listed_scores
from wildstyle.evaluation.old_rules import measure_at
from wildstyle.evaluation.outcome import Outcome, Vectors
from wildstyle.evaluation.pooling import Pooled, PoolingRule, pool
from wildstyle.evaluation.rates import (
    NEAREST_RULE,
    STRICT_RULE,
    nearest_thresholds,
    rate_name,
    reliability_note,
)
from wildstyle.evaluation.result import Measure
from wildstyle.evaluation.shares import Impostors, Question
from wildstyle.evaluation.two_galleries import Searched, open_set_questions, rank_questions, search_both
from wildstyle.faces.layouts.ijb import IjbLayout

VERSION = "1"
FMR_TARGETS = (1e-4, 1e-6, 1e-5, 1e-3, 1e-2, 1e-1)
FPIR_TARGETS = (1e-2, 1e-1)
INSIGHTFACE = PoolingRule(norm=True, detector=True)
"""N1D1F0: the default of InsightFace's script. AdaFace's official one is N1D0F1: the two never compare."""

_COMMON = {
    "flip": "none, unless the pooling says F1",
    "failures": "a failed face is left out of its template; a template without any face is a miss and gives no "
    "impostor score",
}


@dataclass(frozen=True)
class FaceEmbeddings:
    """Embeddings of the N faces of a layout.

    Attributes:
        vectors: (N, D) float32, unit where ``norms`` is given, else as the network gave them; may be a memory map.
        ok: (N,) bool.
        norms: (N,) float32 lengths, or None.
        mirrored: the same of the mirrored faces, (N, D) of full length, or None.
    """

    vectors: Vectors
    ok: NDArray[np.bool_]
    norms: NDArray[np.float32] | None = None
    mirrored: Vectors | None = None


def pooled_templates(faces: FaceEmbeddings, layout: IjbLayout, rule: PoolingRule) -> Pooled:
    """All templates of a layout.

    Raises:
        InputError: another number of faces, or F1 without mirrored embeddings.
    """
    if len(faces.vectors) != len(layout.template):
        raise InputError(f"the layout lists {len(layout.template)} faces, there are {len(faces.vectors)} embeddings")
    vectors, norms = faces.vectors, faces.norms
    if rule.flip:
        if faces.mirrored is None:
            raise InputError(f"pooling {rule.name} adds mirrored faces, which were not embedded", remedy="use F0")
        own = vectors if norms is None else vectors * norms[:, None]
        vectors, norms = own + faces.mirrored, None
    return pool(
        vectors,
        layout.template,
        media=layout.media,
        norms=norms,
        detector=layout.detector,
        ok=faces.ok,
        rule=rule,
    )


def evaluate_ijb_pairs(
    faces: FaceEmbeddings,
    layout: IjbLayout,
    *,
    rule: PoolingRule = INSIGHTFACE,
    data: str | None = None,
    nearest: bool = True,
    templates: Pooled | None = None,
) -> Outcome:
    """The 1:1 protocol.

    Args:
        faces: N embeddings.
        layout: what ``read_ijb`` gave.
        rule: how faces are pooled.
        data: name for the result; the layout's kind by default.
        nearest: also give the figures of the nearest rule, without intervals.
        templates: what ``pooled_templates`` gave with the same rule, where it is at hand.

    Raises:
        InputError: see ``pooled_templates``.
        NotMeasurable: pairs of one kind only.
    """
    templates = templates or pooled_templates(faces, layout, rule)
    same = layout.same
    if not same.any() or same.all():
        raise NotMeasurable(f"pairs of both kinds are needed; {int(same.sum())} of {len(same)} show one person")
    ends = _places(templates, layout.pairs)
    scores = listed_scores(templates.vectors, ends[0], ends[1], ok=templates.ok)
    people, names = _people_of_templates(templates, layout, ends)
    compared = ~same & np.isfinite(scores)
    mated = Items(scores[same], people[ends[0][same]])
    impostors = Items(scores[compared], people[ends[0][compared]], people[ends[1][compared]])
    prepared = Impostors.of(impostors)
    everyone = {"all": np.ones(len(mated), bool)}
    fixed = _nearest(mated, impostors) if nearest else ()
    return Outcome(
        protocol=f"{layout.kind} 1:1",
        version=VERSION,
        data=data or layout.kind,
        rules={
            "fmr_rule": STRICT_RULE + (f"; beside it {NEAREST_RULE}" if nearest else ""),
            "pooling": rule.rule,
            "ties": "a score equal to an impostor's at the limit is rejected",
            "comparisons": "the listed template pairs only, cosine, float32",
            **_COMMON,
        },
        counts=_counts(templates, layout)
        | {
            "people": len(names),
            "mated pairs": int(same.sum()),
            "impostor pairs": int((~same).sum()),
            "impostor comparisons": len(impostors),
            "failed pairs": int(np.isneginf(scores).sum()),
        },
        people=names,
        questions=tuple(Question(f"tar@fmr={rate_name(t)}", mated, everyone, prepared, t) for t in FMR_TARGETS),
        fixed=fixed,
    )


def evaluate_ijb_search(
    faces: FaceEmbeddings,
    layout: IjbLayout,
    *,
    rule: PoolingRule = INSIGHTFACE,
    data: str | None = None,
    templates: Pooled | None = None,
) -> Outcome:
    """The 1:N protocol with mixed-media probes; arguments as for ``evaluate_ijb_pairs``.

    Raises:
        InputError: the 1:N lists are missing, or name templates without faces.
        NotMeasurable: the galleries share people, or no probe has a mate.
    """
    if layout.probes is None or len(layout.galleries) != 2:
        raise InputError("the lists of the 1:N protocol are not there", where=layout.root / "meta")
    templates = templates or pooled_templates(faces, layout, rule)
    subjects, names = _subjects_of(layout)
    sides, joined = search_both(layout.galleries, layout.probes, templates, subjects)
    questions = (
        *rank_questions(sides, joined),
        *(question for target in FPIR_TARGETS for question in open_set_questions(sides, target)),
    )
    return Outcome(
        protocol=f"{layout.kind} 1:N",
        version=VERSION,
        data=data or layout.kind,
        rules={
            "fpir_rule": "strict, per gallery, on the highest score of each non-mated probe; a hit also needs rank 1; "
            "mean of both galleries",
            "ranks": "each probe in its own gallery; 'joined-gallery': among the people of both",
            "pooling": rule.rule,
            "ties": "against the system: the mate ranks last among equals",
            "comparisons": "cosine, float32; each probe against the whole gallery",
            **_COMMON,
        },
        counts=_counts(templates, layout)
        | {
            "people": len(names),
            "probes": len(layout.probes),
            "probe failures": int((~sides[0].ok).sum()),
            "gallery people": len(joined.gallery.people),
            **{f"gallery {s.name}": len(s.gallery.people) for s in sides},
            **{f"non-mated probes {s.name}": int((s.ok & ~s.mated).sum()) for s in sides},
        },
        people=names,
        questions=questions,
        fixed=tuple(_legacy(joined, target) for target in FPIR_TARGETS),
    )


def _legacy(joined: Searched, rate: float) -> Measure:
    """The joined-gallery figure: a rate of pairs a probe, the ceil(n rate)-th highest of all, no rank asked."""
    name = f"tpir@fpir={rate_name(rate)} joined-gallery legacy"
    place = int(np.ceil(len(joined.people) * rate))
    top = np.sort(joined.top.values)[::-1]
    mated = int(joined.mated.sum())
    if place > len(top):
        return Measure(name, None, None, None, mated, note="not measurable: too few non-mated pairs")
    threshold = float(top[place - 1])
    share = float(np.mean(joined.found.mate[joined.mated] >= threshold))
    note = "no FPIR: in the joined gallery every probe has a mate; counts pairs; only for comparison with old tables"
    return Measure(name, share, None, None, mated, note=note, threshold=threshold)


def _nearest(mated: Items, impostors: Items) -> tuple[Measure, ...]:
    measurable, out = [], {}
    for target in FMR_TARGETS:
        name = f"tar@fmr={rate_name(target)} nearest"
        try:
            reliability_note(target, len(impostors))
            measurable.append(target)
        except NotMeasurable as reason:
            out[target] = Measure(name, None, None, None, len(mated), note=f"not measurable: {reason.what}")
    for point in nearest_thresholds(impostors.values, measurable):
        out[point.target] = measure_at(f"tar@fmr={rate_name(point.target)} nearest", mated.values, point)
    return tuple(out[target] for target in FMR_TARGETS)


def _places(templates: Pooled, pairs: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Rows of both templates of each pair; by table, as there are millions."""
    table = np.full(int(templates.ids[-1]) + 1, -1, np.int32)
    table[templates.ids] = np.arange(len(templates), dtype=np.int32)
    if pairs.max(initial=0) >= len(table):
        raise InputError(f"a pair names template {pairs.max()}, which has no face")
    ends = table[pairs[:, 0]], table[pairs[:, 1]]
    if min(ends[0].min(initial=0), ends[1].min(initial=0)) < 0:
        raise InputError("a pair names a template that has no face")
    return ends


def _people_of_templates(
    templates: Pooled, layout: IjbLayout, ends: tuple[NDArray[np.int32], NDArray[np.int32]]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """(T,) person of each template: named by the 1:N lists, and joined by mated pairs."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    known: dict[int, int] = {}
    first, second = [ends[0][layout.same]], [ends[1][layout.same]]
    for listed in (*layout.galleries, *([layout.probes] if layout.probes else [])):
        rows = templates.place(listed.templates)
        # The first template of a person that is met stands for the person.
        heads = [known.setdefault(s, r) for s, r in zip(listed.subjects.tolist(), rows.tolist(), strict=True)]
        first.append(rows.astype(np.int32))
        second.append(np.array(heads, np.int32))
    row, column = np.concatenate(first), np.concatenate(second)
    joins = coo_array((np.ones(len(row), np.int8), (row, column)), shape=(len(templates), len(templates)))
    count, labels = connected_components(joins, directed=False)
    return labels.astype(np.int64), tuple(f"person {i}" for i in range(count))


def _subjects_of(layout: IjbLayout) -> tuple[dict[int, int], tuple[str, ...]]:
    """Index of each person of the 1:N lists, and names."""
    lists = (*layout.galleries, *([layout.probes] if layout.probes else []))
    found = np.unique(np.concatenate([listed.subjects for listed in lists]))
    return {int(s): i for i, s in enumerate(found)}, tuple(str(s) for s in found)


def _counts(templates: Pooled, layout: IjbLayout) -> dict[str, int]:
    faces = len(layout.template)
    return {
        "faces": faces,
        "failed faces": faces - int(templates.faces.sum()),
        "templates": len(templates),
        "failed templates": int((~templates.ok).sum()),
    }
