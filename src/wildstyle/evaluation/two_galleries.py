"""Search in two disjoint galleries: each alone, where the other's people are strangers, and both joined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import NotMeasurable
from wildstyle.evaluation.averages import MeanQuestion
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.pooling import Pooled
from wildstyle.evaluation.rates import rate_name
from wildstyle.evaluation.search import Search, Side, search_apart
from wildstyle.evaluation.shares import Impostors, Question
from wildstyle.faces.layouts.ijb import TemplateList

RANKS = (1, 5, 10)
LEGACY_KEPT = 20_000
"""Highest scores of the joined gallery that are kept, for figures of older tables."""


@dataclass(frozen=True)
class Searched:
    """All probes searched in one gallery, or in both joined."""

    name: str
    gallery: Side
    people: NDArray[np.int64]
    ok: NDArray[np.bool_]
    mated: NDArray[np.bool_]
    found: Search
    top: Items


def search_both(
    galleries: tuple[TemplateList, ...], probes: TemplateList, templates: Pooled, subjects: Mapping[int, int]
) -> tuple[list[Searched], Searched]:
    """All probes in each gallery alone, and in both joined.

    Args:
        galleries: two, without common people.
        probes: templates and their people.
        templates: pooled vectors of all of them.
        subjects: index of each person, for intervals.

    Raises:
        NotMeasurable: the galleries share people.
        InputError: a template has no face.
    """

    def people_of(listed: TemplateList) -> NDArray[np.int64]:
        return np.fromiter((subjects[s] for s in listed.subjects.tolist()), np.int64, len(listed))

    people, rows = people_of(probes), templates.place(probes.templates)
    owners = [people_of(gallery) for gallery in galleries]
    if np.isin(owners[0], owners[1]).any():
        raise NotMeasurable("the two galleries share people: there are no non-mated probes")
    sides = []
    for gallery, owner in zip(galleries, owners, strict=True):
        place = templates.place(gallery.templates)
        good = templates.ok[place]
        sides.append(Side(templates.vectors[place[good]], owner[good]))
    ok = templates.ok[rows]
    apart, both, top = search_apart(Side(templates.vectors[rows[ok]], people[ok]), sides, impostors_kept=LEGACY_KEPT)
    searched = [
        Searched(gallery.name, side, people, ok, np.isin(people, owner), found.spread(ok), top)
        for gallery, side, owner, found in zip(galleries, sides, owners, apart, strict=True)
    ]
    whole = Side(*(np.concatenate([getattr(side, column) for side in sides]) for column in ("vectors", "people")))
    mated = np.any([s.mated for s in searched], axis=0)
    return searched, Searched("joined", whole, people, ok, mated, both.spread(ok), top)


def rank_questions(sides: list[Searched], joined: Searched) -> list[Question]:
    """Rank 1, 5 and 10 of each probe in its own gallery, and among the people of both."""
    out = []
    for rank in RANKS:
        hits = [np.isfinite(s.found.mate) & (s.found.ahead < rank) for s in sides]
        mated = [s.mated for s in sides]
        values = np.concatenate([h[m] for h, m in zip(hits, mated, strict=True)]).astype(np.float32)
        first = np.concatenate([s.people[s.mated] for s in sides])
        which = np.repeat(np.arange(len(sides)), [int(m.sum()) for m in mated])
        groups = {"all": np.ones(len(values), bool), **{f"gallery={s.name}": which == i for i, s in enumerate(sides)}}
        out.append(Question(f"rank-{rank}", Items(values, first), groups))
    for rank in RANKS:
        hit = (np.isfinite(joined.found.mate) & (joined.found.ahead < rank))[joined.mated]
        items = Items(hit.astype(np.float32), joined.people[joined.mated])
        out.append(Question(f"rank-{rank} joined-gallery", items, {"all": np.ones(len(items), bool)}))
    return out


def open_set_questions(sides: list[Searched], target: float) -> list[Question]:
    """TPIR at an FPIR: the mean of both galleries, then each."""
    parts = []
    for s in sides:
        first = np.where(s.found.ahead == 0, s.found.mate, np.float32(-np.inf))
        items = Items(first[s.mated], s.people[s.mated])
        others = s.ok & ~s.mated
        impostors = Impostors.of(Items(s.found.best_other[others], s.people[others]))
        everyone = {"all": np.ones(len(items), bool)}
        parts.append(Question(f"tpir@fpir={rate_name(target)} {s.name}", items, everyone, impostors, target))
    return [MeanQuestion.of(f"tpir@fpir={rate_name(target)}", parts), *parts]
