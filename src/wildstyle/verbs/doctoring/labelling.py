"""Causes in the labels: faces under a wrong name, one person under two names, one picture under two names."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import NotMeasurable
from wildstyle.evaluation.labelling_errors import Suspects, suspects, two_names
from wildstyle.verbs.doctoring.finding import Finding, Verdict
from wildstyle.verbs.doctoring.looking import Looked
from wildstyle.verbs.doctoring.patient import FIGURE, Patient
from wildstyle.verbs.doctoring.separation import Comparisons, gains

MISLABELLED, TWO_NAMES, ONE_PICTURE = "mislabelled images", "duplicated identities", "one picture under two names"

MANY, SOME = 0.02, 0.005
"""Shares of faces: sets as they are have up to 1.2 % that look mislabelled."""


class Changed(TypedDict, total=False):
    """Fields of a finding that say what a change did."""

    figure: str
    before: float
    after: float
    gain: float
    low: float
    high: float


_SHOWN = 3
LISTED = 200


def labelling_findings(patient: Patient, looked: Looked, *, named: bool) -> list[Finding]:
    """Judge the labels of all faces looked at.

    Args:
        named: whether people of different names are known to differ.
    """
    found: Suspects | None
    try:
        found = suspects(looked.vectors, looked.people, looked.ok)
    except NotMeasurable as error:
        found = None
        first = Finding(cause=MISLABELLED, verdict="couldn't be tested", evidence=f"{error.what}.")
    else:
        first = _mislabelled(patient, looked, found)
    # A picture of somebody else in a class of few faces would look like a second name of that person.
    sound = looked.ok if found is None else looked.ok & ~found.swapped
    return [first, _two_names(patient, looked, sound, named), _one_picture(looked, named)]


def _mislabelled(patient: Patient, looked: Looked, found: Suspects) -> Finding:
    if not found.judged:
        return Finding(cause=MISLABELLED, verdict="couldn't be tested", evidence="No person has two faces.")
    count = int(found.swapped.sum())
    share = count / found.judged
    text = f"{count} of {found.judged:,} faces resemble another person of the set and not their own"
    worst = found.worst_first()
    texts = tuple(_suspect(looked, found, int(i)) for i in worst[:LISTED])
    verdict: Verdict = "this is it" if share >= MANY else "maybe" if share >= SOME else "ruled out"
    figures: Changed = {}
    if count:
        figures = _without(patient, looked.rows[found.swapped])
        text += f", e.g. {'; '.join(texts[:_SHOWN])}"
        if figures:
            text += (
                f". Without them d' is {figures['before']:.2f} → {figures['after']:.2f}"
                " (leaving out bad scores always raises it)"
            )
    return Finding(
        cause=MISLABELLED,
        verdict=verdict,
        evidence=f"{text}.",
        remedy="" if verdict == "ruled out" else "look at the listed faces (--out) and correct or leave out their rows",
        examples=texts,
        weight=share,
        **figures,
    )


def _suspect(looked: Looked, found: Suspects, i: int) -> str:
    names = {int(p): str(r.subject) for p, r in zip(looked.people, looked.records, strict=True)}
    return (
        f"{looked.records[i].id} (labelled {names[int(looked.people[i])]}: cosine {found.own[i]:.2f};"
        f" nearer to {names[int(found.nearest[i])]}: {found.other[i]:.2f})"
    )


def _two_names(patient: Patient, looked: Looked, sound: NDArray[np.bool_], named: bool) -> Finding:
    if not named:
        return Finding(cause=TWO_NAMES, verdict="couldn't be tested", evidence="The set gives no names of people.")
    try:
        found = two_names(looked.vectors, looked.people, sound)
    except NotMeasurable as error:
        return Finding(cause=TWO_NAMES, verdict="couldn't be tested", evidence=f"{error.what}.")
    bar = f"the bar is a cosine of {found.threshold:.2f}, from the halves of {found.halves} people and from look-alikes"
    if not len(found.first):
        return Finding(cause=TWO_NAMES, verdict="ruled out", evidence=f"No two people are as near as one: {bar}.")
    names = {int(p): str(r.subject) for p, r in zip(looked.people, looked.records, strict=True)}
    pairs = [
        f"{names[int(a)]} and {names[int(b)]} (cosine {c:.2f})"
        for a, b, c in zip(found.first, found.second, found.cosines, strict=True)
    ]
    figures = _merged(patient, looked, list(zip(found.first.tolist(), found.second.tolist(), strict=True)))
    firm = int((found.smaller > 1).sum())
    text = f"{len(pairs)} pairs of names look like one person: {'; '.join(pairs[:_SHOWN])}; {bar}."
    if firm < len(pairs):
        text += f" {len(pairs) - firm} of them rest on a single face, which may as well bear a wrong name."
    return Finding(
        cause=TWO_NAMES,
        verdict="this is it" if firm >= _enough(found.halves) else "maybe",
        evidence=text,
        remedy="look at both people's pictures; if they are one person, give both the same subject",
        examples=tuple(pairs[:LISTED]),
        weight=firm / found.halves,
        **figures,
    )


def _enough(halves: int) -> int:
    """Pairs that are no chance: one, and one more for every 150 people, as look-alikes become frequent."""
    return 1 + halves // 150


def _one_picture(looked: Looked, named: bool) -> Finding:
    if not named:
        return Finding(cause=ONE_PICTURE, verdict="couldn't be tested", evidence="The set gives no names of people.")
    groups = [group for group in looked.alike if len({int(looked.people[i]) for i in group}) > 1]
    if not groups:
        return Finding(cause=ONE_PICTURE, verdict="ruled out", evidence="No picture comes under two names.")
    texts = tuple(" = ".join(looked.records[i].id for i in group) for group in groups)
    faces = sum(map(len, groups))
    return Finding(
        cause=ONE_PICTURE,
        verdict="this is it" if faces / len(looked.rows) >= MANY else "maybe",
        evidence=f"{len(groups)} pictures come under two names, e.g. {'; '.join(texts[:_SHOWN])}.",
        remedy="find out whose picture it is and leave out the other row",
        examples=texts[:LISTED],
        weight=faces / len(looked.rows),
    )


def _without(patient: Patient, rows: NDArray[np.int64]) -> Changed:
    """d' before and after faces are left out, under the same draws."""
    kept = ~np.isin(patient.sample.rows, rows)
    return {} if kept.all() else _changed(patient, patient.comparisons.among(kept))


def _merged(patient: Patient, looked: Looked, pairs: list[tuple[int, int]]) -> Changed:
    """d' before and after comparisons between two names of one person no longer count as impostors."""
    of_row = dict(zip(looked.rows.tolist(), looked.people.tolist(), strict=True))
    label = np.array([of_row.get(int(row), -1) for row in patient.sample.rows], np.int64)
    given = patient.comparisons
    kept = np.ones(len(given.first), bool)
    for a, b in pairs:
        one, other = label[given.first], label[given.second]
        kept &= ~(((one == a) & (other == b)) | ((one == b) & (other == a)))
    if kept.all():
        return {}
    return _changed(patient, Comparisons(given.first[kept], given.second[kept], given.mated[kept], given.people))


def _changed(patient: Patient, comparisons: Comparisons) -> Changed:
    after = comparisons.separations(comparisons.scores(patient.given.vectors), patient.draws)
    gain = gains(patient.before, [after])[0]
    return Changed(figure=FIGURE, before=gain.before, after=gain.after, gain=gain.gain, low=gain.low, high=gain.high)
