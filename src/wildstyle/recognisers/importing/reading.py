"""An ONNX file as plain Python: nodes, named tensors, one input, one output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wildstyle.errors import ImportRefused, InputError
from wildstyle.recognisers.importing.lowering import supported_operators
from wildstyle.recognisers.importing.nodes import OnnxNode


@dataclass(frozen=True)
class OnnxFile:
    """What a file holds.

    Attributes:
        path: where it came from.
        nodes: in an order in which they can be computed.
        tensors: initialisers and constants; floats as float32, integers as int64.
        initialisers: names of those tensors that are stored weights rather than written-in constants.
        input, output: names of the picture and of the embedding.
        input_size: height and width in px, None where the file leaves it open.
        fixed_batch: whether the file fixes the batch to one image.
        metadata: the file's own string pairs.
        model: the parsed ONNX model.
    """

    path: Path
    nodes: tuple[OnnxNode, ...]
    tensors: dict[str, Tensor]
    initialisers: frozenset[str]
    input: str
    output: str
    input_size: int | None
    fixed_batch: bool
    metadata: Mapping[str, str]
    model: Any


def load_model(path: Path) -> Any:
    """Parse an ONNX file.

    Raises:
        InputError: the file is missing, empty, truncated or no ONNX file.
    """
    import onnx

    if not path.is_file():
        raise InputError("there is no such file", where=path, remedy="check the path of the recogniser")
    try:
        model = onnx.load(str(path))
        if not model.graph.node:
            raise ValueError("it holds no network")
    except Exception as error:
        raise InputError(f"not a readable ONNX file ({_brief(error)})", where=path, remedy="copy it again") from error
    if model.functions:
        from onnx import inliner

        model = inliner.inline_local_functions(model)
    return model


def read_onnx(path: Path) -> OnnxFile:
    """Read and check an ONNX file.

    Raises:
        InputError: the file can't be read.
        ImportRefused: operators, inputs or outputs the importer can't handle; all of them are listed.
    """
    model = load_model(path)
    graph = model.graph
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    _refuse_unsupported(model, opset, path)
    stored = {tensor.name: _tensor(tensor) for tensor in graph.initializer}
    tensors, nodes = dict(stored), []
    for proto in graph.node:
        node = _node(proto, opset)
        if node.op == "Constant":
            tensors[node.outputs[0]] = _constant(node)
        else:
            nodes.append(node)
    inputs = [value for value in graph.input if value.name not in stored]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise ImportRefused(
            f"the file has {len(inputs)} inputs and {len(graph.output)} outputs; a recogniser has one of each",
            where=path,
        )
    sizes = [dim.dim_value for dim in inputs[0].type.tensor_type.shape.dim]
    return OnnxFile(
        path=path,
        nodes=tuple(nodes),
        tensors=tensors,
        initialisers=frozenset(stored),
        input=inputs[0].name,
        output=graph.output[0].name,
        input_size=_input_size(sizes, path),
        fixed_batch=bool(sizes and sizes[0] == 1),
        metadata={entry.key: entry.value for entry in model.metadata_props},
        model=model,
    )


def _refuse_unsupported(model: Any, opset: int, path: Path) -> None:
    supported = supported_operators()
    counts: dict[str, int] = {}
    for node in model.graph.node:
        name = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        if name not in supported:
            counts[name] = counts.get(name, 0) + 1
    faults = [f"{name} ({count}x)" for name, count in sorted(counts.items())]
    if faults:
        raise ImportRefused(
            f"operators that can't be made trainable: {', '.join(faults)}",
            where=path,
            remedy="export the recogniser without them, or load its PyTorch weights instead",
        )
    if opset < 9:
        raise ImportRefused(f"operator set {opset}; versions from 9 on are read", where=path)


def _input_size(sizes: list[int], path: Path) -> int | None:
    if len(sizes) != 4 or sizes[1] not in (0, 3) or sizes[2] != sizes[3]:
        raise ImportRefused(
            f"the input has shape {sizes}; square NCHW pictures with 3 channels are read (0: any)",
            where=path,
            remedy="export the recogniser with an input of shape (N, 3, 112, 112)",
        )
    return sizes[2] or None


def _node(proto: Any, opset: int) -> OnnxNode:
    import onnx

    attributes: dict[str, Any] = {}
    for attribute in proto.attribute:
        value = onnx.helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            value = value.decode()
        elif isinstance(value, onnx.TensorProto):
            value = _tensor(value)
        attributes[attribute.name] = value
    return OnnxNode(proto.op_type, tuple(proto.input), tuple(proto.output), attributes, opset, proto.name)


def _constant(node: OnnxNode) -> Tensor:
    (name, value), *_ = node.attributes.items()
    if isinstance(value, Tensor):
        return value
    kind = torch.float32 if name.startswith("value_float") else torch.int64
    return torch.tensor(value, dtype=kind)


def _tensor(proto: Any) -> Tensor:
    from onnx import numpy_helper

    array = np.array(numpy_helper.to_array(proto))
    if np.issubdtype(array.dtype, np.floating):
        return torch.from_numpy(array.astype(np.float32))
    if array.dtype == np.bool_:
        return torch.from_numpy(array)
    if np.issubdtype(array.dtype, np.integer):
        return torch.from_numpy(array.astype(np.int64))
    raise ImportRefused(f"tensor {proto.name} holds {array.dtype}; only real numbers are read")


def _brief(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
