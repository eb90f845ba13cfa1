"""A network written straight to ONNX, in milliseconds, for onnxruntime to embed with.

This is an engine's private form: no contract, no fallback. Files for users come from ``export_onnx``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wildstyle.recognisers.listing import SIZE, Listed, Unwritable, listing

OPSET = 18


class Session(Protocol):
    """A network run by onnxruntime."""

    def __call__(self, images: NDArray[np.float32], sizes: NDArray[np.float32] | None = None, /) -> NDArray[np.float32]:
        """Network input (N, 3, H, W), and sizes before alignment (N, 1) in px or None, to raw embeddings (N, D)."""


__all__ = ["Unwritable", "onnx_bytes", "session_for"]


def session_for(network: nn.Module, input_size: int) -> Session:
    """A function from network input, and sizes where the network takes them, to raw embeddings, run by onnxruntime.

    It uses as many threads as torch does.

    Raises:
        Unwritable: the network has layers this writer doesn't know.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    data = onnx_bytes(network, input_size)
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])

    takes = {entry.name for entry in session.get_overridable_initializers()}

    def run(images: NDArray[np.float32], sizes: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        feed = {"input": images} | ({SIZE: sizes} if sizes is not None and SIZE in takes else {})
        return np.asarray(session.run(None, feed)[0], dtype=np.float32)

    return run


def onnx_bytes(network: nn.Module, input_size: int) -> bytes:
    """The network in evaluation mode as a serialised ONNX model with a free batch.

    Raises:
        Unwritable: the network has layers this writer doesn't know.
    """
    from onnx import TensorProto, helper

    listed = listing(network)
    writer = _Writer({name: tensor.ndim for name, tensor in listed.tensors.items()})
    for name, tensor in listed.tensors.items():
        writer.tensor(name, tensor)
    writer.ranks[listed.input] = 4
    for layer in listed.layers:
        writer.layer(layer)
    shape: list[str | int | None] = ["n", 3, input_size, input_size]
    # The picture keeps a fixed name, whatever the network calls it.
    writer.nodes.insert(0, helper.make_node("Identity", ["input"], [listed.input + "/start"]))
    for node in writer.nodes[1:]:
        for i, name in enumerate(node.input):
            if name == listed.input:
                node.input[i] = listed.input + "/start"
    # A stored tensor that is an input too is the value of an input left out.
    further = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["m", 1]) for name in listed.optional]
    graph = helper.make_graph(
        writer.nodes,
        "recogniser",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape), *further],
        [helper.make_tensor_value_info(listed.output, TensorProto.FLOAT, ["n", None])],
        writer.initialisers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


