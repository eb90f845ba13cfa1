"""Scores, rates and intervals, on embeddings alone: no models, no pixels."""

from __future__ import annotations

from wildstyle.evaluation.bootstrap import Bootstrap
from wildstyle.evaluation.compare import compare
from wildstyle.evaluation.identification import (
    IdentificationOptions,
    IdentificationOutcome,
    evaluate_identification,
)
from wildstyle.evaluation.outcome import Outcome
from wildstyle.evaluation.pairs import PairOutcome, evaluate_pairs
from wildstyle.evaluation.power import Assumptions, Need, needed_with_interval, needed_without_labels
from wildstyle.evaluation.result import SCHEMA_VERSION, Comparison, Curve, Difference, Measure, Result

__all__ = [
    "SCHEMA_VERSION",
    "Assumptions",
    "Bootstrap",
    "Comparison",
    "Curve",
    "Difference",
    "IdentificationOptions",
    "IdentificationOutcome",
    "Measure",
    "Need",
    "Outcome",
    "PairOutcome",
    "Result",
    "compare",
    "evaluate_identification",
    "evaluate_pairs",
    "needed_with_interval",
    "needed_without_labels",
]
