"""Figures by the threshold rules of older tables, to stand beside the strict ones; they have no intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import NotMeasurable
from wildstyle.evaluation.rates import (
    KTH_RULE,
    NEAREST_RULE,
    OperatingPoint,
    kth_threshold,
    nearest_thresholds,
    rate_name,
    true_accept_rate,
)
from wildstyle.evaluation.result import Measure
from wildstyle.evaluation.shares import Impostors

FmrRule = Literal["strict", "nearest", "kth"]
OLD_RULES: dict[str, str] = {"nearest": NEAREST_RULE, "kth": KTH_RULE}


def old_rules(
    mated: NDArray[np.float32], impostors: Impostors, targets: Sequence[float], rule: FmrRule
) -> tuple[Measure, ...]:
    """TAR at each target by an older rule; nothing for the strict one."""
    if rule == "strict" or not len(mated):
        return ()
    return tuple(_measure(mated, impostors, target, rule) for target in targets)


def _measure(mated: NDArray[np.float32], impostors: Impostors, target: float, rule: FmrRule) -> Measure:
    name, scores, total = f"tar@fmr={rate_name(target)} {rule}", impostors.scores.values, impostors.total
    try:
        if rule == "kth":
            point = kth_threshold(scores, target, total=total)
        else:
            point = nearest_thresholds(scores, [target], total=total)[0]
    except NotMeasurable as reason:
        return Measure(name, None, None, None, len(mated), note=f"not measurable: {reason.what}")
    return measure_at(name, mated, point)


def measure_at(name: str, mated: NDArray[np.float32], point: OperatingPoint) -> Measure:
    """TAR at an operating point, as a record without interval."""
    value = true_accept_rate(mated, point.threshold)
    return Measure(
        name,
        value,
        None,
        None,
        len(mated),
        note=point.note,
        threshold=point.threshold,
        reached=point.fmr,
        impostors=point.impostors,
    )
