"""An optimiser step for the rows of a matrix that have a gradient, and for no other."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def move_only_touched_rows(optimiser: torch.optim.Optimizer, weights: nn.Parameter) -> None:
    """From now on, steps of ``optimiser`` leave rows of ``weights`` without gradient as they are.

    Momentum and weight decay would move them otherwise. Their moments stay as they are too, and a step costs only the
    rows that take part. Any optimiser that treats entries alike will do: SGD, Adam, AdamW.

    Args:
        optimiser: ``weights`` is one of its parameters.
        weights: (C, D). A row whose gradient is zero in all entries counts as not touched.
    """
    guard = _Guard(weights)
    optimiser.register_step_pre_hook(lambda stepping, *_: guard.narrow(stepping))
    optimiser.register_step_post_hook(lambda stepping, *_: guard.widen(stepping))


class _Guard:
    """Puts the touched rows in the weights' place while the optimiser steps."""

    def __init__(self, weights: nn.Parameter) -> None:
        self.weights = weights
        self.touched: Tensor | None = None

    @torch.no_grad()
    def narrow(self, optimiser: torch.optim.Optimizer) -> None:
        self.touched = None
        if self.weights.grad is None:
            return
        touched = (self.weights.grad != 0).any(dim=1)
        if touched.all():
            return
        self.touched = touched.nonzero().flatten()
        self.values, self.gradient = self.weights.data, self.weights.grad
        state = optimiser.state[self.weights]
        self.moments = {name: value for name, value in state.items() if _alike(value, self.values)}
        state.update({name: value[self.touched] for name, value in self.moments.items()})
        self.weights.grad = None
        self.weights.data = self.values[self.touched]
        # Without a row there is no gradient, and the optimiser passes the weights over.
        self.weights.grad = self.gradient[self.touched] if len(self.touched) else None

    @torch.no_grad()
    def widen(self, optimiser: torch.optim.Optimizer) -> None:
        if self.touched is None:
            return
        state = optimiser.state[self.weights]
        for name, value in state.items():
            if _alike(value, self.weights.data):
                whole = self.moments.get(name, torch.zeros_like(self.values))
                state[name] = whole.index_copy_(0, self.touched, value)
        self.values.index_copy_(0, self.touched, self.weights.data)
        self.weights.grad = None
        self.weights.data = self.values
        self.weights.grad = self.gradient
        self.touched = None


def _alike(value: Any, weights: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == weights.shape
