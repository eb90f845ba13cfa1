"""The tables of an evaluation report as texts: one form for the page, for Markdown and for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from wildstyle.evaluation.alarms import FORMULAS, Alarms, Expected
from wildstyle.evaluation.result import Measure, Result
from wildstyle.report.evaluation_report import EvaluationReport, SideBySide
from wildstyle.report.tables import mark_of
from wildstyle.report.wording import (
    count_text,
    digits_for,
    group_label,
    interval_text,
    measure_label,
    rate_text,
    share_text,
    signed,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One table.

    Attributes:
        kind: "figures", "points", "groups", "differences", "alarms", "counts", "rules" or "licences".
        title: what it shows.
        columns: headings; the first names the row.
        rows: texts under the headings.
        numeric: which columns hold numbers, by index.
        notes: what a reader must know, one sentence each.
        marks: "better", "worse" or "unsettled" of each row, or empty.
    """

    kind: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()


def set_sheets(report: EvaluationReport, data: str) -> list[Sheet]:
    """All tables of one labelled set; those without a row are left out."""
    runs = report.runs_on(data)
    compared = [s for s in report.side_by_side if s.data == data]
    sheets = [
        _figures(runs),
        *(_differences(s) for s in compared),
        _points(runs),
        _groups(runs),
        *_alarm_sheets(report, data),
        _counts(runs),
        _rules(runs),
    ]
    return [sheet for sheet in sheets if sheet.rows]


def licence_sheet(report: EvaluationReport) -> Sheet:
    """The ledger of licences."""
    rows = tuple((one.name, one.file, one.text, one.source) for one in report.licences)
    note = "What nobody stated is not thereby free: ask whoever made the file before it is used for more than a trial."
    return Sheet(
        kind="licences", title="Licences", columns=("what", "file", "licence", "stated by"), rows=rows, notes=(note,)
    )


def value_text(measure: Measure | None, *, interval: bool = True) -> str:
    """A share with its interval, as a cell."""
    if measure is None:
        return "–"
    digits = digits_for(measure.value)
    text = share_text(measure.value, digits)
    if not interval or measure.low is None or measure.high is None:
        return text
    return f"{text} ({100 * measure.low:.{digits}f}–{100 * measure.high:.{digits}f})"


def _figures(runs: Sequence[tuple[str, Result]]) -> Sheet:
    overall = [m for m in _union(runs) if m.group == "all"]
    names = [name for name, _ in runs] if len(runs) > 1 else ["share (95% interval)"]
    rows = [
        (measure_label(m.name) + _at(m), *(value_text(_found(result, m)) for _, result in runs), count_text(m.n))
        for m in overall
    ]
    columns = ("figure", *names, "n")
    return Sheet(
        kind="figures",
        title="Figures",
        columns=columns,
        rows=tuple(rows),
        numeric=tuple(range(1, len(columns))),
        notes=_notes((measure_label(m.name), m.note) for m in overall),
    )


def _points(runs: Sequence[tuple[str, Result]]) -> Sheet:
    rows = [
        (
            measure_label(m.name) + _at(m),
            *([name] if len(runs) > 1 else []),
            "accepts all" if m.threshold is None else f"{m.threshold:.4f}",
            _asked(m.name),
            "–" if m.reached is None else _rate(m.reached),
            "–" if m.impostors is None else count_text(m.impostors),
            value_text(m),
        )
        for name, result in runs
        for m in result.measures
        if m.group == "all" and (m.reached is not None or m.threshold is not None)
    ]
    columns = ("point", *(["run"] if len(runs) > 1 else []), "threshold", "asked", "reached", "impostors", "share")
    note = "A threshold holds for this recogniser, this pooling and, for FPIR, this size of gallery only."
    return Sheet(
        kind="points",
        title="Operating points",
        columns=columns,
        rows=tuple(rows),
        numeric=tuple(range(len(columns) - 5, len(columns))),
        notes=(note,),
    )


def _groups(runs: Sequence[tuple[str, Result]]) -> Sheet:
    everything = _union(runs)
    whole = {m.name: m.n for m in everything if m.group == "all"}
    # A group of everybody says nothing new.
    parts = [m for m in everything if m.group != "all" and m.n != whole.get(m.name)]
    names = [name for name, _ in runs] if len(runs) > 1 else ["share (95% interval)"]
    rows = [
        (
            f"{measure_label(m.name)}{_at(m)}, {group_label(m.group)}",
            *(value_text(_found(result, m)) for _, result in runs),
            count_text(m.n),
        )
        for m in parts
    ]
    columns = ("figure, faces", *names, "n")
    return Sheet(
        kind="groups",
        title="By camera, size and group",
        columns=columns,
        rows=tuple(rows),
        numeric=tuple(range(1, len(columns))),
        notes=_notes((f"{measure_label(m.name)}, {group_label(m.group)}", m.note) for m in parts),
    )