class _Writer:
    def __init__(self, ranks: dict[str, int]) -> None:
        self.nodes: list[Any] = []
        self.initialisers: list[Any] = []
        self.ranks = ranks

    def tensor(self, name: str, value: Tensor | Sequence[int] | float) -> str:
        """Store a tensor under ``name``, (a list: int64; a number: float32), and return the name."""
        from onnx import numpy_helper

        if isinstance(value, Tensor):
            array = np.array(value.detach().cpu().numpy(), order="C")
        else:
            array = np.array(value, dtype=np.float32 if isinstance(value, float) else np.int64)
        self.initialisers.append(numpy_helper.from_array(array, name))
        return name

    def node(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def layer(self, layer: Listed) -> None:
        ranks = [self.ranks[name] for name in layer.inputs]
        if layer.module is not None:
            _MODULE_RULES[layer.kernel](self, layer, layer.module)
        elif layer.kernel in _DIRECT:
            self.node(_DIRECT[layer.kernel], layer.inputs, layer.output)
        elif layer.kernel in _KERNEL_RULES:
            _KERNEL_RULES[layer.kernel](self, layer)
        else:
            raise Unwritable(f"function {layer.kernel} can't be written")
        self.ranks[layer.output] = _rank(layer, ranks)


def _rank(layer: Listed, ranks: list[int]) -> int:
    if layer.kernel == "reshape":
        return len(layer.settings["shape"])
    if layer.kernel == "flatten":
        return 2
    if layer.kernel == "reduce" and not layer.settings["keep"]:
        return ranks[0] - len(layer.settings["axes"])
    return max(ranks)


def _conv(w: _Writer, layer: Listed, module: nn.Module) -> None:
    assert isinstance(module, nn.Conv2d)
    inputs = [layer.inputs[0], w.tensor(layer.output + "/w", module.weight)]
    if module.bias is not None:
        inputs.append(w.tensor(layer.output + "/b", module.bias))
    if module.padding_mode != "zeros" or isinstance(module.padding, str):
        raise Unwritable("a convolution pads with something else than zeros")
    top, left = module.padding
    w.node(
        "Conv",
        inputs,
        layer.output,
        kernel_shape=list(module.kernel_size),
        strides=list(module.stride),
        dilations=list(module.dilation),
        group=module.groups,
        pads=[top, left, top, left],
    )


def _norm(w: _Writer, layer: Listed, module: nn.Module) -> None:
    assert isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
    if module.running_mean is None or module.running_var is None:
        raise Unwritable("a batch norm keeps no statistics")
    count = module.num_features
    gain = module.weight if module.weight is not None else torch.ones(count)
    shift = module.bias if module.bias is not None else torch.zeros(count)
    parts = {"g": gain, "b": shift, "m": module.running_mean, "v": module.running_var}
    names = [w.tensor(f"{layer.output}/{key}", value) for key, value in parts.items()]
    w.node("BatchNormalization", [layer.inputs[0], *names], layer.output, epsilon=module.eps)


def _layer_norm(w: _Writer, layer: Listed, module: nn.Module) -> None:
    assert isinstance(module, nn.LayerNorm)
    inputs = [layer.inputs[0], w.tensor(layer.output + "/w", module.weight)]
    if module.bias is not None:
        inputs.append(w.tensor(layer.output + "/b", module.bias))
    w.node("LayerNormalization", inputs, layer.output, axis=-len(module.normalized_shape), epsilon=module.eps)


def _linear(w: _Writer, layer: Listed, module: nn.Module) -> None:
    assert isinstance(module, nn.Linear)
    weight = w.tensor(layer.output + "/w", module.weight.T)
    bias = module.get_parameter("bias") if "bias" in dict(module.named_parameters()) else None
    if bias is None:
        w.node("MatMul", [layer.inputs[0], weight], layer.output)
        return
    product = w.node("MatMul", [layer.inputs[0], weight], layer.output + "/product")
    w.node("Add", [product, w.tensor(layer.output + "/b", bias)], layer.output)


def _per_channel(w: _Writer, layer: Listed, tensor: Tensor, name: str) -> str:
    spatial = [1] * (w.ranks[layer.inputs[0]] - 2)
    return w.tensor(f"{layer.output}/{name}", tensor.reshape(-1, *spatial))


def _prelu(w: _Writer, layer: Listed, module: nn.Module) -> None:
    assert isinstance(module, nn.PReLU)
    w.node("PRelu", [layer.inputs[0], _per_channel(w, layer, module.weight, "slope")], layer.output)


def _affine(w: _Writer, layer: Listed, module: nn.Module) -> None:
    gain, shift = (_per_channel(w, layer, module.get_parameter(name), name) for name in ("weight", "bias"))
    scaled = w.node("Mul", [layer.inputs[0], gain], layer.output + "/scaled")
    w.node("Add", [scaled, shift], layer.output)


def _clip(w: _Writer, layer: Listed) -> None:
    limits = (0.0, 6.0) if layer.kernel == "relu6" else (layer.settings["low"], layer.settings["high"])
    names = [
        "" if limit is None else w.tensor(f"{layer.output}/{end}", float(limit))
        for end, limit in zip(("low", "high"), limits, strict=True)
    ]
    w.node("Clip", [layer.inputs[0], *names], layer.output)


def _gelu(w: _Writer, layer: Listed) -> None:
    if layer.settings["approximate"] != "none":
        raise Unwritable("an approximate gelu can't be written")
    x, name = layer.inputs[0], layer.output
    scaled = w.node("Div", [x, w.tensor(name + "/root", float(np.sqrt(2.0)))], name + "/scaled")
    plus = w.node("Add", [w.node("Erf", [scaled], name + "/erf"), w.tensor(name + "/one", 1.0)], name + "/plus")
    product = w.node("Mul", [x, plus], name + "/product")
    w.node("Mul", [product, w.tensor(name + "/half", 0.5)], name)


def _silu(w: _Writer, layer: Listed) -> None:
    gate = w.node("Sigmoid", layer.inputs, layer.output + "/gate")
    w.node("Mul", [layer.inputs[0], gate], layer.output)


def _scalar(w: _Writer, layer: Listed) -> None:
    op = {"add_scalar": "Add", "sub_scalar": "Sub", "mul_scalar": "Mul", "div_scalar": "Div", "pow_scalar": "Pow"}
    number = w.tensor(layer.output + "/value", float(layer.settings["value"]))
    w.node(op[layer.kernel], [layer.inputs[0], number], layer.output)


def _reshape(w: _Writer, layer: Listed) -> None:
    w.node("Reshape", [layer.inputs[0], w.tensor(layer.output + "/shape", layer.settings["shape"])], layer.output)


def _slice(w: _Writer, layer: Listed) -> None:
    parts = [w.tensor(f"{layer.output}/{key}", layer.settings[key]) for key in ("starts", "ends", "axes", "steps")]
    w.node("Slice", [layer.inputs[0], *parts], layer.output)


def _concat(w: _Writer, layer: Listed) -> None:
    if {init.name for init in w.initialisers}.intersection(layer.inputs):
        raise Unwritable("a class token can't be written")
    w.node("Concat", layer.inputs, layer.output, axis=layer.settings["axis"])


def _reduce(w: _Writer, layer: Listed) -> None:
    how, keep = layer.settings["how"], int(layer.settings["keep"])
    axes = layer.settings["axes"] or list(range(w.ranks[layer.inputs[0]]))
    op = {"mean": "ReduceMean", "sum": "ReduceSum", "max": "ReduceMax", "min": "ReduceMin", "l2": "ReduceL2"}[how]
    w.node(op, [layer.inputs[0], w.tensor(layer.output + "/axes", axes)], layer.output, keepdims=keep)


def _with(op: str, **names: str) -> Callable[[_Writer, Listed], None]:
    """A rule whose settings become attributes, ``attribute=setting``."""

    def rule(w: _Writer, layer: Listed) -> None:
        w.node(op, layer.inputs, layer.output, **{a: layer.settings[s] for a, s in names.items()})

    return rule


_MODULE_RULES: dict[str, Callable[[_Writer, Listed, nn.Module], None]] = {
    "BatchNorm1d": _norm,
    "BatchNorm2d": _norm,
    "ChannelAffine": _affine,
    "Conv2d": _conv,
    "LayerNorm": _layer_norm,
    "Linear": _linear,
    "PReLU": _prelu,
}
_DIRECT = {
    "abs": "Abs",
    "add": "Add",
    "div": "Div",
    "erf": "Erf",
    "exp": "Exp",
    "flatten": "Flatten",
    "hard_swish": "HardSwish",
    "identity": "Identity",
    "log": "Log",
    "matmul": "MatMul",
    "max": "Max",
    "min": "Min",
    "mul": "Mul",
    "neg": "Neg",
    "pow": "Pow",
    "reciprocal": "Reciprocal",
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "softplus": "Softplus",
    "sqrt": "Sqrt",
    "sub": "Sub",
    "tanh": "Tanh",
}
_KERNEL_RULES: dict[str, Callable[[_Writer, Listed], None]] = {
    **dict.fromkeys(("add_scalar", "sub_scalar", "mul_scalar", "div_scalar", "pow_scalar"), _scalar),
    "clamp": _clip,
    "concat": _concat,
    "elu": _with("Elu", alpha="alpha"),
    "gather": _with("Gather", axis="axis"),
    "gelu": _gelu,
    "hard_sigmoid": _with("HardSigmoid", alpha="alpha", beta="beta"),
    "leaky_relu": _with("LeakyRelu", alpha="slope"),
    "reduce": _reduce,
    "relu6": _clip,
    "reshape": _reshape,
    "silu": _silu,
    "slice": _slice,
    "softmax": _with("Softmax", axis="axis"),
    "transpose": _with("Transpose", perm="order"),
}
