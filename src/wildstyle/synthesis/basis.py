"""The style space: one per generator, with a small linear subspace for every target.

After CFSM (Liu et al., ECCV 2022, arXiv 2207.10180): w = o U + mu. There, U is pulled towards orthonormal rows by
a weak penalty; here its rows are orthonormal by construction, so that the length of a code is a distance.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wildstyle.errors import SettingError

_COMMON_START = 20220710


def orthonormal_rows(free: Tensor) -> Tensor:
    """The rows of ``free`` made orthonormal in their order; differentiable.

    QR with the sign rule diag(R) > 0, which makes the factorisation unique.

    Args:
        free: (K, D) float, full row rank, K <= D.

    Returns:
        (K, D) with U Uᵀ = I; row k lies in the span of the first k rows of ``free``, on its own row's side.
    """
    q, r = torch.linalg.qr(free.T, mode="reduced")
    sign = torch.where(torch.diagonal(r) < 0, -1.0, 1.0).to(free.dtype)
    rows: Tensor = (q * sign).T
    return rows


class StyleBasis(nn.Module):
    """Per target a basis U_k with orthonormal rows and a mean mu_k; style w = o U_k + mu_k.

    All targets start from the same U and from mu = 0, in every run: what differs afterwards was learned.

    Args:
        axes: K, style axes of a target.
        size: D, length of a style; at least K.
        targets: names of the targets, at least one, all different.

    Raises:
        SettingError: no target, a name twice, or more axes than the space has dimensions.
    """

    def __init__(self, axes: int, size: int, targets: Sequence[str]) -> None:
        super().__init__()
        if not targets or len(set(targets)) != len(targets):
            raise SettingError(f"targets {list(targets)} must be at least one name, each once")
        if not 1 <= axes <= size:
            raise SettingError(f"{axes} style axes don't fit a style space of {size} dimensions")
        self.targets = tuple(targets)
        start = torch.randn(axes, size, generator=torch.Generator().manual_seed(_COMMON_START))
        start = orthonormal_rows(start)
        self.free = nn.ParameterList(nn.Parameter(start.clone()) for _ in targets)
        self.mean = nn.ParameterList(nn.Parameter(torch.zeros(size)) for _ in targets)

    def place(self, target: str | None) -> int:
        """Position of a target; None is the first.

        Raises:
            SettingError: there is no target of that name.
        """
        if target is None:
            return 0
        if target not in self.targets:
            raise SettingError(f"target {target!r} is unknown", remedy=f"use one of {', '.join(self.targets)}")
        return self.targets.index(target)

    def axes(self, target: str | None = None) -> Tensor:
        """U of a target, (K, D), rows orthonormal."""
        return orthonormal_rows(self.free[self.place(target)])

    def forward(self, code: Tensor, target: str | None = None) -> Tensor:
        """Styles (N, D) of codes (N, K)."""
        style: Tensor = code @ self.axes(target) + self.mean[self.place(target)]
        return style
