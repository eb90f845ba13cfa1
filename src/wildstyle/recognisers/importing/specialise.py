"""Make a graph static except for the batch: fold what no picture changes, settle every shape.

The graph is walked three times at once, for batches of 1, 2 and 3, on shapes alone (meta tensors).
A value that no picture changes is known: if it is the same for all batches it is a constant; if it
only repeats along the batch, one copy will do. What remains are steps whose settings hold for any
batch. A file that fixes the batch to 1 comes out with a free batch by the same walk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from wildstyle.errors import ImportRefused
from wildstyle.recognisers.importing.kernels import KERNELS
from wildstyle.recognisers.importing.lowering import lower
from wildstyle.recognisers.importing.nodes import Lowered, OnnxNode, refuse
from wildstyle.recognisers.importing.reading import OnnxFile

BATCHES = (1, 2, 3)

Trio = tuple[Tensor, ...]


@dataclass
class Step:
    """One kernel call: names of its inputs (values or constants), its output and settings."""

    kernel: str
    inputs: list[str]
    output: str
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass
class StaticGraph:
    """Steps that hold for any batch.

    Attributes:
        steps: in order.
        constants: tensors that steps take, by name.
        learned: names of constants that stem from stored weights.
        shapes: shape of every value for a batch of 2, by name.
        input, output: names.
        embedding_size: length of the output.
        notes: what was changed and may surprise.
    """

    steps: list[Step]
    constants: dict[str, Tensor]
    learned: set[str]
    shapes: dict[str, tuple[int, ...]]
    input: str
    output: str
    embedding_size: int
    notes: list[str]


def specialise(file: OnnxFile, input_size: int) -> StaticGraph:
    """Walk the file's graph and settle it.

    Raises:
        ImportRefused: a node's meaning depends on the picture or on the batch in a way that can't be settled.
    """
    walk = _Walk(file, input_size)
    for node in file.nodes:
        walk.take(node)
    return walk.finish()


class _Walk:
    def __init__(self, file: OnnxFile, input_size: int) -> None:
        self.file = file
        picture = tuple(torch.empty(n, 3, input_size, input_size, device="meta") for n in BATCHES)
        self.moving: dict[str, Trio] = {file.input: picture}
        self.known: dict[str, Trio] = {name: (t, t, t) for name, t in file.tensors.items()}
        self.learned = set(file.initialisers)
        self.steps: list[Step] = []
        self.notes: list[str] = []

    def take(self, node: OnnxNode) -> None:
        """Fold the node if no picture reaches it, else make it a step an output."""
        follows = any(name in self.moving for name in node.inputs) and node.op != "Shape"
        try:
            if follows:
                self._emit(node)
            else:
                self._fold(node)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            raise refuse(node, f"can't be computed for a batch of {BATCHES} ({str(error).splitlines()[0]})") from error

    def _values(self, node: OnnxNode, k: int) -> list[Tensor | None]:
        return [self._value(name, k) if name else None for name in node.inputs]

    def _value(self, name: str, k: int) -> Tensor:
        found = self.moving.get(name) or self.known.get(name)
        if found is None:
            raise ImportRefused(f"value {name} is used before it is made", where=self.file.path)
        return found[k]

    def _fold(self, node: OnnxNode) -> None:
        per_batch = []
        for k in range(len(BATCHES)):
            values = self._values(node, k)
            per_batch.append([_run(low, values) for low in lower(node, values)])
        for j, name in enumerate(node.outputs):
            if name and j < len(per_batch[0]):
                self.known[name] = tuple(outputs[j] for outputs in per_batch)
                if any(source in self.learned for source in node.inputs) and node.op != "Shape":
                    self.learned.add(name)

    def _emit(self, node: OnnxNode) -> None:
        values = [self._settled(node, k) for k in range(len(BATCHES))]
        lowered = [lower(node, values[0])]
        if self.file.fixed_batch and node.op in ("Reshape", "Expand"):
            lowered = [lowered[0]] * len(BATCHES)
        else:
            lowered += [lower(node, values[k]) for k in (1, 2)]
        for j, name in enumerate(node.outputs):
            if name and j < len(lowered[0]):
                self._step(node, name, [low[j] for low in lowered], values)

    def _settled(self, node: OnnxNode, k: int) -> list[Tensor | None]:
        """Input values; those that only repeat along the batch are cut to one copy."""
        values = self._values(node, k)
        for i, name in enumerate(node.inputs):
            value = values[i]
            if name in self.known and value is not None and value.is_floating_point():
                values[i] = _one_copy(self.known[name])
        return values

    def _step(
        self, node: OnnxNode, name: str, lowered: list[Lowered], values: Sequence[Sequence[Tensor | None]]
    ) -> None:
        low = self._settle(node, lowered, values)
        outputs = []
        for k in range(len(BATCHES)):
            outputs.append(_run(low, [None if v is None else v.to("meta") for v in values[k]]))
        self._check_batch(node, outputs)
        inputs = [node.inputs[i] for i in low.operands]
        for i in low.operands:
            source = node.inputs[i]
            if source in self.known and not _same(self.known[source]):
                copy = values[0][i]
                if copy is None or not _same((copy, *(self._settled(node, k)[i] for k in (1, 2)))):
                    raise refuse(node, f"its input {source} depends on the batch")
                self.known[source] = (copy, copy, copy)
        self.moving[name] = tuple(outputs)
        if low.kernel == "identity" or (low.kernel == "slice" and outputs[1].shape == self.moving[inputs[0]][1].shape):
            low = Lowered("identity", low.operands[:1])
        self.steps.append(Step(low.kernel, inputs[: len(low.operands)], name, dict(low.settings)))

    def _settle(self, node: OnnxNode, lowered: list[Lowered], values: Sequence[Sequence[Tensor | None]]) -> Lowered:
        """One kernel whose settings hold for any batch."""
        low = lowered[0]
        if low.kernel not in ("reshape", "expand"):
            if lowered[1] == low and lowered[2] == low:
                return low
            if low.kernel == "slice" and all(_whole(lw, v[0]) for lw, v in zip(lowered, values, strict=True)):
                return Lowered("identity", (0,))
            raise refuse(node, f"its settings depend on the batch ({low.settings} at 1, {lowered[1].settings} at 2)")
        before = [_shape(v[0]) for v in values]
        if low.kernel == "expand":
            return Lowered("expand", (0,), {"shape": _free_expand(node, lowered, before)})
        if lowered[0].settings == lowered[1].settings and self.file.fixed_batch:
            after = _shape(_run(low, [None if v is None else v.to("meta") for v in values[0]]))
            return Lowered("reshape", (0,), {"shape": _free_reshape(node, before, after)})
        shapes = [_shape(_run(lw, [_meta(v[0])])) for lw, v in zip(lowered, values, strict=True)]
        varying = [axis for axis, (a, b) in enumerate(zip(shapes[0], shapes[1], strict=True)) if a != b]
        if len(varying) != 1:
            raise refuse(node, f"the batch can't be found in the new shape {shapes[0]} at batch 1, {shapes[1]} at 2")
        shape = list(shapes[0])
        shape[varying[0]] = -1
        return Lowered("reshape", (0,), {"shape": shape})

    def _check_batch(self, node: OnnxNode, outputs: list[Tensor]) -> None:
        growth = {
            tuple(sorted(b - a for a, b in zip(x.shape, y.shape, strict=True) if a != b)) for x, y in pairwise(outputs)
        }
        if len(growth) != 1 or len(next(iter(growth))) != 1:
            raise refuse(node, f"the batch is lost: shapes {[tuple(o.shape) for o in outputs]} for batches {BATCHES}")

    def finish(self) -> StaticGraph:
        output = self.moving.get(self.file.output)
        if output is None or output[1].ndim < 2 or output[1].numel() % 2:
            raise ImportRefused("the output does not depend on the picture", where=self.file.path)
        size = output[1].numel() // 2
        name = self.file.output
        if output[1].ndim != 2:
            self.steps.append(Step("reshape", [name], name + "/flat", {"shape": [-1, size]}))
            self.moving[name + "/flat"] = tuple(torch.empty(n, size, device="meta") for n in BATCHES)
            name += "/flat"
        used = {source for step in self.steps for source in step.inputs} - set(self.moving)
        return StaticGraph(
            steps=_needed(self.steps, name),
            constants={source: self.known[source][0] for source in sorted(used)},
            learned=self.learned & used,
            shapes={value: tuple(trio[1].shape) for value, trio in self.moving.items()},
            input=self.file.input,
            output=name,
            embedding_size=size,
            notes=self.notes,
        )


def _run(low: Lowered, values: Sequence[Tensor | None]) -> Tensor:
    operands = [values[i] for i in low.operands]
    with torch.no_grad():
        return KERNELS[low.kernel](*operands, **low.settings)


def _shape(value: Tensor | None) -> list[int]:
    return [] if value is None else list(value.shape)


def _meta(value: Tensor | None) -> Tensor | None:
    return None if value is None else value.to("meta")


def _same(trio: Sequence[Tensor | None]) -> bool:
    first = trio[0]
    return first is not None and all(t is not None and t.shape == first.shape and torch.equal(t, first) for t in trio)


def _one_copy(trio: Trio) -> Tensor:
    """The value for a batch of one, if the other batches only repeat it; else the last one."""
    first = trio[0]
    for other in trio[1:]:
        if other.ndim != first.ndim or not torch.equal(first.expand_as(other) if first.ndim else first, other):
            return other
    return first


def _whole(low: Lowered, value: Tensor | None) -> bool:
    return value is not None and _run(low, [value.to("meta")]).shape == value.shape


def _free_reshape(node: OnnxNode, before: Sequence[list[int]], after: list[int]) -> list[int]:
    """The new shape with -1 where the batch goes, for a file that fixes the batch to 1.

    The batch keeps its place in memory order: as many numbers lie before it after as before.
    """
    axis = next((i for i, (a, b) in enumerate(zip(before[0], before[1], strict=True)) if a != b), None)
    if axis is None:
        raise refuse(node, "the batch was lost before it")
    ahead = 1
    for size in before[0][:axis]:
        ahead *= size
    product = 1
    for i, size in enumerate(after):
        if product == ahead:
            return [*after[:i], -1, *after[i + 1 :]]
        product *= size
    raise refuse(node, f"the batch can't be found in the new shape {after}")


def _free_expand(node: OnnxNode, lowered: list[Lowered], before: Sequence[list[int]]) -> list[int]:
    shapes = [list(low.settings["shape"]) for low in lowered]
    rank = max(len(shapes[0]), len(before[0]))
    wanted = [[1] * (rank - len(s)) + s for s in shapes]
    had = [[1] * (rank - len(b)) + b for b in before]
    free = []
    for axis in range(rank):
        if had[0][axis] != had[1][axis]:
            free.append(-1)
        elif wanted[0][axis] == wanted[1][axis]:
            free.append(wanted[0][axis])
        else:
            raise refuse(node, "it repeats a value as often as there are pictures")
    return free


def _needed(steps: list[Step], output: str) -> list[Step]:
    """Steps that lead to the output, in order."""
    wanted, kept = {output}, []
    for step in reversed(steps):
        if step.output in wanted:
            wanted.update(step.inputs)
            kept.append(step)
    return kept[::-1]
