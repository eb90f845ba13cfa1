"""Findings as sentences that can be forwarded: figure, interval, number of people, limit."""

from __future__ import annotations

from wildstyle.report.guards import Finding
from wildstyle.report.wording import (
    digits_for,
    group_label,
    interval_text,
    measure_label,
    plain_change,
    share_text,
    signed,
)

_GUARD_VERB = {
    "kept": "held",
    "lost": "fell by more than allowed",
    "doubtful": "fell by more than allowed, perhaps by chance",
    "unproven": "held as far as can be seen",
}
_SUFFIX = {"unproven": ", too few people to exclude more"}


def describe(finding: Finding) -> str:
    """One finding as a sentence."""
    clause = finding_clause(finding)
    return f"{clause[0].upper()}{clause[1:]}."


def finding_clause(finding: Finding) -> str:
    """One finding as a clause, to stand inside a sentence."""
    difference, title = finding.difference, title_of(finding)
    if difference.gain is None or difference.low is None:
        note = (difference.note or "too few people for an interval").removeprefix("not measurable: ")
        return f"{title} could not be measured ({note})"
    digits = digits_for(difference.before, difference.after)
    interval = interval_text(difference.low, difference.high, digits)
    change = f"{signed(difference.gain, digits)} points, 95% interval {interval}"
    if finding.outcome == "not measurable":
        few = f"{finding.people} people" if finding.part == "primary" else f"{difference.n} comparisons"
        return f"{title} rests on only {few}, too few to judge ({change})"
    if finding.part == "primary":
        return _primary_clause(finding, change, digits)
    limit = f"{100 * (finding.limit or 0.0):.{digits}f} points allowed"
    return f"{title} {_GUARD_VERB[finding.outcome]} ({change}; {limit}{_SUFFIX.get(finding.outcome, '')})"


def title_of(finding: Finding) -> str:
    """Measure, set and group of a finding."""
    group = "" if finding.difference.group == "all" else f", faces {group_label(finding.difference.group)}"
    return f"{measure_label(finding.difference.name)} on {finding.data}{group}"


def _primary_clause(finding: Finding, change: str, digits: int) -> str:
    d = finding.difference
    after, before = share_text(d.after, digits), share_text(d.before, digits)
    people = f", {finding.people} people" if finding.people else ""
    unsettled = "; the interval includes zero" if finding.outcome == "unsettled" else ""
    return (
        f"on {finding.data} the adapted recogniser {plain_change(d.name, after, before)} ({change}{people}{unsettled})"
    )
