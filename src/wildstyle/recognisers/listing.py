"""A network as a flat list of layers and functions, for whoever writes it down in another form."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

from wildstyle.errors import ContractError
from wildstyle.recognisers.architecture import describe
from wildstyle.recognisers.importing import GraphNetwork
from wildstyle.recognisers.importing.network import MODULES


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
    """A network in order of computation; ``input`` and ``output`` are names of values."""

    layers: tuple[Listed, ...]
    tensors: dict[str, Tensor]
    input: str
    output: str


def listing(network: nn.Module) -> Listing:
    """The list of a network in evaluation mode: an imported one, or a backbone of the registry.

    Raises:
        Unwritable: another kind of network, a layer that was replaced by an unknown one, or a hook.
    """
    kind = describe(network)["kind"]
    if isinstance(network, GraphNetwork):
        found = _graph(network)
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


def _traced(network: nn.Module) -> Listing:
    try:
        graph = fx.Tracer().trace(network)
    except Exception as error:
        raise Unwritable(f"the backbone can't be traced ({str(error)[:80]})") from error
    layers: list[Listed] = []
    ends = ["", ""]
    for node in graph.nodes:
        if node.op == "placeholder":
            ends[0] = node.name
        elif node.op == "output":
            ends[1] = str(node.args[0])
        elif node.op == "call_module":
            layers.append(_module(node, network.get_submodule(str(node.target))))
        elif node.op == "call_function" and node.target in _FUNCTIONS:
            kernel, settings = _FUNCTIONS[node.target]
            layers.append(Listed(kernel, tuple(str(arg) for arg in node.all_input_nodes), node.name, dict(settings)))
        else:
            raise Unwritable(f"the backbone calls {node.target}")
    return Listing(tuple(layers), {}, ends[0], ends[1])


def _module(node: fx.Node, module: nn.Module) -> Listed:
    inputs, name = tuple(str(arg) for arg in node.all_input_nodes), type(module).__name__
    if type(module) in _PLAIN:
        kernel, settings = _PLAIN[type(module)]
        return Listed(kernel, inputs, node.name, dict(settings))
    if name not in MODULES or type(module) is not MODULES[name]:
        raise Unwritable(f"layer {node.target} is a {name}")
    return Listed(name, inputs, node.name, module=module)


_FUNCTIONS: dict[Callable[..., Any], tuple[str, dict[str, Any]]] = {
    operator.add: ("add", {}),
    torch.flatten: ("flatten", {}),
    torch.relu: ("relu", {}),
}
_PLAIN: dict[type[nn.Module], tuple[str, dict[str, Any]]] = {
    nn.Dropout: ("identity", {}),
    nn.Flatten: ("flatten", {}),
    nn.Identity: ("identity", {}),
    nn.ReLU: ("relu", {}),
    nn.ReLU6: ("relu6", {}),
}
