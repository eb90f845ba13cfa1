"""The published losses and schedule of the generator, one step at a time.

CFSM (arXiv 2207.10180) and its code: synthesis and reconstruction take turns, the discriminator learns after each,
Adam at 1e-4 without decay or average. Repaired only where it could not run (see ``networks``); the identity network
is frozen, which changes no figure and saves what was wasted on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from wildstyle.randomness import item_rng
from wildstyle.recognisers import Recogniser
from wildstyle.synthesis.kinds.released.networks import AXES, MAX_MAGNITUDE, ReleasedDiscriminator, ReleasedGenerator
from wildstyle.synthesis.task import FitBatch
from wildstyle.training import processes

LEARNING_RATE = 1e-4
IDENTITY_WEIGHT = 8.0
IDENTITY_AT_ZERO, IDENTITY_AT_MAX = 0.05, 0.65


def wanted_distance(magnitude: Tensor) -> Tensor:
    """Published target of the identity distance, 0.05 + 0.1 a, of magnitudes (N,)."""
    return IDENTITY_AT_ZERO + magnitude * (IDENTITY_AT_MAX - IDENTITY_AT_ZERO) / MAX_MAGNITUDE


class ReleasedTask:
    """Fits a released generator; a ``Task`` of the training loop.

    Args:
        generator: trained in place; there is no average.
        identity: frozen recogniser.
        seed: of the style codes.
        identity_weight: 8 at first; the published run lowers it to 5 and 2 by hand.
    """

    name = "fit-released"

    def __init__(
        self,
        generator: ReleasedGenerator,
        identity: Recogniser,
        *,
        seed: int = 0,
        identity_weight: float = IDENTITY_WEIGHT,
    ) -> None:
        self.identity, self.seed, self.identity_weight = identity, seed, identity_weight
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.critic: nn.Module = ReleasedDiscriminator()
        self.plain = generator
        self.generator: nn.Module = generator
        betas = (0.5, 0.999)
        self.maker = torch.optim.Adam(generator.parameters(), lr=LEARNING_RATE, betas=betas)
        self.judge = torch.optim.Adam(self.critic.parameters(), lr=LEARNING_RATE, betas=betas)
        self.accelerator: Accelerator | None = None

    @property
    def averaged(self) -> ReleasedGenerator:
        """The generator to keep; published without an average."""
        return self.plain

    def attach(self, accelerator: Accelerator) -> None:
        """Move everything to the accelerator's device."""
        self.accelerator = accelerator
        self.generator, self.critic, self.maker, self.judge = accelerator.prepare(
            self.generator, self.critic, self.maker, self.judge
        )
        self.identity = self.identity.to(accelerator.device)

    def step(self, batch: FitBatch, step: int, total: int) -> Mapping[str, float | Tensor]:
        """One update of the generator, by turns of either kind, and one of the discriminator."""
        if step % 2 == 0:
            made, values = self._synthesise(batch, self._codes(len(batch.images), step).to(batch.images.device))
        else:
            made, values = self._reconstruct(batch)
        return values | self._teach_critic(batch, made)

    def _codes(self, count: int, step: int) -> Tensor:
        rng = item_rng(self.seed, "released", step, processes()[0])
        return torch.from_numpy(rng.standard_normal((count, AXES)).astype("float32"))

    def _synthesise(self, batch: FitBatch, code: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        made = self.generator(batch.images, code, batch.seed)
        scores = self.critic(2.0 * made - 1.0)
        adversarial = torch.stack([(score - 1.0).square().mean() for score in scores]).sum()
        with torch.no_grad():
            anchor = self.identity.embed(batch.images)
        distance = 1.0 - (anchor * self.identity.embed(made)).sum(dim=1)
        identity = (distance - wanted_distance(code.norm(dim=1))).square().mean()
        straight = self.plain.orthonormality()
        self._update(self.maker, adversarial + self.identity_weight * identity + straight)
        return made, {"adversarial": adversarial.detach(), "identity": identity.detach()}

    def _reconstruct(self, batch: FitBatch) -> tuple[Tensor, dict[str, Tensor]]:
        code = torch.zeros(len(batch.images), AXES, device=batch.images.device)
        made = self.generator(batch.images, code, batch.seed)
        # Published in the range [-1, 1], where differences are twice as large.
        miss = 2.0 * (made - batch.images).abs().mean()
        self._update(self.maker, miss + self.plain.orthonormality())
        return made, {"reconstruction": miss.detach()}

    def _teach_critic(self, batch: FitBatch, made: Tensor) -> dict[str, Tensor]:
        real, fake = self.critic(2.0 * batch.target - 1.0), self.critic(2.0 * made.detach() - 1.0)
        loss = torch.stack([(r - 1.0).square().mean() + f.square().mean() for r, f in zip(real, fake, strict=True)])
        self._update(self.judge, loss.sum())
        return {"critic": loss.sum().detach()}

    def _update(self, optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
        if self.accelerator is None:
            raise RuntimeError("attach the task to an accelerator before its first step")
        # Gradients that the other side's loss has left are dropped here.
        optimiser.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        optimiser.step()

    def state_dict(self) -> dict[str, Any]:
        """Weights and optimiser states."""
        return {
            "generator": self._unwrapped(self.generator).state_dict(),
            "critic": self._unwrapped(self.critic).state_dict(),
            "maker": self.maker.state_dict(),
            "judge": self.judge.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""
        for name in ("generator", "critic"):
            self._unwrapped(getattr(self, name)).load_state_dict(state[name])
        self.maker.load_state_dict(state["maker"])
        self.judge.load_state_dict(state["judge"])

    def _unwrapped(self, module: nn.Module) -> nn.Module:
        if self.accelerator is None:
            return module
        return cast(nn.Module, self.accelerator.unwrap_model(module))
