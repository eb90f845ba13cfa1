"""A head that owns one centre a person and compares embeddings with them by their cosine."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wildstyle.adaptation.heads.angles import cosines_to, directions
from wildstyle.adaptation.heads.centres import mean_directions
from wildstyle.adaptation.heads.diagnosis import check_embeddings, check_labels, check_people
from wildstyle.adaptation.heads.head import IdentityHead, widened
from wildstyle.errors import SettingError


class CentreHead(IdentityHead):
    """Centres and cosines; what becomes of them is a subclass's.

    Args:
        centres: (C, D) to start from, one a person, at least two.
        scale: s, by which cosines are multiplied, > 0.
        fixed: the centres never move.
        shard: which of them this process keeps; None: all.

    Attributes:
        centres: (C, D) float32, or (len(shard), D): a parameter, or a buffer where they are fixed. Their length does
            not matter.
        classes: C.
        shard: the people whose centres are kept here.

    Raises:
        LabelError: fewer than two people.
        SettingError: the scale is not above 0.
    """

    centres: Tensor

    def __init__(
        self, centres: Tensor, *, scale: float = 64.0, fixed: bool = False, shard: range | None = None
    ) -> None:
        super().__init__()
        check_people(len(centres))
        if not 0 < scale < float("inf"):
            raise SettingError(f"the scale of a head is {scale}, it must be above 0")
        self.classes, self.scale, self.fixed = len(centres), scale, fixed
        self.shard = range(len(centres)) if shard is None else shard
        kept = centres[self.shard.start : self.shard.stop].clone()
        if fixed:
            self.register_buffer("centres", kept)
        else:
            self.centres = nn.Parameter(kept)

    def cosines(self, embeddings: Tensor) -> Tensor:
        """Cosine to every centre, (N, C) float32 in [-1, 1], of raw or unit embeddings (N, D)."""
        with torch.autocast(embeddings.device.type, enabled=False):
            raw = widened(embeddings)
            return cosines_to(raw, self.centres.to(raw.dtype))

    @torch.no_grad()
    def begin(self, embeddings: Tensor, labels: Tensor) -> None:
        """Put each centre where the person's mean direction is; who has no face here keeps a random one."""
        means = mean_directions(embeddings, labels, self.classes)
        if not self.fixed:
            own = means[self.shard.start : self.shard.stop].to(self.centres)
            self.centres.copy_(torch.where(own.norm(dim=1, keepdim=True) > 0, own, self.centres))
        raw = widened(embeddings)
        self._begin_statistics((directions(raw) * means[labels]).sum(dim=1), raw.norm(dim=1))

    def _begin_statistics(self, own: Tensor, norms: Tensor) -> None:
        """Take over cosines to the own centre (N,) and norms (N,) of known faces; nothing by default."""

    def _check(self, raw: Tensor, labels: Tensor) -> None:
        check_embeddings(self.title, raw, labels, size=self.centres.shape[1])
        check_labels(self.title, labels, people=self.classes)


def drawn_centres(classes: int, size: int, seed: int) -> Tensor:
    """Centres to start from, (classes, size) float32, N(0, 0.01 ** 2); their directions are uniform."""
    return 0.01 * torch.randn(classes, size, generator=torch.Generator().manual_seed(seed))
