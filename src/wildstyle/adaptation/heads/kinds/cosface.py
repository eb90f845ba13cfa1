"""Additive cosine margin (CosFace, Wang et al., CVPR 2018, arXiv 1801.09414)."""

from __future__ import annotations

from torch import Tensor

from wildstyle.adaptation.heads.rule import MarginRule
from wildstyle.errors import SettingError


class CosFace(MarginRule):
    """The own cosine becomes cos(theta) - m. No angle is taken: its gradient is as good at the ends as anywhere.

    Args:
        margin: m, in [0, 2); 0.35 is the paper's.

    Raises:
        SettingError: the margin is out of range.
    """

    title = "CosFace"

    def __init__(self, *, margin: float = 0.35) -> None:
        super().__init__()
        if not 0 <= margin < 2:
            raise SettingError(f"margin of CosFace is {margin}, not in [0, 2)")
        self.margin = margin

    def target(self, own: Tensor, norms: Tensor) -> Tensor:
        return own - self.margin


KINDS = {"cosface": CosFace}
