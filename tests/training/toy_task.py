"""A task small enough to run hundreds of times: two layers, batch norm, dropout."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from wildstyle.randomness import item_rng
from wildstyle.training import Draws, set_learning_rate, warm_cosine

Batch = dict[str, Tensor]


def batches(draws: Draws) -> Callable[[int], Batch]:
    """Item i is a fixed point; its target a fixed function of it."""

    def make(step: int) -> Batch:
        rows = np.stack([item_rng(7, "point", d.index).normal(size=6) for d in draws(step)]).astype(np.float32)
        points = torch.from_numpy(rows)
        return {"x": points, "y": points.sin().sum(1, keepdim=True)}

    return make


class ToyTask:
    name = "toy"

    def __init__(self, optimiser: str = "sgd", *, dropout: float = 0.2, norm: bool = True) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(3)
            layers = [nn.Linear(6, 8), nn.BatchNorm1d(8) if norm else nn.Identity(), nn.ReLU(), nn.Dropout(dropout)]
            self.net = nn.Sequential(*layers, nn.Linear(8, 1))
        self.optimiser: Any = (
            torch.optim.SGD(self.net.parameters(), lr=0.1, momentum=0.9)
            if optimiser == "sgd"
            else torch.optim.AdamW(self.net.parameters(), lr=0.01)
        )
        self.before_step: Callable[[int], None] = lambda step: None
        self.poison_at = -1
        self.rates: list[float] = []

    def attach(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self.net, self.optimiser = accelerator.prepare(self.net, self.optimiser)

    def step(self, batch: Batch, step: int, total: int) -> Mapping[str, float | Tensor]:
        self.before_step(step)
        rate = 0.05 * warm_cosine(step, total)
        self.rates.append(rate)
        set_learning_rate(self.optimiser, rate)
        loss = (self.net(batch["x"]) - batch["y"]).square().mean()
        if step == self.poison_at:
            loss = loss * float("nan")
        self.optimiser.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        self.optimiser.step()
        return {"loss": loss.detach(), "rate": rate}

    def state_dict(self) -> dict[str, Any]:
        return {
            "net": self.accelerator.unwrap_model(self.net).state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.accelerator.unwrap_model(self.net).load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])

    def weights(self) -> list[Tensor]:
        return [v.clone() for v in self.accelerator.unwrap_model(self.net).state_dict().values()]


def press_ctrl_c(times: int = 1) -> None:
    for _ in range(times):
        os.kill(os.getpid(), signal.SIGINT)
