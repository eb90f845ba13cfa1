"""A margin that follows image quality, read from the norm (AdaFace, Kim et al., CVPR 2022, arXiv 2204.00964)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wildstyle.adaptation.heads import diagnosis
from wildstyle.adaptation.heads.angles import angles_of
from wildstyle.adaptation.heads.rule import MarginRule
from wildstyle.adaptation.heads.sharing import mean_and_deviation
from wildstyle.errors import SettingError

_BAND = (1e-3, 100.0)
_EDGE = 1e-3


class AdaFace(MarginRule):
    """The own cosine becomes cos(theta + g) - h with g = -m z and h = m + m z.

    z is the norm, standardised by running statistics, times the concentration, clipped to [-1, 1]. Low norms (z = -1)
    get ArcFace's margin, middling ones CosFace's, high ones (z = 1) cos(theta - m) - 2 m. No gradient passes through
    the norm. Statistics take in a batch before it is used, over all processes, norms clipped to [0.001, 100]; a batch
    of a single face has no deviation and is not taken in.

    Cosines are kept 0.001 away from both ends, the moved angle from 0 and pi, as published.

    Args:
        margin: m in rad, in [0, pi / 2).
        concentration: what a deviation of 1 becomes in z, >= 0; 0 makes it CosFace.
        pace: share of a batch in the statistics, in (0, 1]; 1 forgets all earlier ones.

    Attributes:
        mean, deviation: float32 scalars, statistics of norms, kept in the state dict. Without ``begin`` they start
            at the published 20 and 100, and for some hundred steps all margins are much like CosFace's.

    Raises:
        SettingError: a value is out of range.
    """

    title = "AdaFace"
    mean: Tensor
    deviation: Tensor

    def __init__(self, *, margin: float = 0.4, concentration: float = 0.333, pace: float = 0.01) -> None:
        super().__init__()
        if not (0 <= margin < math.pi / 2 and 0 <= concentration < math.inf and 0 < pace <= 1):
            raise SettingError(
                f"AdaFace can't have margin {margin}, concentration {concentration} and pace {pace}",
                remedy="margin lies in [0, pi / 2), concentration is 0 or more, pace lies in (0, 1]",
            )
        self.margin, self.concentration, self.pace = margin, concentration, pace
        self.register_buffer("mean", torch.tensor(20.0))
        self.register_buffer("deviation", torch.tensor(100.0))

    def target(self, own: Tensor, norms: Tensor) -> Tensor:
        lengths = norms.detach().clamp(*_BAND)
        level = (self.concentration * (lengths - self.mean) / (self.deviation + 1e-3)).clamp(-1.0, 1.0)
        angles = (angles_of(own, _EDGE) - self.margin * level).clamp(_EDGE, math.pi - _EDGE)
        return angles.cos() - self.margin * (1.0 + level)

    def others(self, cosines: Tensor, own: Tensor) -> Tensor:
        return cosines.clamp(-1.0 + _EDGE, 1.0 - _EDGE)

    @torch.no_grad()
    def observe(self, own: Tensor, norms: Tensor) -> None:
        count, mean, deviation = mean_and_deviation(norms.clamp(*_BAND))
        for kept, new in ((self.mean, mean), (self.deviation, deviation)):
            usable = (count >= 2) & new.isfinite()
            kept.copy_(torch.where(usable, kept.lerp(new.to(kept), self.pace), kept))

    @torch.no_grad()
    def begin(self, own: Tensor, norms: Tensor) -> None:
        if len(norms) >= 2:
            lengths = norms.clamp(*_BAND)
            self.mean.copy_(lengths.mean())
            self.deviation.copy_(lengths.std())

    def check_norms(self, norms: Tensor) -> None:
        diagnosis.check_norms(self.title, norms, _BAND, remedy="use a head that does not look at norms, e.g. arcface")


KINDS = {"adaface": AdaFace}
