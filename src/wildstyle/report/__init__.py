"""The verdict, the reports and the model card, made from records."""

from __future__ import annotations

from wildstyle.report.evaluation_page import evaluation_html, evaluation_markdown
from wildstyle.report.evaluation_report import EvaluatedRun, EvaluationReport, SideBySide, SiteAlarms
from wildstyle.report.face_pairs import FacePair, ShownFace
from wildstyle.report.guards import VerdictPolicy
from wildstyle.report.html import render_report
from wildstyle.report.licences import Licence
from wildstyle.report.model_card import render_model_card
from wildstyle.report.records import (
    AdaptedRecogniser,
    Check,
    Diagnostics,
    EvaluatedSet,
    Figure,
    Ingested,
    RunRecords,
    ServingCost,
    read_records,
    store_checks,
    store_diagnostics,
    store_evaluation,
    store_ingested,
    store_licences,
    store_recogniser,
)
from wildstyle.report.tables import COLUMNS, Row, comparison_rows, overall_rows
from wildstyle.report.verdict import Verdict, decide, decide_run

__all__ = [
    "COLUMNS",
    "AdaptedRecogniser",
    "Check",
    "Diagnostics",
    "EvaluatedRun",
    "EvaluatedSet",
    "EvaluationReport",
    "FacePair",
    "Figure",
    "Ingested",
    "Licence",
    "Row",
    "RunRecords",
    "ServingCost",
    "ShownFace",
    "SideBySide",
    "SiteAlarms",
    "Verdict",
    "VerdictPolicy",
    "comparison_rows",
    "decide",
    "decide_run",
    "evaluation_html",
    "evaluation_markdown",
    "overall_rows",
    "read_records",
    "render_model_card",
    "render_report",
    "store_checks",
    "store_diagnostics",
    "store_evaluation",
    "store_ingested",
    "store_licences",
    "store_recogniser",
]
