"""Learning rate as a pure function of (step, total): nothing to store, nothing to resume."""

from __future__ import annotations

import math

from torch.optim import Optimizer


def warm_cosine(step: int, total: int, *, warm_share: float = 0.05, floor: float = 0.0) -> float:
    """Factor of the peak learning rate: linear warm-up, then half a cosine (SGDR, arXiv 1608.03983, no restart).

    Args:
        step: 0-based step; beyond ``total`` the factor stays at ``floor``.
        total: steps of the whole run.
        warm_share: share of the run that warms up, in [0, 1).
        floor: factor at the end, in [0, 1].

    Returns:
        A factor in (0, 1] during the run; never 0 at step 0, so no step is wasted.
    """
    warm = round(total * warm_share)
    if step < warm:
        return (step + 1) / (warm + 1)
    progress = min(1.0, (step - warm) / max(1, total - warm))
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * progress))


def set_learning_rate(optimiser: Optimizer, rate: float) -> None:
    """Give every parameter group ``rate`` times its own ``"scale"`` (1 where it has none)."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group.get("scale", 1.0)
