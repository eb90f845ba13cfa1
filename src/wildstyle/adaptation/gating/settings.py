"""Whether and how adapted weights stand behind a gate."""

from __future__ import annotations

from dataclasses import dataclass, field

from wildstyle.adaptation.gating.knees import MOST_MOVED
from wildstyle.adaptation.gating.teaching import QualitySettings
from wildstyle.errors import SettingError


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """A gate between untouched and adapted weights.

    Attributes:
        enabled: put one there; else the adapted weights stand alone.
        lower, upper: knees in px, both or none; None: chosen on clean faces put aside, without labels.
        most_moved: mean 1 - cosine by which the gate may move clean faces, in (0, 1).
        put_aside: share of the clean faces (of the people, where they are known) on which the knees are chosen and
            nothing else is learnt, in (0, 0.5].
        quality: how the quality is taught.
    """

    enabled: bool = False
    lower: float | None = None
    upper: float | None = None
    most_moved: float = MOST_MOVED
    put_aside: float = 0.1
    quality: QualitySettings = field(default_factory=QualitySettings)

    def __post_init__(self) -> None:
        if (self.lower is None) != (self.upper is None):
            raise SettingError("a gate has two knees", where="gate", remedy="give both lower and upper, or none")
        if self.lower is not None and self.upper is not None and not 0 < self.lower < self.upper:
            raise SettingError(
                f"knees of {self.lower:g} and {self.upper:g} px make no ramp", where="gate", remedy="lower < upper"
            )
        if not 0 < self.most_moved < 1 or not 0 < self.put_aside <= 0.5:
            raise SettingError(
                f"a gate can't have most_moved {self.most_moved} and put_aside {self.put_aside}",
                where="gate",
                remedy="the first lies in (0, 1), the second in (0, 0.5]",
            )

    @property
    def by_hand(self) -> tuple[float, float] | None:
        """Both knees, where they were given."""
        return None if self.lower is None or self.upper is None else (self.lower, self.upper)
