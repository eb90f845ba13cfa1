"""A network that is a flat list of steps, built from data alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from wildstyle.errors import ContractError
from wildstyle.recognisers.architecture import ARCHITECTURE
from wildstyle.recognisers.importing.kernels import KERNELS
from wildstyle.recognisers.importing.specialise import Step

FORMAT = 1
"""Version of the description; a reader refuses others."""


class ChannelAffine(nn.Module):
    """A gain and a shift a channel; identity at first. Stands in for a norm that was folded away."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, ...) to the same shape."""
        shape = (1, -1) + (1,) * (images.ndim - 2)
        return images * self.weight.view(shape) + self.bias.view(shape)


MODULES: dict[str, Callable[..., nn.Module]] = {
    "BatchNorm1d": nn.BatchNorm1d,
    "BatchNorm2d": nn.BatchNorm2d,
    "ChannelAffine": ChannelAffine,
    "Conv2d": nn.Conv2d,
    "LayerNorm": nn.LayerNorm,
    "Linear": nn.Linear,
    "PReLU": nn.PReLU,
}


class GraphNetwork(nn.Module):
    """Steps executed in order; a value is freed after its last use.

    Layers with weights are ordinary torch modules in ``layers`` (replace one and it is used), other
    trainable tensors lie in ``loose``, constants are buffers.

    Args:
        description: ``{"kind": "graph", "format", "input", "output", "steps", "tensors", "shared"}`` as made by
            ``describe_graph``; weights come afterwards by ``load_state_dict``.

    Raises:
        ContractError: another description format, or an unknown layer in it.
    """

    def __init__(self, description: Mapping[str, Any]) -> None:
        super().__init__()
        if description.get("format") != FORMAT:
            raise ContractError(f"graph description {description.get('format')!r}; this program reads {FORMAT}")
        setattr(self, ARCHITECTURE, dict(description))
        self.layers = nn.ModuleDict()
        self.loose = nn.ParameterDict()
        for name, spec in description["tensors"].items():
            tensor = torch.zeros(spec["shape"], dtype=getattr(torch, spec["dtype"]))
            if spec["learned"]:
                self.loose[name] = nn.Parameter(tensor)
            else:
                self.register_buffer(name, tensor)
        self.plan = _plan(description)
        self.ends = (description["input"], description["output"])
        for key, kernel, _, _, settings, _ in self.plan:
            if kernel in MODULES:
                self.layers[key] = MODULES[kernel](**settings)
        for alias, name in description["shared"].items():
            owner, leaf = alias.rsplit(".", 1)
            setattr(self.get_submodule(owner), leaf, self.get_parameter(name))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalised to raw embeddings (N, D)."""
        values: dict[str, Tensor] = {self.ends[0]: images}
        for key, kernel, inputs, output, settings, spent in self.plan:
            operands = [values[name] if name in values else self.constant(name) for name in inputs]
            if kernel in MODULES:
                values[output] = self.layers[key](*operands)
            else:
                values[output] = KERNELS[kernel](*operands, **settings)
            del operands
            for name in spent:
                del values[name]
        return values[self.ends[1]]

    def constant(self, name: str) -> Tensor:
        """A tensor that steps take directly, trainable or not."""
        found: Tensor = self.loose[name] if name in self.loose else self._buffers[name]  # type: ignore[assignment]
        return found


_Planned = tuple[str, str, tuple[str, ...], str, dict[str, Any], tuple[str, ...]]


def _plan(description: Mapping[str, Any]) -> list[_Planned]:
    """(module key, kernel, inputs, output, settings, values that may be freed) a step."""
    planned: list[_Planned] = []
    needed = {description["output"], *description["tensors"]}
    for number, step in reversed(list(enumerate(description["steps"]))):
        if step["kernel"] not in KERNELS and step["kernel"] not in MODULES:
            raise ContractError(f"the graph has an unknown layer {step['kernel']!r}")
        inputs = tuple(step["inputs"])
        spent = tuple(sorted(set(inputs) - needed))
        needed.update(inputs)
        planned.append(
            (layer_key(number, step["kernel"]), step["kernel"], inputs, step["output"], step["settings"], spent)
        )
    return planned[::-1]


def layer_key(number: int, kernel: str) -> str:
    """Name of a module step inside ``layers``."""
    return f"{number:03d}_{kernel.lower()}"


def describe_graph(
    steps: list[Step], loose: Mapping[str, Tensor], learned: set[str], ends: tuple[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The description of a graph, with short names for values, and how tensors are renamed.

    Args:
        steps, loose, learned: as in ``Layered``.
        ends: names of input and output.
    """
    short = {name: f"constant_{i}" for i, name in enumerate(loose)}
    short[ends[0]] = "input"
    for i, step in enumerate(steps):
        short[step.output] = f"v{i}"
    tensors = {
        short[name]: {
            "shape": list(tensor.shape),
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "learned": name in learned,
        }
        for name, tensor in loose.items()
    }
    listed = [
        {
            "kernel": step.kernel,
            "inputs": [short[name] for name in step.inputs],
            "output": short[step.output],
            "settings": step.settings,
        }
        for step in steps
    ]
    description = {
        "kind": "graph",
        "format": FORMAT,
        "input": "input",
        "output": short[ends[1]],
        "steps": listed,
        "tensors": tensors,
        "shared": {},
    }
    return description, short
