"""What a network graph can compute, by name: plain torch functions with JSON-able settings.

Used twice: while a file is read (on shapes alone) and in every forward pass of the network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Kernel = Callable[..., Tensor]

NP_TO_TORCH = {1: torch.float32, 10: torch.float32, 11: torch.float32, 6: torch.int64, 7: torch.int64, 9: torch.bool}
"""ONNX element types this importer knows; all floats become float32, all integers int64."""


def conv(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, pad: list[int], **rest: Any) -> Tensor:
    """Two-dimensional convolution, ``pad`` as left, right, top, bottom; ``rest`` is stride, dilation, groups."""
    return F.conv2d(F.pad(x, pad), weight, bias, **rest)


def gemm(a: Tensor, b: Tensor, c: Tensor | None = None, *, alpha: float, beta: float, trans: list[int]) -> Tensor:
    """``alpha * a' b' + beta * c``."""
    product = alpha * ((a.T if trans[0] else a) @ (b.T if trans[1] else b))
    return product if c is None else product + beta * c


def batch_norm(x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, *, eps: float) -> Tensor:
    """Batch norm with given statistics."""
    return F.batch_norm(x, mean, variance, scale, bias, False, 0.0, eps)


def layer_norm(x: Tensor, scale: Tensor, bias: Tensor | None = None, *, axis: int, eps: float) -> Tensor:
    """Layer norm over the axes from ``axis`` on."""
    return F.layer_norm(x, x.shape[axis:], scale, bias, eps)


def prelu(x: Tensor, slope: Tensor) -> Tensor:
    """``x`` where positive, ``slope * x`` elsewhere, broadcast as ONNX does."""
    return torch.where(x >= 0, x, x * slope)


def divide(a: Tensor, b: Tensor) -> Tensor:
    """Division; of integers towards zero, as ONNX does."""
    if not (a.is_floating_point() or b.is_floating_point()):
        return torch.div(a, b, rounding_mode="trunc")
    return a / b


def reshape(x: Tensor, *, shape: list[int]) -> Tensor:
    """Reshape; one entry may be -1."""
    return x.reshape(shape)


def expand(x: Tensor, *, shape: list[int]) -> Tensor:
    """Two-way broadcast to ``shape``; -1 keeps the size."""
    x = x.reshape([1] * (len(shape) - x.ndim) + list(x.shape)) if x.ndim < len(shape) else x
    padded = [-1] * (x.ndim - len(shape)) + list(shape)
    return x.expand([-1 if wanted == 1 else wanted for wanted in padded])


def concat(*parts: Tensor, axis: int) -> Tensor:
    """Concatenate; a part with a batch of one (a class token) is repeated to the batch of the others."""
    axis = axis % parts[0].ndim
    if axis == 0 or len({part.shape[0] for part in parts}) == 1:
        return torch.cat(parts, axis)
    batch = next(part.shape[0] for part in parts if part.shape[0] != 1)
    return torch.cat([part.expand(batch, *part.shape[1:]) if part.shape[0] == 1 else part for part in parts], axis)


def cut(x: Tensor, *, starts: list[int], ends: list[int], axes: list[int], steps: list[int]) -> Tensor:
    """Slice with positive steps."""
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        where = [slice(None)] * (axis % x.ndim) + [slice(start, None if end >= 2**31 else end, step)]
        x = x[tuple(where)]
    return x


def gather(x: Tensor, index: Tensor, *, axis: int) -> Tensor:
    """Entries of one axis by an integer array of any shape."""
    axis = axis % x.ndim
    size = x.shape[axis]
    flat = torch.where(index < 0, index + size, index).reshape(-1)
    return x.index_select(axis, flat).reshape([*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]])


def pool_average(x: Tensor, *, kernel: list[int], stride: list[int], pad: list[int], **rest: bool) -> Tensor:
    """Average pooling; symmetric padding."""
    return F.avg_pool2d(x, kernel, stride, pad, rest["ceil"], rest["count_pad"])


def pool_max(x: Tensor, *, kernel: list[int], stride: list[int], pad: list[int], ceil: bool) -> Tensor:
    """Max pooling; symmetric padding."""
    return F.max_pool2d(x, kernel, stride, pad, ceil_mode=ceil)


def softmax_from(x: Tensor, *, axis: int) -> Tensor:
    """Softmax over all axes from ``axis`` on together (before opset 13)."""
    return torch.softmax(x.flatten(axis), -1).reshape(x.shape)


def reduce(x: Tensor, *, how: str, axes: list[int], keep: bool) -> Tensor:
    """Mean, sum, largest, smallest or Euclidean length over ``axes``; no axes: all."""
    axes = axes or list(range(x.ndim))
    return _REDUCTIONS[how](x, axes, keep)


_REDUCTIONS: dict[str, Callable[[Tensor, list[int], bool], Tensor]] = {
    "l2": lambda x, axes, keep: torch.linalg.vector_norm(x, 2, axes, keep),
    "mean": lambda x, axes, keep: x.mean(axes, keep),
    "sum": lambda x, axes, keep: x.sum(axes, keep),
    "max": lambda x, axes, keep: x.amax(axes, keep),
    "min": lambda x, axes, keep: x.amin(axes, keep),
}


def running_sum(x: Tensor, *, axis: int) -> Tensor:
    """Inclusive running sum along ``axis``."""
    return x.cumsum(axis)


def filled(*, shape: list[int], value: float, kind: int) -> Tensor:
    """A tensor of one value; ``kind`` is an ONNX element type."""
    return torch.full(shape, value, dtype=NP_TO_TORCH[kind])


KERNELS: dict[str, Kernel] = {
    "abs": torch.abs,
    "add": torch.add,
    "add_scalar": lambda x, *, value: x + value,
    "and": torch.logical_and,
    "batch_norm": batch_norm,
    "cast": lambda x, *, kind: x.to(NP_TO_TORCH[kind]),
    "ceil": torch.ceil,
    "clamp": lambda x, *, low, high: x.clamp(low, high),
    "concat": concat,
    "conv": conv,
    "cos": torch.cos,
    "div": divide,
    "div_scalar": lambda x, *, value: x / value,
    "einsum": lambda *xs, equation: torch.einsum(equation, *xs),
    "elu": lambda x, *, alpha: F.elu(x, alpha),
    "equal": torch.eq,
    "erf": torch.erf,
    "exp": torch.exp,
    "expand": expand,
    "filled": filled,
    "floor": torch.floor,
    "gather": gather,
    "gelu": lambda x, *, approximate: F.gelu(x, approximate=approximate),
    "gemm": gemm,
    "greater": torch.gt,
    "hard_sigmoid": lambda x, *, alpha, beta: (alpha * x + beta).clamp(0, 1),
    "hard_swish": F.hardswish,
    "identity": lambda x: x,
    "instance_norm": lambda x, scale, bias, *, eps: F.instance_norm(x, weight=scale, bias=bias, eps=eps),
    "layer_norm": layer_norm,
    "leaky_relu": lambda x, *, slope: F.leaky_relu(x, slope),
    "less": torch.lt,
    "log": torch.log,
    "lp_normalise": lambda x, *, p, axis: x / torch.linalg.vector_norm(x, p, axis, keepdim=True).clamp_min(1e-12),
    "matmul": torch.matmul,
    "max": torch.maximum,
    "min": torch.minimum,
    "mul": torch.mul,
    "mul_scalar": lambda x, *, value: x * value,
    "neg": torch.neg,
    "not": torch.logical_not,
    "or": torch.logical_or,
    "pad": lambda x, *, pads, mode, value: F.pad(x, pads, mode, value) if mode == "constant" else F.pad(x, pads, mode),
    "pool_average": pool_average,
    "pool_max": pool_max,
    "pow": torch.pow,
    "pow_scalar": lambda x, *, value: x**value,
    "prelu": prelu,
    "range": lambda start, end, step: torch.arange(start.item(), end.item(), step.item()),
    "reciprocal": torch.reciprocal,
    "reduce": reduce,
    "relu": torch.relu,
    "relu6": F.relu6,
    "reshape": reshape,
    "running_sum": running_sum,
    "shape": lambda x, *, start, end: torch.tensor(list(x.shape)[start:end], dtype=torch.int64),
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "sin": torch.sin,
    "slice": cut,
    "softmax": lambda x, *, axis: torch.softmax(x, axis),
    "softmax_from": softmax_from,
    "softplus": F.softplus,
    "sqrt": torch.sqrt,
    "sub": torch.sub,
    "sub_scalar": lambda x, *, value: x - value,
    "tanh": torch.tanh,
    "tile": lambda x, *, repeats: x.repeat(repeats),
    "transpose": lambda x, *, order: x.permute(order),
    "where": torch.where,
}
