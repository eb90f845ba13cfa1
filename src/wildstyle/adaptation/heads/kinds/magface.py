"""A margin that grows with the norm, which so learns quality (MagFace, Meng et al., CVPR 2021, arXiv 2103.06627)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wildstyle.adaptation.heads import diagnosis
from wildstyle.adaptation.heads.angles import turned
from wildstyle.adaptation.heads.rule import MarginRule
from wildstyle.errors import SettingError


class MagFace(MarginRule):
    """The own cosine becomes cos(theta + m(a)), m rising linearly with the norm a; a regulariser asks for high norms.

    The margin is not detached: the loss pulls norms down where a face is hard, the regulariser
    g(a) = a / u^2 + 1 / a pulls them up. Norms are clamped to the band first, so those outside get no such gradient.
    The margin is the *easy* one: cosines <= 0 stay as they are.

    Args:
        margins: margin in rad at the lower and at the upper end of the band, 0 <= lower < upper < pi / 2.
        norms: the band (l, u), 0 < l < u.
        regulariser: lambda, the weight of g. At least s K u^2 l^2 / (u^2 - l^2) with K the slope of m, or the best
            norm is not unique; 22.6 with the published settings.

    Raises:
        SettingError: a value is out of range.
    """

    title = "MagFace"

    def __init__(
        self,
        *,
        margins: tuple[float, ...] = (0.45, 0.8),
        norms: tuple[float, float] = (10.0, 110.0),
        regulariser: float = 35.0,
    ) -> None:
        super().__init__()
        if len(margins) != 2 or not 0 <= margins[0] < margins[1] < math.pi / 2:
            raise SettingError(f"margins of MagFace are {margins}, not two rising ones in [0, pi / 2)")
        if not (0 < norms[0] < norms[1] < math.inf and 0 <= regulariser < math.inf):
            raise SettingError(
                f"MagFace can't have norms {norms} and regulariser {regulariser}",
                remedy="give two rising norms above 0 and a regulariser that is not negative",
            )
        self.margins, self.norms, self.regulariser = margins, norms, regulariser
        self._slope = (margins[1] - margins[0]) / (norms[1] - norms[0])

    def target(self, own: Tensor, norms: Tensor) -> Tensor:
        margins = self.margins[0] + self._slope * (norms.clamp(*self.norms) - self.norms[0])
        return torch.where(own > 0, turned(own, margins), own)

    def extra(self, norms: Tensor) -> Tensor:
        lengths = norms.clamp(*self.norms)
        return self.regulariser * (lengths / self.norms[1] ** 2 + 1.0 / lengths)

    def check_scale(self, scale: float) -> None:
        low, high = (end**2 for end in self.norms)
        least = scale * self._slope * high * low / (high - low)
        if self.regulariser < least:
            raise SettingError(
                f"regulariser of MagFace is {self.regulariser}: with scale {scale}, margins {self.margins} and norms "
                f"{self.norms} it must be at least {least:.6g}, or the best norm is not unique",
                remedy=f"raise the regulariser to {math.ceil(least)}, or lower the scale",
            )

    def check_norms(self, norms: Tensor) -> None:
        diagnosis.check_norms(
            self.title, norms, self.norms, remedy="set its norms to the band of this recogniser's, or use another head"
        )


KINDS = {"magface": MagFace}
