"""Where misses concentrate: small, blurred or dark faces, as sentences."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from wildstyle.evaluation.grouping import band_name
from wildstyle.verbs.doctoring.patient import Patient
from wildstyle.verbs.errors_shown import brightness, sharpness

BANDS = (40.0, 80.0)
_LEAST = 20  # mated comparisons a band needs


def concentrations(patient: Patient) -> tuple[str, ...]:
    """One sentence a property of the worse face of a comparison, where its bands differ in misses at FMR 1e-2."""
    comparisons, scores = patient.comparisons, patient.scores
    impostors = np.sort(scores[~comparisons.mated])
    allowed = int(0.01 * len(impostors))
    if allowed < 1:
        return ()
    missed = scores[comparisons.mated] <= impostors[-1 - allowed]
    ends = comparisons.first[comparisons.mated], comparisons.second[comparisons.mated]
    sample = patient.sample
    sizes = np.array([np.nan if r.size_before is None else r.size_before for r in sample.records])
    sharp = np.array([sharpness(image) for image in sample.images])
    light = np.array([brightness(image) for image in sample.images])
    found = []
    for what, values, edges, unit in (
        ("size", sizes, BANDS, None),
        ("sharpness", sharp, tuple(np.quantile(sharp, [1 / 3, 2 / 3])), ("least sharp", "middle", "sharpest")),
        ("brightness", light, tuple(np.quantile(light, [1 / 3, 2 / 3])), ("darkest", "middle", "brightest")),
    ):
        worse = np.minimum(values[ends[0]], values[ends[1]])
        if text := _by_band(what, worse, missed, edges, unit):
            found.append(text)
    return tuple(found)


def _by_band(
    what: str,
    values: NDArray[np.float64],
    missed: NDArray[np.bool_],
    edges: tuple[float, ...],
    names: tuple[str, ...] | None,
) -> str | None:
    shares = []
    for i, (low, high) in enumerate(pairwise([-np.inf, *edges, np.inf])):
        inside = (values >= low) & (values < high)
        if inside.sum() >= _LEAST:
            name = names[i] if names else band_name(low, high)
            shares.append((name, float(missed[inside].mean()), int(inside.sum())))
    if len(shares) < 2:
        return None
    texts = [f"{name}: {100 * share:.0f} % missed (n={count})" for name, share, count in shares]
    return f"By {what} of the worse face, at FMR 1e-2: {', '.join(texts)}."
