"""What the doctor found, as data."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["this is it", "maybe", "ruled out", "couldn't be tested"]
Effect = Literal["lowers", "raises", "blurs"]

_ORDER: dict[Verdict, int] = {"this is it": 0, "maybe": 1, "couldn't be tested": 2, "ruled out": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One cause that was looked at.

    Attributes:
        cause: short name, e.g. "colour order".
        verdict: whether it explains the figure.
        evidence: one or two sentences with numbers.
        remedy: the exact flag or command, or "" where nothing needs doing.
        effect: what this cause does to a figure: "lowers" it, "raises" it above the truth, or "blurs" it.
        figure: name of the figure below, "" where the cause is not judged by one.
        before, after: the figure as given, and with the cause removed.
        gain: after - before; ``low`` and ``high`` its 95 % interval, people drawn again, both under the same draws.
        weight: rank among findings of one verdict, larger first.
        examples: what a human should look at, worst first; at most 200.
    """

    cause: str
    verdict: Verdict
    evidence: str
    remedy: str = ""
    effect: Effect = "lowers"
    figure: str = ""
    before: float | None = None
    after: float | None = None
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    weight: float = 0.0
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All findings on one labelled set, most telling first.

    Attributes:
        data: name of the set.
        findings: every cause that was looked at.
        sentence: the answer in one plain sentence.
        figures: what was measured as given, by name.
        faces, people: of the sub-sample that the causes were tried on.
        looked_at: faces whose labels and pictures were looked at.
        concentrated: where errors concentrate, one sentence a place.
        seconds: how long it took.
    """

    data: str
    findings: tuple[Finding, ...]
    sentence: str
    figures: dict[str, float]
    faces: int
    people: int
    looked_at: int
    concentrated: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def named(self) -> tuple[Finding, ...]:
        """Findings that explain the figure."""
        return tuple(finding for finding in self.findings if finding.verdict == "this is it")

    def to_json(self) -> dict[str, Any]:
        """All of it, JSON-able; a figure that could not be measured is None."""
        known = {name: value if math.isfinite(value) else None for name, value in self.figures.items()}
        return asdict(self) | {"findings": [_plain(finding) for finding in self.findings], "figures": known}


def _plain(finding: Finding) -> dict[str, Any]:
    numbers = asdict(finding)
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in numbers.items()}


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By verdict, then what lowers a figure before what raises or blurs it, then by weight."""
    return tuple(sorted(findings, key=lambda f: (_ORDER[f.verdict], f.effect != "lowers", -f.weight)))
