"""Additive angular margin (ArcFace, Deng et al., CVPR 2019, arXiv 1801.07698)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from wildstyle.errors import LabelError, SettingError

_SINE_FLOOR = 1e-12


class ArcFaceHead(nn.Module):
    """Class centres and the margin loss; logits are s cos(theta + m) for the true class, s cos(theta) for others.

    Beyond theta + m > pi, where cos(theta + m) would rise again, this is the *fallback* variant of the original
    code: the target is cos(theta) - m sin(pi - m). It keeps falling with theta but jumps at the switch.
    The gradient is the true one; implementations that edit logits without a graph train differently.

    All is computed in float32, whatever autocast says.

    Args:
        classes: C, number of people, >= 2.
        embedding_size: D.
        scale: s.
        margin: m in rad, in [0, pi / 2).
        seed: of the initial centres, N(0, 0.01).

    Raises:
        LabelError: fewer than two people.
    """

    def __init__(
        self, classes: int, embedding_size: int, *, scale: float = 64.0, margin: float = 0.5, seed: int = 0
    ) -> None:
        super().__init__()
        if classes < 2:
            raise LabelError(
                f"a head needs at least two people, there is {classes}",
                remedy="give clean faces of more people, or adapt without a head",
            )
        if not scale > 0 or not 0 <= margin < math.pi / 2:
            raise SettingError(f"a head can't have scale {scale} and margin {margin}")
        self.scale, self.margin = scale, margin
        start = torch.randn(classes, embedding_size, generator=torch.Generator().manual_seed(seed))
        self.centres = nn.Parameter(0.01 * start)

    def cosines(self, embeddings: Tensor) -> Tensor:
        """Cosine to every centre, (N, C) float32 in [-1, 1], of raw or unit embeddings (N, D)."""
        with torch.autocast(embeddings.device.type, enabled=False):
            directions = nn.functional.normalize(embeddings.float(), eps=1e-12)
            centres = nn.functional.normalize(self.centres.float(), eps=1e-12)
            return (directions @ centres.T).clamp(-1.0, 1.0)

    def logits(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Scaled cosines with the margin on the true class, (N, C) float32.

        Args:
            embeddings: (N, D), raw or unit.
            labels: (N,) int64 in [0, C).

        Raises:
            LabelError: a label is out of range (checked on the CPU only).
        """
        self._check(labels)
        cosines = self.cosines(embeddings)
        own = cosines.gather(1, labels[:, None])
        return self.scale * cosines.scatter(1, labels[:, None], self._with_margin(own))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of each image, (N,) float32; arguments as for ``logits``."""
        with torch.autocast(embeddings.device.type, enabled=False):
            return nn.functional.cross_entropy(self.logits(embeddings, labels), labels, reduction="none")

    def _with_margin(self, cosine: Tensor) -> Tensor:
        # The sine by its square root, floored: acos has an infinite slope at +-1.
        sine = (1.0 - cosine.square()).clamp_min(_SINE_FLOOR).sqrt()
        moved = cosine * math.cos(self.margin) - sine * math.sin(self.margin)
        fallback = cosine - self.margin * math.sin(math.pi - self.margin)
        return torch.where(cosine > math.cos(math.pi - self.margin), moved, fallback)

    def _check(self, labels: Tensor) -> None:
        if not len(labels) or labels.device.type != "cpu":
            return  # reading them back would make an accelerator wait
        low, high = (int(end) for end in labels.aminmax())
        if low < 0 or high >= len(self.centres):
            raise LabelError(
                f"labels reach from {low} to {high}, but the head knows {len(self.centres)} people, 0 to "
                f"{len(self.centres) - 1}",
                remedy="number the people from 0 without gaps",
            )
