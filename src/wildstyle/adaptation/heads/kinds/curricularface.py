"""Hard negatives weighed by how far training has come (CurricularFace, Huang et al., CVPR 2020, arXiv 2004.00288)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wildstyle.adaptation.heads.angles import turned, turned_with_fallback
from wildstyle.adaptation.heads.rule import MarginRule
from wildstyle.adaptation.heads.sharing import total
from wildstyle.errors import SettingError


class CurricularFace(MarginRule):
    """ArcFace's margin; another centre's cosine c above the moved own one becomes c (t + c).

    t follows the mean cosine to the own centre: where it is small hard negatives count less, and where t + c > 1 more.
    Logits may then exceed the scale. t takes in a batch before it is used, over all processes.

    Args:
        margin: m in rad, in [0, pi / 2).
        pace: share of a batch in t, in (0, 1].

    Attributes:
        t: float32 scalar, kept in the state dict. It starts at 0, or by ``begin`` at the mean cosine of known faces.

    Raises:
        SettingError: a value is out of range.
    """

    title = "CurricularFace"
    t: Tensor

    def __init__(self, *, margin: float = 0.5, pace: float = 0.01) -> None:
        super().__init__()
        if not (0 <= margin < math.pi / 2 and 0 < pace <= 1):
            raise SettingError(
                f"CurricularFace can't have margin {margin} and pace {pace}",
                remedy="margin lies in [0, pi / 2), pace in (0, 1]",
            )
        self.margin, self.pace = margin, pace
        self.register_buffer("t", torch.tensor(0.0))

    def target(self, own: Tensor, norms: Tensor) -> Tensor:
        return turned_with_fallback(own, self.margin)

    def others(self, cosines: Tensor, own: Tensor) -> Tensor:
        # Hard is what passes cos(theta + m), also where the target itself has fallen back.
        hard = cosines > turned(own, self.margin)[:, None]
        return torch.where(hard, cosines * (self.t + cosines), cosines)

    @torch.no_grad()
    def observe(self, own: Tensor, norms: Tensor) -> None:
        count, cosines = total(torch.stack([torch.ones_like(own).sum(), own.sum()]))
        mean = cosines / count
        self.t.copy_(torch.where(mean.isfinite(), self.t.lerp(mean.to(self.t), self.pace), self.t))

    @torch.no_grad()
    def begin(self, own: Tensor, norms: Tensor) -> None:
        if len(own):
            self.t.copy_(own.mean())


KINDS = {"curricularface": CurricularFace}
