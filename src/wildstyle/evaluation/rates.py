"""Error rates at a threshold, and the rules that choose the threshold.

A comparison is accepted when its score, a similarity, is at least the threshold. So

    FMR(t) = impostor scores >= t / impostor scores       (false match rate)
    FNMR(t) = mated scores < t / mated comparisons        (false non-match rate), TAR = 1 - FNMR

in the terms of ISO/IEC 19795-1. A mated comparison that could not be made, because a face was not found,
is written as a score of minus infinity: it is never accepted and stays in the denominator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, NotMeasurable, SettingError

Scores = NDArray[np.floating[Any]]

STRICT_RULE = "strict: smallest threshold with FMR <= target, ties accepted (at most the asked share scores above)"
NEAREST_RULE = "nearest: ROC point with the FMR closest to the target; may exceed it"
KTH_RULE = "k-th: threshold is the k-th largest impostor score, k = round(FMR * impostors); may exceed it at ties"

MARKED_BELOW = 10
"""A point that rests on fewer expected false matches is marked; on fewer than one, refused."""

_ROUNDING = 1e-9  # 0.29 * 100 is 28.999..., and is meant as 29


def rate_name(rate: float) -> str:
    """A rate as names and tables write it: 0.01 is ``"1e-2"``, 0.05 is ``"5e-2"``."""
    digits, exponent = f"{rate:e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold and what it does to the impostor scores it was chosen on.

    Attributes:
        threshold: accept at and above it; minus infinity accepts all.
        target: the FMR that was asked for, in (0, 1].
        fmr: the FMR that was reached.
        impostors: number of impostor scores.
    """

    threshold: float
    target: float
    fmr: float
    impostors: int

    @property
    def note(self) -> str | None:
        """Why this point is weak, or None."""
        return reliability_note(self.target, self.impostors)


def reliability_note(target: float, impostors: int) -> str | None:
    """A remark where the target lets fewer than ten false matches be expected, else None.

    Raises:
        NotMeasurable: fewer than one is expected.
        SettingError: the target is no share.
    """
    if not 0 < target <= 1:
        raise SettingError(f"a target rate must lie above 0 and at most at 1, not {target}")
    expected = target * impostors * (1 + _ROUNDING)
    if expected < 1:
        raise NotMeasurable(
            f"a rate of {target:g} needs at least {int(np.ceil(1 / target))} non-mated scores, there are {impostors}",
            remedy="ask for a larger rate or add people",
        )
    return f"rests on {expected:.3g} expected false matches (fewer than 10)" if expected < MARKED_BELOW else None


def first_measurable(targets: Sequence[float], impostors: int) -> float | None:
    """The first target that lets at least one false match be expected of so many impostor scores, or None."""
    return next((target for target in targets if target * impostors * (1 + _ROUNDING) >= 1), None)


def strict_threshold(impostor: Scores, target: float) -> OperatingPoint:
    """The smallest threshold with FMR at most ``target``, ties counted as accepted.

    It lies just above the (k+1)-th largest impostor score, k = floor(target * N). "At most the asked share of
    the impostor scores lies above it" describes the same decisions.

    Args:
        impostor: (N,) scores, any order; NaN is refused.
        target: wanted FMR in (0, 1].

    Raises:
        NotMeasurable: ``target * N`` is below one.
    """
    impostor = _checked(impostor)
    reliability_note(target, len(impostor))
    k = int(np.floor(target * len(impostor) * (1 + _ROUNDING)))
    if k >= len(impostor):
        return OperatingPoint(-np.inf, target, 1.0, len(impostor))
    beyond = np.partition(impostor, len(impostor) - k - 1)[len(impostor) - k - 1]
    threshold = float(np.nextafter(beyond, impostor.dtype.type(np.inf)))
    return OperatingPoint(threshold, target, false_match_rate(impostor, threshold), len(impostor))


def just_above(limit: float) -> float:
    """The smallest float32 above ``limit``: accepting from there on is accepting what lies above the limit."""
    return float(np.nextafter(np.float32(limit), np.float32(np.inf)))


