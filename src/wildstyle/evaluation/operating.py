"""Errors at a threshold that is given and stays: what a deployed system does, whatever a test set would choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wildstyle.evaluation.bootstrap import Weights
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.rates import rate_name
from wildstyle.evaluation.shares import Impostors, Question
from wildstyle.evaluation.thresholds import total_weight

Kind = Literal["verification", "open set"]
RATES: dict[Kind, tuple[str, str]] = {"verification": ("fmr", "fnmr"), "open set": ("fpir", "fnir")}

_RULE_OF_30 = 30


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

    def counted(self) -> None:
        """None: which scores lie above the limit is what differs between systems."""
        return None

    def count(self, group: str) -> int:
        """Impostor scores of a group."""
        return self.sources[group].total

    def check(self) -> str | None:
        """Nothing: what is weak is told by group."""
        return None

    def remark_on(self, group: str) -> str | None:
        """A remark where few false matches were counted."""
        source = self.sources[group]
        count = len(_above(source, self.at))
        if count == 0:
            bound = 3 / max(1, source.total)
            return f"no false match in {source.total:,}: at most about {100 * bound:.2g} % (rule of 3)"
        return f"rests on {count} false matches (fewer than 30)" if count < _RULE_OF_30 else None

    def shares(self, people: Weights, thresholds: NDArray[np.float64] | None = None) -> dict[str, NDArray[np.float64]]:
        """(B,) false match rate by group; NaN where a draw holds no impostors."""
        out = {}
        for group, source in self.sources.items():
            above = _above(source, self.at)
            weight = total_weight(above, people) if len(above) else np.zeros(len(people))
            with np.errstate(invalid="ignore", divide="ignore"):
                out[group] = np.asarray(weight / source.totals(people))
        return out


def _above(source: Impostors, limit: float) -> Items:
    return source.scores.take(np.flatnonzero(source.scores.values > np.float32(limit)))


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
    return (
        FalseMatches.of(f"{false}{suffix}", impostors, limit),
        Question(f"{missed}{suffix}", items, groups, at=limit, misses=True),
    )


def kind_of(name: str) -> Kind | None:
    """What a figure with impostors measures; None for others."""
    if name.startswith("tar@fmr="):
        return "verification"
    return "open set" if name.startswith("tpir@fpir=") else None


def old_threshold_suffix(target: float) -> str:
    """Ending of the names of figures at the threshold that an earlier system had for ``target``."""
    return f"@old-threshold:{rate_name(target)}"
