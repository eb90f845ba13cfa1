"""Error versus discard: does throwing away the worst faces, by some measure of quality, lower the error?

The threshold is chosen once, with nothing thrown away, and kept (Grother and Tabassi, PAMI 2007). The FMR may move
while it is kept, so it is measured again at each step. Throwing faces away is a failure to enrol: a lower FNMR is no
gain in itself.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from wildstyle.evaluation.result import Curve

_STEPS = 51
_PARTIAL = 0.3

RateFrom = Callable[[float], float]
"""FMR of the impostor comparisons whose quality is at least a number; NaN where there are none."""


def error_versus_discard(
    mated: NDArray[np.float32],
    quality: NDArray[np.float64],
    threshold: float,
    *,
    name: str,
    fmr_from: RateFrom | None = None,
) -> tuple[Curve, ...]:
    """FNMR over the share of mated comparisons that are thrown away, worst quality first, and the FMR along the way.

    Args:
        mated: (n,) scores; minus infinity for failures, which stay in.
        quality: (n,) quality of the poorer side of each comparison, higher is better; NaN is the poorest.
        threshold: scores at or above it are accepted.
        name: of the measure of quality.
        fmr_from: gives the FMR of the impostors that pass the same demand on quality.

    Returns:
        ``edc:<name>`` with the mean FNMR up to 30 % discarded in its note, and ``edc-fmr:<name>``; nothing where no
        quality is known.
    """
    known = np.isfinite(quality)
    if not len(mated) or not known.any():
        return ()
    level = np.where(known, quality, -np.inf)
    order = np.argsort(level, kind="stable")
    rejected = (mated < np.float32(threshold))[order].astype(np.float64)
    count = len(mated)
    fnmr = np.cumsum(rejected[::-1])[::-1] / (count - np.arange(count))
    steps = np.unique(np.linspace(0, count - 1, min(_STEPS, count)).astype(np.int64))
    third = int(_PARTIAL * count)
    note = f"threshold {threshold:.4f} kept; mean FNMR up to 30 % discarded {100 * fnmr[: max(1, third)].mean():.2f} %"
    if unknown := int((~known).sum()):
        note += f"; {unknown:,} without a value are discarded first"
    curve = Curve(f"edc:{name}", "share discarded", "FNMR", _points(steps, count, fnmr[steps]), note=note)
    if fmr_from is None:
        return (curve,)
    rates = np.array([fmr_from(-np.inf if k == 0 else float(level[order[k]])) for k in steps])
    way = [rates[0], rates[np.searchsorted(steps, third)]]
    told = "" if np.isnan(way).any() else f"; FMR moves from {100 * way[0]:.3g} % to {100 * way[1]:.3g} %"
    fine = np.isfinite(rates)
    moved = Curve(f"edc-fmr:{name}", "share discarded", "FMR", _points(steps[fine], count, rates[fine]))
    curve = Curve(curve.name, curve.x, curve.y, curve.points, note=note + told)
    return (curve, moved) if moved.points else (curve,)


def _points(steps: NDArray[np.int64], count: int, values: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    return tuple((float(k / count), float(value)) for k, value in zip(steps, values, strict=True))
