"""How a recogniser is adapted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from wildstyle.adaptation.heads import HeadSettings
from wildstyle.adaptation.variation import Variation
from wildstyle.adaptation.ways import WaySettings
from wildstyle.errors import SettingError

Method = Literal["sign", "gradient", "random"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidanceSettings:
    """The search for styles that are hard for the student.

    Attributes:
        enabled: search at all; without it, styles stay as drawn.
        method: ``sign``: steps along the signs of the gradient, in a box (one step is the published method);
            ``gradient``: steps along the gradient made unit, in the ball around the same corners; ``random``: a random
            corner of the box, the control that costs nothing.
        radius: largest change of each style coordinate, > 0. CFSM's published value is 0.314.
        steps: ascent steps, each of ``radius / steps``, >= 1. One step is the fast gradient sign method.
        restarts: searches from further points drawn in the box, the hardest end of all kept, >= 0.
        share: share of the twins that are guided, in [0, 1]; the others stay as drawn.
        least_similarity: where the untouched recogniser finds a guided twin less like its clean face than this, the
            twin stays as drawn, in [-1, 1]; None: no bound.
    """

    enabled: bool = True
    method: Method = "sign"
    radius: float = 0.314
    steps: int = 1
    restarts: int = 0
    share: float = 1.0
    least_similarity: float | None = None

    def __post_init__(self) -> None:
        if not self.radius > 0 or self.steps < 1 or self.restarts < 0:
            raise SettingError(
                f"guidance can't do {self.steps} steps in a radius of {self.radius} with {self.restarts} restarts"
            )
        if self.method not in get_args(Method):
            raise SettingError(
                f"guidance has no method {self.method!r}", remedy=f"choose {', '.join(get_args(Method))}"
            )
        if not 0 <= self.share <= 1 or not -1 <= (self.least_similarity or 0.0) <= 1:
            raise SettingError(
                f"guidance can't have share {self.share} and least_similarity {self.least_similarity}",
                remedy="the first lies in [0, 1], the second in [-1, 1]",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptSettings:
    """What the student learns from, and how fast. The defaults need no labels.

    Attributes:
        batch: images of a global step, >= 2.
        synthetic_share: share of each batch that is seen as its synthesised twin, in [0, 1]; the rest stays clean.
        twin_weight: weight of 1 - cos(student on the twin, untouched teacher on the clean face), >= 0.
        retention_weight: weight of 1 - cos(student, untouched teacher) on clean faces, >= 0.
        relations: weight, beside each 1 - cosine, of how far the cosines among the faces of the batch are from the
            teacher's, >= 0.
        neighbours: the same for what student and teacher say of a bank of clean faces, >= 0.
        strangers: the same for finding one's own original among the strangers of that bank, >= 0; identity without
            labels.
        bank: clean faces in the bank, >= 2.
        strong_weight: weight of what a stronger teacher says, where there is one, >= 0.
        footage_share: share of each batch that comes from the footage, in [0, 1): its faces made worse still, told
            apart by the untouched recogniser.
        moves: strength, in [0, 1], of small turns, shifts and changes of scale of each face, the same for teachers and
            student; above 0, half of the faces are mirrored, too.
        morphs: share of the faces that are blended with another one, the same for teachers and student, in [0, 1].
        curriculum: share of the steps over which magnitudes rise to the full range, in [0, 1].
        way: which numbers of the student change.
        head: which loss on the source's identity labels joins in; None: none.
        head_weight: weight of the head's loss, >= 0.
        head_rate: learning rate of the class centres relative to ``learning_rate``, > 0.
        blind_share: share of the twins that go through a recipe which knows nothing of the footage (blur, few pixels,
            noise, blocks, light) instead of the learnt camera, in [0, 1].
        both_share: share of the twins that go through the recipe and then the learnt camera, in [0, 1].
        max_magnitude: largest style magnitude drawn, > 0, or None for all the generator was fitted for.
        learning_rate: peak rate of AdamW, > 0.
        weight_decay: decoupled weight decay, >= 0.
        warm_share: share of the steps that warm up, in [0, 1).
        clip_norm: largest norm of the gradient, > 0.
        most_drift: mean 1 - cos(student, untouched recogniser) on clean faces put aside at which the adaptation ends
            early, in (0, 2], or None for never. Behind a gate the student may drift: it does not see clean faces.
        average: decay per step of an average of the student's weights that is returned instead of the
            last weights, in [0, 1); 0 returns the last.
        guidance: the search for hard styles.
    """

    batch: int = 64
    synthetic_share: float = 0.5
    twin_weight: float = 1.0
    retention_weight: float = 1.0
    relations: float = 0.0
    neighbours: float = 0.0
    strangers: float = 0.0
    bank: int = 2048
    strong_weight: float = 1.0
    footage_share: float = 0.0
    moves: float = 0.0
    morphs: float = 0.0
    curriculum: float = 0.0
    way: WaySettings = field(default_factory=WaySettings)
    head: HeadSettings | None = None
    head_weight: float = 1.0
    head_rate: float = 10.0
    blind_share: float = 0.0
    both_share: float = 0.0
    max_magnitude: float | None = None
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    warm_share: float = 0.1
    clip_norm: float = 5.0
    most_drift: float | None = 0.2
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
                min(
                    self.twin_weight,
                    self.retention_weight,
                    self.head_weight,
                    self.strong_weight,
                    self.relations,
                    self.neighbours,
                    self.strangers,
                    self.weight_decay,
                )
                < 0,
                "weights must not be negative",
            ),
            (self.bank < 2, f"bank is {self.bank}, at least 2 are needed"),
            (not 0 <= self.footage_share < 1, f"footage_share is {self.footage_share}, not in [0, 1)"),
            (
                min(self.blind_share, self.both_share) < 0 or self.blind_share + self.both_share > 1,
                f"blind_share {self.blind_share} and both_share {self.both_share} are no shares of one whole",
            ),
            (
                not (0 <= self.moves <= 1 and 0 <= self.morphs <= 1),
                f"moves {self.moves} and morphs {self.morphs} are not both in [0, 1]",
            ),
            (
                self.morphs > 0 and self.head is not None,
                "a blend of two people has no label: with a head, morphs must be 0",
            ),
            (not 0 <= self.curriculum <= 1, f"curriculum is {self.curriculum}, not in [0, 1]"),
            (not isinstance(self.head, HeadSettings | None), f"head is {self.head!r}, not HeadSettings or None"),
            (
                self.max_magnitude is not None and not self.max_magnitude > 0,
                f"max_magnitude is {self.max_magnitude}, it must be above 0",
            ),
            (
                not min(self.learning_rate, self.head_rate, self.clip_norm) > 0,
                "learning_rate, head_rate and clip_norm must be above 0",
            ),
            (not 0 <= self.warm_share < 1, f"warm_share is {self.warm_share}, not in [0, 1)"),
            (
                self.most_drift is not None and not 0 < self.most_drift <= 2,
                f"most_drift is {self.most_drift}, not in (0, 2]",
            ),
            (not 0 <= self.average < 1, f"average is {self.average}, not in [0, 1)"),
            (not self._learns(), "nothing is learnt: every term has weight or share 0"),
        ]

    @property
    def variation(self) -> Variation:
        """How the faces are varied."""
        return Variation(self.moves, self.morphs)

    @property
    def asks_bank(self) -> bool:
        """Whether a bank of clean faces is needed."""
        return self.neighbours > 0 or self.strangers > 0

    def _learns(self) -> bool:
        on_twins = self.synthetic_share > 0 and self.twin_weight > 0
        on_clean = self.synthetic_share < 1 and self.retention_weight > 0
        return on_twins or on_clean or (self.head is not None and self.head_weight > 0)
