"""Softmax over cosines to class centres, with a margin rule; the basis is NormFace's.

NormFace: Wang et al., ACM Multimedia 2017, arXiv 1704.06369. The logits are s cos(theta), both sides of unit length,
no bias. A margin rule (``MarginRule``) makes ArcFace, CosFace and the rest of it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from wildstyle.adaptation.heads.angles import directions
from wildstyle.adaptation.heads.centre_head import CentreHead
from wildstyle.adaptation.heads.head import widened
from wildstyle.adaptation.heads.rule import MarginRule
from wildstyle.adaptation.heads.unpg import BatchNegatives


class Compared(NamedTuple):
    """Embeddings beside centres.

    Attributes:
        cosines: (G, M), of the faces looked at to the centres that take part.
        columns: (G,) int64, where the own centre is among them; -1 if it is not.
        own: (G,) cosine to the own centre, wherever it lies.
        norms: (G,) lengths of the raw embeddings.
        mine: which of the G faces were given to this process.
    """

    cosines: Tensor
    columns: Tensor
    own: Tensor
    norms: Tensor
    mine: slice


class MarginHead(CentreHead):
    """Cross-entropy of scaled cosines after a margin rule has moved them.

    Gradients are the true ones of the moved cosines. Implementations that edit logits without a graph have the same
    loss and train differently.

    Args:
        rule: what happens to the cosines; becomes a part of the head, with its statistics.
        centres: (C, D) to start from, C >= 2.
        scale: s, > 0.
        negatives: pairs of the batch as further negatives, in training only; None: none.
        fixed, shard: as for ``CentreHead``.

    Raises:
        LabelError: fewer than two people.
        SettingError: the scale is not above 0, or the rule can't work with it.
    """

    def __init__(
        self,
        rule: MarginRule,
        centres: Tensor,
        *,
        scale: float = 64.0,
        negatives: BatchNegatives | None = None,
        fixed: bool = False,
        shard: range | None = None,
    ) -> None:
        super().__init__(centres, scale=scale, fixed=fixed, shard=shard)
        rule.check_scale(scale)
        self.rule, self.negatives, self.title = rule, negatives, rule.title

    def logits(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Scaled cosines after the rule, (N, C) float32; arguments and errors as for ``forward``.

        Statistics stay as they are. Where processes share the centres, the columns are those of this one.
        """
        with torch.autocast(embeddings.device.type, enabled=False):
            raw = widened(embeddings)
            self._check(raw, labels)
            compared = self._compare(raw, labels)
            target, others = self._moved(compared)
            return _with_own(others, compared.columns, target)[compared.mine]

    def _losses(self, raw: Tensor, labels: Tensor) -> Tensor:
        compared = self._compare(raw, labels)
        mine = compared.mine
        if self.training:
            self.rule.check_norms(compared.norms[mine].detach())
            self.rule.observe(compared.own[mine].detach(), compared.norms[mine].detach())
        target, others = self._moved(compared)
        nothing = torch.full_like(target, -math.inf)
        log_others = self._log_sum(_with_own(others, compared.columns, nothing))
        gap = log_others[mine] - target[mine]
        if self.training and self.negatives is not None:
            gap = self._with_negatives(gap, target[mine], raw, labels)
        # log(1 + e^gap) is the cross-entropy, and keeps its digits where it is small.
        return torch.nn.functional.softplus(gap) + self.rule.extra(compared.norms)[mine]

    def _moved(self, compared: Compared) -> tuple[Tensor, Tensor]:
        """Scaled: the moved cosines to the own centre (G,), and to all (G, M)."""
        target = self.rule.target(compared.own, compared.norms)
        return self.scale * target, self.scale * self.rule.others(compared.cosines, compared.own)

    def _compare(self, raw: Tensor, labels: Tensor) -> Compared:
        cosines = self.cosines(raw)
        own = cosines.gather(1, labels[:, None]).flatten()
        return Compared(cosines, labels, own, raw.norm(dim=1), slice(0, len(raw)))

    def _log_sum(self, others: Tensor) -> Tensor:
        """log of the sum of e^logit over the other centres, (G,), of (G, M) with -inf in the own column."""
        return others.logsumexp(dim=1)

    def _with_negatives(self, gap: Tensor, target: Tensor, raw: Tensor, labels: Tensor) -> Tensor:
        found = self.negatives(directions(raw), labels) if self.negatives is not None else raw.new_zeros(0)
        if not len(found):
            return gap
        return torch.logaddexp(gap, (self.scale * found).logsumexp(dim=0) - target)

    def _begin_statistics(self, own: Tensor, norms: Tensor) -> None:
        self.rule.begin(own, norms)


def _with_own(others: Tensor, columns: Tensor, own: Tensor) -> Tensor:
    """Logits (G, M) with ``own`` (G,) in the own columns (G,), where there is one."""
    column = columns.clamp_min(0)[:, None]
    return others.scatter(1, column, torch.where(columns[:, None] >= 0, own[:, None], others.gather(1, column)))
