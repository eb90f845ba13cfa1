"""Pairs of a batch as further negatives of a softmax head (UNPG, Jung et al., 2022, arXiv 2203.11593).

Every pair of different people in the batch gives a cosine; those that remain after a filter join the denominator of
every image's softmax. So also people whose centres are far apart push each other away where their faces are not.
"""

from __future__ import annotations

import torch
from torch import Tensor

from wildstyle.errors import SettingError


class BatchNegatives:
    """Cosines between different people of a batch, without outliers.

    Args:
        most: how many are kept, >= 1; if more pass the filter the largest are, for they outweigh all others in the
            softmax.
        whisker: r >= 0; what lies more than r interquartile ranges outside the quartiles is dropped.

    Raises:
        SettingError: a value out of range.
    """

    def __init__(self, most: int, whisker: float = 1.5) -> None:
        if most < 1 or not whisker >= 0:
            raise SettingError(f"negatives of the batch can't be at most {most} within a whisker of {whisker}")
        self.most, self.whisker = most, whisker

    def __call__(self, unit: Tensor, labels: Tensor) -> Tensor:
        """The cosines that remain, (K,) with K <= most, differentiable; none where the batch shows one person only.

        Args:
            unit: (N, D) unit embeddings of this process.
            labels: (N,) int64.
        """
        first, second = torch.triu_indices(len(unit), len(unit), 1, device=unit.device)
        apart = labels[first] != labels[second]
        cosines = (unit @ unit.T)[first[apart], second[apart]].clamp(-1.0, 1.0)
        kept = within_whiskers(cosines, self.whisker)
        return kept if len(kept) <= self.most else kept.topk(self.most).values


def within_whiskers(values: Tensor, whisker: float) -> Tensor:
    """Those of (L,) within ``whisker`` interquartile ranges of the quartiles, sorted.

    Quartiles are picked as the items int(L / 4) and int(3 L / 4) of the sorted values, as the paper's code does, not
    interpolated.
    """
    if not len(values):
        return values
    rising = values.sort().values
    low, high = (rising[int(share * len(rising))].detach() for share in (0.25, 0.75))
    reach = whisker * (high - low)
    return rising[(rising >= low - reach) & (rising <= high + reach)]
