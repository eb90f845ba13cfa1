"""Findings as sentences that can be forwarded: figure, interval, number of people, limit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from wildstyle.evaluation.result import Difference, Measure
from wildstyle.report.guards import Finding, at_fixed_threshold
from wildstyle.report.records import EvaluatedSet
from wildstyle.report.wording import (
    digits_for,
    group_label,
    interval_text,
    listed,
    lower_is_better,
    measure_label,
    plain_change,
    rate_text,
    share_text,
    signed,
)

_CLEAN = {
    "passed": "lost no more than the {limit} points allowed",
    "failed": "lost more than the {limit} points allowed",
    "open": "may have lost more than the {limit} points allowed",
}


def describe(finding: Finding) -> str:
    """One finding as a sentence."""
    return sentence(finding_clause(finding))


def sentence(clause: str) -> str:
    """A clause with a capital and a full stop."""
    return f"{clause[0].upper()}{clause[1:]}."


def finding_clause(finding: Finding) -> str:
    """One finding as a clause, to stand inside a sentence."""
    difference = finding.difference
    if not finding.measured:
        note = (difference.note or "too few people for an interval").removeprefix("not measurable: ")
        return f"{title_of(finding)} could not be measured ({note})"
    digits = digits_for(difference.before, difference.after)
    if finding.part == "told":
        return f"{_subject(finding)} {'lose' if _is_band(finding) else 'loses'} {_amount(finding, digits)}"
    change = _change(difference, digits)
    if finding.part == "clean":
        said = _CLEAN[finding.outcome].format(limit=f"{100 * finding.limit:g}")
        return f"{title_of(finding)} {said} ({change}{_people(finding)})"
    after, before = share_text(difference.after, digits), share_text(difference.before, digits)
    unsettled = "; the interval includes zero" if finding.outcome == "open" else ""
    changed = plain_change(difference.name, after, before)
    return f"on {finding.data} the adapted recogniser {changed} ({change}{_people(finding)}{unsettled})"


def few_clause(finding: Finding) -> str:
    """A deciding finding that rests on too few people to be judged."""
    digits = digits_for(finding.difference.before, finding.difference.after)
    change = _change(finding.difference, digits)
    return f"{title_of(finding)} rests on only {finding.people} people, too few to judge ({change})"


def title_of(finding: Finding) -> str:
    """Measure, set and group of a finding."""
    group = f", {_faces(finding)}" if _is_band(finding) else ""
    label = measure_label(finding.difference.name).replace("Pair", "pair")
    return f"{label} on {finding.data}{group}"


def threshold_sentences(evaluated: EvaluatedSet) -> Iterator[str]:
    """What the error rates do at thresholds that are kept, e.g. the one in use today; one sentence a threshold."""
    kept = [d for d in evaluated.comparison.differences if at_fixed_threshold(d.name) and d.group == "all"]
    kept.sort(key=lambda d: d.name.partition("@")[2])
    for at, group in groupby(kept, key=lambda d: d.name.partition("@")[2]):
        moves = [_move(d) for d in group if d.before is not None and d.after is not None]
        if moves:
            whose = "your old threshold" if at.startswith("old-") else "the threshold"
            yield f"On {evaluated.name}, at {whose}{_threshold_text(evaluated, at)}, {listed(moves)}."


def _threshold_text(evaluated: EvaluatedSet, at: str) -> str:
    """The threshold and what it was chosen for, in brackets: as far as measures and the figure's name tell."""
    before, after = evaluated.comparison.before.measures, evaluated.comparison.after.measures
    told = re.split("[:=]", at.partition(" ")[0], maxsplit=1)[-1]
    at_it = (m for m in (*after, *before) if m.name.endswith(f"@{at}"))
    threshold = next((m.threshold for m in at_it if m.threshold is not None), None)
    if threshold is None and at.startswith(("threshold=", "threshold:")) and _is_number(told):
        threshold = float(told)
    chosen = "" if threshold is None else next((_condition(m) for m in before if _is_at(m, threshold)), "")
    if not chosen and at.startswith(("old-threshold=", "old-threshold:")) and _is_number(told):
        chosen = f"a rate of {rate_text(float(told))}"
    texts = ([] if threshold is None else [f"{threshold:.4g}"]) + ([f"chosen for {chosen}"] if chosen else [])
    return f" ({', '.join(texts)})" if texts else ""


def _is_at(measure: Measure, threshold: float) -> bool:
    """Whether a figure's own threshold, chosen for a rate, is this one."""
    same = measure.threshold is not None and abs(measure.threshold - threshold) < 1e-6
    return same and measure.name.partition("@")[2].startswith(("fmr=", "fpir="))


def _condition(measure: Measure) -> str:
    kind, _, rate = measure.name.partition("@")[2].partition("=")
    return f"{kind.upper()} {rate_text(float(rate))}"


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace("e-", "", 1).isdigit()


def _move(d: Difference) -> str:
    digits = digits_for(d.before, d.after)
    return f"{measure_label(d.name)} goes from {share_text(d.before, digits)} to {share_text(d.after, digits)}"


def _is_band(finding: Finding) -> bool:
    return finding.difference.group != "all"


def _faces(finding: Finding) -> str:
    named = "=" in finding.difference.group.lstrip("<>=")
    return f"faces {'of ' if named else ''}{group_label(finding.difference.group)}"


def _subject(finding: Finding) -> str:
    if _is_band(finding):
        return f"{_faces(finding)} on {finding.data}"
    return title_of(finding)


def _amount(finding: Finding, digits: int) -> str:
    d = finding.difference
    loss = f"{100 * finding.loss:.{digits}f} points"
    return f"{loss} ({interval_text(d.low, d.high, digits)})"


def _change(difference: Difference, digits: int) -> str:
    worse = ", lower is better" if lower_is_better(difference.name) else ""
    interval = interval_text(difference.low, difference.high, digits)
    return f"{signed(difference.gain or 0.0, digits)} points, 95% interval {interval}{worse}"


def _people(finding: Finding) -> str:
    return f", {finding.people} people" if finding.people else ""
