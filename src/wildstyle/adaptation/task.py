"""What the student does in one step.

Label-free by default: the untouched recogniser embeds the clean face, the student its bad-camera twin, and the
loss is 1 - cosine; so the student learns to see through the camera and stays in the teacher's space (self-
distillation across resolutions, as in cosine feature distillation). A share of clean faces, held to the teacher
the same way, keeps what already worked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from wildstyle.adaptation.batches import AdaptBatch
from wildstyle.adaptation.guidance import Objective
from wildstyle.adaptation.heads import ArcFaceHead
from wildstyle.adaptation.settings import AdaptSettings
from wildstyle.adaptation.twins import TwinMaker, TwinRequest, Twins
from wildstyle.adaptation.weights import WeightAverage
from wildstyle.errors import LabelError
from wildstyle.recognisers import Recogniser
from wildstyle.training import set_learning_rate, warm_cosine


class AdaptTask:
    """Adapts a copy of a recogniser; a ``training.Task``.

    Batch norms and dropout of the student stay in evaluation mode throughout: its statistics are the teacher's.

    Args:
        recogniser: left untouched; a frozen copy is the teacher, a trainable copy the student.
        twins: makes the bad-camera twins.
        settings: what is learnt, and how fast.
        head: margin loss on the source's labels, or None.
    """

    name = "adapt"

    def __init__(
        self, recogniser: Recogniser, twins: TwinMaker, settings: AdaptSettings, head: ArcFaceHead | None = None
    ) -> None:
        self.settings, self.twins, self.head = settings, twins, head
        self.teacher = recogniser.frozen_copy()
        self.student = recogniser.trainable_copy()
        self.average = (
            WeightAverage(self.student.network.state_dict(), settings.average) if settings.average > 0 else None
        )
        self._taught = settings.twin_weight > 0 or settings.retention_weight > 0
        self._objective = Objective(lambda images: torch.zeros(0), ())

    def attach(self, accelerator: Accelerator) -> None:
        """Move everything to the accelerator and wrap the student for its processes."""
        self.accelerator = accelerator
        for network in (self.teacher.network, self.student.network):
            # Convolutions of small networks are faster in this layout, on CPU and GPU alike.
            network.to(accelerator.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.twins.to(accelerator.device)
        groups: list[dict[str, Any]] = [{"params": list(self.student.network.parameters())}]
        if self.head is not None:
            self.head.to(accelerator.device)
            groups.append({"params": list(self.head.parameters()), "scale": self.settings.head_rate})
        optimiser = torch.optim.AdamW(groups, lr=self.settings.learning_rate, weight_decay=self.settings.weight_decay)
        self._trained, self._optimiser = accelerator.prepare(_Trained(self.student, self.head), optimiser)
        if self.average is not None:
            self.average.state = {k: v.to(accelerator.device) for k, v in self.average.state.items()}

    # -- one step ----------------------------------------------------------------------------------------------

    def step(self, batch: AdaptBatch, step: int, total: int) -> Mapping[str, float | Tensor]:
        """Teacher on clean faces, twins, student on both, one step of AdamW."""
        rate = self.settings.learning_rate * warm_cosine(step, total, warm_share=self.settings.warm_share)
        set_learning_rate(self._optimiser, rate)
        images, target, twins = self._prepare(batch)
        embedded, head_loss = self._trained(images, batch.labels)
        losses = self._losses(embedded, target, head_loss, len(batch.codes))
        self._optimiser.zero_grad(set_to_none=True)
        self.accelerator.backward(losses["loss"])
        self.accelerator.clip_grad_norm_(self._trained.parameters(), self.settings.clip_norm)
        self._optimiser.step()
        if self.average is not None:
            self.average.update(self.student.network.state_dict(), step + 1)
        guided = {"guidance/loss_after": losses["ascended"]} if twins.diagnostics else {}
        del losses["ascended"]
        return {**{k: v.detach() for k, v in losses.items()}, **twins.diagnostics, **guided, "learning_rate": rate}

    def _prepare(self, batch: AdaptBatch) -> tuple[Tensor, Tensor | None, Twins]:
        """Images the student will see, the teacher's view of the clean ones, and the twins among them."""
        images = batch.images.contiguous(memory_format=torch.channels_last)
        clean = len(images) - len(batch.codes)
        with torch.no_grad(), self.accelerator.autocast():
            target = self.teacher.embed(images).float() if self._taught else None
        if len(batch.codes) == 0:
            return images, target, Twins(images[clean:], {})
        objective = self._objective_of(batch.labels[clean:], None if target is None else target[clean:])
        twins = self.twins(TwinRequest(images[clean:], batch.codes, batch.seeds), objective)
        seen = torch.cat([images[:clean], twins.images]).contiguous(memory_format=torch.channels_last)
        return seen, target, twins

    def _objective_of(self, labels: Tensor, target: Tensor | None) -> Objective:
        """With a head its loss, else 1 - cos(student, teacher): what the training itself will minimise."""
        student, head = self.student, self.head
        if head is not None:
            return Objective(lambda images: head(student.raw(images), labels), (student.network, head))
        return Objective(lambda images: _apart(student.embed(images), target), (student.network,))

    def _losses(self, embedded: Tensor, target: Tensor | None, head_loss: Tensor, twins: int) -> dict[str, Tensor]:
        """Per-image terms, weighted and averaged over the batch; reported are their own means."""
        clean = len(embedded) - twins
        apart = embedded.new_zeros(len(embedded)) if target is None else _apart(embedded, target)
        weight = torch.full_like(apart, self.settings.retention_weight)
        weight[clean:] = self.settings.twin_weight
        found = {"loss": (weight * apart).mean()}
        if target is not None:
            found |= {"twin": apart[clean:].mean()} if twins else {}
            found |= {"retention": apart[:clean].mean()} if clean else {}
        if self.head is not None:
            found["loss"] = found["loss"] + self.settings.head_weight * head_loss.mean()
            found["head"] = head_loss.mean()
        ascended = head_loss if self.head is not None else apart
        found["ascended"] = ascended[clean:].mean() if twins else ascended.new_zeros(())
        return found

    # -- keeping -----------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Student, head, optimiser and average; teacher and generator never change."""
        return {
            "student": self.student.network.state_dict(),
            "head": None if self.head is None else self.head.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "average": None if self.average is None else self.average.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""
        self.student.network.load_state_dict(state["student"])
        if self.head is not None:
            self.head.load_state_dict(state["head"])
        self._optimiser.load_state_dict(state["optimiser"])
        if self.average is not None:
            self.average.state = {k: v.to(self.accelerator.device) for k, v in state["average"].items()}

    def adapted(self) -> Recogniser:
        """The student as it stands (its averaged weights where there are any): frozen, on the CPU."""
        result = self.student.frozen_copy().to("cpu")
        if self.average is not None:
            result.network.load_state_dict(self.average.state)
        for tensor in [*result.network.parameters(), *result.network.buffers()]:
            tensor.data = tensor.data.contiguous()
        return result


class _Trained(nn.Module):
    """All that takes gradients, in one module, so that processes and autocast wrap it as a whole.

    The recogniser inside stays bare: guidance calls it in float32.
    """

    def __init__(self, student: Recogniser, head: ArcFaceHead | None) -> None:
        super().__init__()
        self.network, self.head = student.network, head
        self._student = student

    def forward(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Unit embeddings (B, D) and the head's losses (B,), zero without a head."""
        raw = self._student.raw(images)
        embedded = nn.functional.normalize(raw.float(), eps=1e-6)
        return embedded, raw.new_zeros(len(raw)) if self.head is None else self.head(raw, labels)


def _apart(unit: Tensor, target: Tensor | None) -> Tensor:
    """1 - cosine of unit embeddings (N, D), (N,)."""
    if target is None:
        raise LabelError(
            "without a head and without a teacher there is nothing to guide by",
            remedy="give twin_weight or retention_weight a value above 0",
        )
    return 1.0 - (unit * target).sum(dim=1)
