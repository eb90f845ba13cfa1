"""Errors at a threshold that is given and stays: what a deployed system does, whatever a test set would choose.

Groups are judged at the one threshold (methods for reports by group: never one threshold a group). Where a group is
expected to show fewer than 30 errors at the overall rate, it is said to be too few; the others are compared, worst
against best.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import NotMeasurable, SettingError
from wildstyle.evaluation.bootstrap import Weights
from wildstyle.evaluation.few_errors import Counted, few_in_group, few_overall, worst_and_best
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.outcome import Outcome
from wildstyle.evaluation.rates import just_above, rate_name
from wildstyle.evaluation.shares import Impostors, Question, Totals
from wildstyle.evaluation.thresholds import total_weight

Kind = Literal["verification", "open set"]
RATES: dict[Kind, tuple[str, str]] = {"verification": ("fmr", "fnmr"), "open set": ("fpir", "fnir")}

_OPEN_SET = ("tpir@fpir=", "tpir20@fpir=")


@dataclass(frozen=True)
class FalseMatches(Question):
    """Share of impostor scores above a fixed limit, each weighted by its people.

    Attributes:
        sources: the impostor scores of each group; ``items`` are those of ``all`` above the limit.
    """

    sources: Mapping[str, Impostors] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, sources: Mapping[str, Impostors], limit: float) -> FalseMatches:
        """Shares above ``limit``; ``sources`` hold one for ``all``."""
        above = _above(sources["all"], limit)
        return cls(name, above, {group: np.ones(len(above), bool) for group in sources}, at=limit, sources=sources)

    @cached_property
    def people_of(self) -> dict[str, int]:
        """Number of people on the probes' side of each group's impostor scores."""
        return {group: len(np.unique(source.scores.first)) for group, source in self.sources.items()}

    @cached_property
    def errors_of(self) -> dict[str, Counted]:
        """False matches and impostor scores of each group."""
        return {group: (len(_above(source, self.at)), source.total) for group, source in self.sources.items()}

    @property
    def complete(self) -> bool:
        """Whether all impostor scores above the limit were kept."""
        source = self.sources["all"]
        return len(source.scores) == source.total or self.at >= float(source.scores.values.min(initial=np.inf))

    def counted(self) -> None:
        """None: which scores lie above the limit is what differs between systems."""
        return None

    def count(self, group: str) -> int:
        """Impostor scores of a group."""
        return self.sources[group].total

    def check(self) -> str | None:
        """None: what is weak is told by group.

        Raises:
            NotMeasurable: only the highest impostor scores were kept, and the limit lies below them.
        """
        source = self.sources["all"]
        if not self.complete:
            raise NotMeasurable(
                f"the threshold lies below the {len(source.scores):,} highest of {source.total:,} impostor scores,"
                " which alone were kept",
                remedy="use a higher threshold",
            )
        return None

    def remark_on(self, group: str) -> str | None:
        """A remark where few false matches were counted; on all of them, how far groups lie apart."""
        return _remark(self.errors_of, group, "false match")

    def operating_point(self) -> tuple[float | None, float, int] | None:
        """The threshold, the rate at it and the number of impostor scores."""
        return _point(self.at, self.errors_of["all"])

    def shares(self, people: Weights, thresholds: NDArray[np.float64] | None = None) -> dict[str, NDArray[np.float64]]:
        """(B,) false match rate by group; NaN where a draw holds no impostors."""
        out = {}
        for group, source in self.sources.items():
            above = _above(source, self.at)
            weight = total_weight(above, people) if len(above) else np.zeros(len(people))
            with np.errstate(invalid="ignore", divide="ignore"):
                out[group] = np.asarray(weight / source.totals(people))
        return out


@dataclass(frozen=True)
class FalseNonMatches(Question):
    """Share of mated items that don't lie above a fixed limit, failures among them.

    Attributes:
        reached: false matches and impostor scores at the same limit; (0, 0) where they are not known.
    """

    reached: Counted = (0, 0)

    @cached_property
    def errors_of(self) -> dict[str, Counted]:
        """Misses and mated items of each group."""
        missed = ~(self.items.values > np.float32(self.at))
        return {group: (int(missed[mask].sum()), int(mask.sum())) for group, mask in self.groups.items()}

    def remark_on(self, group: str) -> str | None:
        """A remark where few misses were counted; on all of them, how far groups lie apart."""
        return _remark(self.errors_of, group, "miss")

    def operating_point(self) -> tuple[float | None, float, int] | None:
        """The threshold, the false match rate at it and the number of impostor scores."""
        return _point(self.at, self.reached)


def _above(source: Impostors, limit: float) -> Items:
    return source.scores.take(np.flatnonzero(source.scores.values > np.float32(limit)))


def _remark(errors: Mapping[str, Counted], group: str, what: str) -> str | None:
    if group != "all":
        return few_in_group(errors[group], errors["all"], what)
    apart = (few_overall(*errors["all"], what), worst_and_best(errors))
    return "; ".join(note for note in apart if note) or None


def _point(limit: float, counted: Counted) -> tuple[float | None, float, int] | None:
    errors, total = counted
    if not total:
        return None
    threshold = just_above(limit) if np.isfinite(limit) else None
    return threshold, errors / total, total


def at_threshold(
    kind: Kind,
    mated: tuple[Items, Mapping[str, NDArray[np.bool_]]],
    impostors: Mapping[str, Impostors],
    threshold: float,
    suffix: str = "@threshold",
) -> tuple[Question, Question]:
    """Rate of false matches and of false non-matches at a fixed threshold; scores at or above it are accepted.

    Args:
        kind: what the scores are of.
        mated: mated scores and their groups.
        impostors: impostor scores by group, ``all`` among them.
        threshold: the fixed one.
        suffix: ending of the figures' names.
    """
    false, missed = RATES[kind]
    limit = float(np.nextafter(np.float32(threshold), np.float32(-np.inf)))
    items, groups = mated
    matches = FalseMatches.of(f"{false}{suffix}", impostors, limit)
    reached = matches.errors_of["all"] if matches.complete else (0, 0)
    return matches, FalseNonMatches(f"{missed}{suffix}", items, groups, at=limit, misses=True, reached=reached)


def by_group(
    mated: tuple[Items, Mapping[str, NDArray[np.bool_]]], impostors: Mapping[str, Impostors], target: float | None
) -> tuple[Question, ...]:
    """FMR and FNMR of all groups at the one strict threshold of ``target``; nothing where it can't be measured."""
    whole = impostors["all"]
    limit = np.nan if target is None or not whole.total else float(whole.limits([target])[0])
    if target is None or not np.isfinite(limit):
        return ()
    threshold = just_above(limit)
    return at_threshold("verification", mated, impostors, threshold, f"@threshold:{rate_name(target)}")


