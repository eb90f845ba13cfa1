"""What the student is told of the faces it has seen: every teacher's losses, weighted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from wildstyle.adaptation.distilling import SpaceMap, apart, bank_apart, own_apart, relations_apart
from wildstyle.adaptation.heads import IdentityHead
from wildstyle.adaptation.settings import AdaptSettings
from wildstyle.recognisers import Recogniser
from wildstyle.recognisers.quality import QualityNetwork


@dataclass(frozen=True, slots=True)
class StrongTeacher:
    """A stronger recogniser, and the map that leads from the student's space to its own.

    Attributes:
        recogniser: frozen.
        map: learns along with the student.
    """

    recogniser: Recogniser
    map: SpaceMap


@dataclass(frozen=True, slots=True)
class Lessons:
    """Who teaches besides the untouched recogniser.

    Attributes:
        head: loss on the source's labels, or None.
        strong: a second teacher, or None.
        bank: (M, D) unit embeddings of clean faces by the untouched recogniser, or None.
        quality: for ways that mix by quality, or None.
        faces: of the source; what teachers say of each is remembered.
        unlabelled: whether some faces have no label though there is a head: those of the footage.
    """

    head: IdentityHead | None = None
    strong: StrongTeacher | None = None
    bank: Tensor | None = None
    quality: QualityNetwork | None = None
    faces: int = 0
    unlabelled: bool = False


class Seen(NamedTuple):
    """A batch after the student has seen it.

    Attributes:
        unit: (B, D) unit embeddings by the student; the last ``twins`` are of twins.
        mapped: (B, E) the same in the space of the strong teacher, or None.
        head_loss: (B,), zero without a head.
        target: (B, D) unit embeddings of the clean faces by the untouched recogniser, or None where nobody asks.
        strong: (B, E) the same by the strong teacher, or None.
        twins: M.
    """

    unit: Tensor
    mapped: Tensor | None
    head_loss: Tensor
    target: Tensor | None
    strong: Tensor | None
    twins: int


def losses(seen: Seen, settings: AdaptSettings, bank: Tensor | None, *, headed: bool) -> dict[str, Tensor]:
    """The whole loss under ``loss``, what guidance ascends under ``ascended``, and the mean of every term.

    Args:
        seen: the batch.
        settings: weights.
        bank: as in ``Lessons``.
        headed: whether there is a head.
    """
    clean = len(seen.unit) - seen.twins
    zero = seen.unit.new_zeros(())
    found: dict[str, Tensor] = {"loss": zero}
    near = seen.unit.new_zeros(len(seen.unit))
    if seen.target is not None:
        near = apart(seen.unit, seen.target)
        found |= {"twin": near[clean:].mean()} if seen.twins else {}
        found |= {"retention": near[:clean].mean()} if clean else {}
        further = _further(seen, seen.target, settings, bank)
        weight = torch.full_like(near, settings.retention_weight)
        weight[clean:] = settings.twin_weight
        found["loss"] = (weight * (near + sum(strength * value for strength, value in further.values()))).mean()
        found |= {name: value.mean() for name, (_, value) in further.items()}
    if seen.mapped is not None and seen.strong is not None:
        found["strong"] = apart(seen.mapped, seen.strong).mean()
        found["strong relations"] = relations_apart(seen.unit, seen.strong).mean()
        found["loss"] = found["loss"] + settings.strong_weight * (found["strong"] + found["strong relations"])
    if headed:
        found["head"] = seen.head_loss.mean()
        found["loss"] = found["loss"] + settings.head_weight * found["head"]
    ascended = seen.head_loss if headed else near
    found["ascended"] = ascended[clean:].mean() if seen.twins else zero
    return found


def head_losses(head: IdentityHead, raw: Tensor, labels: Tensor) -> Tensor:
    """The head's loss of each face (N,), 0 where its label is -1."""
    rows = (labels >= 0).nonzero()[:, 0]
    none = raw.new_zeros(len(raw), dtype=torch.float32)
    if not len(rows):
        return none
    return none.index_put((rows,), head(raw[rows], labels[rows]).float())


def _further(
    seen: Seen, target: Tensor, settings: AdaptSettings, bank: Tensor | None
) -> dict[str, tuple[float, Tensor]]:
    """Weights and values (B,) of the terms that join each cosine."""
    further = {}
    if settings.relations > 0:
        further["relations"] = (settings.relations, relations_apart(seen.unit, target))
    if settings.neighbours > 0 and bank is not None:
        further["neighbours"] = (settings.neighbours, bank_apart(seen.unit, target, bank))
    if settings.strangers > 0 and bank is not None:
        further["strangers"] = (settings.strangers, own_apart(seen.unit, target, bank))
    return further
