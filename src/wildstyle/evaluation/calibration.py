"""Thresholds for wanted false match rates on the user's own data, with intervals, and the weight of a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from wildstyle.errors import NotMeasurable
from wildstyle.evaluation.bootstrap import Bootstrap, percentile_interval
from wildstyle.evaluation.few_errors import RULE as FEW_ERRORS
from wildstyle.evaluation.likelihood import LikelihoodReport, judge_likelihood
from wildstyle.evaluation.operating import kind_of
from wildstyle.evaluation.outcome import Outcome
from wildstyle.evaluation.rates import reliability_note
from wildstyle.evaluation.shares import Question


@dataclass(frozen=True, slots=True)
class CalibratedThreshold:
    """The threshold of one false match rate.

    Attributes:
        target: wanted FMR.
        threshold: accept at and above it.
        low: lower end of its 95 % interval over people, or None.
        high: upper end, or None.
        reached: FMR on these data, at most the target.
        tar: share of mated comparisons accepted, failures counting as rejected.
        impostors: impostor scores it rests on.
        note: why it is weak, or None.
    """

    target: float
    threshold: float
    low: float | None
    high: float | None
    reached: float
    tar: float
    impostors: int
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """All thresholds of one set and the map of its scores.

    Attributes:
        data: name of the set.
        thresholds: in the order asked for.
        likelihood: score to log-likelihood ratio, or None where the people are too few to judge it.
        counts: sizes, as in ``Result``.
        refused: targets that can't be measured, with reasons.
        rules: how the scores were made and the thresholds chosen: a threshold belongs to its pooling.
        likelihood_note: why there is no map, or None.
    """

    data: str
    thresholds: tuple[CalibratedThreshold, ...]
    likelihood: LikelihoodReport | None
    counts: dict[str, int]
    refused: tuple[tuple[float, str], ...] = ()
    rules: Mapping[str, str] = field(default_factory=dict)
    likelihood_note: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "schema": 1,
            "data": self.data,
            "thresholds": [{f: getattr(t, f) for f in CalibratedThreshold.__slots__} for t in self.thresholds],
            "likelihood": self.likelihood.to_json() if self.likelihood else None,
            "counts": dict(self.counts),
            "refused": [list(r) for r in self.refused],
            "rules": dict(self.rules),
            "likelihood_note": self.likelihood_note,
        }


def calibrate_outcome(outcome: Outcome, targets: Sequence[float], bootstrap: Bootstrap | None = None) -> Calibration:
    """Thresholds for ``targets`` from the verification part of an outcome.

    Raises:
        NotMeasurable: the outcome holds no verification, or no target can be measured.
    """
    bootstrap = bootstrap or Bootstrap()
    asked = next((q for q in outcome.questions if kind_of(q.name) == "verification" and q.impostors), None)
    if asked is None or asked.impostors is None:
        raise NotMeasurable("no verification was measured, so there are no impostor scores to choose a threshold by")
    fine, refused = [], []
    for target in targets:
        try:
            fine.append((target, reliability_note(target, asked.impostors.total)))
        except NotMeasurable as reason:
            refused.append((target, reason.what))
    if not fine:
        raise NotMeasurable("; ".join(reason for _, reason in refused), remedy="ask for larger rates or add people")
    draws = asked.impostors.thresholds(bootstrap.weights(len(outcome.people)), [target for target, _ in fine])
    thresholds = tuple(
        _threshold(asked, target, note, percentile_interval(row))
        for (target, note), row in zip(fine, draws, strict=True)
    )
    fitted, missing = _likelihood(outcome, asked)
    return Calibration(
        data=outcome.data,
        thresholds=thresholds,
        likelihood=fitted,
        counts=dict(outcome.counts),
        refused=tuple(refused),
        rules={**outcome.rules, "interval": bootstrap.rule, "few_errors": FEW_ERRORS},
        likelihood_note=missing,
    )


def _threshold(
    asked: Question, target: float, note: str | None, interval: tuple[float, float] | None
) -> CalibratedThreshold:
    question = replace(asked, target=target)
    point = question.operating_point()
    if point is None or point[0] is None:
        raise NotMeasurable(f"no threshold answers to FMR {target:g}", remedy="ask for a smaller rate")
    threshold, reached, impostors = point[0], point[1], point[2]
    tar = float(np.mean(asked.items.values >= np.float32(threshold)))
    low, high = interval or (None, None)
    return CalibratedThreshold(target, threshold, low, high, reached, tar, impostors, note)


def _likelihood(outcome: Outcome, asked: Question) -> tuple[LikelihoodReport | None, str | None]:
    """The map and what it is worth, or why there is none."""
    impostors = asked.impostors
    if impostors is None or len(impostors.scores) < impostors.total:
        return None, "only the highest impostor scores were kept, and a map needs all kinds of them"
    scores = impostors.scores
    second = np.full(len(scores), -1, np.int64) if scores.second is None else scores.second
    try:
        report = judge_likelihood(
            (asked.items.values, asked.items.first), (scores.values, scores.first, second), len(outcome.people)
        )
    except NotMeasurable as reason:
        return None, f"too few people to fit on half of them: {reason.what}"
    return report, None
