"""Three margins in one (Deng et al., CVPR 2019, arXiv 1801.07698)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wildstyle.adaptation.heads.angles import angles_of
from wildstyle.adaptation.heads.rule import MarginRule
from wildstyle.errors import SettingError


class CombinedMargin(MarginRule):
    """The own cosine becomes cos(m1 theta + m2) - m3, all three at once.

    (1, m, 0) is ArcFace, (1, 0, m) CosFace, (m, 0, 0) SphereFace. Where the moved angle passes pi it goes on as
    SphereFace's does (Liu et al., CVPR 2017, arXiv 1704.08063): (-1)^k cos(angle) - 2k in the k-th half turn, which
    falls without a jump. There it differs from ``ArcFace``.

    Args:
        margins: m1 in (0, 8], m2 in rad in [0, pi / 2), m3 in [0, 2).

    Raises:
        SettingError: not three margins, or one out of range.
    """

    title = "combined margin"

    def __init__(self, *, margins: tuple[float, ...] = (1.0, 0.3, 0.2)) -> None:
        super().__init__()
        if len(margins) != 3 or not (0 < margins[0] <= 8 and 0 <= margins[1] < math.pi / 2 and 0 <= margins[2] < 2):
            raise SettingError(
                f"the combined margin has margins {margins}, not three in (0, 8], [0, pi / 2) and [0, 2)"
            )
        self.margins = margins

    def target(self, own: Tensor, norms: Tensor) -> Tensor:
        factor, angular, additive = self.margins
        angles = factor * angles_of(own) + angular
        turns = torch.floor(angles.detach() / math.pi)
        return (1.0 - 2.0 * (turns % 2)) * angles.cos() - 2.0 * turns - additive


KINDS = {"combined": CombinedMargin}
