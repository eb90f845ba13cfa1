"""An ONNX node, the kernel it becomes, and how a rule looks at a node's inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from wildstyle.errors import ImportRefused


@dataclass(frozen=True)
class OnnxNode:
    """A node as read from the file: attributes are Python numbers, texts, lists or tensors."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    opset: int
    name: str


@dataclass(frozen=True)
class Lowered:
    """A kernel, which of the node's inputs it takes as tensors, and its settings."""

    kernel: str
    operands: tuple[int, ...]
    settings: dict[str, Any] = field(default_factory=dict)


Values = Sequence[Tensor | None]
Rule = Callable[[OnnxNode, Values], list[Lowered]]


def refuse(node: OnnxNode, why: str) -> ImportRefused:
    """The error for one node."""
    return ImportRefused(f"node {node.name or node.outputs[0]} ({node.op}): {why}")


def integers(node: OnnxNode, values: Values, position: int, what: str) -> list[int] | None:
    """Integers given as an input; None where the input is absent."""
    if position >= len(values) or values[position] is None:
        return None
    value = values[position]
    if value is None or value.is_meta:
        raise refuse(node, f"{what} depends on the picture")
    return [int(v) for v in value.reshape(-1).tolist()]


def axes_of(node: OnnxNode, values: Values, position: int) -> list[int] | None:
    """Axes, an attribute in old operator sets and an input in new ones."""
    if "axes" in node.attributes:
        return [int(v) for v in node.attributes["axes"]]
    return integers(node, values, position, "axes")


def known(node: OnnxNode, values: Values, position: int = 0) -> Tensor:
    """An input that must be there."""
    value = values[position]
    if value is None:
        raise refuse(node, f"input {position} is missing")
    return value
