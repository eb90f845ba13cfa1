"""Additive angular margin (ArcFace, Deng et al., CVPR 2019, arXiv 1801.07698)."""

from __future__ import annotations

import math

from torch import Tensor

from wildstyle.adaptation.heads.angles import turned_with_fallback
from wildstyle.adaptation.heads.rule import MarginRule
from wildstyle.errors import SettingError


class ArcFace(MarginRule):
    """The own cosine becomes cos(theta + m); beyond pi, the fallback of ``turned_with_fallback``.

    Args:
        margin: m in rad, in [0, pi / 2).

    Raises:
        SettingError: the margin is out of range.
    """

    title = "ArcFace"

    def __init__(self, *, margin: float = 0.5) -> None:
        super().__init__()
        if not 0 <= margin < math.pi / 2:
            raise SettingError(f"margin of ArcFace is {margin}, not in [0, pi / 2)")
        self.margin = margin

    def target(self, own: Tensor, norms: Tensor) -> Tensor:
        return turned_with_fallback(own, self.margin)


KINDS = {"arcface": ArcFace}
