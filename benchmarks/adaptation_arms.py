"""The arms of the adaptation benchmark: what the student sees, and who teaches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from wildstyle.adaptation import AdaptSettings, GuidanceSettings
from wildstyle.synthesis import StyleGenerator
from wildstyle.synthesis.kinds.blind import BlindGenerator

Pick = Callable[[StyleGenerator], StyleGenerator]


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm.

    Attributes:
        settings: what differs from the shipped ones.
        twins: which generator makes the twins, from the fitted one.
        strong: model file of a second teacher below the models' folder, or "".
        footage: whether the footage's own faces are learnt from, too.
    """

    settings: Callable[[AdaptSettings], AdaptSettings] = field(default=lambda settings: settings)
    twins: Pick = field(default=lambda fitted: fitted)
    strong: str = ""
    footage: bool = False


def guided(method: str = "sign", **changes: object) -> Callable[[AdaptSettings], AdaptSettings]:
    """The shipped settings with another search."""
    return lambda settings: replace(settings, guidance=GuidanceSettings(method=method, **changes))  # type: ignore[arg-type]


def plain(settings: AdaptSettings) -> AdaptSettings:
    """Styles as they are drawn."""
    return replace(settings, guidance=GuidanceSettings(enabled=False))


def nothing(settings: AdaptSettings) -> AdaptSettings:
    """No twins at all."""
    return replace(plain(settings), synthetic_share=0.0)


def blind(fitted: StyleGenerator) -> StyleGenerator:
    """A recipe that knows nothing of the footage."""
    return BlindGenerator()


def with_blind(settings: AdaptSettings) -> AdaptSettings:
    """The learnt camera, the blind recipe, and both after another, all guided."""
    return replace(guided()(settings), blind_share=0.4, both_share=0.3)


ARMS: dict[str, Arm] = {
    "no-synthesis": Arm(nothing),
    "blind": Arm(plain, blind),
    "unguided": Arm(plain),
    "random-ball": Arm(guided("random")),
    "guided": Arm(guided()),
    "guided-blind": Arm(with_blind),
    "strong": Arm(guided(), strong="edgeface_xxs.onnx", footage=True),
}
"""All that are trained; ``untouched`` and the free tricks need no training."""

FREE = ("flip", "centred")

COMPARED = (("guided", "blind"), ("guided-blind", "blind"), ("guided", "unguided"), ("guided", "random-ball"))
"""Arms of which one less the other is told, with an interval."""


def strong_path(arm: Arm, data: Path) -> Path | None:
    """The file of an arm's second teacher."""
    return data / "models" / arm.strong if arm.strong else None
