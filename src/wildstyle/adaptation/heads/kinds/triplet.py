"""Triplets of a batch (FaceNet, Schroff et al., CVPR 2015, arXiv 1503.03832).

Batch-hard ones are those of Hermans et al., 2017, arXiv 1703.07737. An anchor shall be nearer to each face of its
person than to any other person's, by a margin on the *squared* distance of unit embeddings (twice 1 - cosine, so in
[0, 4]). There are no centres; each process mines in its own share.
"""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor

from wildstyle.adaptation.heads.angles import directions
from wildstyle.adaptation.heads.draws import Draws
from wildstyle.adaptation.heads.head import IdentityHead
from wildstyle.errors import SettingError


class TripletHead(IdentityHead):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) of mined triplets, one value an anchor.

    An anchor without a triplet gets 0. If all embeddings fall together, the active losses are the margin exactly.

    Args:
        margin: on squared distances, in (0, 4).

    Raises:
        SettingError: the margin is out of range.
    """

    faces_each = 4

    def __init__(self, *, margin: float = 0.2) -> None:
        super().__init__()
        if not 0 < margin < 4:
            raise SettingError(f"margin of triplets is {margin}, not in (0, 4)")
        self.margin = margin

    def _losses(self, raw: Tensor, labels: Tensor) -> Tensor:
        unit = directions(raw)
        distances = (2.0 - 2.0 * unit @ unit.T).clamp_min(0.0)
        same = labels[:, None] == labels
        return self._mined(distances, same & ~torch.eye(len(raw), dtype=torch.bool, device=raw.device), ~same)

    @abstractmethod
    def _mined(self, distances: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Loss of each anchor (N,) of squared distances (N, N), each row an anchor's, and masks of its pairs."""


class SemiHardTriplet(TripletHead):
    """For each positive, the nearest negative that is farther than it, if within the margin.

    Averaged over the anchor's positives that have one. All ordered pairs of a person are looked at.
    """

    title = "semi-hard triplet"

    def _mined(self, distances: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        rising = _rising(distances, negative)
        farther = torch.searchsorted(rising.detach(), distances.detach(), right=True)
        found = rising.gather(1, farther.clamp_max(len(rising) - 1))
        active = positive & (farther < negative.sum(dim=1, keepdim=True)) & (found < distances + self.margin)
        return _mean_of_active(distances - found + self.margin, active)


class ViolatingTriplet(TripletHead):
    """For each positive, a negative drawn from all that are not farther by the margin, those nearer included.

    This is what the well-known FaceNet code does in fact. Averaged over the anchor's positives that have one. All
    ordered pairs of a person are looked at.

    Args:
        margin: on squared distances, in (0, 4).
        seed: of the draws, >= 0. They depend on it and on how many batches were trained on, which is in the state dict.
    """

    title = "violating triplet"

    def __init__(self, *, margin: float = 0.2, seed: int = 0) -> None:
        super().__init__(margin=margin)
        self.draws = Draws("violating", seed)

    def _mined(self, distances: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        rising = _rising(distances, negative)
        violators = torch.searchsorted(rising.detach(), distances.detach() + self.margin)
        chosen = (self.draws(distances.shape).to(distances) * violators).long()
        # A draw just below 1 may round up to the number itself.
        chosen = torch.minimum(chosen, (violators - 1).clamp_min(0))
        return _mean_of_active(distances - rising.gather(1, chosen) + self.margin, positive & (violators > 0))


class BatchHardTriplet(TripletHead):
    """The farthest positive and the nearest negative of each anchor."""

    title = "batch-hard triplet"

    def _mined(self, distances: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        farthest = distances.masked_fill(~positive, -math.inf).amax(dim=1)
        nearest = distances.masked_fill(~negative, math.inf).amin(dim=1)
        active = positive.any(dim=1) & negative.any(dim=1)
        return torch.where(active, (farthest - nearest + self.margin).relu(), 0.0)


def _rising(distances: Tensor, negative: Tensor) -> Tensor:
    """Distances of each anchor's negatives in rising order, (N, N), filled up with infinity."""
    return distances.masked_fill(~negative, math.inf).sort(dim=1).values


def _mean_of_active(losses: Tensor, active: Tensor) -> Tensor:
    """Mean over the active pairs of each row, (N,); 0 for a row without any."""
    return torch.where(active, losses, 0.0).relu().sum(dim=1) / active.sum(dim=1).clamp_min(1)


KINDS = {
    "triplet-semi-hard": SemiHardTriplet,
    "triplet-violating": ViolatingTriplet,
    "triplet-batch-hard": BatchHardTriplet,
}
