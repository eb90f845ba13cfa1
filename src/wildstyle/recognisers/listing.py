"""A network as a flat list of layers and functions, for whoever writes it down in another form."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from wildstyle.errors import ContractError
from wildstyle.recognisers.architecture import describe
from wildstyle.recognisers.branches import BranchedNetwork
from wildstyle.recognisers.importing import GraphNetwork
from wildstyle.recognisers.importing.network import MODULES
from wildstyle.recognisers.quality import LARGEST, SIZE_SHARE, UNKNOWN_SIZE, QualityGate
from wildstyle.recognisers.recogniser import NORM_FLOOR

PICTURE, SIZE = "input", "size"
"""Names of a gated network's inputs; the second may be left out."""


class Unwritable(ContractError):
    """A network holds what can't be written as a list of known layers."""


@dataclass(frozen=True)
class Listed:
    """One layer or function.

    Attributes:
        kernel: class name of the module, or name of a kernel.
        inputs: names of values, or of tensors in ``Listing.tensors``.
        output: name of the value made.
        settings: of a kernel.
        module: the layer itself, for a module.
    """

    kernel: str
    inputs: tuple[str, ...]
    output: str
    settings: dict[str, Any] = field(default_factory=dict)
    module: nn.Module | None = None


@dataclass(frozen=True)
class Listing:
    """A network in order of computation.

    Attributes:
        layers: in an order in which they can be computed.
        tensors: constants and loose weights, by name.
        input, output: names of values.
        optional: those of ``tensors`` that are defaults of a further input, one row a face.
    """

    layers: tuple[Listed, ...]
    tensors: dict[str, Tensor]
    input: str
    output: str
    optional: tuple[str, ...] = ()


def listing(network: nn.Module) -> Listing:
    """The list of a network in evaluation mode: an imported one, a backbone of the registry, or two with a gate.

    Raises:
        Unwritable: another kind of network, a layer that was replaced by an unknown one, or a hook.
    """
    kind = describe(network)["kind"]
    if isinstance(network, GraphNetwork):
        found = _graph(network)
    elif isinstance(network, BranchedNetwork) and kind == "branched":
        found = _branched(network)
    elif kind == "backbone":
        found = _traced(network)
    else:
        raise Unwritable(f"a network of class {type(network).__name__} can't be listed")
    for layer in found.layers:
        module = layer.module
        if module is not None and (module._forward_hooks or module._forward_pre_hooks):
            raise Unwritable(f"layer {layer.output} has a hook")
    return found


def _graph(network: GraphNetwork) -> Listing:
    layers = []
    for key, kernel, inputs, output, settings, _ in network.plan:
        module = network.layers[key] if kernel in MODULES else None
        if module is not None and type(module) is not MODULES[kernel]:
            raise Unwritable(f"layer {key} is a {type(module).__name__}, not a {kernel}")
        layers.append(Listed(kernel, inputs, output, {} if module is not None else settings, module))
    tensors = {name: network.constant(name) for name in describe(network)["tensors"]}
    return Listing(tuple(layers), tensors, network.ends[0], network.ends[1])


def _branched(network: BranchedNetwork) -> Listing:
    gate = network.gate
    assert isinstance(gate, QualityGate)  # the only gate that can be described
    parts = {
        "untouched": listing(network.untouched),
        "adapted": listing(network.adapted),
        "quality": _traced(gate.quality),
    }
    layers: list[Listed] = []
    tensors = {SIZE: torch.full((1, 1), UNKNOWN_SIZE)}
    for name, part in parts.items():
        placed = _placed(part, name)
        layers += placed.layers
        tensors |= placed.tensors
    ends = {name: f"{name}/{part.output}" for name, part in parts.items()}
    return Listing((*layers, *_ramp(gate, ends["quality"]), *_mixing(ends)), tensors, PICTURE, "mixed", (SIZE,))


