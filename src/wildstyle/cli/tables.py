"""Figures and verdicts on the terminal."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from wildstyle.cli.screen import console
from wildstyle.report import EvaluatedSet, Verdict, VerdictPolicy
from wildstyle.report.html import rows_to_show

_COLOURS = {"better": "green", "worse": "red", "unsettled": "default", "not measurable": "dim"}
_TOLD = 6
_DECISIONS = {"deploy": "green", "do not deploy": "red", "not enough evidence": "yellow"}


def comparison_table(evaluated: EvaluatedSet) -> Table:
    """Before and after of one set, with 95 % intervals over people."""
    kind = "your cameras" if evaluated.role == "target" else "must not get worse"
    table = Table(title=f"{escape(evaluated.name)} ({kind})", title_justify="left", title_style="bold", box=None)
    for column in ("figure", "faces", "before", "after", "gain, points (95 %)", "n"):
        table.add_column(column, justify="left" if column in ("figure", "faces") else "right")
    overall, groups = rows_to_show(evaluated, VerdictPolicy())
    for row in (*overall, *groups):
        gain = f"{row.gain} ({row.interval})" if row.difference.gain is not None else row.gain
        cells = [escape(text) for text in (row.measure, row.group, row.before, row.after)]
        table.add_row(*cells, f"[{_COLOURS[row.mark]}]{escape(gain)}[/]", escape(row.n))
    return table


def print_verdict(verdict: Verdict) -> None:
    """The sentence, its grounds and what would settle it."""
    console.print(f"\n[bold {_DECISIONS[verdict.decision]}]{escape(verdict.sentence)}[/]", soft_wrap=True)
    said = [reason for reason in verdict.reasons if reason.rstrip(".").lower() not in verdict.sentence.lower()]
    for text in (*said, *(needed.sentence for needed in verdict.needed))[:_TOLD]:
        console.print(f"  - {escape(text)}", soft_wrap=True)
    if verdict.caveats:
        console.print(f"  The report lists {len(verdict.caveats)} things that did not decide but should be known.")
