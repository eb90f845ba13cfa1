"""How bad a frame is, from a reading that is too short.

A reading is the mean of all codes that could have made the frame. Where their direction is in doubt it lies near zero,
though each of them is long. So the length of a reading is translated, and codes are drawn at the translated length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PLACES = 10


@dataclass(frozen=True, slots=True)
class MagnitudeScale:
    """Lengths of readings and the magnitudes they stand for, on faces that were put aside.

    Attributes:
        read: rising lengths of readings.
        true: mean magnitude at each, never falling.
        deviation: of true magnitudes from what is told here.
    """

    read: tuple[float, ...]
    true: tuple[float, ...]
    deviation: float

    def of(self, codes: NDArray[np.floating]) -> NDArray[np.float64]:
        """Magnitudes (N,) that readings (N, K) stand for; level beyond the ends."""
        length = np.linalg.norm(np.asarray(codes, np.float64), axis=1)
        return np.asarray(np.interp(length, self.read, self.true), np.float64)


def measure_magnitudes(codes: NDArray[np.floating], read: NDArray[np.floating]) -> MagnitudeScale:
    """Learn the scale from true codes (N, K) and their readings (N, K), N >= 1."""
    true, told = (np.linalg.norm(np.asarray(part, np.float64), axis=1) for part in (codes, read))
    parts = np.array_split(np.argsort(told), min(_PLACES, len(told)))
    places = tuple(float(told[part].mean()) for part in parts)
    # More of what is seen never means less of what was done.
    means = tuple(float(v) for v in np.maximum.accumulate([true[part].mean() for part in parts]))
    missed = true - np.interp(told, places, means)
    return MagnitudeScale(places, means, float(missed.std()))


def draw_at_magnitude(
    rng: np.random.Generator,
    readings: NDArray[np.floating],
    noise: NDArray[np.floating],
    scale: MagnitudeScale,
    max_magnitude: float,
    doubt: float,
) -> NDArray[np.float64]:
    """Codes that could lie behind readings: of the magnitude they stand for, in a direction as sure as they are long.

    Args:
        rng: source of randomness, for the doubt in the magnitude.
        readings: (N, K).
        noise: (N, K) one draw a reading of what can't be told, of mean squared length 1.
        scale: what lengths of readings stand for.
        max_magnitude: no code is longer.
        doubt: share of the doubt's deviation, 0: the readings' own directions.

    Returns:
        (N, K).
    """
    length = np.linalg.norm(readings, axis=1)
    wanted = scale.of(readings) + doubt * scale.deviation * rng.standard_normal(len(readings))
    wanted = np.clip(wanted, 0.0, max_magnitude)
    # The mean of codes of one magnitude that scatter by their missing part is as long as the reading.
    missing = np.sqrt(np.maximum(scale.of(readings) ** 2 - length**2, 0.0))
    around = readings + doubt * noise * missing[:, None]
    around = around / np.maximum(np.linalg.norm(around, axis=1, keepdims=True), 1e-12)
    return np.asarray(around * wanted[:, None], np.float64)