def _placed(part: Listing, prefix: str) -> Listing:
    """A listing under names of its own, fed by the common picture."""

    def rename(name: str) -> str:
        return PICTURE if name == part.input else f"{prefix}/{name}"

    layers = (replace(one, inputs=tuple(map(rename, one.inputs)), output=rename(one.output)) for one in part.layers)
    return Listing(tuple(layers), {rename(k): v for k, v in part.tensors.items()}, PICTURE, rename(part.output))


def _ramp(gate: QualityGate, quality: str) -> list[Listed]:
    """``QualityGate.forward`` after its network, to the weights ``new`` and ``old`` of the branches."""
    high, low = math.log2(gate.upper), math.log2(gate.lower)
    return [
        Listed("neg", (SIZE,), "size/falling"),
        Listed("add_scalar", ("size/falling",), "size/short of unknown", {"value": UNKNOWN_SIZE}),
        Listed("clamp", ("size/short of unknown",), "size/known", {"low": 0.0, "high": 1.0}),
        Listed("clamp", (SIZE,), "size/in range", {"low": 1.0, "high": LARGEST}),
        Listed("log", ("size/in range",), "size/log"),
        Listed("mul_scalar", ("size/log",), "size/log2", {"value": 1.0 / math.log(2.0)}),
        Listed("sub", ("size/log2", quality), "size/apart"),
        Listed("mul", ("size/known", "size/apart"), "size/said"),
        Listed("mul_scalar", ("size/said",), "size/share", {"value": SIZE_SHARE}),
        Listed("add", (quality, "size/share"), "gate/quality"),
        Listed("neg", ("gate/quality",), "gate/falling"),
        Listed("add_scalar", ("gate/falling",), "gate/below", {"value": high}),
        Listed("mul_scalar", ("gate/below",), "gate/ramp", {"value": 1.0 / (high - low)}),
        Listed("clamp", ("gate/ramp",), "gate/new", {"low": 0.0, "high": 1.0}),
        Listed("neg", ("gate/new",), "gate/less"),
        Listed("add_scalar", ("gate/less",), "gate/old", {"value": 1.0}),
    ]


def _mixing(ends: dict[str, str]) -> list[Listed]:
    """``branches.mixed`` of both units."""
    parts = [*_unit(ends["untouched"], "old"), *_unit(ends["adapted"], "new")]
    parts += [Listed("mul", (f"{side}/unit", f"gate/{side}"), f"{side}/share") for side in ("old", "new")]
    return [
        *parts,
        Listed("add", ("old/share", "new/share"), "sum"),
        *_unit("sum", "sum"),
        Listed("identity", ("sum/unit",), "mixed"),
    ]


def _unit(raw: str, name: str) -> list[Listed]:
    """``recogniser.unit``."""
    return [
        Listed("reduce", (raw,), f"{name}/length", {"how": "l2", "axes": [1], "keep": True}),
        Listed("clamp", (f"{name}/length",), f"{name}/floored", {"low": NORM_FLOOR, "high": None}),
        Listed("div", (raw, f"{name}/floored"), f"{name}/unit"),
    ]


def _traced(network: nn.Module) -> Listing:
    try:
        graph = fx.Tracer().trace(network)
    except Exception as error:
        raise Unwritable(f"the backbone can't be traced ({str(error)[:80]})") from error
    layers: list[Listed] = []
    tensors: dict[str, Tensor] = {}
    ends = ["", ""]
    for node in graph.nodes:
        if node.op == "placeholder":
            ends[0] = node.name
        elif node.op == "output":
            ends[1] = str(node.args[0])
        elif node.op == "call_module":
            layers.append(_module(node, network.get_submodule(str(node.target))))
        elif node.op == "get_attr":
            tensors[node.name] = operator.attrgetter(str(node.target))(network)
        elif node.op == "call_function":
            layers.append(_function(node))
        else:
            raise Unwritable(f"the backbone calls {node.target}")
    return Listing(tuple(layers), tensors, ends[0], ends[1])


