"""What a way to adapt is: which numbers of the student may change, and what is left of it afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from wildstyle.errors import SettingError
from wildstyle.recognisers.quality import QualityNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class WaySettings:
    """Which numbers of the student change.

    Attributes:
        name: of the way: ``full``, ``last``, ``low-rank`` or ``paired``.
        last: share of the convolutions and linear layers, counted from the end, that ``last`` trains, in (0, 1].
        rank: of the adapters, >= 1.
        strength: factor on what the adapters add, > 0.
        constant_gate: give every face the same mixture of a pair of adapters: the control of ``paired``.
    """

    name: str = "full"
    last: float = 0.25
    rank: int = 8
    strength: float = 1.0
    constant_gate: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.last <= 1 or self.rank < 1 or not self.strength > 0:
            raise SettingError(
                f"a way with last={self.last}, rank={self.rank}, strength={self.strength} can't be gone",
                where="adaptation",
                remedy="last lies in (0, 1], rank is at least 1, strength above 0",
            )


@dataclass(frozen=True, slots=True)
class Way:
    """A way to adapt.

    Attributes:
        name: by which it is asked for.
        prepare: from (network, settings, quality, seed) to the network to train, whose numbers that may change take
            gradients; in evaluation mode, and at first it embeds exactly as before. The quality is None where none
            was taught.
        finish: what a trained network becomes: no slower than before where that can be.
    """

    name: str
    prepare: Callable[[nn.Module, WaySettings, QualityNetwork | None, int], nn.Module]
    finish: Callable[[nn.Module], nn.Module]
