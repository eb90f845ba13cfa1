"""The one sentence an engineer forwards: deploy, do not deploy, or not enough evidence.

The rule, in the order in which it is applied. "Proven" means that the paired 95 % interval over people
excludes zero.

1. *Do not deploy* where a loss is proven: the primary measure of a target set fell, or a guard fell by more
   than its limit. Guards are the overall figures of the guard sets, the other overall figures of the
   target sets, and the primary measure inside each size band of either.
2. *Not enough evidence* where there is no labelled target set, where a target's primary gain is not proven,
   can't be measured or rests on too few people, or where a clean set or a band lost more than its limit but
   perhaps by chance.
3. *Deploy* otherwise: on every labelled target set the gain is proven, and no guard was seen to lose more
   than it may.

What can't block but must be known is listed as a caveat: guards that could not be measured, guards whose
interval reaches beyond the limit although the loss seen does not, no guard set at all, rough intervals.
A missing guard thus never blocks in silence and never passes in silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from wildstyle.errors import CorruptArchive
from wildstyle.report.guards import Finding, VerdictPolicy, findings
from wildstyle.report.needed import Needed, needed_for, needed_without_labels
from wildstyle.report.records import EvaluatedSet, read_records
from wildstyle.report.sentences import describe, finding_clause, title_of
from wildstyle.report.wording import listed
from wildstyle.runs.folder import RunFolder

VERDICT_SCHEMA = 1

Decision = Literal["deploy", "do not deploy", "not enough evidence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The decision with its grounds.

    Attributes:
        decision: one of three.
        sentence: the whole message in one sentence, the decision first.
        reasons: what the decision rests on, one sentence each, deciding ones first.
        caveats: what did not decide but must be known, one sentence each.
        needed: what would settle an open question; empty unless something is open.
        policy: the limits that were applied.
    """

    decision: Decision
    sentence: str
    reasons: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    needed: tuple[Needed, ...] = ()
    policy: VerdictPolicy = field(default_factory=VerdictPolicy)

    @property
    def message(self) -> str:
        """The sentence without the decision before it, to stand under a heading."""
        clause = self.sentence.partition(": ")[2]
        return f"{clause[:1].upper()}{clause[1:]}"

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary with the schema's version."""
        return {"schema": VERDICT_SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Verdict:
        """Inverse of ``to_json``; raises CorruptArchive where it is not a verdict."""
        try:
            if value["schema"] != VERDICT_SCHEMA or value["decision"] not in get_args(Decision):
                raise KeyError("schema")
            return cls(
                decision=value["decision"],
                sentence=value["sentence"],
                reasons=tuple(value["reasons"]),
                caveats=tuple(value["caveats"]),
                needed=tuple(Needed(**n) for n in value["needed"]),
                policy=VerdictPolicy(**{**value["policy"], "primary": tuple(value["policy"]["primary"])}),
            )
        except (KeyError, TypeError) as error:
            raise CorruptArchive(
                "the verdict can't be read", remedy="delete verdict.json and make the report again"
            ) from error


def decide(sets: Sequence[EvaluatedSet], policy: VerdictPolicy | None = None) -> Verdict:
    """Apply the rule at the head of this module.

    Args:
        sets: all labelled sets that were measured before and after; none is allowed.
        policy: limits; the defaults where None.
    """
    policy = policy or VerdictPolicy()
    judged = [finding for evaluated in sets for finding in findings(evaluated, policy)]
    targets = [s for s in sets if s.role == "target"]
    lost = [f for f in judged if f.outcome == "lost"]
    open_ones = [f for f in judged if _is_open(f)]
    primaries = [f for f in judged if f.part == "primary"]
    unmeasured = [s.name for s in targets if s.name not in {f.data for f in primaries}]
    grounds = _Grounds(policy, tuple(judged), tuple(primaries), tuple(unmeasured), bool(targets))
    if lost:
        return grounds.verdict("do not deploy", _worst_first(lost))
    if open_ones or unmeasured or not targets:
        return grounds.verdict("not enough evidence", open_ones)
    return grounds.verdict("deploy", primaries)


def decide_run(folder: RunFolder, policy: VerdictPolicy | None = None) -> Verdict:
    """Decide from the evaluation records of a run and write ``verdict.json``."""
    verdict = decide(read_records(folder).evaluations, policy)
    folder.write_json("verdict", verdict.to_json())
    return verdict


def read_verdict(folder: RunFolder) -> Verdict:
    """The verdict of a run; decided now where none was written.

    Raises:
        CorruptArchive: ``verdict.json`` is no verdict.
    """
    if folder.file("verdict.json").is_file():
        return Verdict.from_json(folder.read_json("verdict"))
    return decide_run(folder)


@dataclass(frozen=True, slots=True)
class _Grounds:
    """All that a verdict's wording rests on."""

    policy: VerdictPolicy
    judged: tuple[Finding, ...]
    primaries: tuple[Finding, ...]
    unmeasured: tuple[str, ...]
    any_target: bool

    def verdict(self, decision: Decision, deciding: Sequence[Finding]) -> Verdict:
        needed = self._needed(deciding) if decision == "not enough evidence" else ()
        others = [f for f in self.primaries if f not in deciding]
        return Verdict(
            decision=decision,
            sentence=self._sentence(decision, deciding, needed),
            reasons=(*self._gaps(), *(describe(f) for f in [*deciding, *others])),
            caveats=tuple(self._caveats(deciding)),
            needed=needed,
            policy=self.policy,
        )

    def _sentence(self, decision: Decision, deciding: Sequence[Finding], needed: tuple[Needed, ...]) -> str:
        if decision == "deploy":
            return f"Deploy: {_all_gained(deciding)}{self._rest()}."
        if decision == "do not deploy":
            more = f" ({len(deciding) - 1} more below)" if len(deciding) > 1 else ""
            return f"Do not deploy: {finding_clause(deciding[0])}{more}{self._although(deciding)}."
        gap = listed(list(self._gap_clauses())) if self._gaps() else finding_clause(deciding[0])
        settle = f"; {needed[0].clause} would settle it" if needed else ""
        return f"Not enough evidence: {gap}{settle}."

    def _rest(self) -> str:
        if any(f.outcome == "doubtful" for f in self.judged):
            return ", and no loss beyond the limits is proven elsewhere"
        if any(f.part == "clean" for f in self.judged):
            return ", and nothing else that was measured fell by more than allowed"
        return "; no clean set was measured, so a loss on good faces would have gone unseen"

    def _although(self, deciding: Sequence[Finding]) -> str:
        gained = [f.data for f in self.primaries if f.outcome == "gained"]
        return f", although the gain on {listed(gained)} is proven" if gained and deciding[0].part != "primary" else ""

    def _gaps(self) -> tuple[str, ...]:
        return tuple(f"{clause[0].upper()}{clause[1:]}." for clause in self._gap_clauses())

    def _gap_clauses(self) -> tuple[str, ...]:
        if not self.any_target:
            return ("no labelled footage was given, so nothing is known about the cameras that were adapted for",)
        return tuple(f"nothing could be measured on {name}" for name in self.unmeasured)

    def _needed(self, deciding: Sequence[Finding]) -> tuple[Needed, ...]:
        if not self.any_target:
            return (needed_without_labels(self.policy),)
        return tuple(needed for f in deciding if (needed := needed_for(f, self.policy)) is not None)

    def _caveats(self, deciding: Sequence[Finding]) -> list[str]:
        guarded = any(f.part == "clean" for f in self.judged)
        gap = "No clean set was measured: a loss on good faces would have gone unseen."
        told = [describe(f) for f in self.judged if f not in deciding and f.part != "primary" and f.outcome in _TOLD]
        measured = [f for f in self.primaries if f.difference.gain is not None]
        notes = [f"{title_of(f)}: {f.difference.note}." for f in measured if f.difference.note]
        return ([] if guarded else [gap]) + told + notes


# Told although they decided nothing.
_TOLD = ("doubtful", "unproven", "not measurable")


def _is_open(finding: Finding) -> bool:
    if finding.part == "primary":
        return finding.outcome in ("unsettled", "not measurable")
    # Rates at low FMR swing by points between two draws of people: seen but unproven, they are told, not obeyed.
    return finding.outcome == "doubtful" and finding.part in ("clean", "band") and not finding.difference.note


def _worst_first(lost: Sequence[Finding]) -> list[Finding]:
    return sorted(lost, key=lambda f: (f.part != "primary", f.difference.gain or 0.0))


def _all_gained(primaries: Sequence[Finding]) -> str:
    first = finding_clause(primaries[0])
    others = [f.data for f in primaries[1:]]
    return f"{first}, with a proven gain on {listed(others)} too" if others else first
