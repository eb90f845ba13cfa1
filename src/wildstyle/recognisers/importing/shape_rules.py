"""Rules for nodes that move numbers without changing them: shapes, slices, padding."""

from __future__ import annotations

import math

from wildstyle.recognisers.importing.nodes import Lowered, OnnxNode, Values, axes_of, integers, known, refuse


def reshape(node: OnnxNode, values: Values) -> list[Lowered]:
    """Reshape; 0 keeps a size, unless the node says otherwise."""
    x = known(node, values)
    wanted = integers(node, values, 1, "the new shape")
    if wanted is None:
        wanted = [int(v) for v in node.attributes["shape"]]
    if not node.attributes.get("allowzero", 0):
        wanted = [x.shape[i] if size == 0 else size for i, size in enumerate(wanted)]
    return [Lowered("reshape", (0,), {"shape": wanted})]


def flatten(node: OnnxNode, values: Values) -> list[Lowered]:
    """Flatten to a matrix."""
    x = known(node, values)
    axis = int(node.attributes.get("axis", 1)) % (x.ndim + 1)
    return [Lowered("reshape", (0,), {"shape": [math.prod(x.shape[:axis]), math.prod(x.shape[axis:])]})]


def squeeze(node: OnnxNode, values: Values) -> list[Lowered]:
    """Drop axes of size 1."""
    x = known(node, values)
    axes = axes_of(node, values, 1)
    if axes is None:
        axes = [i for i, size in enumerate(x.shape) if size == 1]
    dropped = {axis % x.ndim for axis in axes}
    return [Lowered("reshape", (0,), {"shape": [s for i, s in enumerate(x.shape) if i not in dropped]})]


def unsqueeze(node: OnnxNode, values: Values) -> list[Lowered]:
    """Add axes of size 1."""
    x = known(node, values)
    axes = axes_of(node, values, 1) or []
    rank = x.ndim + len(axes)
    added, sizes = {axis % rank for axis in axes}, list(x.shape)
    return [Lowered("reshape", (0,), {"shape": [1 if i in added else sizes.pop(0) for i in range(rank)]})]


def transpose(node: OnnxNode, values: Values) -> list[Lowered]:
    """Reorder axes; by default reversed."""
    order = node.attributes.get("perm", list(range(known(node, values).ndim))[::-1])
    return [Lowered("transpose", (0,), {"order": list(order)})]


def cut(node: OnnxNode, values: Values) -> list[Lowered]:
    """Slice with positive steps."""
    old = node.attributes
    starts = list(old["starts"]) if "starts" in old else integers(node, values, 1, "the start of a slice")
    ends = list(old["ends"]) if "ends" in old else integers(node, values, 2, "the end of a slice")
    if starts is None or ends is None:
        raise refuse(node, "a slice without limits")
    axes = axes_of(node, values, 3) or list(range(len(starts)))
    steps = integers(node, values, 4, "the step of a slice") or [1] * len(starts)
    if min(steps) < 1:
        raise refuse(node, "a slice with a negative step")
    return [Lowered("slice", (0,), {"starts": starts, "ends": ends, "axes": axes, "steps": steps})]


def split(node: OnnxNode, values: Values) -> list[Lowered]:
    """Split along an axis: one slice an output."""
    x = known(node, values)
    axis = int(node.attributes.get("axis", 0)) % x.ndim
    sizes = node.attributes.get("split") or integers(node, values, 1, "the sizes of a split")
    if sizes is None:
        share = math.ceil(x.shape[axis] / len(node.outputs))
        sizes = [share] * (len(node.outputs) - 1)
        sizes = [*sizes, x.shape[axis] - sum(sizes)]
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return [
        Lowered("slice", (0,), {"starts": [start], "ends": [start + size], "axes": [axis], "steps": [1]})
        for start, size in zip(starts, sizes, strict=True)
    ]


def pad(node: OnnxNode, values: Values) -> list[Lowered]:
    """Pad with zeros, a value, the reflection or the edge."""
    x = known(node, values)
    pads = list(node.attributes["pads"]) if "pads" in node.attributes else integers(node, values, 1, "the padding")
    if pads is None or len(values) > 3:
        raise refuse(node, "padding by axes")
    fill = values[2] if len(values) > 2 else None
    value = float(node.attributes.get("value", 0.0)) if fill is None else float(fill)
    mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}.get(
        node.attributes.get("mode", "constant")
    )
    if mode is None:
        raise refuse(node, f"padding mode {node.attributes['mode']}")
    pairs = [(pads[i], pads[i + x.ndim]) for i in range(x.ndim)]
    while mode != "constant" and len(pairs) > 2 and pairs[0] == (0, 0):
        pairs.pop(0)
    return [Lowered("pad", (0,), {"pads": [v for pair in pairs[::-1] for v in pair], "mode": mode, "value": value})]


def expand(node: OnnxNode, values: Values) -> list[Lowered]:
    """Two-way broadcast."""
    return [Lowered("expand", (0,), {"shape": integers(node, values, 1, "the new shape")})]


def tile(node: OnnxNode, values: Values) -> list[Lowered]:
    """Repeat along the axes."""
    return [Lowered("tile", (0,), {"repeats": integers(node, values, 1, "the repeats")})]