def kind_of(name: str) -> Kind | None:
    """What a figure with impostors measures; None for others.

    >>> kind_of("tar@fmr=1e-3"), kind_of("tpir@fpir=1e-2 g1"), kind_of("rank-1")
    ('verification', 'open set', None)
    """
    if name.startswith("tar@fmr="):
        return "verification"
    return "open set" if name.startswith(_OPEN_SET) else None


def old_threshold_suffix(name: str, target: float) -> str:
    """Ending of the names of figures at the threshold that an earlier system had for figure ``name``.

    >>> old_threshold_suffix("tpir@fpir=1e-2 g1", 1e-2)
    '@old-threshold:1e-2 g1'
    """
    return f"@old-threshold:{rate_name(target)}{_variant(name)}"


def _variant(name: str) -> str:
    """What a name says after its rate, with the blank before it: two galleries have a figure each."""
    return "".join(name.partition(" ")[1:])


def measured_at(outcome: Outcome, threshold: float) -> Outcome:
    """The same outcome with its errors at a fixed threshold, for each set of impostor scores it holds.

    Raises:
        SettingError: no figure of it has impostor scores.
    """
    found: dict[tuple[str, str], tuple[Question, Question]] = {}
    for question in outcome.questions:
        kind = kind_of(question.name)
        if kind is None or question.impostors is None:
            continue
        key = (question.name.partition("=")[0], _variant(question.name))
        if key not in found:
            sides = (question.items, question.groups), sources_of(outcome, question)
            found[key] = at_threshold(kind, *sides, threshold, f"@threshold{key[1]}")
    if not found:
        raise SettingError(
            f"{outcome.data} has no impostor scores to count at a threshold",
            remedy="leave this set out, or the threshold",
        )
    return replace(outcome, questions=(*outcome.questions, *(one for pair in found.values() for one in pair)))


def sources_of(outcome: Outcome, question: Question) -> Mapping[str, Impostors]:
    """Impostor scores behind a question: by group where the outcome has looked at groups, else all of them."""
    if question.impostors is None:
        return {}
    for other in outcome.questions:
        if isinstance(other, FalseMatches) and other.sources["all"] is question.impostors:
            return other.sources
    return {"all": question.impostors}


def remembering(sources: Mapping[str, Impostors]) -> dict[str, Impostors]:
    """The same impostor scores; their weights under the last draws are kept, for several limits ask for them."""
    return {group: replace(source, totals=_remembered(source.totals)) for group, source in sources.items()}


def _remembered(totals: Totals) -> Totals:
    last: list[tuple[Weights, NDArray[np.float64]]] = []

    def known(people: Weights) -> NDArray[np.float64]:
        if not last or last[0][0] is not people:
            last[:] = [(people, totals(people))]
        return last[0][1]

    return known


def sources_by_group(
    whole: Impostors, part: Callable[[NDArray[np.bool_]], Impostors], groups: Mapping[str, NDArray[np.bool_]]
) -> dict[str, Impostors]:
    """Impostor scores of each group that has some, those of all first.

    Args:
        whole: all impostor scores, with their rows.
        part: mask over rows to the impostor scores of these rows.
        groups: masks over rows by name.
    """
    found = {"all": whole} | {name: part(mask) for name, mask in groups.items() if name != "all"}
    return {name: source for name, source in found.items() if name == "all" or source.total}
