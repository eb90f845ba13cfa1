"""An evaluation report as one HTML file that can be mailed, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wildstyle.report.evaluation_report import EvaluationReport
from wildstyle.report.evaluation_tables import licence_sheet, set_sheets
from wildstyle.report.face_pairs import MOST_PAIRS, FacePair
from wildstyle.report.html import meanings
from wildstyle.report.plots import curve_plots
from wildstyle.report.templating import environment

_OPEN = ("figures", "differences", "alarms", "points", "groups")


def evaluation_html(report: EvaluationReport, errors: Sequence[FacePair] = ()) -> str:
    """The page: no scripts, no links to elsewhere, every word from a record escaped.

    Args:
        report: what was measured.
        errors: pairs of faces to show; only where whoever owns them allows it. The first ``MOST_PAIRS`` are shown.
    """
    shown = list(errors[:MOST_PAIRS])
    page = environment(html=True).get_template("evaluation.html")
    pairs = [(data, [e for e in shown if e.data == data]) for data in dict.fromkeys(e.data for e in shown)]
    return page.render(_context(report), pairs=pairs)


def evaluation_markdown(report: EvaluationReport) -> str:
    """The same tables as Markdown; plots are left to the page."""
    return environment(html=False).get_template("evaluation.md").render(_context(report))


def _context(report: EvaluationReport) -> dict[str, Any]:
    names = [m.name for run in report.runs for result in run.results.values() for m in result.measures]
    sets = []
    for data in report.sets:
        sheets = set_sheets(report, data)
        several = len(report.runs) > 1
        curves = {name if several else "": result.curves for name, result in report.runs_on(data)}
        open_ones = [sheet for sheet in sheets if sheet.kind in _OPEN]
        sets.append((data, open_ones, [s for s in sheets if s.kind not in _OPEN], curve_plots(curves)))
    return {
        "report": report,
        "sets": sets,
        "licences": licence_sheet(report),
        "measures": meanings(names),
    }
