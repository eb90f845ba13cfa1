"""A margin rule: what a softmax head does to cosines before it scales them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MarginRule(nn.Module):
    """Moves the cosine to the own centre, and may move the others; holds statistics but no weights.

    All values come in float32 or float64, cosines in [-1, 1]. This base leaves everything as it is.

    Attributes:
        title: name in messages.
    """

    title: str

    def target(self, own: Tensor, norms: Tensor) -> Tensor:
        """The moved cosine to the own centre, (N,).

        Args:
            own: (N,) cosines to the own centre.
            norms: (N,) lengths of the raw embeddings, with their graph.
        """
        return own

    def others(self, cosines: Tensor, own: Tensor) -> Tensor:
        """What takes the place of the cosines to all centres, (N, C); the column of the own centre is not used.

        Args:
            cosines: (N, C), or to some of the centres.
            own: (N,) cosines to the own centre, not yet moved.
        """
        return cosines

    def extra(self, norms: Tensor) -> Tensor:
        """What is added to the loss of each image, (N,)."""
        return torch.zeros_like(norms)

    def observe(self, own: Tensor, norms: Tensor) -> None:
        """Take this process's share of a training batch into the statistics, before they are used.

        Args:
            own: (N,) cosines to the own centre, without graph.
            norms: (N,), without graph.
        """

    def begin(self, own: Tensor, norms: Tensor) -> None:
        """Set the statistics to those of faces a recogniser already knows; arguments as for ``observe``."""

    def check_scale(self, scale: float) -> None:
        """Refuse a scale the rule can't work with.

        Raises:
            SettingError: there is no good minimum with it.
        """

    def check_norms(self, norms: Tensor) -> None:
        """Refuse a batch whose norms the rule can't tell apart.

        Raises:
            SettingError: none lies in the rule's band.
        """
