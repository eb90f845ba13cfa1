"""Average precision of a ranked gallery, by the rule of the benchmark that is meant."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Rule = Literal["trapezoid", "plain"]


def average_precision(
    probe: NDArray[np.int64], rank: NDArray[np.int64], probes: int, rule: Rule = "trapezoid"
) -> NDArray[np.float64]:
    """Average precision of each probe.

    ``trapezoid``, the official tool of TinyFace (as of MARS and Market): the sum over the mates of (step of recall)
    times the mean of the precision just before and at the mate. ``plain``: the mean over the mates of i / rank_i.

    Args:
        probe: (m,) probe of each mate, in groups.
        rank: (m,) rank of each mate from 1, rising within a probe.
        probes: n.
        rule: see above.

    Returns:
        (n,) shares in [0, 1]; 0 for a probe without a mate.
    """
    mates = np.bincount(probe, minlength=probes)
    number = np.arange(len(probe)) - np.searchsorted(probe, probe) + 1
    at = number / rank
    # Before the first place of all nothing was wrong yet: precision 1.
    before = np.where(rank > 1, (number - 1) / np.maximum(rank - 1, 1), 1.0)
    part = at if rule == "plain" else (before + at) / 2
    total = np.bincount(probe, weights=part / np.maximum(mates[probe], 1), minlength=probes)
    return np.asarray(total, np.float64)