def _function(node: fx.Node) -> Listed:
    if node.target is torch.cat:
        parts = node.args[0] if len(node.args) == 2 and not node.kwargs else None
        if not isinstance(parts, Sequence):
            raise Unwritable(f"the backbone calls {node.target} with {node.args} and {node.kwargs}")
        return Listed("concat", tuple(str(part) for part in parts), node.name, {"axis": node.args[1]})
    operands = [arg for arg in node.args if isinstance(arg, fx.Node)]
    numbers = node.args[len(operands) :]
    # Keywords, and values among the numbers, would be left out in silence.
    plain = not node.kwargs and [*operands, *numbers] == [*node.args] and {*node.all_input_nodes} == {*operands}
    if plain and not numbers and node.target in _FUNCTIONS:
        return Listed(_FUNCTIONS[node.target], tuple(map(str, operands)), node.name)
    if plain and len(operands) == 1 and node.target in _WITH_NUMBERS:
        try:
            kernel, settings = _WITH_NUMBERS[node.target](*numbers)
        except TypeError as error:
            raise Unwritable(f"the backbone calls {node.target} with {numbers}") from error
        return Listed(kernel, (str(operands[0]),), node.name, settings)
    raise Unwritable(f"the backbone calls {node.target}")


def _module(node: fx.Node, module: nn.Module) -> Listed:
    inputs, name = tuple(str(arg) for arg in node.all_input_nodes), type(module).__name__
    if type(module) in _PLAIN:
        kernel, settings = _PLAIN[type(module)]
        return Listed(kernel, inputs, node.name, dict(settings))
    if name not in MODULES or type(module) is not MODULES[name]:
        raise Unwritable(f"layer {node.target} is a {name}")
    return Listed(name, inputs, node.name, module=module)


def _flat(start: int) -> tuple[str, dict[str, Any]]:
    # In ONNX a 0 keeps the size that is there.
    return ("flatten", {}) if start == 1 else ("reshape", {"shape": [*[0] * start, -1]})


def _part(index: tuple[slice, ...]) -> tuple[str, dict[str, Any]]:
    if not all(isinstance(one, slice) for one in index):
        raise Unwritable(f"the backbone takes {index} of a tensor")
    cuts = {axis: one for axis, one in enumerate(index) if one != slice(None)}
    settings = {
        "starts": [one.start or 0 for one in cuts.values()],
        "ends": [_TO_THE_END if one.stop is None else one.stop for one in cuts.values()],
        "axes": list(cuts),
        "steps": [one.step or 1 for one in cuts.values()],
    }
    return "slice", settings


_TO_THE_END = 2**31
_FUNCTIONS: dict[Callable[..., Any] | str, str] = {
    operator.add: "add",
    operator.mul: "mul",
    operator.sub: "sub",
    torch.abs: "abs",
    torch.log: "log",
    torch.matmul: "matmul",
    torch.relu: "relu",
    torch.sigmoid: "sigmoid",
}
_WITH_NUMBERS: dict[Callable[..., Any] | str, Callable[..., tuple[str, dict[str, Any]]]] = {
    operator.getitem: _part,
    operator.add: lambda value: ("add_scalar", {"value": value}),
    operator.mul: lambda value: ("mul_scalar", {"value": value}),
    torch.clamp: lambda low, high: ("clamp", {"low": low, "high": high}),
    torch.flatten: _flat,
    torch.mean: lambda axes, keep=False: ("reduce", {"how": "mean", "axes": list(axes), "keep": keep}),
    torch.permute: lambda order: ("transpose", {"order": list(order)}),
    torch.reshape: lambda shape: ("reshape", {"shape": list(shape)}),
    torch.softmax: lambda axis: ("softmax", {"axis": axis}),
}
_PLAIN: dict[type[nn.Module], tuple[str, dict[str, Any]]] = {
    nn.Dropout: ("identity", {}),
    nn.Flatten: ("flatten", {}),
    nn.Identity: ("identity", {}),
    nn.ReLU: ("relu", {}),
    nn.ReLU6: ("relu6", {}),
}
