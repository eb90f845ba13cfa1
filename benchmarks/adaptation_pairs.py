"""Two arms against each other: the mean over seeds of the paired difference, with an interval over people.

Each draw of people weighs both arms and all seeds alike, so what people and seeds have in common cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wildstyle.evaluation import Bootstrap, Outcome
from wildstyle.evaluation.bootstrap import percentile_interval


def mean_difference(before: Sequence[Outcome], after: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Mean of ``after`` minus mean of ``before``, in points, for every figure and group.

    Args:
        before, after: one outcome a seed, all of one protocol and of the same people.
    """
    people = {outcome.people for outcome in (*before, *after)}
    if len(people) != 1:
        raise ValueError(f"outcomes of {len(people)} different lists of people can't be paired")
    weights = Bootstrap().weights(len(after[0].people))
    sides = [[(outcome.points(), outcome.values(weights)) for outcome in side] for side in (before, after)]
    keys = [key for key in sides[1][0][0] if all(key in points for side in sides for points, _ in side)]
    found = []
    for key in keys:
        points = [float(np.mean([points[key] for points, _ in side])) for side in sides]
        draws = [np.mean([values[key] for _, values in side], axis=0) for side in sides]
        interval = percentile_interval(draws[1] - draws[0])
        low, high = interval if interval is not None else (float("nan"), float("nan"))
        found.append(
            {
                "name": key[0],
                "group": key[1],
                "gain": round(100 * (points[1] - points[0]), 3),
                "low": round(100 * low, 3),
                "high": round(100 * high, 3),
                "before": round(100 * points[0], 3),
                "after": round(100 * points[1], 3),
                "seeds": [len(before), len(after)],
            }
        )
    return found
