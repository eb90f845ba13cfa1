"""How much of known camera settings a few numbers a picture can tell: ridge regression that never sees a person twice.

For made-up faces the true settings are known. Style codes, a random basis, principal components and all style
statistics are asked the same question in the same way, so that what a learnt basis is worth can be read off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import NotMeasurable, SettingError

Matrix = NDArray[np.float64]
_PENALTIES = tuple(10.0**power for power in range(-4, 4))


@dataclass(frozen=True, slots=True)
class Explained:
    """How much of one factor is told on people the regression has not seen.

    Attributes:
        share: R², 1 - squared error / variance; 0 is no better than the mean, and below it worse.
        low, high: 95 % interval, bootstrap over people.
    """

    share: float
    low: float
    high: float

    def as_record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def ridge(features: Matrix, values: Matrix, penalties: Sequence[float] = _PENALTIES) -> tuple[Matrix, Matrix]:
    """Ridge regression with an intercept; each value has the penalty with the smallest leave-one-out error.

    Args:
        features: (N, D).
        values: (N, V).
        penalties: each > 0, as multiples of N on features of unit variance.

    Returns:
        ``(weights, intercept)``, (D, V) and (V,): ``features @ weights + intercept`` predicts the values.
    """
    mean, unit = features.mean(0), features.std(0)
    unit = np.where(unit > 1e-9, unit, 1.0)
    left, sizes, right = np.linalg.svd((features - mean) / unit, full_matrices=False)
    centre = values.mean(0)
    turned = left.T @ (values - centre)
    best: list[tuple[float, Matrix]] = [(np.inf, np.zeros(features.shape[1]))] * values.shape[1]
    for penalty in penalties:
        shrink = sizes**2 / (sizes**2 + penalty * len(features))
        hat = np.square(left) @ shrink + 1.0 / len(features)
        missed = (values - centre - left @ (shrink[:, None] * turned)) / np.maximum(1.0 - hat, 1e-9)[:, None]
        weights = right.T @ ((sizes / (sizes**2 + penalty * len(features)))[:, None] * turned)
        for column, error in enumerate(np.square(missed).mean(0)):
            if error < best[column][0]:
                best[column] = (float(error), weights[:, column])
    chosen = np.stack([column for _, column in best], axis=1) / unit[:, None]
    return chosen, centre - mean @ chosen


def predicted(features: Matrix, values: Matrix, people: Sequence[str], *, folds: int = 5, seed: int = 0) -> Matrix:
    """Each picture's values as told by regressions on other people's pictures.

    Args:
        features: (N, D).
        values: (N, V).
        people: N names.
        folds: parts into which people are dealt, >= 2.
        seed: of the dealing.

    Returns:
        (N, V).

    Raises:
        NotMeasurable: fewer people than folds.
        SettingError: fewer than two folds.
    """
    names, owner = np.unique(np.asarray(people), return_inverse=True)
    if folds < 2:
        raise SettingError(f"folds is {folds}, expected at least 2")
    if len(names) < folds:
        raise NotMeasurable(f"{folds} folds need as many people, got {len(names)}", remedy="give more people")
    fold = (np.random.default_rng(seed).permutation(len(names)) % folds)[owner]
    out = np.zeros_like(values, dtype=np.float64)
    for part in range(folds):
        held = fold == part
        weights, intercept = ridge(features[~held], values[~held])
        out[held] = features[held] @ weights + intercept
    return out


def explained(
    values: Matrix, told: Matrix, people: Sequence[str], *, draws: int = 1000, seed: int = 0
) -> list[Explained]:
    """R² of each of V columns with an interval over people.

    Args:
        values: (N, V) true, each column of some variance.
        told: (N, V) predicted.
        people: N names.
        draws: of the bootstrap.
        seed: of the bootstrap.
    """
    missed, spread = _by_person(values, told, people)
    rng = np.random.default_rng(seed)
    weight = rng.multinomial(len(missed), np.full(len(missed), 1 / len(missed)), size=draws).astype(np.float64)
    found = 1.0 - (weight @ missed) / (weight @ spread)
    whole = 1.0 - missed.sum(0) / spread.sum(0)
    low, high = np.quantile(found, [0.025, 0.975], axis=0)
    return [Explained(float(s), float(a), float(b)) for s, a, b in zip(whole, low, high, strict=True)]


def mean_advantage(
    values: Matrix, told: Matrix, others: Sequence[Matrix], people: Sequence[str], *, draws: int = 1000, seed: int = 0
) -> Explained:
    """By how much R², averaged over the V factors, is above that of other predictions of the same pictures.

    Args:
        values, told, people, draws, seed: as in ``explained``.
        others: predictions (N, V) whose R² are averaged, e.g. of several random bases.
    """
    missed, spread = _by_person(values, told, people)
    against = np.mean([_by_person(values, other, people)[0] for other in others], axis=0)
    rng = np.random.default_rng(seed)
    weight = rng.multinomial(len(missed), np.full(len(missed), 1 / len(missed)), size=draws).astype(np.float64)
    found = ((weight @ (against - missed)) / (weight @ spread)).mean(1)
    low, high = np.quantile(found, [0.025, 0.975])
    return Explained(float(((against - missed).sum(0) / spread.sum(0)).mean()), float(low), float(high))


def random_basis(rng: np.random.Generator, size: int, count: int) -> Matrix:
    """(size, count) random orthonormal columns, ``count`` <= ``size``; uniform over all such bases."""
    basis, corner = np.linalg.qr(rng.standard_normal((size, count)))
    return np.asarray(basis * np.sign(np.diag(corner)))


def principal_axes(statistics: Matrix, count: int) -> Matrix:
    """(F, count) directions of most variance of (N, F), orthonormal."""
    return np.asarray(np.linalg.svd(statistics - statistics.mean(0), full_matrices=False)[2][:count].T)


def _by_person(values: Matrix, told: Matrix, people: Sequence[str]) -> tuple[Matrix, Matrix]:
    """(P, V) squared errors and squared deviations from the mean, summed over each person's pictures."""
    names, owner = np.unique(np.asarray(people), return_inverse=True)
    missed, spread = np.zeros((len(names), values.shape[1])), np.zeros((len(names), values.shape[1]))
    np.add.at(missed, owner, np.square(values - told))
    np.add.at(spread, owner, np.square(values - values.mean(0)))
    return missed, spread
