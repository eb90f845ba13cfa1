"""From kernels to layers: weights move into real torch modules, split-up functions become one again.

Every rewrite computes the same function; rounding may differ in the last bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from wildstyle.recognisers.importing.specialise import StaticGraph, Step

LEARNABLE_OPERANDS = frozenset({"add", "sub", "mul", "div", "matmul", "gemm", "concat", "prelu", "layer_norm"})
COMMUTING = frozenset({"add", "mul"})


@dataclass
class Layered:
    """Steps whose weights lie in modules.

    Attributes:
        steps: a kernel with a capital letter is a module made from the step's settings.
        weights: state of every module step, by the step's output, then by parameter name.
        loose: tensors that steps still take directly, by name.
        learned: names in ``loose`` that are trainable.
        folded: convolutions whose batch norm was folded into them before the file was written.
    """

    steps: list[Step]
    weights: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    loose: dict[str, Tensor] = field(default_factory=dict)
    learned: set[str] = field(default_factory=set)
    folded: int = 0


def fuse(graph: StaticGraph, *, fresh_affine: bool = False) -> Layered:
    """Rewrite a settled graph into layers.

    Args:
        fresh_affine: add a per-channel gain and shift (1 and 0 at first) after every convolution
            that no norm follows.
    """
    steps = _drop_identities(graph)
    steps = _drop_expansions(steps, graph)
    _scalars(steps, graph)
    steps = _gelus(steps)
    steps = _silus(steps)
    layered = Layered(steps)
    _Modules(layered, graph).convert()
    layered.folded = _count_folded(layered, graph)
    if fresh_affine:
        _add_affines(layered)
    _collect_loose(layered, graph)
    return layered


def consumers(steps: list[Step]) -> dict[str, list[Step]]:
    """Steps that take each value, by its name."""
    found: dict[str, list[Step]] = {}
    for step in steps:
        for name in step.inputs:
            found.setdefault(name, []).append(step)
    return found


def _drop_identities(graph: StaticGraph) -> list[Step]:
    kept: list[Step] = []
    renamed: dict[str, str] = {}
    for step in graph.steps:
        step.inputs = [renamed.get(name, name) for name in step.inputs]
        if step.kernel == "identity" and step.output != graph.output:
            renamed[step.output] = step.inputs[0]
        else:
            kept.append(step)
    return kept


def _drop_expansions(steps: list[Step], graph: StaticGraph) -> list[Step]:
    """An expansion before arithmetic with a full-sized partner is what broadcasting does anyway."""
    users = consumers(steps)
    kept: list[Step] = []
    renamed: dict[str, str] = {}
    for step in steps:
        step.inputs = [renamed.get(name, name) for name in step.inputs]
        takers = users.get(step.output, [])
        shape = graph.shapes.get(step.output)
        idle = step.kernel == "expand" and takers and step.output != graph.output
        if idle and all(_broadcasts(taker, step.output, shape, graph) for taker in takers):
            renamed[step.output] = step.inputs[0]
        else:
            kept.append(step)
    return kept


def _broadcasts(taker: Step, name: str, shape: tuple[int, ...] | None, graph: StaticGraph) -> bool:
    partners = [other for other in taker.inputs if other != name]
    return taker.kernel in ("add", "sub", "mul", "div") and any(graph.shapes.get(p) == shape for p in partners)


def _scalars(steps: list[Step], graph: StaticGraph) -> None:
    """A written-in single number becomes a setting."""
    for step in steps:
        if step.kernel not in ("add", "sub", "mul", "div", "pow") or len(step.inputs) != 2:
            continue
        if step.kernel in COMMUTING and step.inputs[0] in graph.constants:
            step.inputs.reverse()
        constant = graph.constants.get(step.inputs[1])
        if constant is None or constant.numel() != 1 or step.inputs[1] in graph.learned:
            continue
        if constant.ndim > len(graph.shapes[step.inputs[0]]):
            continue
        step.kernel, step.inputs = step.kernel + "_scalar", step.inputs[:1]
        step.settings = {"value": float(constant)}


def _gelus(steps: list[Step]) -> list[Step]:
    """x/2 * (1 + erf(x/sqrt 2)), however it is ordered, becomes one gelu."""
    made_by = {step.output: step for step in steps}
    users = consumers(steps)
    dead: set[int] = set()
    for erf in [step for step in steps if step.kernel == "erf"]:
        chain = _gelu_chain(erf, made_by, users)
        if chain is not None:
            source, last, inner = chain
            last.kernel, last.inputs, last.settings = "gelu", [source], {"approximate": "none"}
            dead.update(id(step) for step in inner)
    return [step for step in steps if id(step) not in dead]


def _gelu_chain(
    erf: Step, made_by: dict[str, Step], users: dict[str, list[Step]]
) -> tuple[str, Step, list[Step]] | None:
    """(x, last step, inner steps) of a gelu around ``erf``, or None."""
    scale = made_by.get(erf.inputs[0])
    if scale is None or not (_is(scale, "div_scalar", math.sqrt(2)) or _is(scale, "mul_scalar", math.sqrt(0.5))):
        return None
    source = scale.inputs[0]
    plus = _only_user(erf, users)
    product = _only_user(plus, users)
    if plus is None or product is None or not _is(plus, "add_scalar", 1.0):
        return None
    inner = [scale, erf, plus]
    if len(users[scale.output]) != 1:
        return None
    if _is(product, "mul_scalar", 0.5):
        inner.append(product)
        final = _only_user(product, users)
        good = final is not None and final.kernel == "mul" and source in final.inputs
        return (source, final, inner) if final is not None and good else None
    if product.kernel != "mul":
        return None
    other = product.inputs[1 - product.inputs.index(plus.output)]
    half = made_by.get(other)
    if half is not None and _is(half, "mul_scalar", 0.5) and half.inputs == [source] and len(users[other]) == 1:
        return source, product, [*inner, half]
    final = _only_user(product, users)
    if other == source and final is not None and _is(final, "mul_scalar", 0.5):
        return source, final, [*inner, product]
    return None


def _is(step: Step, kernel: str, value: float) -> bool:
    return step.kernel == kernel and math.isclose(step.settings["value"], value, rel_tol=1e-4)


def _only_user(step: Step | None, users: dict[str, list[Step]]) -> Step | None:
    found = users.get(step.output, []) if step is not None else []
    return found[0] if len(found) == 1 else None


def _silus(steps: list[Step]) -> list[Step]:
    users = consumers(steps)
    dead: set[int] = set()
    for gate in [step for step in steps if step.kernel == "sigmoid"]:
        product = _only_user(gate, users)
        if product is not None and product.kernel == "mul" and gate.inputs[0] in product.inputs:
            product.kernel, product.inputs = "silu", list(gate.inputs)
            dead.add(id(gate))
    return [step for step in steps if id(step) not in dead]


class _Modules:
    """Turn steps with constant weights into module steps."""

    def __init__(self, layered: Layered, graph: StaticGraph) -> None:
        self.layered = layered
        self.graph = graph
        self.users = consumers(layered.steps)

    def convert(self) -> None:
        rules: dict[str, Callable[[Step], None]] = {
            "batch_norm": self._batch_norm,
            "conv": self._conv,
            "gemm": self._gemm,
            "layer_norm": self._layer_norm,
            "matmul": self._matmul,
            "prelu": self._prelu,
        }
        for step in list(self.layered.steps):
            if step.kernel in rules and all(name in self.graph.constants for name in step.inputs[1:]):
                rules[step.kernel](step)

    def _tensor(self, step: Step, position: int) -> Tensor | None:
        return self.graph.constants[step.inputs[position]] if len(step.inputs) > position else None

    def _become(self, step: Step, module: str, settings: dict[str, Any], weights: dict[str, Tensor | None]) -> None:
        step.kernel, step.inputs, step.settings = module, step.inputs[:1], settings
        self.layered.weights[step.output] = {k: v for k, v in weights.items() if v is not None}

    def _conv(self, step: Step) -> None:
        weight, bias, settings = self.graph.constants[step.inputs[1]], self._tensor(step, 2), step.settings
        left, right, top, bottom = settings["pad"]
        padding = [top, left]
        if (left, top) != (right, bottom):
            padded = Step("pad", step.inputs[:1], step.output + "/pad", {"pads": settings["pad"], "mode": "constant"})
            padded.settings["value"] = 0.0
            self.layered.steps.insert(self.layered.steps.index(step), padded)
            step.inputs[0], padding = padded.output, [0, 0]
        made = {
            "in_channels": weight.shape[1] * settings["groups"],
            "out_channels": weight.shape[0],
            "kernel_size": list(weight.shape[2:]),
            "stride": settings["stride"],
            "padding": padding,
            "dilation": settings["dilation"],
            "groups": settings["groups"],
            "bias": bias is not None,
        }
        self._become(step, "Conv2d", made, {"weight": weight, "bias": bias})

    def _linear(self, step: Step, weight: Tensor, bias: Tensor | None) -> None:
        made = {"in_features": weight.shape[1], "out_features": weight.shape[0], "bias": bias is not None}
        self._become(step, "Linear", made, {"weight": weight.contiguous(), "bias": bias})

    def _gemm(self, step: Step) -> None:
        weight, bias, settings = self.graph.constants[step.inputs[1]], self._tensor(step, 2), step.settings
        weight = settings["alpha"] * (weight if settings["trans"][1] else weight.T)
        if settings["trans"][0] or (bias is not None and bias.numel() != weight.shape[0]):
            return
        self._linear(step, weight, None if bias is None else settings["beta"] * bias.reshape(-1))

    def _matmul(self, step: Step) -> None:
        weight = self.graph.constants[step.inputs[1]]
        if weight.ndim != 2:
            return
        bias, plus = None, _only_user(step, self.users)
        if plus is not None and plus.kernel == "add" and plus.inputs[1] in self.graph.constants:
            found = self.graph.constants[plus.inputs[1]]
            if found.numel() == found.shape[-1] == weight.shape[1]:
                bias = found.reshape(-1)
                self.layered.steps.remove(plus)
                step.output = plus.output
        self._linear(step, weight.T, bias)

    def _batch_norm(self, step: Step) -> None:
        names = ("weight", "bias", "running_mean", "running_var")
        weights: dict[str, Tensor | None] = {n: self._tensor(step, i + 1) for i, n in enumerate(names)}
        kind = "BatchNorm2d" if len(self.graph.shapes[step.output]) == 4 else "BatchNorm1d"
        count = self.graph.constants[step.inputs[1]].numel()
        weights["num_batches_tracked"] = torch.zeros((), dtype=torch.int64)
        self._become(step, kind, {"num_features": count, "eps": step.settings["eps"]}, weights)

    def _layer_norm(self, step: Step) -> None:
        scale, bias = self.graph.constants[step.inputs[1]], self._tensor(step, 2)
        axis = step.settings["axis"]
        if tuple(scale.shape) != tuple(self.graph.shapes[step.output][axis:]):
            return
        made = {"normalized_shape": list(scale.shape), "eps": step.settings["eps"], "bias": bias is not None}
        self._become(step, "LayerNorm", made, {"weight": scale, "bias": bias})

    def _prelu(self, step: Step) -> None:
        slope = self.graph.constants[step.inputs[1]]
        shape = self.graph.shapes[step.output]
        aligned = [1] * (len(shape) - slope.ndim) + list(slope.shape)
        if slope.numel() == 1 or (slope.numel() == aligned[1] == shape[1]):
            self._become(step, "PReLU", {"num_parameters": slope.numel()}, {"weight": slope.reshape(-1)})


def _count_folded(layered: Layered, graph: StaticGraph) -> int:
    """Convolutions with a bias and no norm behind them, in a graph that is not of the layer-norm kind."""
    if any(step.kernel == "LayerNorm" for step in layered.steps):
        return 0
    return sum(step.settings["bias"] for step in _unnormed(layered))


def _unnormed(layered: Layered) -> list[Step]:
    users = consumers(layered.steps)
    convolutions = [step for step in layered.steps if step.kernel == "Conv2d"]
    return [s for s in convolutions if not any(u.kernel.startswith("BatchNorm") for u in users.get(s.output, []))]


def _add_affines(layered: Layered) -> None:
    for step in _unnormed(layered):
        name, count = step.output, step.settings["out_channels"]
        inner = name + "/plain"
        layered.weights[inner] = layered.weights.pop(name)
        step.output = inner
        affine = Step("ChannelAffine", [inner], name, {"channels": count})
        layered.weights[name] = {"weight": torch.ones(count), "bias": torch.zeros(count)}
        layered.steps.insert(layered.steps.index(step) + 1, affine)


def _collect_loose(layered: Layered, graph: StaticGraph) -> None:
    """Tensors that steps still take; those before the first layer are preprocessing, not weights."""
    raw = {graph.input}
    for step in layered.steps:
        before = bool(raw.intersection(step.inputs)) and not step.kernel[0].isupper()
        if before:
            raw.add(step.output)
        for name in step.inputs:
            constant = graph.constants.get(name)
            if constant is None:
                continue
            layered.loose[name] = constant
            trainable = name in graph.learned and constant.is_floating_point()
            if trainable and not before and step.kernel in LEARNABLE_OPERANDS:
                layered.learned.add(name)
