"""The one sentence an engineer forwards: deploy, do not deploy, or not enough evidence.

The rule. Gains are paired differences, after minus before, with 95 % intervals over people; a loss is a gain with
its sign turned. The primary figure of each set decides.

* *Deploy* when on every target set the lower end of the gain is above zero, and on every guard (clean) set the
  upper end of the loss is at most ``max_clean_loss``.
* *Do not deploy* when on some target set the upper end of the gain is below zero, or on some guard set the lower
  end of the loss is above ``max_clean_loss``.
* *Not enough evidence* otherwise; so also without a labelled target set, or where the interval is missing or
  rests on too few people.

Nothing else decides. What must be known beside it is told: size bands, cameras, other groups and other figures
whose loss is proven beyond ``told_loss``, in the sentence itself; what the error rates do at a threshold that is
kept; and that no guard set was given, so that a loss on good faces would have gone unseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from wildstyle.errors import CorruptArchive
from wildstyle.report.guards import Finding, VerdictPolicy, findings
from wildstyle.report.needed import Needed, needed_for, needed_without_labels
from wildstyle.report.records import EvaluatedSet, read_records
from wildstyle.report.sentences import describe, few_clause, finding_clause, sentence, threshold_sentences, title_of
from wildstyle.report.wording import listed
from wildstyle.runs.folder import RunFolder

VERDICT_SCHEMA = 2

Decision = Literal["deploy", "do not deploy", "not enough evidence"]

_UNSEEN = "no clean set was measured, so a loss on good faces would have gone unseen"
_IN_SENTENCE = 2


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
    deciding = [f for f in judged if f.part != "told"]
    told = sorted((f for f in judged if f.part == "told" and f.outcome == "failed"), key=lambda f: -f.loss)
    gaps = _gaps(sets, deciding)
    failed = sorted((f for f in deciding if f.outcome == "failed"), key=lambda f: -f.loss)
    undecided = [f for f in deciding if f.outcome == "open"]
    decision: Decision = "do not deploy" if failed else "not enough evidence" if undecided or gaps else "deploy"
    needed = _needed(sets, undecided, policy) if decision == "not enough evidence" else ()
    first = failed or undecided or deciding
    others = [f for f in deciding if f not in first]
    clause = (
        _clause(decision, deciding, gaps, policy)
        + _settling(needed)
        + _losing(told, "but" if decision == "deploy" else "and")
    )
    return Verdict(
        decision=decision,
        sentence=f"{decision.capitalize()}: {clause}.",
        reasons=(*map(sentence, gaps), *(_said(f, policy) for f in [*first, *others])),
        caveats=tuple(_caveats(sets, deciding, told)),
        needed=needed,
        policy=policy,
    )


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


def _gaps(sets: Sequence[EvaluatedSet], deciding: Sequence[Finding]) -> list[str]:
    """What stands in the way of any decision, as clauses."""
    if not any(s.role == "target" for s in sets):
        return ["no labelled footage was given, so nothing is known about the cameras that were adapted for"]
    found = {f.data for f in deciding}
    return [f"nothing could be measured on {s.name}" for s in sets if s.name not in found]


def _clause(decision: Decision, deciding: Sequence[Finding], gaps: list[str], policy: VerdictPolicy) -> str:
    targets = [f for f in deciding if f.part == "target"]
    clean = [f for f in deciding if f.part == "clean"]
    if decision == "deploy":
        held = f", and {listed([finding_clause(f) for f in clean])}" if clean else f"; {_UNSEEN}"
        more = f", with a proven gain on {listed([f.data for f in targets[1:]])} too" if targets[1:] else ""
        return f"{finding_clause(targets[0])}{more}{held}"
    if decision == "do not deploy":
        failed = sorted((f for f in deciding if f.outcome == "failed"), key=lambda f: -f.loss)
        more = f" ({len(failed) - 1} more below)" if failed[1:] else ""
        gained = [f.data for f in targets if f.outcome == "passed"]
        although = f", although the gain on {listed(gained)} is proven" if gained else ""
        return f"{finding_clause(failed[0])}{more}{although}"
    undecided = next((f for f in deciding if f.outcome == "open"), None)
    return listed(gaps) if gaps or undecided is None else _open_clause(undecided, policy.min_people)


def _settling(needed: Sequence[Needed]) -> str:
    return f"; {needed[0].clause} would settle it" if needed else ""


def _losing(told: Sequence[Finding], link: str) -> str:
    """Losses that are proven beside the deciding figures."""
    if not told:
        return ""
    clauses = [finding_clause(f) for f in told[:_IN_SENTENCE]]
    more = f" ({len(told) - _IN_SENTENCE} more below)" if told[_IN_SENTENCE:] else ""
    bands = any(f.difference.group != "all" for f in told)
    advice = ": use a gate, or restrict it to the faces that gain" if bands else ""
    return f"; {link} {listed(clauses)}{more}{advice}"


def _said(finding: Finding, policy: VerdictPolicy) -> str:
    few = finding.outcome == "open" and finding.measured
    return sentence(_open_clause(finding, policy.min_people)) if few else describe(finding)


def _open_clause(finding: Finding, min_people: int) -> str:
    few = finding.measured and 0 < finding.people < min_people
    return few_clause(finding) if few else finding_clause(finding)


def _needed(sets: Sequence[EvaluatedSet], undecided: Sequence[Finding], policy: VerdictPolicy) -> tuple[Needed, ...]:
    if not any(s.role == "target" for s in sets):
        return (needed_without_labels(policy),)
    return tuple(needed for f in undecided if (needed := needed_for(f, policy)) is not None)


def _caveats(sets: Sequence[EvaluatedSet], deciding: Sequence[Finding], told: Sequence[Finding]) -> list[str]:
    guarded = any(s.role == "guard" for s in sets)
    kept = [text for s in sets for text in threshold_sentences(s)]
    notes = [sentence(f"{title_of(f)}: {f.difference.note}") for f in deciding if f.measured and f.difference.note]
    return ([] if guarded else [sentence(_UNSEEN)]) + [describe(f) for f in told] + kept + notes
