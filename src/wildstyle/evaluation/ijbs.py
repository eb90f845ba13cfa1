"""IJB-S: faces in surveillance video against stills, bookings and other videos (Kalka et al., BTAS 2018).

A probe is one person in one video, all frames pooled, weighted by the length of their embeddings; in the multi-view
protocol, one person in all videos. Closed set among the people of both galleries joined; open set in each gallery
alone, mean of both. Public evaluators choose the open-set threshold by counting: the k-th highest of the non-mated
maxima with k = int(n FPIR) and "at least", or with the one before and "more than"; both stand beside the strict rule.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, SettingError
from wildstyle.evaluation.ijb import FaceEmbeddings
from wildstyle.evaluation.outcome import Outcome
from wildstyle.evaluation.pooling import Pooled, PoolingRule, pool
from wildstyle.evaluation.rates import rate_name
from wildstyle.evaluation.result import Measure
from wildstyle.evaluation.two_galleries import Searched, open_set_questions, rank_questions, search_both
from wildstyle.faces.layouts.ijb import TemplateList
from wildstyle.faces.layouts.ijbs import PROTOCOLS, IjbsLayout

VERSION = "1"
FPIR_TARGETS = (1e-2, 1e-1)
NORM_WEIGHTED = PoolingRule(norm=True, media_first=False)

Rounding = Literal["strict", "at least", "more than"]
"""``at least``: k = int(n FPIR), accept at the k-th highest maximum; ``more than``: above the max(k - 1, 0)-th."""


def evaluate_ijbs(
    faces: FaceEmbeddings,
    layout: IjbsLayout,
    protocol: str,
    *,
    rule: PoolingRule = NORM_WEIGHTED,
    rounding: Rounding = "strict",
    data: str = "ijbs",
) -> Outcome:
    """Run one protocol.

    Args:
        faces: N embeddings of the layout's crops, in its order.
        layout: what ``read_ijbs`` gave.
        protocol: a key of ``PROTOCOLS``.
        rule: how frames are pooled.
        rounding: also give the open-set figures by one public evaluator's counting, without intervals.
        data: name for the result.

    Raises:
        InputError: the protocol's lists are not there, another number of faces, or a list names nobody that has a crop.
        SettingError: unknown protocol or rounding.
    """
    if protocol not in PROTOCOLS or rounding not in get_args(Rounding):
        raise SettingError(f"{protocol!r} with {rounding!r} is unknown", remedy=f"choose of {', '.join(PROTOCOLS)}")
    if len(faces.vectors) != len(layout.files):
        raise InputError(f"the layout lists {len(layout.files)} faces, there are {len(faces.vectors)} embeddings")
    if protocol not in layout.protocols:
        raise InputError(f"the lists of {protocol!r} are not there", where=layout.root)
    templates, galleries, probes = _templates(faces, layout, protocol, rule)
    people = np.unique(np.concatenate([probes.subjects, *(g.subjects for g in galleries)]))
    sides, joined = search_both(galleries, probes, templates, {int(p): i for i, p in enumerate(people)})
    return Outcome(
        protocol=f"ijbs {protocol}",
        version=VERSION,
        data=data,
        rules={
            "fpir_rule": "strict, per gallery, on the highest score of each non-mated probe; a hit also needs rank 1; "
            "mean of both galleries" + ("" if rounding == "strict" else f"; beside it counting with {rounding!r}"),
            "ranks": "'joined-gallery', the protocol's closed set: among the people of both; else in the own gallery",
            "pooling": rule.rule,
            "flip": "none",
            "ties": "against the system: the mate ranks last among equals",
            "failures": "a frame without an embedding is left out; a probe without any is a miss and raises no alarm",
            "comparisons": "cosine, float32; each probe against the whole gallery",
        },
        counts={
            "people": len(people),
            "faces": len(layout.files),
            "probes": len(probes),
            "probe failures": int((~sides[0].ok).sum()),
            "gallery people": len(joined.gallery.people),
            **{f"non-mated probes {s.name}": int((s.ok & ~s.mated).sum()) for s in sides},
        },
        people=tuple(str(p) for p in people),
        questions=(
            *rank_questions(sides, joined),
            *(question for target in FPIR_TARGETS for question in open_set_questions(sides, target)),
        ),
        fixed=tuple(_counted(sides, target, rounding) for target in FPIR_TARGETS if rounding != "strict"),
    )


def _templates(
    faces: FaceEmbeddings, layout: IjbsLayout, protocol: str, rule: PoolingRule
) -> tuple[Pooled, tuple[TemplateList, TemplateList], TemplateList]:
    """Templates of the galleries, one a person, and of the probes; a crop may be in several."""
    probe_list, gallery_list = PROTOCOLS[protocol]
    people, clips = layout.people.tolist(), layout.clips
    whole = protocol.startswith("multi-view")
    keys: dict[tuple[str, int, str], int] = {}
    rows: list[int] = []
    owners: list[int] = []

    def put(row: int, key: tuple[str, int, str]) -> None:
        rows.append(row)
        owners.append(keys.setdefault(key, len(keys)))

    wanted = layout.probes[probe_list]
    sides = layout.galleries[gallery_list]
    for row, (person, clip) in enumerate(zip(people, clips, strict=True)):
        for number, listed in enumerate(sides):
            if (person, clip) in listed:
                put(row, (f"G{number + 1}", person, ""))
        if clip in wanted:
            put(row, ("probe", person, "" if whole else clip))
    lists = {
        name: [(number, person) for (kind, person, _), number in keys.items() if kind == name]
        for name in ("G1", "G2", "probe")
    }
    if empty := [name for name, found in lists.items() if not found]:
        raise InputError(f"nobody in {', '.join(empty)} of {protocol!r} has a crop", where=layout.root)
    chosen = np.array(rows, np.int64)
    pooled = pool(
        faces.vectors[chosen],
        np.array(owners, np.int64),
        norms=None if faces.norms is None else faces.norms[chosen],
        ok=faces.ok[chosen],
        rule=rule,
    )
    named = {
        name: TemplateList(name, *(np.array(column, np.int64) for column in zip(*found, strict=True)))
        for name, found in lists.items()
    }
    return pooled, (named["G1"], named["G2"]), named["probe"]


def _counted(sides: list[Searched], rate: float, rounding: Rounding) -> Measure:
    """Mean TPIR of both galleries at thresholds chosen by counting."""
    shares: list[float] = []
    for side in sides:
        maxima = np.sort(side.found.best_other[side.ok & ~side.mated])[::-1]
        first = np.where(side.found.ahead == 0, side.found.mate, np.float32(-np.inf))[side.mated]
        if not len(maxima):
            break
        shares.append(float(np.mean(_accepted(first, maxima, rate, rounding))))
    name, mated = f"tpir@fpir={rate_name(rate)} {rounding}", sum(int(side.mated.sum()) for side in sides)
    if len(shares) < len(sides):
        return Measure(name, None, None, None, mated, note="not measurable: a gallery without non-mated probes")
    return Measure(name, float(np.mean(shares)), None, None, mated, note="an older table's rule; may exceed the FPIR")


def _accepted(
    first: NDArray[np.float32], maxima: NDArray[np.float32], rate: float, rounding: Rounding
) -> NDArray[np.bool_]:
    count = int(len(maxima) * rate)
    if rounding == "at least":
        return np.asarray(first >= (maxima[count - 1] if count else maxima[0] + np.float32(1e-5)))
    return np.asarray(first > maxima[max(count - 1, 0)])
