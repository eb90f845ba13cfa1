"""Error versus discard: does throwing away the worst faces, by some measure of quality, lower the error?

The threshold is chosen once, with nothing thrown away, and kept (Grother and Tabassi, PAMI 2007). The FMR may move
while it is kept, so it is told beside it. Throwing faces away is a failure to enrol: a lower FNMR is no gain in itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wildstyle.evaluation.result import Curve

_STEPS = 51
_PARTIAL = 0.3


def error_versus_discard(
    mated: NDArray[np.float32],
    quality: NDArray[np.float64],
    threshold: float,
    *,
    name: str,
    false_matches: NDArray[np.int64] | None = None,
    comparisons: NDArray[np.int64] | None = None,
) -> tuple[Curve, ...]:
    """FNMR over the share of comparisons that are thrown away, worst quality first.

    Args:
        mated: (n,) scores; minus infinity for failures, which stay in.
        quality: (n,) quality of the poorer side of each comparison, higher is better; NaN is the poorest.
        threshold: scores at or above it are accepted.
        name: of the measure of quality.
        false_matches: (n,) impostor scores of the same probe at or above the threshold.
        comparisons: (n,) impostor scores of the same probe.

    Returns:
        The curve, with the mean FNMR up to 30 % discarded and the FMR's way in its note; nothing where no quality is
        known.
    """
    known = np.isfinite(quality)
    if not len(mated) or not known.any():
        return ()
    order = np.argsort(np.where(known, quality, -np.inf), kind="stable")
    rejected = (mated < np.float32(threshold))[order].astype(np.float64)
    left = len(mated) - np.arange(len(mated))
    fnmr = np.cumsum(rejected[::-1])[::-1] / left
    steps = np.unique(np.linspace(0, len(mated) - 1, min(_STEPS, len(mated))).astype(np.int64))
    points = tuple((float(k / len(mated)), float(fnmr[k])) for k in steps)
    partial = fnmr[: max(1, int(_PARTIAL * len(mated)))].mean()
    note = f"threshold {threshold:.4f} kept; mean FNMR up to 30 % discarded {100 * partial:.2f} %"
    if false_matches is not None and comparisons is not None and comparisons.sum():
        ways = [
            false_matches[order][k:].sum() / max(1, comparisons[order][k:].sum())
            for k in (0, int(_PARTIAL * len(mated)))
        ]
        note += f"; FMR moves from {100 * ways[0]:.3g} % to {100 * ways[1]:.3g} %"
    unknown = int((~known).sum())
    if unknown:
        note += f"; {unknown:,} without a value are discarded first"
    return (Curve(f"edc:{name}", "share discarded", "FNMR", points, note=note),)
