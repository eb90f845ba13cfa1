"""How a recogniser is adapted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from wildstyle.errors import SettingError


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidanceSettings:
    """The search for styles that are hard for the student.

    Attributes:
        enabled: search at all; without it, styles stay as drawn.
        radius: largest change of each style coordinate, > 0. CFSM's published value is 0.314.
        steps: ascent steps, each of ``radius / steps``, >= 1. One step is the fast gradient sign method.
    """

    enabled: bool = True
    radius: float = 0.314
    steps: int = 1

    def __post_init__(self) -> None:
        if not self.radius > 0 or self.steps < 1:
            raise SettingError(f"guidance can't do {self.steps} steps in a radius of {self.radius}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptSettings:
    """What the student learns from, and how fast. The defaults need no labels.

    Attributes:
        batch: images of a global step, >= 2.
        synthetic_share: share of each batch that is seen as its synthesised twin, in [0, 1]; the rest stays clean.
        twin_weight: weight of 1 - cos(student on the twin, untouched teacher on the clean face), >= 0.
        retention_weight: weight of 1 - cos(student, untouched teacher) on clean faces, >= 0.
        head: "none", or "arcface" to learn the source's identity labels too.
        head_weight: weight of the head's loss, >= 0.
        head_scale: s of the head, > 0.
        head_margin: m of the head in rad, in [0, pi / 2).
        head_rate: learning rate of the class centres relative to ``learning_rate``, > 0.
        max_magnitude: largest style magnitude drawn, > 0, or None for all the generator was fitted for.
        learning_rate: peak rate of AdamW, > 0.
        weight_decay: decoupled weight decay, >= 0.
        warm_share: share of the steps that warm up, in [0, 1).
        clip_norm: largest norm of the gradient, > 0.
        average: decay per step of an average of the student's weights that is returned instead of the
            last weights, in [0, 1); 0 returns the last.
        guidance: the search for hard styles.
    """

    batch: int = 64
    synthetic_share: float = 0.5
    twin_weight: float = 1.0
    retention_weight: float = 1.0
    head: Literal["none", "arcface"] = "none"
    head_weight: float = 1.0
    head_scale: float = 64.0
    head_margin: float = 0.5
    head_rate: float = 10.0
    max_magnitude: float | None = None
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    warm_share: float = 0.1
    clip_norm: float = 5.0
    average: float = 0.0
    guidance: GuidanceSettings = field(default_factory=GuidanceSettings)

    def __post_init__(self) -> None:
        faults = [text for wrong, text in self._faults() if wrong]
        if faults:
            raise SettingError("; ".join(faults), where="adaptation")

    def _faults(self) -> list[tuple[bool, str]]:
        return [
            (self.batch < 2, f"batch is {self.batch}, at least 2 are needed"),
            (not 0 <= self.synthetic_share <= 1, f"synthetic_share is {self.synthetic_share}, not in [0, 1]"),
            (
                min(self.twin_weight, self.retention_weight, self.head_weight, self.weight_decay) < 0,
                "weights must not be negative",
            ),
            (self.head not in ("none", "arcface"), f"head is {self.head!r}, choose none or arcface"),
            (not self.head_scale > 0, f"head_scale is {self.head_scale}, it must be above 0"),
            (not 0 <= self.head_margin < 1.5707963, f"head_margin is {self.head_margin}, not in [0, pi / 2)"),
            (
                self.max_magnitude is not None and not self.max_magnitude > 0,
                f"max_magnitude is {self.max_magnitude}, it must be above 0",
            ),
            (
                not min(self.learning_rate, self.head_rate, self.clip_norm) > 0,
                "learning_rate, head_rate and clip_norm must be above 0",
            ),
            (not 0 <= self.warm_share < 1, f"warm_share is {self.warm_share}, not in [0, 1)"),
            (not 0 <= self.average < 1, f"average is {self.average}, not in [0, 1)"),
            (not self._learns(), "nothing is learnt: every term has weight or share 0"),
        ]

    def _learns(self) -> bool:
        on_twins = self.synthetic_share > 0 and self.twin_weight > 0
        on_clean = self.synthetic_share < 1 and self.retention_weight > 0
        return on_twins or on_clean or (self.head != "none" and self.head_weight > 0)
