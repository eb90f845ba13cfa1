"""What every head has in common: raw embeddings and labels in, one loss an image out, in full precision."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from wildstyle.adaptation.heads.diagnosis import check_embeddings, check_labels


class IdentityHead(nn.Module, ABC):
    """A loss on identity labels.

    It computes in float32 whatever autocast says, and in float64 where the embeddings are. In evaluation mode it is
    a function of its input: statistics and draws stay as they are, so that the search for hard styles may call it.

    Attributes:
        title: name in messages.
        faces_each: faces of a person a batch should hold; 1 where any batch will do.
        sampled: only some centres take part in a step; see ``move_only_touched_rows``.
        sharded: each process holds other centres. Their gradient is already what averaging over processes would
            give, so it must be left as it is.
    """

    title: str
    faces_each: int = 1
    sampled: bool = False
    sharded: bool = False

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Loss of each image.

        Args:
            embeddings: (N, D), raw: their length may carry quality.
            labels: (N,) int64, >= 0; below the number of people where the head has centres.

        Returns:
            (N,) float32 (float64 for float64 embeddings); differentiable in embeddings and weights.

        Raises:
            Diverged: an embedding holds NaN or infinity (looked for on the CPU only, as are labels: reading values
                back would make an accelerator wait; there the training loop finds the loss not finite).
            LabelError: labels have another type or number than the embeddings, or are out of range.
            ContractError: the embeddings have another shape than the head's centres.
            SettingError: hardly any norm lies in the band the head works in.
        """
        with torch.autocast(embeddings.device.type, enabled=False):
            raw = widened(embeddings)
            self._check(raw, labels)
            return self._losses(raw, labels)

    def begin(self, embeddings: Tensor, labels: Tensor) -> None:
        """Start from what a recogniser already knows; heads without weights and statistics have nothing to start.

        Args:
            embeddings: (N, D) float32, raw, of some faces of each person.
            labels: (N,) int64.
        """

    @abstractmethod
    def _losses(self, raw: Tensor, labels: Tensor) -> Tensor:
        """As ``forward``, of checked and widened embeddings."""

    def _check(self, raw: Tensor, labels: Tensor) -> None:
        check_embeddings(self.title, raw, labels)
        check_labels(self.title, labels)


def widened(values: Tensor) -> Tensor:
    """float64 as it is, all else as float32."""
    return values if values.dtype == torch.float64 else values.float()
