"""One HTML file that can be mailed: no scripts, no links to elsewhere, every word from a record escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from markupsafe import Markup

from wildstyle.report.figures import before_after_figure, curve_figure, gain_figure, size_figure
from wildstyle.report.guards import VerdictPolicy, primary_measure
from wildstyle.report.plots import Plot, curve_plots
from wildstyle.report.records import Diagnostics, EvaluatedSet, RunRecords, read_records
from wildstyle.report.tables import Row, comparison_rows
from wildstyle.report.templating import environment
from wildstyle.report.tiles import tiles
from wildstyle.report.unmeasured import not_measured
from wildstyle.report.verdict import Verdict, read_verdict
from wildstyle.report.wording import measure_label, measure_meaning
from wildstyle.runs.atomic import write_text
from wildstyle.runs.differences import flat
from wildstyle.runs.folder import MODEL_CARD, REPORT, SHEETS, RunFolder

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
    context = _context(folder, read_records(folder), read_verdict(folder))
    page = environment(html=True).get_template("report.html")
    path = folder.file(REPORT)
    write_text(path, page.render(context, sheets=_sheets(folder) if include_faces else []))
    return path


def rows_to_show(evaluated: EvaluatedSet, policy: VerdictPolicy) -> tuple[list[Row], list[Row]]:
    """Rows over all faces of a set, and rows of the primary measure by group; a group of all faces says nothing new."""
    rows = comparison_rows([evaluated])
    primary = primary_measure(evaluated, policy)
    overall = [row for row in rows if row.group == "all"]
    everyone = {row.n for row in overall if row.name == primary}
    groups = [row for row in rows if row.group != "all" and row.name == primary and row.n not in everyone]
    return overall, groups


def headline_rows(evaluated: EvaluatedSet, policy: VerdictPolicy) -> list[Row]:
    """The primary row of a set and its groups: what the first figure shows."""
    overall, bands = rows_to_show(evaluated, policy)
    primary = primary_measure(evaluated, policy)
    return [row for row in overall if row.name == primary] + bands


def _context(folder: RunFolder, records: RunRecords, verdict: Verdict) -> dict[str, Any]:
    rows = [row for evaluated in records.evaluations for row in headline_rows(evaluated, verdict.policy)]
    targets = [row for row in rows if row.role == "target"]
    return {
        "name": folder.path.resolve().name,
        "created": (records.provenance or {}).get("created", "")[:10],
        "records": records,
        "verdict": verdict,
        "grounds": _not_said(verdict, verdict.reasons),
        "caveats": _not_said(verdict, verdict.caveats),
        "tone": verdict.decision.replace(" ", "-"),
        "tiles": tiles(records, folder.stages(), verdict.policy),
        "stages": folder.stages(),
        # Without what is made here: the page would list itself differently each time.
        "sizes": {name: size for name, size in folder.sizes().items() if name not in (REPORT, MODEL_CARD)},
        "settings": sorted(flat(records.config).items()),
        "sets": [(s, *rows_to_show(s, verdict.policy), plots_of(s)) for s in records.evaluations],
        "gains": [gain_figure(rows), gain_figure(rows, narrow=True)],
        "shares": [before_after_figure(targets), before_after_figure(targets, narrow=True)],
        "eye_distances": size_figure(records.ingested),
        "diagnostics": _diagnostics(folder, records),
        "not_measured": not_measured(records),
        "measures": meanings(row.name for row in comparison_rows(records.evaluations)),
    }


def _not_said(verdict: Verdict, texts: Iterable[str]) -> list[str]:
    """Those that the verdict's sentence does not hold already."""
    return [text for text in texts if text.rstrip(".").lower() not in verdict.sentence.lower()]


def plots_of(evaluated: EvaluatedSet) -> list[Plot]:
    """The curves of both sides, drawn over each other."""
    comparison = evaluated.comparison
    return curve_plots({"before": comparison.before.curves, "after": comparison.after.curves})


def meanings(names: Iterable[str]) -> list[tuple[str, str]]:
    """Label and meaning of each kind of figure that is named, once each."""
    found: dict[str, str] = {}
    for name in names:
        label = measure_label(name).partition(" at ")[0]
        if meaning := measure_meaning(name):
            found.setdefault(label, meaning)
    return list(found.items())


def _diagnostics(folder: RunFolder, records: RunRecords) -> list[tuple[Diagnostics, list[Markup]]]:
    order = [stage.stage for stage in folder.stages()]
    found = sorted(records.diagnostics, key=lambda d: order.index(d.stage) if d.stage in order else len(order))
    figures = [[curve_figure(name, points) for name, points in d.curves.items()] for d in found]
    return [(d, [f for f in drawn if f is not None]) for d, drawn in zip(found, figures, strict=True)]


def _sheets(folder: RunFolder) -> list[tuple[str, str]]:
    captions = folder.read_json(f"{SHEETS}/captions") if folder.file(f"{SHEETS}/captions.json").is_file() else {}
    found = sorted(p for p in folder.file(SHEETS).glob("*") if p.suffix.lower() in _IMAGES)
    return [(captions.get(p.name, p.stem), _data_uri(p)) for p in found]


def _data_uri(path: Path) -> str:
    return f"data:{_IMAGES[path.suffix.lower()]};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
