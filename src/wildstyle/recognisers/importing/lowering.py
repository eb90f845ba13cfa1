"""One ONNX node to one or more kernels with plain settings (operator set versions 9 to 20).

A rule sees the node and the values of its inputs, as far as they are known before any image is; it
turns inputs that are really settings (a shape, axes, clip limits) into settings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from wildstyle.recognisers.importing import shape_rules
from wildstyle.recognisers.importing.kernels import NP_TO_TORCH
from wildstyle.recognisers.importing.nodes import Lowered, OnnxNode, Rule, Values, axes_of, integers, known, refuse


def supported_operators() -> frozenset[str]:
    """Names of the ONNX operators the importer reads."""
    return frozenset(_RULES) | {"Constant"}


def lower(node: OnnxNode, values: Values) -> list[Lowered]:
    """Kernels that compute the node's outputs, one an output.

    Raises:
        ImportRefused: the node is used in a way the importer doesn't know.
    """
    return _RULES[node.op](node, values)


def _given(node: OnnxNode, values: Values) -> tuple[int, ...]:
    return tuple(i for i, value in enumerate(values) if value is not None)


def _plain(kernel: str) -> Rule:
    return lambda node, values: [Lowered(kernel, _given(node, values))]


def _first(kernel: str, **settings: tuple[str, Any]) -> Rule:
    """Only the first input is a tensor; ``settings`` maps a setting to (attribute, default)."""

    def rule(node: OnnxNode, values: Values) -> list[Lowered]:
        chosen = {key: node.attributes.get(name, default) for key, (name, default) in settings.items()}
        return [Lowered(kernel, (0,), chosen)]

    return rule


def _window(node: OnnxNode, size: Sequence[int], kernel: Sequence[int]) -> tuple[list[int], list[int]]:
    """Stride and padding (left, right, top, bottom) of a convolution or pooling."""
    if len(kernel) != 2:
        raise refuse(node, f"only two-dimensional windows are read, this one has {len(kernel)} axes")
    stride = list(node.attributes.get("strides", [1, 1]))
    dilation = list(node.attributes.get("dilations", [1, 1]))
    automatic = node.attributes.get("auto_pad", "NOTSET")
    if automatic.startswith("SAME"):
        total = [
            max((math.ceil(s / t) - 1) * t + (k - 1) * d + 1 - s, 0)
            for s, t, k, d in zip(size, stride, kernel, dilation, strict=True)
        ]
        small = [t // 2 for t in total]
        large = [t - s for t, s in zip(total, small, strict=True)]
        first, last = (small, large) if automatic == "SAME_UPPER" else (large, small)
        return stride, [first[1], last[1], first[0], last[0]]
    top, left, bottom, right = node.attributes.get("pads", [0, 0, 0, 0])
    return stride, [left, right, top, bottom]


def _conv(node: OnnxNode, values: Values) -> list[Lowered]:
    kernel = list(known(node, values, 1).shape[2:])
    stride, pad = _window(node, known(node, values).shape[2:], kernel)
    settings = {
        "pad": pad,
        "stride": stride,
        "dilation": list(node.attributes.get("dilations", [1, 1])),
        "groups": int(node.attributes.get("group", 1)),
    }
    return [Lowered("conv", _given(node, values), settings)]


def _pool(node: OnnxNode, values: Values) -> list[Lowered]:
    kernel = list(node.attributes["kernel_shape"])
    stride, pad = _window(node, known(node, values).shape[2:], kernel)
    if pad[0] != pad[1] or pad[2] != pad[3] or max(node.attributes.get("dilations", [1])) > 1:
        raise refuse(node, "uneven padding or dilation in pooling")
    settings: dict[str, Any] = {"kernel": kernel, "stride": stride, "pad": [pad[2], pad[0]]}
    settings["ceil"] = bool(node.attributes.get("ceil_mode", 0))
    if node.op == "MaxPool":
        return [Lowered("pool_max", (0,), settings)]
    settings["count_pad"] = bool(node.attributes.get("count_include_pad", 0))
    return [Lowered("pool_average", (0,), settings)]


def _global_pool(node: OnnxNode, values: Values) -> list[Lowered]:
    axes = list(range(2, known(node, values).ndim))
    how = "mean" if node.op == "GlobalAveragePool" else "max"
    return [Lowered("reduce", (0,), {"how": how, "axes": axes, "keep": True})]


def _gemm(node: OnnxNode, values: Values) -> list[Lowered]:
    attributes = node.attributes
    settings = {
        "alpha": float(attributes.get("alpha", 1.0)),
        "beta": float(attributes.get("beta", 1.0)),
        "trans": [int(attributes.get("transA", 0)), int(attributes.get("transB", 0))],
    }
    return [Lowered("gemm", _given(node, values), settings)]


def _batch_norm(node: OnnxNode, values: Values) -> list[Lowered]:
    return [Lowered("batch_norm", (0, 1, 2, 3, 4), {"eps": float(node.attributes.get("epsilon", 1e-5))})]


def _layer_norm(node: OnnxNode, values: Values) -> list[Lowered]:
    settings = {"axis": int(node.attributes.get("axis", -1)), "eps": float(node.attributes.get("epsilon", 1e-5))}
    return [Lowered("layer_norm", _given(node, values), settings)]


def _clip(node: OnnxNode, values: Values) -> list[Lowered]:
    limits: list[float | None] = []
    for position, name in ((1, "min"), (2, "max")):
        if name in node.attributes:
            limits.append(float(node.attributes[name]))
            continue
        value = values[position] if position < len(values) else None
        if value is not None and value.is_meta:
            raise refuse(node, "a clip limit depends on the picture")
        limits.append(None if value is None else float(value))
    if limits == [0.0, 6.0]:
        return [Lowered("relu6", (0,))]
    if limits == [0.0, None]:
        return [Lowered("relu", (0,))]
    return [Lowered("clamp", (0,), {"low": limits[0], "high": limits[1]})]


def _reduce(how: str) -> Rule:
    def rule(node: OnnxNode, values: Values) -> list[Lowered]:
        axes = axes_of(node, values, 1) or []
        if not axes and node.attributes.get("noop_with_empty_axes", 0):
            return [Lowered("identity", (0,))]
        return [Lowered("reduce", (0,), {"how": how, "axes": axes, "keep": bool(node.attributes.get("keepdims", 1))})]

    return rule


def _softmax(node: OnnxNode, values: Values) -> list[Lowered]:
    rank = known(node, values).ndim
    axis = int(node.attributes.get("axis", -1 if node.opset >= 13 else 1))
    together = node.opset < 13 and axis % rank != rank - 1
    return [Lowered("softmax_from" if together else "softmax", (0,), {"axis": axis})]


def _cast(node: OnnxNode, values: Values) -> list[Lowered]:
    kind = int(node.attributes["to"])
    if kind not in NP_TO_TORCH:
        raise refuse(node, f"a cast to element type {kind}")
    return [Lowered("cast", (0,), {"kind": kind})]


def _filled(node: OnnxNode, values: Values) -> list[Lowered]:
    value = node.attributes.get("value", torch.zeros(1))
    kind = 9 if value.dtype == torch.bool else 1 if value.is_floating_point() else 7
    return [
        Lowered("filled", (), {"shape": integers(node, values, 0, "a shape"), "value": value.item(), "kind": kind}),
    ]


def _cumsum(node: OnnxNode, values: Values) -> list[Lowered]:
    axes = integers(node, values, 1, "the axis")
    if axes is None or node.attributes.get("exclusive", 0) or node.attributes.get("reverse", 0):
        raise refuse(node, "an exclusive or reversed running sum")
    return [Lowered("running_sum", (0,), {"axis": axes[0]})]


def _extreme(kernel: str) -> Rule:
    def rule(node: OnnxNode, values: Values) -> list[Lowered]:
        if len(values) != 2:
            raise refuse(node, f"{len(values)} inputs, two are read")
        return [Lowered(kernel, (0, 1))]

    return rule


_RULES: dict[str, Rule] = {
    "Abs": _plain("abs"),
    "Add": _plain("add"),
    "And": _plain("and"),
    "AveragePool": _pool,
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Ceil": _plain("ceil"),
    "Clip": _clip,
    "Concat": lambda node, values: [Lowered("concat", _given(node, values), {"axis": int(node.attributes["axis"])})],
    "ConstantOfShape": _filled,
    "Conv": _conv,
    "Cos": _plain("cos"),
    "CumSum": _cumsum,
    "Div": _plain("div"),
    "Dropout": _first("identity"),
    "Einsum": lambda node, values: [Lowered("einsum", _given(node, values), {"equation": node.attributes["equation"]})],
    "Elu": _first("elu", alpha=("alpha", 1.0)),
    "Equal": _plain("equal"),
    "Erf": _plain("erf"),
    "Exp": _plain("exp"),
    "Expand": shape_rules.expand,
    "Flatten": shape_rules.flatten,
    "Floor": _plain("floor"),
    "Gather": lambda node, values: [Lowered("gather", (0, 1), {"axis": int(node.attributes.get("axis", 0))})],
    "Gelu": _first("gelu", approximate=("approximate", "none")),
    "Gemm": _gemm,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "Greater": _plain("greater"),
    "HardSigmoid": _first("hard_sigmoid", alpha=("alpha", 0.2), beta=("beta", 0.5)),
    "HardSwish": _plain("hard_swish"),
    "Identity": _plain("identity"),
    "InstanceNormalization": lambda node, values: [
        Lowered("instance_norm", (0, 1, 2), {"eps": float(node.attributes.get("epsilon", 1e-5))})
    ],
    "LayerNormalization": _layer_norm,
    "LeakyRelu": _first("leaky_relu", slope=("alpha", 0.01)),
    "Less": _plain("less"),
    "Log": _plain("log"),
    "LpNormalization": _first("lp_normalise", p=("p", 2), axis=("axis", -1)),
    "MatMul": _plain("matmul"),
    "Max": _extreme("max"),
    "MaxPool": _pool,
    "Min": _extreme("min"),
    "Mul": _plain("mul"),
    "Neg": _plain("neg"),
    "Not": _plain("not"),
    "Or": _plain("or"),
    "PRelu": _plain("prelu"),
    "Pad": shape_rules.pad,
    "Pow": _plain("pow"),
    "Range": _plain("range"),
    "Reciprocal": _plain("reciprocal"),
    "ReduceL2": _reduce("l2"),
    "ReduceMax": _reduce("max"),
    "ReduceMean": _reduce("mean"),
    "ReduceMin": _reduce("min"),
    "ReduceSum": _reduce("sum"),
    "Relu": _plain("relu"),
    "Reshape": shape_rules.reshape,
    "Shape": _first("shape", start=("start", 0), end=("end", None)),
    "Sigmoid": _plain("sigmoid"),
    "Sin": _plain("sin"),
    "Slice": shape_rules.cut,
    "Softmax": _softmax,
    "Softplus": _plain("softplus"),
    "Split": shape_rules.split,
    "Sqrt": _plain("sqrt"),
    "Squeeze": shape_rules.squeeze,
    "Sub": _plain("sub"),
    "Tanh": _plain("tanh"),
    "Tile": shape_rules.tile,
    "Transpose": shape_rules.transpose,
    "Unsqueeze": shape_rules.unsqueeze,
    "Where": _plain("where"),
}
