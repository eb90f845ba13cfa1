"""The verdict, the report and the model card, made from the records in a run folder."""

from __future__ import annotations

from wildstyle.report.guards import VerdictPolicy
from wildstyle.report.html import render_report
from wildstyle.report.model_card import render_model_card
from wildstyle.report.records import (
    AdaptedRecogniser,
    Check,
    Diagnostics,
    EvaluatedSet,
    Figure,
    Ingested,
    RunRecords,
    read_records,
    store_checks,
    store_diagnostics,
    store_evaluation,
    store_ingested,
    store_recogniser,
)
from wildstyle.report.tables import COLUMNS, Row, comparison_rows, overall_rows
from wildstyle.report.verdict import Verdict, decide, decide_run

__all__ = [
    "COLUMNS",
    "AdaptedRecogniser",
    "Check",
    "Diagnostics",
    "EvaluatedSet",
    "Figure",
    "Ingested",
    "Row",
    "RunRecords",
    "Verdict",
    "VerdictPolicy",
    "comparison_rows",
    "decide",
    "decide_run",
    "overall_rows",
    "read_records",
    "render_model_card",
    "render_report",
    "store_checks",
    "store_diagnostics",
    "store_evaluation",
    "store_ingested",
    "store_recogniser",
]