def nearest_threshold(impostor: Scores, target: float) -> OperatingPoint:
    """The impostor score whose FMR is nearest ``target``: the common scripts' rule, for old tables only."""
    return nearest_thresholds(impostor, [target])[0]


def nearest_thresholds(impostor: Scores, targets: Sequence[float], *, total: int | None = None) -> list[OperatingPoint]:
    """``nearest_threshold`` of several targets, looking through the scores once.

    Args:
        impostor: (N,) scores.
        targets: wanted FMRs.
        total: number of all impostor scores, where ``impostor`` holds only the highest.
    """
    if not targets:
        return []
    impostor = _checked(impostor)
    n = total or len(impostor)
    places = [_place(impostor, target, n) for target in targets]
    ordered = np.partition(impostor, sorted(set(places)))
    return [_nearest(impostor, ordered[place], target, n) for place, target in zip(places, targets, strict=True)]


def _nearest(impostor: Scores, value: np.floating[Any], target: float, n: int) -> OperatingPoint:
    """Of the k-th largest score and the next higher one, that whose FMR is nearer; the higher one where both are."""
    with_ties, above = int(np.count_nonzero(impostor >= value)), int(np.count_nonzero(impostor > value))
    if above and abs(above / n - target) <= abs(with_ties / n - target):
        value, with_ties = impostor[impostor > value].min(), above
    return OperatingPoint(float(value), target, with_ties / n, n)


def kth_threshold(impostor: Scores, target: float, *, total: int | None = None) -> OperatingPoint:
    """The k-th largest impostor score, k = round(target * N): another public rule, for old tables only."""
    impostor = _checked(impostor)
    n = total or len(impostor)
    place = _place(impostor, target, n)
    threshold = float(np.partition(impostor, place)[place])
    return OperatingPoint(threshold, target, int(np.count_nonzero(impostor >= threshold)) / n, n)


def _place(impostor: Scores, target: float, n: int) -> int:
    """Place in rising order of the k-th largest score, k = round(target * n)."""
    reliability_note(target, n)
    k = max(1, round(target * n))
    # Scores that equal the lowest kept one may have been left out, so it doesn't count.
    if k > len(impostor) - (len(impostor) < n):
        raise NotMeasurable(
            f"a rate of {target:g} needs {k:,} impostor scores, the {len(impostor):,} highest were kept",
            remedy="ask for a smaller rate",
        )
    return len(impostor) - k


def false_match_rate(impostor: Scores, threshold: float) -> float:
    """Share of the impostor scores at or above ``threshold``."""
    return float(np.mean(_checked(impostor) >= threshold))


def false_non_match_rate(mated: Scores, threshold: float) -> float:
    """Share of the mated scores below ``threshold``; failures are scores of minus infinity."""
    return float(np.mean(_checked(mated) < threshold))


def true_accept_rate(mated: Scores, threshold: float) -> float:
    """One minus ``false_non_match_rate``: mated comparisons accepted, failures counting as rejected."""
    return float(np.mean(_checked(mated) >= threshold))


def roc(mated: Scores, impostor: Scores) -> tuple[NDArray[np.float64], NDArray[np.float64], Scores]:
    """Every operating point.

    Returns:
        ``(fmr, tar, thresholds)``, each (T,), thresholds falling; the distinct scores of both kinds.
    """
    mated, impostor = _checked(mated), _checked(impostor)
    thresholds = np.unique(np.concatenate([mated, impostor]))[::-1]
    tar = 1 - np.searchsorted(np.sort(mated), thresholds, side="left") / len(mated)
    fmr = 1 - np.searchsorted(np.sort(impostor), thresholds, side="left") / len(impostor)
    return fmr, tar, thresholds


def _checked(scores: Scores) -> Scores:
    scores = np.asarray(scores)
    if scores.ndim != 1 or not len(scores):
        raise NotMeasurable("there are no scores to count")
    if not np.issubdtype(scores.dtype, np.floating):
        scores = scores.astype(np.float64)
    if np.isnan(scores).any():
        raise InputError("a score is NaN", remedy="mark faces without an embedding as failures")
    return scores
