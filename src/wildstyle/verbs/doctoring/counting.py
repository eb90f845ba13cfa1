"""Causes in what is counted: failed faces, and too few impostors for the rate that was asked for."""

from __future__ import annotations

from collections import Counter

import numpy as np

from wildstyle.evaluation.pairs import FMR_TARGETS
from wildstyle.verbs.doctoring.finding import Finding, Verdict
from wildstyle.verbs.doctoring.looking import Looked
from wildstyle.verbs.doctoring.patient import Patient
from wildstyle.verbs.measuring import LabelledSet

FAILURES, IMPOSTORS = "failures counted as misses", "too few impostors"

_WORTH = 0.02  # share of failures below which they explain nothing
_MOST_OF, _PART_OF = 0.5, 0.1  # of all misses
_RULE_OF_30 = 30


def counting_findings(labelled: LabelledSet, patient: Patient, looked: Looked, fmr: float | None) -> list[Finding]:
    """Failures and impostors of the whole protocol."""
    return [_failures(labelled, patient, looked), _impostors(labelled, fmr)]


def _failures(labelled: LabelledSet, patient: Patient, looked: Looked) -> Finding:
    unread = 1 - float(looked.ok.mean()) if len(looked.ok) else 0.0
    if labelled.rows is not None:
        probes = [row for row in labelled.rows if row.role == "probe"]
        absent = sum(row.file is None for row in probes)
        share = absent / len(probes) + (1 - absent / len(probes)) * unread
        text = f"{absent} of {len(probes):,} probes have no face file"
    else:
        share = 1 - (1 - unread) ** 2
        text = "a pair fails with either of its faces"
    hits = patient.hits
    if not np.isfinite(hits):
        return Finding(cause=FAILURES, verdict="couldn't be tested", evidence=f"{text}; too few impostors to say more.")
    counted = hits * (1 - share)
    of_misses = share / max(1e-9, 1 - counted)
    large = share >= _WORTH
    verdict: Verdict = (
        "this is it" if large and of_misses >= _MOST_OF else "maybe" if large and of_misses >= _PART_OF else "ruled out"
    )
    return Finding(
        cause=FAILURES,
        verdict=verdict,
        evidence=(
            f"{text}, {100 * unread:.1f} % of those looked at can't be read or embedded: {100 * share:.1f} % fail,"
            f" {100 * of_misses:.0f} % of all misses."
        ),
        remedy="detect again with a better detector: wildstyle faces align PICTURES --out FOLDER --detector scrfd.onnx"
        if verdict != "ruled out"
        else "",
        figure="TAR at FMR 1e-2",
        before=counted,
        after=hits,
        gain=hits - counted,
        weight=share,
    )


def _impostors(labelled: LabelledSet, fmr: float | None) -> Finding:
    total, people = impostor_comparisons(labelled)
    asked = fmr if fmr is not None else min(FMR_TARGETS)
    allowed = asked * total
    verdict: Verdict = "ruled out" if allowed >= _RULE_OF_30 else "maybe"
    if fmr is not None and allowed < 1:
        verdict = "this is it"
    text = f"{total:,} impostor comparisons of {people:,} people give {allowed:.1f} false matches at FMR {asked:g}"
    steady = _RULE_OF_30 / max(1, total)
    return Finding(
        cause=IMPOSTORS,
        verdict=verdict,
        evidence=f"{text}; {_RULE_OF_30} are wanted, so the smallest steady FMR is {steady:.1g}.",
        remedy="" if verdict == "ruled out" else f"ask for an FMR of {steady:.1g} or more, or add people",
        effect="blurs",
        weight=1 / (1 + allowed),
    )


def impostor_comparisons(labelled: LabelledSet) -> tuple[int, int]:
    """How many impostor comparisons the protocol makes, and the people in it."""
    if labelled.pairs is not None:
        people = {name for name in labelled.faces.subjects() if name is not None}
        return int((~labelled.pairs.same).sum()), len(people) or len(labelled.faces)
    rows = labelled.rows or ()
    probes = Counter(row.subject for row in rows if row.role == "probe" and row.file is not None)
    gallery = {row.subject for row in rows if row.role == "gallery" and row.file is not None}
    total = sum(count * (len(gallery) - (name in gallery and name is not None)) for name, count in probes.items())
    return total, len(gallery | set(probes))
