"""Before and after: two systems on the same comparisons, under the same drawn people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError
from wildstyle.evaluation.bootstrap import Bootstrap
from wildstyle.evaluation.operating import at_threshold, kind_of, old_threshold_suffix, remembering, sources_of
from wildstyle.evaluation.outcome import Key, Outcome, interval_of, measurable, remark
from wildstyle.evaluation.result import Comparison, Difference
from wildstyle.evaluation.shares import Impostors, Question


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
    differences = _differences(before, after, draws)
    old, new = at_old_thresholds(before, after)
    shifts = _differences(old, new, (old.values(weights), new.values(weights)))
    return Comparison(
        before=before.summary(bootstrap, draws[0]),
        after=after.summary(bootstrap, draws[1]),
        differences=(*differences, *shifts),
    )


def at_old_thresholds(before: Outcome, after: Outcome) -> tuple[Outcome, Outcome]:
    """Both systems at the thresholds that ``before`` has for its rates: what happens if only the model is exchanged.

    The thresholds are numbers in a configuration file: they are chosen once, not anew in every draw.
    """
    asked: tuple[list[Question], list[Question]] = ([], [])
    later = {question.name: question for question in after.questions}
    known: dict[int, Mapping[str, Impostors]] = {}
    for question in before.questions:
        kind, other = kind_of(question.name), later[question.name]
        if kind is None or not measurable(question)[0] or question.impostors is None or other.impostors is None:
            continue
        point = question.operating_point()
        if point is None or point[0] is None:
            continue
        suffix = old_threshold_suffix(question.name, question.target)
        for side, one, outcome in ((0, question, before), (1, other, after)):
            # Rates share their impostor scores, and weighing millions of them takes seconds.
            if id(one.impostors) not in known:
                known[id(one.impostors)] = remembering(sources_of(outcome, one))
            sources = known[id(one.impostors)]
            asked[side].extend(at_threshold(kind, (one.items, one.groups), sources, point[0], suffix))
    old, new = (
        replace(outcome, questions=tuple(questions), fixed=(), curves=())
        for outcome, questions in zip((before, after), asked, strict=True)
    )
    return old, new


def _differences(
    before: Outcome,
    after: Outcome,
    draws: tuple[Mapping[Key, NDArray[np.float64]], Mapping[Key, NDArray[np.float64]]],
) -> list[Difference]:
    points = before.points(), after.points()
    return [_difference(question, group, points, draws) for question in after.questions for group in question.groups]


def _difference(
    question: Question,
    group: str,
    points: tuple[Mapping[Key, float], Mapping[Key, float]],
    draws: tuple[Mapping[Key, NDArray[np.float64]], Mapping[Key, NDArray[np.float64]]],
) -> Difference:
    key, n = (question.name, group), question.count(group)
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
    old_items, new_items = ({q.name: q.counted() for q in outcome.questions} for outcome in (before, after))
    same = old_items.keys() == new_items.keys() and all(
        (items is None) == (new_items[name] is None)
        and (items is None or np.array_equal(items[0], (new_items[name] or items)[0]))
        for name, items in old_items.items()
    )
    if before.people != after.people or not same:
        raise InputError(
            "before and after hold different people, probes or figures",
            where=after.data,
            remedy="run both on the same manifest or pairs with the same options",
        )
