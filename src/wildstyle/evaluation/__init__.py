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
from wildstyle.evaluation.result import SCHEMA_VERSION, Comparison, Difference, Measure, Result

__all__ = [
    "SCHEMA_VERSION",
    "Bootstrap",
    "Comparison",
    "Difference",
    "IdentificationOptions",
    "IdentificationOutcome",
    "Measure",
    "Outcome",
    "PairOutcome",
    "Result",
    "compare",
    "evaluate_identification",
    "evaluate_pairs",
]
