"""From a score to the weight of evidence: a log-likelihood ratio, and how good it is.

log LR(s) = slope * s + offset, fitted as a logistic regression in which mated and impostor scores count half each, so
that no prior is built in (Brummer and du Preez 2006). A positive value speaks for one person, in natural logarithms:
2.3 is ten to one. Cllr, in bits, is the mean cost of believing it: 0 is perfect, 1 says no more than nothing at all.
The least Cllr that any monotone map of the same scores could reach is found by pooling adjacent violators.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, minimize

from wildstyle.errors import NotMeasurable
from wildstyle.randomness import item_rng

Scores = NDArray[np.floating[Any]]

_MOST = 400_000  # impostor scores that are fitted; a random part of more
_SHRINK = 1e-6  # keeps the slope finite where the scores don't overlap


@dataclass(frozen=True, slots=True)
class LikelihoodMap:
    """Score to log-likelihood ratio.

    Attributes:
        slope: >= 0, nats per unit of score.
        offset: nats at score 0.
    """

    slope: float
    offset: float

    def __call__(self, scores: Scores) -> NDArray[np.float64]:
        """(n,) natural log-likelihood ratios; minus infinity stays what it is."""
        return np.asarray(self.slope * np.asarray(scores, np.float64) + self.offset)


@dataclass(frozen=True, slots=True)
class LikelihoodReport:
    """A map and what it is worth.

    Attributes:
        map: fitted on all scores.
        cllr: bits, on people the map was not fitted on (two halves, each judged by the other's map).
        cllr_min: bits, the least of any monotone map, on the same scores.
        mated: scores.
        impostors: scores.
    """

    map: LikelihoodMap
    cllr: float
    cllr_min: float
    mated: int
    impostors: int

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return asdict(self)


def fit_likelihood(mated: Scores, impostor: Scores) -> LikelihoodMap:
    """Fit the map on finite scores (n,) and (m,).

    Raises:
        NotMeasurable: fewer than two scores of a kind.
    """
    sides = [np.asarray(s, np.float64)[np.isfinite(s)] for s in (mated, impostor)]
    if min(len(s) for s in sides) < 2:
        raise NotMeasurable(
            f"a likelihood ratio needs scores of both kinds, there are {len(sides[0])}, {len(sides[1])}"
        )
    if len(sides[1]) > _MOST:
        sides[1] = item_rng(0, "likelihood").choice(sides[1], _MOST, replace=False)
    values, labels = np.concatenate(sides), np.repeat([1.0, 0.0], [len(s) for s in sides])
    weight = np.repeat([0.5 / len(s) for s in sides], [len(s) for s in sides])
    centre, spread = values.mean(), max(float(values.std()), 1e-9)
    scaled = (values - centre) / spread

    def cost(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logit = parameters[0] * scaled + parameters[1]
        loss = float((weight * (np.logaddexp(0, logit) - labels * logit)).sum()) + _SHRINK * parameters[0] ** 2
        error = weight * (1 / (1 + np.exp(-np.clip(logit, -500, 500))) - labels)
        return loss, np.array([(error * scaled).sum() + 2 * _SHRINK * parameters[0], error.sum()])

    bounds, limits = [(0, None), (None, None)], {"ftol": 1e-12, "gtol": 1e-9}
    found = minimize(cost, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds, options=limits)
    slope = float(found.x[0]) / spread
    return LikelihoodMap(slope, float(found.x[1]) - slope * float(centre))


def cllr(mated: NDArray[np.float64], impostor: NDArray[np.float64]) -> float:
    """Cost of log-likelihood ratios (nats) of mated (n,) and impostor (m,) comparisons, in bits."""
    own = np.logaddexp(0, -mated).mean()
    other = np.logaddexp(0, impostor).mean()
    return float((own + other) / (2 * np.log(2)))


def cllr_min(mated: Scores, impostor: Scores) -> float:
    """Cllr after the best monotone map, found by pooling adjacent violators, in bits."""
    sides = [np.asarray(s, np.float64)[np.isfinite(s)] for s in (mated, impostor)]
    values, place = np.unique(np.concatenate(sides), return_inverse=True)
    good = np.bincount(place[: len(sides[0])], minlength=len(values)) * (0.5 / len(sides[0]))
    bad = np.bincount(place[len(sides[0]) :], minlength=len(values)) * (0.5 / len(sides[1]))
    share = isotonic_regression(good / (good + bad), weights=good + bad).x
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = -np.where(good > 0, good * np.log2(share), 0) - np.where(bad > 0, bad * np.log2(1 - share), 0)
    return float(cost.sum())


def judge_likelihood(
    mated: tuple[Scores, NDArray[np.int64]],
    impostor: tuple[Scores, NDArray[np.int64], NDArray[np.int64]],
    people: int,
    *,
    seed: int = 0,
) -> LikelihoodReport:
    """Fit the map and judge it on people it has not seen.

    Args:
        mated: scores and the person of each.
        impostor: scores and both people of each, the second -1 where there is none.
        people: number of people.
        seed: of the split of people into halves.

    Raises:
        NotMeasurable: a half has too few scores of a kind.
    """
    half = item_rng(seed, "halves", people).permutation(people) % 2
    own = half[mated[1]]
    first, second = half[impostor[1]], np.where(impostor[2] < 0, half[impostor[1]], half[impostor[2]])
    ratios: tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]] = ([], [])
    for side in (0, 1):
        fitted = fit_likelihood(mated[0][own == side], impostor[0][(first == side) & (second == side)])
        # Failures carry no evidence: they are misses of the system, not scores.
        seen = mated[0][(own != side) & np.isfinite(mated[0])]
        ratios[0].append(fitted(seen))
        ratios[1].append(fitted(impostor[0][(first != side) & (second != side)]))
    return LikelihoodReport(
        map=fit_likelihood(mated[0], impostor[0]),
        cllr=cllr(np.concatenate(ratios[0]), np.concatenate(ratios[1])),
        cllr_min=cllr_min(mated[0], impostor[0]),
        mated=int(np.isfinite(mated[0]).sum()),
        impostors=len(impostor[0]),
    )
