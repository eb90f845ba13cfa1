"""One HTML file that can be mailed: no scripts, no links to elsewhere, every word from a record escaped."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import jinja2

from wildstyle.report import wording
from wildstyle.report.figures import before_after_figure, curve_figure, gain_figure, roc_figure, size_figure
from wildstyle.report.guards import VerdictPolicy, primary_measure
from wildstyle.report.records import EvaluatedSet, RunRecords, read_records
from wildstyle.report.tables import Row, comparison_rows
from wildstyle.report.unmeasured import not_measured
from wildstyle.report.verdict import Verdict, read_verdict
from wildstyle.runs.atomic import write_text
from wildstyle.runs.folder import METRICS, REPORT, SHEETS, RunFolder

TEMPLATES = Path(__file__).parent / "templates"

_IMAGES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}


def render_report(run: RunFolder | Path | str, *, include_faces: bool = False) -> Path:
    """Write ``report.html`` from the records of a run; can be repeated at any time and place.

    Args:
        run: the run or its folder.
        include_faces: also show the pictures of people in ``sheets/``; only where their owner allows it.

    Returns:
        Path of the file.

    Raises:
        InputError: there is no run, or a record is damaged.
        StorageError: the file can't be written.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder.open(run)
    records, verdict = read_records(folder), read_verdict(folder)
    page = environment(escape=True).get_template("report.html").render(_context(folder, records, verdict, include_faces))
    path = folder.file(REPORT)
    write_text(path, page)
    return path


def environment(*, escape: bool) -> jinja2.Environment:
    """Templates with the filters of :mod:`wildstyle.report.wording`; undefined names are errors."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=escape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for name in ("count_text", "duration_text", "measure_label", "measure_meaning", "share_text", "size_text"):
        env.filters[name] = getattr(wording, name)
    env.filters["listed"] = wording.listed
    return env


def shown_rows(evaluated: EvaluatedSet, policy: VerdictPolicy) -> tuple[list[Row], list[Row]]:
    """Rows over all faces, and rows of the primary measure by group."""
    rows = comparison_rows([evaluated])
    primary = primary_measure(evaluated.comparison.differences, policy)
    return [r for r in rows if r.group == "all"], [r for r in rows if r.group != "all" and r.name == primary]


def headline_rows(records: RunRecords, policy: VerdictPolicy) -> list[Row]:
    """The primary row of every set, then its groups: what the first figure shows."""
    chosen: list[Row] = []
    for evaluated in records.evaluations:
        overall, bands = shown_rows(evaluated, policy)
        primary = primary_measure(evaluated.comparison.differences, policy)
        chosen += [row for row in overall if row.name == primary] + bands
    return chosen


def _context(folder: RunFolder, records: RunRecords, verdict: Verdict, include_faces: bool) -> dict[str, Any]:
    rows = headline_rows(records, verdict.policy)
    return {
        "name": folder.path.resolve().name,
        "records": records,
        "verdict": verdict,
        "tone": verdict.decision.replace(" ", "-"),
        "stages": folder.stages(),
        "sizes": folder.sizes(),
        "sets": [(s, *shown_rows(s, verdict.policy), roc_figure(s)) for s in records.evaluations],
        "gains": gain_figure(rows),
        "shares": before_after_figure([row for row in rows if row.role == "target"]),
        "eye_distances": size_figure(records.ingested),
        "diagnostics": [(d, [curve_figure(n, points) for n, points in d.curves.items()]) for d in records.diagnostics],
        "listings": [f"{METRICS}/{i.listing}" if "/" not in i.listing else i.listing for i in records.ingested if i.listing],
        "sheets": _sheets(folder) if include_faces else [],
        "not_measured": not_measured(records),
        "measures": sorted({row.name for row in comparison_rows(records.evaluations)}),
    }


def _sheets(folder: RunFolder) -> list[tuple[str, str]]:
    captions = folder.read_json(f"{SHEETS}/captions") if folder.file(f"{SHEETS}/captions.json").is_file() else {}
    found = sorted(p for p in folder.file(SHEETS).glob("*") if p.suffix.lower() in _IMAGES)
    return [(captions.get(p.name, p.stem), _data_uri(p)) for p in found]


def _data_uri(path: Path) -> str:
    return f"data:{_IMAGES[path.suffix.lower()]};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
