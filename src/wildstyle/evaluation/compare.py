"""Before and after: two systems on the same comparisons, under the same drawn people."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError
from wildstyle.evaluation.bootstrap import Bootstrap
from wildstyle.evaluation.outcome import Key, Outcome, interval_of, measurable, remark
from wildstyle.evaluation.result import Comparison, Difference
from wildstyle.evaluation.shares import Question


def compare(before: Outcome, after: Outcome, bootstrap: Bootstrap | None = None) -> Comparison:
    """Paired differences, after minus before, of every figure and group.

    Both systems are measured under the same draws of people, each with its own threshold, so that what the
    people have in common cancels.

    Raises:
        InputError: the outcomes come from different protocols, data or people.
    """
    _check_same(before, after)
    bootstrap = bootstrap or Bootstrap()
    weights = bootstrap.weights(len(before.people))
    draws = before.values(weights), after.values(weights)
    points = before.points(), after.points()
    return Comparison(
        before=before.summary(bootstrap, draws[0]),
        after=after.summary(bootstrap, draws[1]),
        differences=tuple(
            _difference(question, group, points, draws) for question in after.questions for group in question.groups
        ),
    )


def _difference(
    question: Question,
    group: str,
    points: tuple[Mapping[Key, float], Mapping[Key, float]],
    draws: tuple[Mapping[Key, NDArray[np.float64]], Mapping[Key, NDArray[np.float64]]],
) -> Difference:
    key, n = (question.name, group), int(question.groups[group].sum())
    old, new = (side.get(key, np.nan) for side in points)
    if np.isnan(old) or np.isnan(new):
        known = [None if np.isnan(value) else float(value) for value in (old, new)]
        note = measurable(question)[1] or "not measurable for both systems"
        return Difference(question.name, group, known[0], known[1], None, None, None, n, note)
    low, high = interval_of(question, group, draws[1][key] - draws[0][key])
    return Difference(question.name, group, old, new, new - old, low, high, n, remark(question, group))


def _check_same(before: Outcome, after: Outcome) -> None:
    for name in ("protocol", "version", "data"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            raise InputError(f"two outcomes of different {name} can't be compared: {old!r} and {new!r}")
    if dict(before.rules) != dict(after.rules):
        differing = sorted(k for k in before.rules if before.rules.get(k) != after.rules.get(k))
        raise InputError(f"before and after were measured by different rules: {', '.join(differing)}")
    old_items = {q.name: q.items.first for q in before.questions}
    new_items = {q.name: q.items.first for q in after.questions}
    same = old_items.keys() == new_items.keys() and all(
        np.array_equal(items, new_items[name]) for name, items in old_items.items()
    )
    if before.people != after.people or not same:
        raise InputError(
            "before and after hold different people, probes or figures",
            where=after.data,
            remedy="run both on the same manifest or pairs with the same options",
        )