def _differences(compared: SideBySide) -> Sheet:
    whole = {d.name: d.n for d in compared.differences if d.group == "all"}
    shown = [d for d in compared.differences if d.group == "all" or d.n != whole.get(d.name)]
    rows = [
        (
            measure_label(d.name) + ("" if d.group == "all" else f", {group_label(d.group)}"),
            share_text(d.before, digits),
            share_text(d.after, digits),
            "–" if d.gain is None else signed(d.gain, digits),
            interval_text(d.low, d.high, digits),
        )
        for d in shown
        for digits in [digits_for(d.before, d.after)]
    ]
    notes = ("Paired: both met the same draws of the same people.",)
    if compared.unpaired:
        notes = (f"Not paired, so without intervals: {compared.unpaired}",)
    return Sheet(
        kind="differences",
        title=f"{compared.after} against {compared.before}",
        columns=("figure", compared.before, compared.after, "difference, points", "95% interval"),
        rows=tuple(rows),
        numeric=(1, 2, 3, 4),
        notes=notes,
        marks=tuple(mark_of(d) for d in shown),
    )


def _alarm_sheets(report: EvaluationReport, data: str) -> Iterator[Sheet]:
    site = report.site
    for found in report.alarms:
        if site is None or found.data != data:
            continue
        run = f", {found.run}" if len(report.runs) > 1 else ""
        title = (
            f"A day with {count_text(site.faces_a_day)} faces and {count_text(site.gallery_size)} people enrolled{run}"
        )
        bases = dict.fromkeys(a.basis for a in found.alarms)
        notes = [f"From {basis}: {FORMULAS[basis]}." for basis in bases]
        notes.append(
            "The interval of false alarms takes trials for independent, so it is too narrow rather than too wide."
        )
        if site.watchlist_share:
            notes.append(
                f"{100 * site.watchlist_share:g}% of the faces show an enrolled person. Missed ones are counted at the "
                "gallery that was measured; in a larger one somebody else comes first now and then."
            )
        yield Sheet(
            kind="alarms",
            title=title,
            columns=(
                "point",
                "reached",
                "measured on",
                "FPIR at your gallery",
                "false alarms a day",
                "missed a day",
            ),
            rows=tuple(_alarm_row(alarms) for alarms in found.alarms),
            numeric=(1, 3, 4, 5),
            notes=tuple(notes),
        )


def _alarm_row(a: Alarms) -> tuple[str, ...]:
    gallery = f", {count_text(a.measured_gallery)} enrolled" if a.measured_gallery else ""
    kind = "strangers" if a.basis == "FPIR" else "comparisons"
    return (
        measure_label(a.figure),
        f"{a.basis} {_rate(a.rate)}",
        f"{count_text(a.trials)} {kind}{gallery}",
        _rate(a.fpir),
        _expected_text(a.false_alarms),
        _expected_text(a.missed) if a.missed.value or a.missed.high else "–",
    )


def _expected_text(expected: Expected) -> str:
    if expected.low is None or expected.high is None:
        return _number(expected.value)
    return f"{_number(expected.value)} ({_number(expected.low)}–{_number(expected.high)})"


def _number(value: float) -> str:
    return count_text(value) if value >= 100 else f"{value:.2g}" if value else "0"


def _counts(runs: Sequence[tuple[str, Result]]) -> Sheet:
    keys = list(dict.fromkeys(key for _, result in runs for key in result.counts))
    names = [name for name, _ in runs] if len(runs) > 1 else ["count"]
    rows = [
        (key, *(count_text(result.counts[key]) if key in result.counts else "–" for _, result in runs)) for key in keys
    ]
    return Sheet(
        kind="counts",
        title="Counts",
        columns=("what", *names),
        rows=tuple(rows),
        numeric=tuple(range(1, len(names) + 1)),
    )


def _rules(runs: Sequence[tuple[str, Result]]) -> Sheet:
    rows = []
    for key in dict.fromkeys(key for _, result in runs for key in result.rules):
        by_rule: dict[str, list[str]] = {}
        for name, result in runs:
            by_rule.setdefault(result.rules.get(key, "–"), []).append(name)
        told = (
            list(by_rule) if len(by_rule) == 1 else [f"{rule} ({', '.join(names)})" for rule, names in by_rule.items()]
        )
        rows.append((key.replace("_", " "), "; ".join(told)))
    first = runs[0][1]
    return Sheet(
        kind="rules",
        title=f"Rules: {first.protocol}, version {first.version}",
        columns=("rule", "what was done"),
        rows=tuple(rows),
    )


def _notes(remarks: Iterable[tuple[str, str | None]]) -> tuple[str, ...]:
    """One sentence a remark, with all that it holds for."""
    about: dict[str, list[str]] = {}
    for what, text in remarks:
        for part in (text or "").split("; "):
            if part and what not in about.setdefault(part, []):
                about[part].append(what)
    return tuple(f"{', '.join(whats)}: {text}." for text, whats in about.items())


def _rate(rate: float) -> str:
    return rate_text(float(f"{rate:.3g}"))


def _union(runs: Sequence[tuple[str, Result]]) -> list[Measure]:
    """Every figure that some run has, as the first run that has it tells it."""
    found: dict[tuple[str, str], Measure] = {}
    for _, result in runs:
        for measure in result.measures:
            found.setdefault((measure.name, measure.group), measure)
    return list(found.values())


def _found(result: Result, like: Measure) -> Measure | None:
    return next((m for m in result.measures if (m.name, m.group) == (like.name, like.group)), None)


def _asked(name: str) -> str:
    kind, equals, rate = name.partition("@")[2].partition("=")
    try:
        return f"{kind.upper()} {rate_text(float(rate))}" if equals else "kept"
    except ValueError:
        return "kept"


def _at(measure: Measure) -> str:
    if ":" in measure.name:
        return ""
    return " at a kept threshold" if "threshold" in measure.name.partition("@")[2] else ""
