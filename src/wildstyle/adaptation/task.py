"""What the student does in one step.

Label-free by default: the untouched recogniser embeds the clean face, the student its bad-camera twin, and the
loss is 1 - cosine; so the student learns to see through the camera and stays in the teacher's space (self-
distillation across resolutions, as in cosine feature distillation). A share of clean faces, held to the teacher
the same way, keeps what already worked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from wildstyle.adaptation.batches import AdaptBatch
from wildstyle.adaptation.distilling import apart
from wildstyle.adaptation.guidance import Objective
from wildstyle.adaptation.heads import IdentityHead, move_only_touched_rows, own_state, whole_state
from wildstyle.adaptation.lessons import Lessons, Seen, head_losses, losses
from wildstyle.adaptation.settings import AdaptSettings
from wildstyle.adaptation.targets import Targets
from wildstyle.adaptation.twins import TwinMaker, TwinRequest, Twins
from wildstyle.adaptation.ways import way_named
from wildstyle.adaptation.weights import WeightAverage
from wildstyle.errors import LabelError
from wildstyle.recognisers import Recogniser, unit
from wildstyle.training import set_learning_rate, warm_cosine


class AdaptTask:
    """Adapts a copy of a recogniser; a ``training.Task``.

    Batch norms and dropout of the student stay in evaluation mode throughout: its statistics are the teacher's.

    Args:
        recogniser: left untouched; a frozen copy is the teacher, a trainable copy the student.
        twins: makes the bad-camera twins.
        settings: what is learnt, and how fast.
        lessons: who teaches besides.
    """

    name = "adapt"

    def __init__(
        self, recogniser: Recogniser, twins: TwinMaker, settings: AdaptSettings, lessons: Lessons | None = None
    ) -> None:
        self.settings, self.twins, self.lessons = settings, twins, lessons or Lessons()
        self.head, self.bank = self.lessons.head, self.lessons.bank
        self.way = way_named(settings.way.name)
        copied = recogniser.trainable_copy()
        network = self.way.prepare(copied.network, settings.way, self.lessons.quality, 0)
        self.student = replace(copied, network=network)
        self.average = (
            WeightAverage(self.student.network.state_dict(), settings.average) if settings.average > 0 else None
        )
        self._sharded = self.head is not None and self.head.sharded
        self._taught = settings.twin_weight > 0 or settings.retention_weight > 0
        self.targets = Targets(recogniser.frozen_copy(), self.lessons.faces)
        strong = self.lessons.strong
        self.strong_targets = None if strong is None else Targets(strong.recogniser.frozen_copy(), self.lessons.faces)

    def attach(self, accelerator: Accelerator) -> None:
        """Move everything to the accelerator and wrap the student for its processes."""
        self.accelerator = accelerator
        # Convolutions of small networks are faster in this layout, on CPU and GPU alike.
        self.student.network.to(accelerator.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        for targets in (self.targets, self.strong_targets):
            if targets is not None:
                targets.to(accelerator.device)
        self.bank = None if self.bank is None else self.bank.to(accelerator.device)
        self.twins.to(accelerator.device)
        trained = _Trained(self.student, self.lessons)
        optimiser = torch.optim.AdamW(
            self._groups(), lr=self.settings.learning_rate, weight_decay=self.settings.weight_decay
        )
        if self.head is not None and self.head.sampled:
            move_only_touched_rows(optimiser, *self.head.parameters())
        self._trained, self._optimiser = accelerator.prepare(trained, optimiser)
        if self.average is not None:
            self.average.state = {k: v.to(accelerator.device) for k, v in self.average.state.items()}

    def _groups(self) -> list[dict[str, Any]]:
        """What learns, the centres of a head last."""
        groups: list[dict[str, Any]] = [{"params": [w for w in self.student.network.parameters() if w.requires_grad]}]
        if self.lessons.strong is not None:
            groups.append({"params": list(self.lessons.strong.map.to(self.accelerator.device).parameters())})
        centres = [] if self.head is None else list(self.head.to(self.accelerator.device).parameters())
        if centres:
            groups.append({"params": centres, "scale": self.settings.head_rate})
        return groups

    # -- one step ----------------------------------------------------------------------------------------------

    def step(self, batch: AdaptBatch, step: int, total: int) -> Mapping[str, float | Tensor]:
        """Teachers on clean faces, twins, student on both, one step of AdamW."""
        rate = self.settings.learning_rate * warm_cosine(step, total, warm_share=self.settings.warm_share)
        set_learning_rate(self._optimiser, rate)
        if self.settings.curriculum > 0:
            batch = batch._replace(codes=batch.codes * min(1.0, (step + 1) / (self.settings.curriculum * total)))
        images, target, twins = self._prepare(batch)
        embedded, mapped, head_loss = self._trained(images, batch.labels)
        seen = Seen(embedded, mapped, head_loss, target, self._said_by_strong(batch), len(batch.codes))
        found = losses(seen, self.settings, self.bank, headed=self.head is not None)
        self._optimiser.zero_grad(set_to_none=True)
        self.accelerator.backward(found["loss"])
        # Processes that hold other centres would each find another norm, and drift apart.
        clipped = self.student.network if self._sharded else self._trained
        self.accelerator.clip_grad_norm_(clipped.parameters(), self.settings.clip_norm)
        self._optimiser.step()
        if self.average is not None:
            self.average.update(self.student.network.state_dict(), step + 1)
        guided = {"guidance/loss_after": found["ascended"]} if twins.diagnostics else {}
        del found["ascended"]
        told = {name: value.detach() for name, value in (found | guided).items()}
        return {**told, **twins.diagnostics, "learning_rate": rate}

    def _prepare(self, batch: AdaptBatch) -> tuple[Tensor, Tensor | None, Twins]:
        """Images the student will see, the teacher's view of the clean ones, and the twins among them."""
        images = batch.images.contiguous(memory_format=torch.channels_last)
        clean = len(images) - len(batch.codes)
        with torch.no_grad(), self.accelerator.autocast():
            target = self.targets.of(batch.items, images) if self._taught else None
        if len(batch.codes) == 0:
            return images, target, Twins(images[clean:], {})
        twins = self._twins_of(
            TwinRequest(images[clean:], batch.codes, batch.seeds),
            batch.labels[clean:],
            None if target is None else target[clean:],
        )
        seen = torch.cat([images[:clean], twins.images]).contiguous(memory_format=torch.channels_last)
        return seen, target, twins

    def _twins_of(self, request: TwinRequest, labels: Tensor, target: Tensor | None) -> Twins:
        """Twins, the asked share of them guided."""
        count, share = len(request.codes), self.settings.guidance.share
        if share == 1:
            return self.twins(request, self._objective_of(labels, target))
        places = torch.arange(count, device=request.codes.device)
        hunted = ((places + 1) * share).floor() > (places * share).floor()
        rest = self.twins(TwinRequest(*(part[~hunted] for part in request)), None)
        if not bool(hunted.any()):
            return rest
        objective = self._objective_of(labels[hunted], None if target is None else target[hunted])
        found = self.twins(TwinRequest(*(part[hunted] for part in request)), objective)
        images = torch.empty_like(request.images)
        images[hunted], images[~hunted] = found.images, rest.images
        return Twins(images, found.diagnostics)

    def _objective_of(self, labels: Tensor, target: Tensor | None) -> Objective:
        """With a head its loss, else 1 - cos(student, teacher): what the training itself will minimise.

        Twins alone seldom form a triplet, so heads that compare faces of a batch leave the search to the teacher.
        """
        student, head, teacher = self.student, self.head, self.targets.teacher
        if head is not None and head.faces_each > 1 and target is not None:
            head = None
        similarity = None if target is None else lambda images: (teacher.embed(images) * target).sum(1)
        if head is not None and not self.lessons.unlabelled:
            return Objective(lambda images: head(student.raw(images), labels), (student.network, head), similarity)
        if head is not None:
            return Objective(self._mixed_loss(head, labels, target), (student.network, head), similarity)
        if target is None:
            raise LabelError(
                "without a head and without a teacher there is nothing to guide by",
                remedy="give twin_weight or retention_weight a value above 0",
            )
        return Objective(lambda images: apart(student.embed(images), target), (student.network,), similarity)

    def _mixed_loss(self, head: IdentityHead, labels: Tensor, target: Tensor | None) -> Callable[[Tensor], Tensor]:
        """The head's loss of labelled faces, 1 - cos(student, teacher) of the footage's."""

        def per_image(images: Tensor) -> Tensor:
            raw = self.student.raw(images)
            found = head_losses(head, raw, labels)
            return found if target is None else torch.where(labels < 0, apart(unit(raw), target), found)

        return per_image

    def _said_by_strong(self, batch: AdaptBatch) -> Tensor | None:
        if self.strong_targets is None:
            return None
        with torch.no_grad(), self.accelerator.autocast():
            return self.strong_targets.of(batch.items, batch.images)

    # -- keeping -----------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Student, head, map, optimiser, average and what teachers said; teachers and generator never change.

        Where processes share the centres all must call it; what they get is whole, and fits any number of processes.
        """
        head = None if self.head is None else self.head.state_dict()
        optimiser = self._optimiser.state_dict()
        if self._sharded:
            head, optimiser = whole_state(head or {}), _moments_mapped(optimiser, whole_state)
        return {
            "student": self.student.network.state_dict(),
            "head": head,
            "optimiser": optimiser,
            "average": None if self.average is None else self.average.state,
            "map": None if self.lessons.strong is None else self.lessons.strong.map.state_dict(),
            "targets": self.targets.state_dict(),
            "strong targets": None if self.strong_targets is None else self.strong_targets.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""
        self.student.network.load_state_dict(state["student"])
        head, optimiser = state["head"], state["optimiser"]
        if self._sharded:
            head, optimiser = own_state(head), _moments_mapped(optimiser, own_state)
        if self.head is not None:
            self.head.load_state_dict(head)
        if self.lessons.strong is not None:
            self.lessons.strong.map.load_state_dict(state["map"])
        self.targets.load_state_dict(state["targets"])
        if self.strong_targets is not None:
            self.strong_targets.load_state_dict(state["strong targets"])
        self._optimiser.load_state_dict(optimiser)
        if self.average is not None:
            self.average.state = {k: v.to(self.accelerator.device) for k, v in state["average"].items()}

    def adapted(self) -> Recogniser:
        """The student as it stands (its averaged weights where there are any): frozen, on the CPU."""
        result = self.student.frozen_copy().to("cpu")
        if self.average is not None:
            result.network.load_state_dict(self.average.state)
        result = replace(result, network=self.way.finish(result.network).requires_grad_(False))
        for tensor in [*result.network.parameters(), *result.network.buffers()]:
            tensor.data = tensor.data.contiguous()
        return result


class _Trained(nn.Module):
    """All that takes gradients, in one module, so that processes and autocast wrap it as a whole.

    The recogniser inside stays bare: guidance calls it in float32.
    """

    def __init__(self, student: Recogniser, lessons: Lessons) -> None:
        super().__init__()
        self.network, self.head = student.network, lessons.head
        self.map = None if lessons.strong is None else lessons.strong.map
        self._student, self._unlabelled = student, lessons.unlabelled
        if self.head is not None and self.head.sharded:
            # Each process's own; torch's wrapper would send the first one's to all.
            self._ddp_params_and_buffers_to_ignore = [f"head.{name}" for name, _ in self.head.named_parameters()]

    def forward(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """Unit embeddings (B, D), the same in the strong teacher's space, and the head's losses (B,).

        Faces without a label, of the footage, cost the head nothing.
        """
        raw = self._student.raw(images)
        embedded = nn.functional.normalize(raw.float(), eps=1e-6)
        mapped = None if self.map is None else self.map(embedded)
        if self.head is None:
            return embedded, mapped, raw.new_zeros(len(raw))
        return embedded, mapped, head_losses(self.head, raw, labels) if self._unlabelled else self.head(raw, labels)


def _moments_mapped(
    optimiser: dict[str, Any], change: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
) -> dict[str, Any]:
    """The optimiser's state with ``change`` done to that of the centres, the last of its weights."""
    (centres,) = optimiser["param_groups"][-1]["params"]
    states = optimiser["state"]
    return {**optimiser, "state": {**states, centres: change(states[centres])} if centres in states else states}
