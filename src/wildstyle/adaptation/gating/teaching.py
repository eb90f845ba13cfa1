"""A quality taught without any label: how far a face has moved in the recogniser's own space, told from its pixels.

The recogniser itself says how much a degraded face still resembles its clean original (cosine of their embeddings);
the cosine becomes the side in px at which plain shrinking would have done as much harm. A small network learns to read
that from the degraded pixels alone. So quality is measured in what the recogniser needs, not in beauty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from wildstyle.adaptation.batches import AdaptBatch, SourceBatches, StyleRange
from wildstyle.adaptation.gating.effective_size import SizeCurve, size_curve
from wildstyle.adaptation.gating.worse import Worse
from wildstyle.errors import SettingError
from wildstyle.faces.source import FaceSource
from wildstyle.faces.stream import working_batch
from wildstyle.randomness import item_rng
from wildstyle.recognisers import Recogniser
from wildstyle.recognisers.quality import QualityNetwork
from wildstyle.training import Draws, LoopPlan, LoopResult, Progress, processes, set_learning_rate, train, warm_cosine


@dataclass(frozen=True, slots=True, kw_only=True)
class QualitySettings:
    """How the quality is taught.

    Attributes:
        batch: faces of a step, >= 8.
        learning_rate: peak rate of AdamW, > 0.
        curve_faces: clean faces on which the curve of sizes is measured, >= 16.
        tolerance: error in octaves of size above which the loss grows linearly, > 0.
    """

    batch: int = 64
    learning_rate: float = 4e-3
    curve_faces: int = 160
    tolerance: float = 0.5

    def __post_init__(self) -> None:
        if self.batch < 8 or self.curve_faces < 16 or not min(self.learning_rate, self.tolerance) > 0:
            raise SettingError(f"a quality can't be taught with {self}")


@dataclass(frozen=True, slots=True)
class TaughtQuality:
    """What was taught.

    Attributes:
        network: frozen, on the CPU.
        curve: what a cosine is worth.
        loop: steps and seconds.
    """

    network: QualityNetwork
    curve: SizeCurve
    loop: LoopResult


def teach_quality(
    recogniser: Recogniser,
    worse: Worse,
    source: FaceSource,
    settings: QualitySettings,
    folder: Path,
    *,
    plan: LoopPlan,
    on_step: Callable[[Progress], None] | None = None,
) -> TaughtQuality:
    """Teach a small network the quality of faces, as one recogniser needs it.

    Args:
        recogniser: left as it was; its contract says how pictures reach the small network too.
        worse: makes faces of every quality.
        source: clean faces; labels are not used.
        settings: how.
        folder: holds checkpoints; the same call continues what it holds.
        plan: how long; a few hundred steps are enough.
        on_step: called after each step.

    Raises:
        InputError: the recogniser does not mind shrinking at all.
        Interrupted, Diverged, StorageError, SettingError: as ``training.train`` does.
    """
    teacher = recogniser.frozen_copy()
    chosen = np.sort(item_rng(plan.seed, "curve of sizes").permutation(len(source))[: settings.curve_faces])
    faces = working_batch([source.read(int(index)) for index in chosen])
    curve = size_curve(teacher.embed, torch.from_numpy(faces))
    task = QualityTask(teacher, worse, curve, settings, seed=plan.seed)
    rank, world = processes()
    draws = Draws(count=len(source), batch=settings.batch, seed=plan.seed, rank=rank, world=world)
    batches = SourceBatches(source, draws, 1.0, StyleRange(0, 1.0), np.full(len(source), -1, np.int64))
    identity = "; ".join(
        [plan.identity, recogniser.hash, worse.fingerprint(), str(settings), f"{source.name} {len(source)}"]
    )
    result = train(task, batches, replace(plan, identity=identity), Path(folder), on_step=on_step)
    return TaughtQuality(task.taught(), curve, result)


@torch.no_grad()
def log_sizes(quality: nn.Module, recogniser: Recogniser, images: Tensor) -> Tensor:
    """log2 of the effective sizes (N,) of working images (N, 3, S, S) in [0, 1]."""
    parts = [quality(recogniser.contract.normalise(part))[:, 0] for part in torch.split(images, 128)]
    return torch.cat(parts)


def settle(quality: QualityNetwork, found: Tensor) -> None:
    """Note the middle and spread of log2 effective sizes (N,) of the faces that are to be expected."""
    middle = found.median()
    quality.middle.copy_(middle)
    quality.spread.copy_((1.4826 * (found - middle).abs().median()).clamp_min(0.05))


class QualityTask:
    """Teaches a quality; a ``training.Task``.

    Args:
        teacher: frozen.
        worse: makes faces of every quality.
        curve: what a cosine is worth.
        settings: how.
        seed: of the first weights.
    """

    name = "quality"

    def __init__(
        self, teacher: Recogniser, worse: Worse, curve: SizeCurve, settings: QualitySettings, *, seed: int
    ) -> None:
        self.teacher, self.worse, self.curve, self.settings = teacher, worse, curve, settings
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = QualityNetwork()

    def attach(self, accelerator: Accelerator) -> None:
        """Move everything to the accelerator."""
        self.accelerator = accelerator
        self.teacher.network.to(accelerator.device)
        self.worse.to(accelerator.device)
        optimiser = torch.optim.AdamW(self.network.parameters(), lr=self.settings.learning_rate, weight_decay=1e-3)
        self._trained, self._optimiser = accelerator.prepare(self.network, optimiser)

    def step(self, batch: AdaptBatch, step: int, total: int) -> Mapping[str, float | Tensor]:
        """Degrade, ask the recogniser, compare with what the pixels said."""
        set_learning_rate(self._optimiser, self.settings.learning_rate * warm_cosine(step, total, warm_share=0.1))
        with torch.no_grad():
            shown = self.worse(batch.images, batch.seeds)
            cosine = (self.teacher.embed(batch.images) * self.teacher.embed(shown)).sum(1)
            wanted = self.curve.log_size(cosine)
        found = self._trained(self.teacher.contract.normalise(shown))[:, 0]
        loss = nn.functional.smooth_l1_loss(found, wanted, beta=self.settings.tolerance)
        self._optimiser.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self._trained.parameters(), 1.0)
        self._optimiser.step()
        apart = (found.detach() - wanted).abs().mean()
        spread = wanted.std() * found.detach().std()
        along = ((wanted - wanted.mean()) * (found.detach() - found.detach().mean())).mean() / spread.clamp_min(1e-6)
        return {"loss": loss.detach(), "octaves off": apart, "correlation": along, "mean cosine": cosine.mean()}

    def state_dict(self) -> dict[str, Any]:
        """Network and optimiser."""
        return {"network": self.network.state_dict(), "optimiser": self._optimiser.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])

    def taught(self) -> QualityNetwork:
        """The network as it stands, frozen, on the CPU."""
        copy = QualityNetwork()
        copy.load_state_dict({name: tensor.detach().cpu() for name, tensor in self.network.state_dict().items()})
        return copy.eval().requires_grad_(False)
