"""Parts of probes, pairs and impostors: size bands, cameras, films, any column of a manifest.

A group's probes meet the whole gallery. Where the people of the gallery have the column too, impostors are also cut in
two: ``within camera`` are comparisons with gallery people of the probe's own value, ``across camera`` with those of a
known other one; for columns of few values also value by value (``within camera=yard``). Impostors of the same group
are the harder ones; all together flatter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError
from wildstyle.evaluation.bootstrap import Weights
from wildstyle.evaluation.shares import Impostors
from wildstyle.evaluation.templates import Templates, template_text, template_value
from wildstyle.evaluation.trial import Trial
from wildstyle.faces.row import ManifestRow

Groups = Mapping[str, NDArray[np.bool_]]
"""Masks over probes or pairs by name."""

MOST_GROUPS = 500
"""Values of one column that are still told apart."""

_FEW_VALUES = 12

RULE = (
    "at the one threshold of all; a group's probes against the whole gallery; 'within' and 'across': against gallery "
    "people of the same, and of a known other, value"
)
PAIR_RULE = "at the one threshold of all; both faces of a pair are in the group; 'across': they are in two groups"


def band_name(low: float, high: float) -> str:
    """Name of the band from ``low`` px to just below ``high`` px: ``<40 px``, ``40-79 px``, ``>=80 px``."""
    if np.isneginf(low):
        return f"<{high:g} px"
    if np.isposinf(high):
        return f">={low:g} px"
    last = high - 1 if float(high).is_integer() else high
    return f"{low:g}-{last:g} px"


def column_of(name: str) -> Callable[[ManifestRow], str | None]:
    """Reader of a column of texts: ``media`` or an attribute."""
    if name == "media":
        return lambda row: row.media
    return lambda row: row.attributes.get(name)


def check_columns(rows: Sequence[ManifestRow], names: Sequence[str]) -> None:
    """Refuse a column that no row fills.

    Raises:
        InputError: lists the columns there are.
    """
    for name in names:
        if not any(column_of(name)(row) is not None for row in rows):
            known = sorted({key for row in rows for key in row.attributes} | {"media"} - {name})
            raise InputError(
                f"no face has a value in the column {name!r} to group by",
                remedy=f"use one of {', '.join(known)}" if known else "name a column of the set",
            )


def probe_groups(
    probes: Templates, rows: Sequence[ManifestRow], ok: NDArray[np.bool_], bands: Sequence[float], by: Sequence[str]
) -> Groups:
    """(T,) masks over probes: all, bands of ``min_side``, and the values of the columns ``by``."""
    check_columns(rows, by)
    groups = {"all": np.ones(len(probes), bool)}
    if bands:
        groups |= _bands(template_value(probes, rows, ok, lambda row: row.min_side), bands, probes.ok)
    for column in by:
        groups |= _values(column, template_text(probes, rows, column_of(column)), probes.ok)
    return groups


def pair_groups(
    rows: Sequence[ManifestRow],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    bands: Sequence[float],
    by: Sequence[str],
) -> Groups:
    """(P,) masks over pairs: all, bands of the smaller face, both faces of one value, faces of two known values."""
    check_columns(rows, by)
    groups = {"all": np.ones(len(first), bool)}
    known = np.ones(len(first), bool)
    if bands:
        sides = np.array([np.nan if row.min_side is None else row.min_side for row in rows])
        groups |= _bands(np.minimum(sides[first], sides[second]), bands, known)
    for column in by:
        texts = [column_of(column)(row) for row in rows]
        ends = [(texts[a], texts[b]) for a, b in zip(first.tolist(), second.tolist(), strict=True)]
        groups |= _values(column, [a if a == b else None for a, b in ends], known)
        across = np.array([a is not None and b is not None and a != b for a, b in ends])
        if across.any():
            groups[f"across {column}"] = across
    return groups


def impostor_groups(
    trial: Trial, impostors: Impostors, rows: Sequence[ManifestRow], groups: Groups, by: Sequence[str]
) -> dict[str, Impostors]:
    """Impostor scores of each group of probes, and of each value of ``by`` within and across its group.

    Args:
        trial: probes and gallery.
        impostors: all impostor scores with the rows of their probes.
        rows: the manifest.
        groups: masks over the probes.
        by: columns that are cut.
    """
    everyone = np.ones(len(trial.names), bool)
    found = {"all": impostors}
    for name, mask in groups.items():
        if name != "all":
            found[name] = _crossed(trial, impostors, mask, everyone)
    for column in by:
        names, codes = _coded(_people_values(trial, rows, column))
        masks = {i: own for i, name in enumerate(names) if (own := groups.get(f"{column}={name}")) is not None}
        found |= _cut(trial, impostors, column, masks, codes)
        if len(names) > _FEW_VALUES:
            continue
        for i, own in masks.items():
            found[f"within {column}={names[i]}"] = _crossed(trial, impostors, own, codes == i)
            found[f"across {column}={names[i]}"] = _crossed(trial, impostors, own, (codes >= 0) & (codes != i))
    return {name: source for name, source in found.items() if name == "all" or source.total}


def _crossed(trial: Trial, whole: Impostors, probes: NDArray[np.bool_], people: NDArray[np.bool_]) -> Impostors:
    scores = whole.scores
    if scores.rows is None or scores.second is None:
        return Impostors.of(scores.take(np.zeros(0, np.int64)))
    top = scores.take(np.flatnonzero(probes[scores.rows] & people[scores.second]))
    return Impostors.crossed(top, trial.probes_per_person(probes), trial.candidates_per_person() * people)


def _cut(
    trial: Trial, whole: Impostors, column: str, masks: Mapping[int, NDArray[np.bool_]], codes: NDArray[np.int64]
) -> dict[str, Impostors]:
    """Impostors of one value and of two known ones, over all values.

    Args:
        trial: probes and gallery.
        whole: all impostor scores.
        column: its name.
        masks: (T,) probes of each value, by code.
        codes: (P,) value of each person's gallery, -1 where unknown.
    """
    scores = whole.scores
    if scores.rows is None or scores.second is None or not masks:
        return {}
    of_probe = np.full(len(trial.probes), -1)
    for code, mask in masks.items():
        of_probe[mask] = code
    probes = np.stack([trial.probes_per_person(mask) for mask in masks.values()], axis=1)
    candidates = trial.candidates_per_person()
    known = _Cells(probes.sum(axis=1)[:, None], (candidates * (codes >= 0))[:, None])
    inside = _Cells(probes, np.stack([candidates * (codes == code) for code in masks], axis=1))
    left, right = of_probe[scores.rows], codes[scores.second]
    both = (left >= 0) & (right >= 0)
    within = scores.take(np.flatnonzero(both & (left == right)))
    across = scores.take(np.flatnonzero(both & (left != right)))

    def others(people: Weights) -> NDArray[np.float64]:
        return known.weight(people) - inside.weight(people)

    return {
        f"within {column}": Impostors(within, inside.total, inside.weight),
        f"across {column}": Impostors(across, known.total - inside.total, others),
    }


@dataclass(frozen=True)
class _Cells:
    """Comparisons of probes with candidates of other people, cell by cell; (P, C) counts of both by person."""

    probes: NDArray[np.int64]
    candidates: NDArray[np.int64]

    @property
    def total(self) -> int:
        n, g = self.probes, self.candidates
        return int((n.sum(axis=0) * g.sum(axis=0)).sum() - (n * g).sum())

    def weight(self, people: Weights) -> NDArray[np.float64]:
        """(B,) weight of all of them for (B, P) weights of people."""
        n, g = self.probes.astype(np.float64), self.candidates.astype(np.float64)
        return np.asarray(((people @ n) * (people @ g)).sum(axis=1) - np.square(people) @ (n * g).sum(axis=1))


def _people_values(trial: Trial, rows: Sequence[ManifestRow], column: str) -> list[str | None]:
    """P texts: the one value of a person's gallery; None without a gallery, or where it has several."""
    texts = template_text(trial.gallery, rows, column_of(column))
    found: dict[int, set[str | None]] = {}
    for person, text in zip(trial.gallery_people.tolist(), texts, strict=True):
        found.setdefault(person, set()).add(text)
    single = {person: values.pop() for person, values in found.items() if len(values) == 1}
    return [single.get(person) for person in range(len(trial.names))]


def _bands(sides: NDArray[np.float64], bands: Sequence[float], ok: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    edges = [-np.inf, *bands, np.inf]
    return {band_name(low, high): ok & (sides >= low) & (sides < high) for low, high in pairwise(edges)}


def _values(column: str, texts: Sequence[str | None], ok: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    names, codes = _coded(texts)
    if len(names) > MOST_GROUPS:
        raise InputError(
            f"the column {column!r} has {len(names):,} values, more than {MOST_GROUPS} groups tell nothing",
            remedy="group by a coarser column",
        )
    return {f"{column}={name}": ok & (codes == i) for i, name in enumerate(names)}


def _coded(texts: Sequence[str | None]) -> tuple[list[str], NDArray[np.int64]]:
    """The sorted texts that occur, and the place of each among them, -1 for none."""
    names = sorted({text for text in texts if text})
    place = {name: i for i, name in enumerate(names)}
    return names, np.array([place.get(text or "", -1) for text in texts], np.int64)
