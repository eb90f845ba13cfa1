"""Cosines pulled and pushed by sigmoids of the angle (SFace, Zhong et al., IEEE TIP 2021, arXiv 2205.12010)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wildstyle.adaptation.heads.angles import angles_of
from wildstyle.adaptation.heads.centre_head import CentreHead
from wildstyle.errors import SettingError


class SFaceHead(CentreHead):
    """-r s cos(theta) of the own centre plus the sum of r s cos(theta) of the others; no softmax.

    r is a sigmoid of the angle without gradient. It fades the pull out once the own angle is below a, and the push
    once another's is above b, so that noisy labels are not followed to the end. The loss may be negative and is not
    comparable with a cross-entropy; its gradient grows with the number of people, so the learning rate wants tuning.

    Args:
        centres: (C, D) to start from, C >= 2.
        scale: s, > 0.
        slope: k of both sigmoids, per rad, > 0.
        turns: (a, b) in rad, where the pull and the push are halved, in (0, pi).

    Raises:
        LabelError: fewer than two people.
        SettingError: a value is out of range.
    """

    title = "SFace"

    def __init__(
        self,
        centres: Tensor,
        *,
        scale: float = 64.0,
        slope: float = 80.0,
        turns: tuple[float, float] = (0.8, 1.23),
    ) -> None:
        super().__init__(centres, scale=scale)
        if not 0 < slope < math.inf or not all(0 < turn < math.pi for turn in turns):
            raise SettingError(
                f"SFace can't have slope {slope} and turns {turns}",
                remedy="the slope is above 0, the turns lie in (0, pi)",
            )
        self.slope, self.turns = slope, turns

    def _losses(self, raw: Tensor, labels: Tensor) -> Tensor:
        cosines = self.cosines(raw)
        angles = angles_of(cosines.detach())
        pull = torch.sigmoid(self.slope * (angles - self.turns[0]))
        push = torch.sigmoid(self.slope * (self.turns[1] - angles))
        own = torch.zeros_like(cosines, dtype=torch.bool).scatter(1, labels[:, None], True)
        return self.scale * (torch.where(own, -pull, push) * cosines).sum(dim=1)


KINDS = {"sface": SFaceHead}
