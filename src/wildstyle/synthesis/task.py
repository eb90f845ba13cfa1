"""One step of the fit: the discriminator learns, then the generator."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from wildstyle.recognisers import Recogniser
from wildstyle.synthesis.codes import magnitude_of
from wildstyle.synthesis.discriminator import Discriminator
from wildstyle.synthesis.distances import energy_distance, nearest_distance, spread
from wildstyle.synthesis.interface import StyleGenerator
from wildstyle.synthesis.losses import (
    DirectionReader,
    critic_loss,
    direction_loss,
    fooling_loss,
    identity_distance,
    identity_miss,
    identity_target,
    residual_size,
    target_weight,
)
from wildstyle.synthesis.settings import FitSettings
from wildstyle.synthesis.statistics import STATISTICS, style_statistics
from wildstyle.synthesis.window import inner_face, picture_mask
from wildstyle.training import set_learning_rate, warm_cosine


class FitBatch(NamedTuple):
    """One step's data.

    Attributes:
        images: (N, 3, S, S) source faces in [0, 1].
        target: (N, 3, S, S) target faces in [0, 1].
        code: (N, K) float32.
        seed: (N,) int64.
        face: (N,) int64, which source faces they are.
        shift: (2,) int64, where the discriminator's window lies in this step, px down and right.
    """

    images: Tensor
    target: Tensor
    code: Tensor
    seed: Tensor
    face: Tensor
    shift: Tensor


class StyleScale(NamedTuple):
    """Standardisation of style statistics and the target's standardised statistics.

    Attributes:
        mean: (F,).
        whitening: (F, F).
        target: (M, F) standardised.
    """

    mean: Tensor
    whitening: Tensor
    target: Tensor

    def standard(self, statistics: Tensor) -> Tensor:
        """Standardise (N, F)."""
        return (statistics - self.mean) @ self.whitening


class SynthesisTask:
    """Fits a generator to a target; a ``Task`` of the training loop.

    Args:
        generator: trained in place, as far as its parameters require gradients; ``averaged`` is the one to keep.
        identity: frozen recogniser that measures identity.
        settings: weights and rates.
        scale: style statistics of the target.
    """

    name = "fit"

    def __init__(
        self, generator: StyleGenerator, identity: Recogniser, settings: FitSettings, scale: StyleScale
    ) -> None:
        self.settings, self.scale, self.identity = settings, scale, identity
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.critic: nn.Module = Discriminator()
            self.reader: nn.Module = DirectionReader(generator.axes, len(STATISTICS))
        self.generator: nn.Module = _Parts(generator)
        self.averaged = copy.deepcopy(generator).requires_grad_(False)
        self.max_magnitude = generator.max_magnitude
        learning = [*(p for p in generator.parameters() if p.requires_grad), *self.reader.parameters()]
        self.maker = torch.optim.Adam(learning, lr=settings.learning_rate, betas=(0.5, 0.99))
        self.judge = torch.optim.Adam(self.critic.parameters(), lr=settings.critic_rate, betas=(0.5, 0.99))
        self.accelerator: Accelerator | None = None
        self._anchors: dict[int, Tensor] = {}
        self._spread: Tensor | None = None

    def attach(self, accelerator: Accelerator) -> None:
        """Move everything to the accelerator's device."""
        self.accelerator = accelerator
        self.generator, self.critic, self.reader, self.maker, self.judge = accelerator.prepare(
            self.generator, self.critic, self.reader, self.maker, self.judge
        )
        self.averaged.to(accelerator.device)
        self.identity = self.identity.to(accelerator.device)
        self.scale = StyleScale(*(part.to(accelerator.device) for part in self.scale))

    def step(self, batch: FitBatch, step: int, total: int) -> Mapping[str, float | Tensor]:
        """One update of the discriminator and one of the generator."""
        factor = warm_cosine(step, total, warm_share=0.03, floor=0.02)
        set_learning_rate(cast(torch.optim.Optimizer, self.maker), self.settings.learning_rate * factor)
        set_learning_rate(cast(torch.optim.Optimizer, self.judge), self.settings.critic_rate * factor)
        weight = target_weight(magnitude_of(batch.code), self.settings.like_target)
        parts = self.generator(batch.images, batch.code, batch.seed)
        pair = _Pair(batch)
        values = self._teach_critic(pair, parts[0], weight)
        values |= self._teach_generator(batch, pair, parts, weight)
        self._average(step)
        return values

    def _teach_critic(self, pair: _Pair, made: Tensor, weight: Tensor) -> dict[str, Tensor]:
        real, fake = self.critic(pair.real), self.critic(pair.seen(made.detach()))
        loss = critic_loss(real, fake, weight)
        self._update(self.judge, loss)
        return {"critic": loss.detach(), "score_gap": (real.mean() - fake.mean()).detach()}

    def _teach_generator(
        self, batch: FitBatch, pair: _Pair, parts: tuple[Tensor, Tensor, Tensor], weight: Tensor
    ) -> dict[str, Tensor]:
        made, added, lean = parts
        weights = self.settings.weights
        standard = self.scale.standard(style_statistics(made, pair.mask))
        # Where nothing is held back both are one tensor, and one look is enough.
        seen = standard if lean is made else self.scale.standard(style_statistics(lean, pair.mask))
        change = seen - self.scale.standard(style_statistics(batch.images, pair.mask))
        first = max(1, round(len(made) * self.settings.identity_share))
        self.critic.requires_grad_(False)
        terms = {
            "statistics": energy_distance(standard, weight, self.scale.target) - self._floor(),
            "support": nearest_distance(standard, weight, self.scale.target),
            "adversarial": fooling_loss(self.critic(pair.seen(made)), weight),
            "direction": direction_loss(self.reader(batch.images, lean, change), batch.code),
            "identity": self._identity_miss(batch, lean[:first]),
            "residual": residual_size(added),
        }
        loss = sum(getattr(weights, name) * term for name, term in terms.items())
        self._update(self.maker, loss)
        self.critic.requires_grad_(True)
        return {name: term.detach() for name, term in terms.items()}

    def _floor(self) -> Tensor:
        """The target's own spread, which makes the energy distance about 0 where nothing is left to learn."""
        if self._spread is None:
            self._spread = spread(self.scale.target)
        return self._spread

    def _identity_miss(self, batch: FitBatch, measured: Tensor) -> Tensor:
        count = len(measured)
        wanted = identity_target(magnitude_of(batch.code[:count]), self.settings.identity_at_max, self.max_magnitude)
        distance = identity_distance(self._anchor(batch, count), self.identity.embed(measured))
        return identity_miss(distance, wanted)

    def _anchor(self, batch: FitBatch, count: int) -> Tensor:
        """Embeddings of the first ``count`` source faces, each computed once."""
        wanted = batch.face[:count].tolist()
        missing = [row for row, index in enumerate(wanted) if index not in self._anchors]
        if missing:
            with torch.no_grad():
                fresh = self.identity.embed(batch.images[missing])
            self._anchors.update(zip((wanted[row] for row in missing), fresh, strict=True))
        return torch.stack([self._anchors[index] for index in wanted])

    def _update(self, optimiser: torch.optim.Optimizer, loss: Any) -> None:
        accelerator = self._attached()
        optimiser.zero_grad(set_to_none=True)
        accelerator.backward(loss)
        optimiser.step()

    @torch.no_grad()
    def _average(self, step: int) -> None:
        decay = min(self.settings.average, (1 + step) / (10 + step))
        for kept, new in zip(self.averaged.parameters(), self._plain(self.generator).parameters(), strict=True):
            kept.lerp_(new, 1.0 - decay)

    def _plain(self, module: nn.Module) -> nn.Module:
        return cast(nn.Module, self._attached().unwrap_model(module))

    def _attached(self) -> Accelerator:
        if self.accelerator is None:
            raise RuntimeError("attach the task to an accelerator before its first step")
        return self.accelerator

    def state_dict(self) -> dict[str, Any]:
        """Weights, averages and optimiser states."""
        return {
            "generator": self._plain(self.generator).state_dict(),
            "averaged": self.averaged.state_dict(),
            "critic": self._plain(self.critic).state_dict(),
            "reader": self._plain(self.reader).state_dict(),
            "maker": self.maker.state_dict(),
            "judge": self.judge.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""
        for name in ("generator", "critic", "reader"):
            self._plain(getattr(self, name)).load_state_dict(state[name])
        self.averaged.load_state_dict(state["averaged"])
        self.maker.load_state_dict(state["maker"])
        self.judge.load_state_dict(state["judge"])


class _Parts(nn.Module):
    """The generator as the loop wraps it."""

    def __init__(self, generator: StyleGenerator) -> None:
        super().__init__()
        self.inner = generator

    def forward(self, images: Tensor, code: Tensor, seed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.inner.parts_for_fit(images, code, seed)


class _Pair:
    """How the discriminator sees faces: inner faces, both sides grey outside both pictures."""

    def __init__(self, batch: FitBatch) -> None:
        self.shift = (int(batch.shift[0]), int(batch.shift[1]))
        self.mask = picture_mask(batch.images)
        self.common = inner_face(self.mask * picture_mask(batch.target), self.shift)
        self.real = self.seen(batch.target)

    def seen(self, images: Tensor) -> Tensor:
        return 0.5 + (inner_face(images, self.shift) - 0.5) * self.common
