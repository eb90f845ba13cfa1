"""Sums and gathers over processes; alone, each gives back what it was given."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch import distributed as group

from wildstyle.training import processes


def place() -> tuple[int, int]:
    """(rank, world) of the process group; (0, 1) without one."""
    if group.is_available() and group.is_initialized():
        return group.get_rank(), group.get_world_size()
    return 0, 1


def coming_place() -> tuple[int, int]:
    """``place``, or what it will be once the group is there: heads are built before the loop makes one."""
    if group.is_available() and group.is_initialized():
        return place()
    return processes()


def total(values: Tensor) -> Tensor:
    """Sum over processes, without graph; all must give the same shape."""
    return _reduced(values, "sum")


def largest(values: Tensor) -> Tensor:
    """Largest over processes, without graph; all must give the same shape."""
    return _reduced(values, "max")


def summed(values: Tensor) -> Tensor:
    """Sum over processes. Backwards, the gradients of all processes are summed too."""
    return values if place()[1] == 1 else _Sum.apply(values)  # type: ignore[no-untyped-call]


def gathered(rows: Tensor) -> tuple[Tensor, slice]:
    """Rows of all processes in the order of their ranks, and where this process's are among them.

    Processes may give different numbers of rows. Backwards, each row's gradient is summed over processes: it is the
    gradient of the sum of what they all go back from.

    Args:
        rows: (N, ...).

    Returns:
        (sum of N over processes, ...) and the slice of this process.
    """
    rank, world = place()
    if world == 1:
        return rows, slice(0, len(rows))
    count = torch.tensor([len(rows)], device=rows.device)
    found = [torch.empty_like(count) for _ in range(world)]
    group.all_gather(found, count)
    counts = [int(each) for each in found]
    start = sum(counts[:rank])
    return _Gather.apply(rows, counts), slice(start, start + len(rows))  # type: ignore[no-untyped-call]


def mean_and_deviation(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Number, mean and unbiased standard deviation of the values (N,) of all processes; 0 where there are too few."""
    ones = torch.ones_like(values)
    count, summed_up = total(torch.stack([ones.sum(), values.sum()]))
    mean = summed_up / count.clamp_min(1.0)
    # Squares of differences, in a second round: differences of squares would lose the digits.
    squares = total((values - mean).square().sum())
    return count, mean, (squares / (count - 1.0).clamp_min(1.0)).sqrt()


def _reduced(values: Tensor, how: str) -> Tensor:
    result = values.detach().clone(memory_format=torch.contiguous_format)
    if place()[1] > 1:
        group.all_reduce(result, group.ReduceOp.SUM if how == "sum" else group.ReduceOp.MAX)
    return result


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return total(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return total(gradients[0])


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, counts: list[int]) -> Tensor:
        ctx.counts = counts
        padded = rows.new_zeros(max(counts), *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in counts]
        group.all_gather(parts, padded)
        return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        rank = place()[0]
        start = sum(ctx.counts[:rank])
        return total(gradients[0].contiguous())[start : start + ctx.counts[rank]], None
