"""Softmax over some of the centres, or over centres that processes share.

After Partial FC (An et al., CVPR 2022, arXiv 2203.15565). Sampling departs from the published second version in one
point: centres that were not drawn do not move at all, if ``move_only_touched_rows`` guards the optimiser.
"""

from __future__ import annotations

import torch
from torch import Tensor

from wildstyle.adaptation.heads.angles import cosines_to
from wildstyle.adaptation.heads.classifier import Compared, MarginHead
from wildstyle.adaptation.heads.draws import Draws
from wildstyle.adaptation.heads.rule import MarginRule
from wildstyle.adaptation.heads.shards import shard_of
from wildstyle.adaptation.heads.sharing import coming_place, gathered, largest, place, summed
from wildstyle.adaptation.heads.unpg import BatchNegatives
from wildstyle.errors import SettingError


class PartialHead(MarginHead):
    """A softmax head that looks at a share of its centres in each training step, or holds a shard of them, or both.

    The centres of the batch always take part. In evaluation mode all do, so that nothing is drawn.

    Fewer negatives make a smaller denominator: much as if the margin were smaller by ln(1 / rate) / scale. Losses at
    different rates can't be compared.

    With shards, each process compares the embeddings of all with its centres, and the softmax is over all. Loss and
    gradients are those of ``MarginHead`` under averaging over processes. Processes must call it together, backwards
    too; their numbers of images may differ.

    Args:
        rule: what happens to the cosines.
        centres: (C, D) to start from, of all people, the same in all processes.
        rate: share of the centres (of a shard) that take part in a training step, in (0, 1].
        sharded: keep only this process's centres; who holds which is ``shard_of``'s.
        scale: s, > 0.
        seed: of the draws, >= 0.
        negatives: pairs of the batch as further negatives; each process takes those of its own images.

    Raises:
        LabelError: fewer than two people.
        SettingError: a value is out of range, or there are fewer people than processes.
    """

    def __init__(
        self,
        rule: MarginRule,
        centres: Tensor,
        *,
        rate: float = 1.0,
        sharded: bool = False,
        scale: float = 64.0,
        seed: int = 0,
        negatives: BatchNegatives | None = None,
    ) -> None:
        here = coming_place()
        shard = shard_of(len(centres), *here) if sharded else None
        super().__init__(rule, centres, scale=scale, negatives=negatives, shard=shard)
        self._place = here
        if not 0 < rate <= 1:
            raise SettingError(f"the rate of a partial head is {rate}, not in (0, 1]")
        self.rate, self.sharded, self.sampled = rate, sharded, rate < 1
        # Only where something is drawn: other state dicts are those of ``MarginHead``.
        self.draws = Draws("centres", seed) if self.sampled else None

    def _check(self, raw: Tensor, labels: Tensor) -> None:
        if self.sharded and self._place != place():
            raise SettingError(
                f"centres were shared as by (rank, world) {self._place}, but this process is {place()}",
                remedy="start the process group as the launcher says, and build the head in the same launch",
            )
        super()._check(raw, labels)

    def _compare(self, raw: Tensor, labels: Tensor) -> Compared:
        faces, mine = gathered(raw) if self.sharded else (raw, slice(0, len(raw)))
        people = gathered(labels)[0] if self.sharded else labels
        local = people - self.shard.start
        here = (local >= 0) & (local < len(self.shard))
        centres, columns = self._taking_part(local, here)
        cosines = cosines_to(faces, centres.to(faces.dtype))
        own = torch.where(here, cosines.gather(1, columns.clamp_min(0)[:, None]).flatten(), 0.0)
        own = summed(own) if self.sharded else own
        return Compared(cosines, columns, own, faces.norm(dim=1), mine)

    def _taking_part(self, local: Tensor, here: Tensor) -> tuple[Tensor, Tensor]:
        """Centres (M, D) of this step, and among them the own ones of labels ``local`` (G,); -1 where not here."""
        centres = self.centres
        if self.draws is not None and self.training:
            rank = place()[0] if self.sharded else 0
            scores = self.draws((len(centres),), rank).to(centres.device)
            chosen = chosen_centres(scores, local[here], self.rate)
            centres, local = centres[chosen], torch.searchsorted(chosen, local)
        elif self.sharded:
            centres = centres.clone()  # so that the hook below stays off the weights themselves
        world = place()[1]
        if self.sharded and world > 1 and centres.requires_grad:
            # Each process's gradient is that of the sum of all losses; averaging would give that of their mean.
            centres.register_hook(lambda gradient: gradient / world)  # type: ignore[no-untyped-call]
        return centres, torch.where(here, local, -1)

    def _log_sum(self, others: Tensor) -> Tensor:
        if not self.sharded:
            return super()._log_sum(others)
        # The largest is one of the others, so the sum is at least 1.
        top = largest(others.amax(dim=1))
        return top + summed((others - top[:, None]).exp().sum(dim=1)).log()


def chosen_centres(scores: Tensor, positives: Tensor, rate: float) -> Tensor:
    """Which centres take part: those of the batch, filled up by the highest scores.

    Args:
        scores: (C,) in [0, 1), random.
        positives: (N,) int64 in [0, C), the labels of the batch.
        rate: share of the C centres, in (0, 1]. At least two are taken, and always all positives.

    Returns:
        (M,) int64, rising.
    """
    wanted = scores.index_fill(0, positives, 2.0)
    count = max(int(rate * len(scores)), int((wanted == 2.0).sum()), min(2, len(scores)))
    return wanted.topk(count).indices.sort().values
