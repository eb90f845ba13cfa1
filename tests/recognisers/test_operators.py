"""Every operator the importer reads, against onnxruntime, in a small network of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wildstyle.recognisers import import_onnx
from wildstyle.recognisers.importing.lowering import supported_operators

RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(0, 0.2, (6, 3, 3, 3)).astype(np.float32)
I64 = np.int64


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=I64)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(0, 1, shape).astype(np.float32)


# (operator, extra inputs, attributes, opset); the first input is a (N, 6, 8, 8) map called h.
CASES: list[tuple[str, dict[str, np.ndarray], dict[str, Any], int]] = [
    ("Abs", {}, {}, 17),
    ("Add", {"a": floats(6, 1, 1)}, {}, 17),
    ("Add", {"a": np.float32(0.3)}, {}, 17),
    ("AveragePool", {}, {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, 17),
    ("AveragePool", {}, {"kernel_shape": [2, 2], "strides": [2, 2], "count_include_pad": 1}, 11),
    ("BatchNormalization", {"g": floats(6), "b": floats(6), "m": floats(6), "v": floats(6) ** 2 + 0.5}, {}, 15),
    ("BatchNormalization", {"g": floats(6), "b": floats(6), "m": floats(6), "v": floats(6) ** 2 + 0.5}, {}, 9),
    ("Cast", {}, {"to": 1}, 17),
    ("Ceil", {}, {}, 17),
    ("Clip", {"lo": np.float32(0), "hi": np.float32(6)}, {}, 17),
    ("Clip", {"lo": np.float32(0)}, {}, 13),
    ("Clip", {}, {"min": -0.3, "max": 0.4}, 10),
    ("Conv", {"w": floats(4, 6, 3, 3), "b": floats(4)}, {"pads": [0, 1, 2, 1], "strides": [2, 1]}, 17),
    ("Conv", {"w": floats(6, 1, 3, 3)}, {"group": 6, "auto_pad": "SAME_UPPER", "strides": [2, 2]}, 17),
    ("Conv", {"w": floats(4, 3, 2, 2)}, {"group": 2, "auto_pad": "SAME_LOWER"}, 11),
    ("Conv", {"w": floats(4, 6, 3, 3)}, {"dilations": [2, 2], "auto_pad": "VALID"}, 11),
    ("Cos", {}, {}, 17),
    ("Div", {"d": floats(1, 6, 1, 1) + 3}, {}, 17),
    ("Dropout", {}, {}, 17),
    ("Elu", {}, {"alpha": 0.7}, 17),
    ("Erf", {}, {}, 17),
    ("Exp", {}, {}, 17),
    ("Expand", {"s": ints(1, 6, 8, 8)}, {}, 17),
    ("Flatten", {}, {"axis": 1}, 17),
    ("Floor", {}, {}, 17),
    ("Gather", {"i": ints(3, -1, 0)}, {"axis": 1}, 17),
    ("Gather", {"i": np.array(2, dtype=I64)}, {"axis": 2}, 17),
    ("Gelu", {}, {}, 20),
    ("Gelu", {}, {"approximate": "tanh"}, 20),
    ("GlobalAveragePool", {}, {}, 17),
    ("GlobalMaxPool", {}, {}, 17),
    ("HardSigmoid", {}, {"alpha": 0.3, "beta": 0.4}, 17),
    ("HardSwish", {}, {}, 17),
    ("Identity", {}, {}, 17),
    ("InstanceNormalization", {"g": floats(6), "b": floats(6)}, {}, 17),
    ("LayerNormalization", {"g": floats(8), "b": floats(8)}, {"axis": -1}, 17),
    ("LayerNormalization", {"g": floats(8, 8)}, {"axis": 2, "epsilon": 1e-3}, 17),
    ("LeakyRelu", {}, {"alpha": 0.2}, 17),
    ("LpNormalization", {}, {"axis": 1, "p": 2}, 17),
    ("MatMul", {"m": floats(8, 5)}, {}, 17),
    ("MatMul", {"m": floats(6, 8, 3)}, {}, 17),
    ("Max", {"a": np.float32(0.1)}, {}, 17),
    ("MaxPool", {}, {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1}, 17),
    ("Min", {"a": floats(8)}, {}, 17),
    ("Mul", {"a": floats(6, 1, 1)}, {}, 17),
    ("Neg", {}, {}, 17),
    ("PRelu", {"s": floats(6, 1, 1)}, {}, 17),
    ("PRelu", {"s": floats(1)}, {}, 9),
    ("PRelu", {"s": floats(8)}, {}, 17),
    ("Pad", {"p": ints(0, 0, 1, 2, 0, 0, 3, 1), "v": np.float32(0.5)}, {}, 17),
    ("Pad", {"p": ints(0, 0, 1, 2, 0, 0, 3, 1)}, {"mode": "reflect"}, 17),
    ("Pad", {}, {"pads": [0, 0, 1, 1, 0, 0, 1, 1], "mode": "edge"}, 10),
    ("Pow", {"e": np.float32(2)}, {}, 17),
    ("ReduceL2", {}, {"axes": [1], "keepdims": 1}, 17),
    ("ReduceMax", {}, {"axes": [2, 3], "keepdims": 0}, 17),
    ("ReduceMean", {"a": ints(-1)}, {}, 18),
    ("ReduceMin", {}, {"axes": [3]}, 13),
    ("ReduceSum", {"a": ints(1, 2)}, {"keepdims": 0}, 17),
    ("Relu", {}, {}, 17),
    ("Reshape", {"s": ints(0, 3, -1)}, {}, 17),
    ("Reshape", {"s": ints(-1, 384)}, {}, 14),
    ("Sigmoid", {}, {}, 17),
    ("Sin", {}, {}, 17),
    ("Slice", {"s": ints(1, 0), "e": ints(5, 2**62), "a": ints(1, 3), "t": ints(2, 3)}, {}, 17),
    ("Slice", {}, {"starts": [1], "ends": [-1], "axes": [2]}, 9),
    ("Softmax", {}, {"axis": 1}, 17),
    ("Softmax", {}, {"axis": 1}, 11),
    ("Softplus", {}, {}, 17),
    ("Sub", {"a": floats(8, 8)}, {}, 17),
    ("Tanh", {}, {}, 17),
    ("Tile", {"r": ints(1, 2, 1, 1)}, {}, 17),
    ("Transpose", {}, {"perm": [0, 2, 3, 1]}, 17),
    ("Unsqueeze", {"a": ints(1, -1)}, {}, 17),
    ("Unsqueeze", {}, {"axes": [2]}, 11),
]


def _run(onnx_file: Callable[..., Path], nodes: list[Any], tensors: dict[str, np.ndarray], opset: int) -> float:
    stem = ("Conv", ["x", "stem"], ["h"], {"strides": [2, 2], "pads": [1, 1, 1, 1]})
    path = onnx_file([stem, *nodes], {"stem": WEIGHT, **tensors}, opset=opset)
    return import_onnx(path).report.difference


@pytest.mark.parametrize(
    ("op", "extra", "attributes", "opset"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)]
)
def test_operator_agrees_with_onnxruntime(
    onnx_file: Callable[..., Path], op: str, extra: dict[str, np.ndarray], attributes: dict[str, Any], opset: int
) -> None:
    assert _run(onnx_file, [(op, ["h", *extra], ["y"], attributes)], extra, opset) < 2e-6


# Operators that need a graph around them; t are tensors.
GRAPHS: dict[str, tuple[list[Any], dict[str, np.ndarray]]] = {
    "Concat": ([("Neg", ["h"], ["k"], {}), ("Concat", ["h", "k"], ["y"], {"axis": 1})], {}),
    "Einsum": ([("Einsum", ["h", "w"], ["y"], {"equation": "nchw,cd->ndhw"})], {"w": floats(6, 4)}),
    "Gemm": (
        [("Flatten", ["h"], ["f"], {}), ("Gemm", ["f", "w", "b"], ["y"], {"alpha": 0.5, "beta": 2.0, "transB": 1})],
        {"w": floats(7, 384), "b": floats(7)},
    ),
    "Split": (
        [
            ("Split", ["h", "s"], ["p", "q"], {"axis": 1}),
            ("Slice", ["q", "o", "two", "one"], ["r"], {}),
            ("Mul", ["p", "r"], ["y"], {}),
        ],
        {"s": ints(2, 4), "o": ints(0), "two": ints(2), "one": ints(1)},
    ),
    "Squeeze": ([("GlobalAveragePool", ["h"], ["g"], {}), ("Squeeze", ["g", "a"], ["y"], {})], {"a": ints(2, 3)}),
    "Where": (
        [("Greater", ["h", "z"], ["c"], {}), ("Not", ["c"], ["d"], {}), ("Where", ["d", "h", "k"], ["y"], {})],
        {"z": np.float32(0), "k": floats(6, 8, 8)},
    ),
    "And": (
        [
            ("Greater", ["h", "z"], ["c"], {}),
            ("Less", ["h", "o"], ["d"], {}),
            ("And", ["c", "d"], ["e"], {}),
            ("Or", ["e", "c"], ["f"], {}),
            ("Where", ["f", "h", "z"], ["y"], {}),
        ],
        {"z": np.float32(0), "o": np.float32(1)},
    ),
    "Log": (
        [("Abs", ["h"], ["a"], {}), ("Add", ["a", "o"], ["b"], {}), ("Log", ["b"], ["y"], {})],
        {"o": np.float32(1)},
    ),
    "Sqrt": ([("Abs", ["h"], ["a"], {}), ("Sqrt", ["a"], ["y"], {})], {}),
    "Reciprocal": ([("Exp", ["h"], ["a"], {}), ("Reciprocal", ["a"], ["y"], {})], {}),
    "Shape": (
        # The batch is read at run time; the other sizes are worked out from it and from constants.
        [
            ("Shape", ["h"], ["s"], {}),
            ("Gather", ["s", "zero"], ["n"], {}),
            ("Unsqueeze", ["n", "first"], ["n1"], {}),
            ("Concat", ["n1", "rest"], ["target"], {"axis": 0}),
            ("Reshape", ["h", "target"], ["y"], {}),
        ],
        {"zero": np.array(0, I64), "first": ints(0), "rest": ints(3, 128)},
    ),
    "ConstantOfShape, CumSum, Range, Equal": (
        # A positional code that is made for every picture of the batch, as exporters write it.
        [
            ("Shape", ["h"], ["s"], {}),
            ("ConstantOfShape", ["s"], ["zeros"], {}),
            ("Add", ["zeros", "one"], ["ones"], {}),
            ("CumSum", ["ones", "axis"], ["code"], {}),
            ("Range", ["r0", "r8", "r1"], ["line"], {}),
            ("Equal", ["line", "r1"], ["mask"], {}),
            ("Cast", ["mask"], ["maskf"], {"to": 1}),
            ("Add", ["code", "maskf"], ["both"], {}),
            ("Add", ["h", "both"], ["y"], {}),
        ],
        {
            "one": np.float32(1),
            "axis": np.array(3, I64),
            "r0": np.array(0, I64),
            "r8": np.array(8, I64),
            "r1": np.array(1, I64),
        },
    ),
}


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_graph_agrees_with_onnxruntime(onnx_file: Callable[..., Path], name: str) -> None:
    nodes, tensors = GRAPHS[name]
    assert _run(onnx_file, nodes, tensors, 17) < 2e-6


def test_every_operator_that_is_said_to_be_read_is_tested() -> None:
    tested = {case[0] for case in CASES} | {node[0] for nodes, _ in GRAPHS.values() for node in nodes}
    assert supported_operators() - tested == {"Constant"}
