"""Is a fit healthy? Plain words and a remedy for each way in which one goes wrong, while it runs and after it.

The bounds come from fits of the default generator to real footage, healthy ones and ones made sick on purpose; each
lies well outside what healthy ones ever showed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from wildstyle.synthesis.collapse import COLLAPSED, Collapse
from wildstyle.synthesis.diagnostics import FitDiagnostics
from wildstyle.synthesis.settings import LossWeights

_MEMORY = 25  # steps over which values are averaged
_SETTLED = 50  # steps before which the two networks are still finding each other
_DIRECTED = 120  # steps by which directions can be told apart in a healthy fit
_WON_GAP, _WON_LOSS = 1.3, 1.15
_BLIND_GAP, _NEAR = 0.02, 0.1
_UNREAD = 0.92
_ASTRAY = 0.1
_FOLLOWS = 0.5


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong with a fit.

    Attributes:
        name: short and fixed, for programs.
        what: one clause, with the figure.
        remedy: what to do about it, one clause.
    """

    name: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}. {self.remedy[0].upper()}{self.remedy[1:]}."

    def as_record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


class FitHealth:
    """Hears each step's values and says what is wrong.

    Values it does not know are ignored and those that are missing are not judged, so that it suits any task.

    Args:
        weights: of the fit's loss; what has weight 0 steers nothing and, direction and identity apart, isn't judged.
    """

    def __init__(self, weights: LossWeights | None = None) -> None:
        self._weights = weights or LossWeights()
        self._steps = 0
        self._sums: dict[str, tuple[float, float]] = {}
        self._told: set[str] = set()

    def hear(self, values: Mapping[str, float | Tensor]) -> None:
        """Take one step's values, as the fit's task returns them."""
        self._steps += 1
        known = {name: float(value) for name, value in values.items()}
        if "score_gap" in known:
            known["score_gap, either way"] = abs(known["score_gap"])
        for name, value in known.items():
            total, weight = self._sums.get(name, (0.0, 0.0))
            keep = 1.0 - 1.0 / _MEMORY
            self._sums[name] = (keep * total + value, keep * weight + 1.0)

    def mean(self, name: str) -> float:
        """Mean of a value over about the last 25 steps; NaN if it never came."""
        total, weight = self._sums.get(name, (math.nan, 1.0))
        return total / weight

    def complaints(self) -> tuple[Complaint, ...]:
        """What is wrong now; none in the first 50 steps."""
        if self._steps < _SETTLED:
            return ()
        found = (self._discriminator_won(), self._discriminator_blind(), self._direction(), self._identity())
        return tuple(one for one in found if one is not None)

    def news(self) -> tuple[Complaint, ...]:
        """What is wrong now and was not told by an earlier call; each kind of complaint is told once."""
        new = tuple(one for one in self.complaints() if one.name not in self._told)
        self._told |= {one.name for one in new}
        return new

    def as_record(self) -> dict[str, Any]:
        """Plain JSON values: steps heard, means and complaints."""
        means = {name: round(self.mean(name), 5) for name in sorted(self._sums)}
        return {"steps": self._steps, "means": means, "complaints": [one.as_record() for one in self.complaints()]}

    def _discriminator_won(self) -> Complaint | None:
        gap, loss = self.mean("score_gap"), self.mean("critic")
        if self._weights.adversarial == 0 or not (gap > _WON_GAP and loss < _WON_LOSS):
            return None
        return Complaint(
            "discriminator won",
            f"the discriminator has won: it tells synthesised faces from the footage (score gap {gap:.2f}, healthy "
            f"below 0.5; loss {loss:.2f} of 2), so it teaches nothing any more",
            "lower critic_rate or raise learning_rate, and check that the weights of statistics and adversarial are "
            "not near 0",
        )

    def _discriminator_blind(self) -> Complaint | None:
        gap, left = self.mean("score_gap, either way"), self.mean("statistics")
        if self._weights.adversarial == 0 or not (gap < _BLIND_GAP and left > _NEAR):
            return None
        return Complaint(
            "generator won",
            f"the generator has won: the discriminator sees no difference at all (score gap {gap:.3f}) although the "
            f"style still differs from the footage (by {left:.2f}), so only the statistics teach",
            "raise critic_rate or lower learning_rate",
        )

    def _direction(self) -> Complaint | None:
        missed = self.mean("direction")
        if self._steps < _DIRECTED or not missed > _UNREAD:
            return None
        why = (
            "so all styles look one"
            if self._weights.direction > 0
            else "and with a weight of 0 nobody learns to read it, so that styles may well all look one"
        )
        return Complaint(
            "direction ignored",
            f"the direction of the code is being ignored: it can't be read off the pictures (direction loss "
            f"{missed:.2f}, 1 is chance), {why}",
            "raise the weight of direction, give more steps, or ask for fewer axes",
        )

    def _identity(self) -> Complaint | None:
        missed = self.mean("identity")
        if not missed > _ASTRAY:
            return None
        return Complaint(
            "identity astray",
            f"identity no longer follows the magnitude (loss {missed:.2f}, healthy below 0.05)",
            "raise the weight of identity or lower learning_rate",
        )


def judge_finished(
    diagnostics: FitDiagnostics, collapse: Collapse | None = None, heard: Sequence[Complaint] = ()
) -> tuple[Complaint, ...]:
    """What is wrong with a finished generator.

    Args:
        diagnostics: of the fit.
        collapse: as measured, None if it was not.
        heard: complaints of the fit's last steps, which come first; none is told twice.
    """
    found = list(heard)
    if diagnostics.distance_synthesised >= diagnostics.distance_source:
        found.append(
            Complaint(
                "no nearer",
                f"synthesised faces are no nearer to the footage ({diagnostics.distance_synthesised:.2f}) than clean "
                f"ones ({diagnostics.distance_source:.2f})",
                "give the fit more steps, or lower learning_rate if its losses rose",
            )
        )
    if not diagnostics.identity_correlation >= _FOLLOWS:
        found.append(
            Complaint(
                "identity astray",
                f"identity does not follow the magnitude (correlation {diagnostics.identity_correlation:.2f} over "
                "faces, healthy above 0.75)",
                "give the fit more steps or raise the weight of identity",
            )
        )
    if collapse is not None and collapse.spread < COLLAPSED:
        found.append(
            Complaint(
                "collapse",
                f"synthesised faces of different codes hardly differ: their style varies {collapse.spread:.0%} as much "
                "as the footage's",
                "raise the weight of direction, give more steps, or lower critic_rate",
            )
        )
    first: dict[str, Complaint] = {}
    for one in found:
        first.setdefault(one.name, one)
    return tuple(first.values())
