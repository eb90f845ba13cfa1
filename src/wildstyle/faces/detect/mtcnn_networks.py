"""The three small networks of MTCNN, from the weights that the ``mtcnn`` wheel carries.

The wheel (MIT, version 1.0.0) can't be imported without TensorFlow, but its weights are plain lists of
arrays, so its files are found without importing it and three ONNX graphs are written around them.
They were trained in MATLAB, which stores columns first: hence the swap of height and width before
the first dense layer.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import HostileFile, MissingExtra

Weights = list[NDArray[np.float32]]

VERSION = "1.0.0"
SHA256 = {
    "pnet": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}


@dataclass(frozen=True)
class Pool:
    """Max pooling; ``same`` pads at the right and bottom, so that no pixel is lost."""

    size: int
    same: bool


@dataclass(frozen=True)
class Layout:
    """One network: a pool or None after each convolution, then a dense layer or none, then the heads.

    The heads come in the order of their weights; the last one is the softmax (no face, face).
    """

    pools: tuple[Pool | None, ...]
    dense: bool
    heads: tuple[str, ...]


LAYOUTS = {
    "pnet": Layout((Pool(2, same=True), None, None), dense=False, heads=("box", "face")),
    "rnet": Layout((Pool(3, same=True), Pool(3, same=False), None), dense=True, heads=("box", "face")),
    "onet": Layout(
        (Pool(3, same=True), Pool(3, same=False), Pool(2, same=True), None),
        dense=True,
        heads=("box", "points", "face"),
    ),
}


def read_weights(network: str) -> Weights:
    """Arrays of one network in the order of its layers: kernels (H, W, in, out), biases, slopes.

    Args:
        network: "pnet", "rnet" or "onet".

    Raises:
        MissingExtra: the package that carries the weights is not installed.
        HostileFile: the file is not the one that was checked when this was written.
    """
    path = _weights_file(network)
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256[network]:
        raise HostileFile(
            f"SHA-256 is {found[:16]}…, expected {SHA256[network][:16]}…; it was not unpickled",
            where=path,
            remedy=f"reinstall it: pip install --force-reinstall --no-deps mtcnn=={VERSION}",
        )
    import joblib

    # Loaded from the bytes that were hashed: the file can't change in between.
    weights: Weights = joblib.load(io.BytesIO(data))
    return weights


def _weights_file(network: str) -> Path:
    remedy = f"install it: pip install mtcnn=={VERSION} (or give a detector file)"
    try:
        package: Distribution = distribution("mtcnn")
    except PackageNotFoundError as error:
        raise MissingExtra(
            "the package mtcnn, which carries the default detector, is missing", remedy=remedy
        ) from error
    path = Path(str(package.locate_file(f"mtcnn/assets/weights/{network}.lz4")))
    if not path.is_file():
        raise MissingExtra(f"mtcnn {package.version} carries no weights here", where=path, remedy=remedy)
    return path


def build_graph(network: str, weights: Weights) -> bytes:
    """An ONNX model: input (N, 3, H, W), outputs named by the heads; P-Net's are maps, the others (N, values)."""
    return _Graph(LAYOUTS[network], weights).serialised()


class _Graph:
    """Writes one network node by node; ``flow`` is the name of the tensor that was made last."""

    def __init__(self, layout: Layout, weights: Weights) -> None:
        self.layout = layout
        self.waiting = list(weights)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.flow = "image"

    def serialised(self) -> bytes:
        from onnx import TensorProto, checker, helper

        for pool in self.layout.pools:
            self._convolve()
            self._slope()
            if pool is not None:
                self._pool(pool)
        if self.layout.dense:
            self._node("Transpose", [self.flow], perm=[0, 3, 2, 1])
            self._node("Flatten", [self.flow], axis=1)
            self._dense()
            self._slope()
        trunk = self.flow
        for head in self.layout.heads:
            self._head(trunk, head)
        rest = ["values"] if self.layout.dense else ["values", "rows", "columns"]
        shapes = {head: ["n", *(f"{head}_{side}" for side in rest)] for head in self.layout.heads}
        outputs = [helper.make_tensor_value_info(head, TensorProto.FLOAT, shape) for head, shape in shapes.items()]
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])
        graph = helper.make_graph(self.nodes, "mtcnn", [image], outputs, initializer=self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        checker.check_model(model)
        return bytes(model.SerializeToString())

    def _head(self, trunk: str, head: str) -> None:
        self.flow = trunk
        if self.layout.dense:
            self._dense()
        else:
            self._convolve()
        if head == "face":
            self._node("Softmax", [self.flow], axis=1)
        self.nodes[-1].output[0] = head

    def _convolve(self) -> None:
        kernel, bias = self.waiting.pop(0), self.waiting.pop(0)
        self._node("Conv", [self.flow, self._constant(kernel.transpose(3, 2, 0, 1)), self._constant(bias)])

    def _dense(self) -> None:
        matrix, bias = self.waiting.pop(0), self.waiting.pop(0)
        self._node("Gemm", [self.flow, self._constant(matrix), self._constant(bias)])

    def _slope(self) -> None:
        slope = self.waiting.pop(0)
        shape = (-1, 1, 1) if slope.ndim == 3 else (-1,)
        self._node("PRelu", [self.flow, self._constant(slope.reshape(shape))])

    def _pool(self, pool: Pool) -> None:
        padding = "SAME_UPPER" if pool.same else "VALID"
        self._node("MaxPool", [self.flow], kernel_shape=[pool.size] * 2, strides=[2, 2], auto_pad=padding)

    def _constant(self, values: NDArray[np.float32]) -> str:
        from onnx import numpy_helper

        name = f"w{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    def _node(self, kind: str, inputs: list[str], **attributes: Any) -> None:
        from onnx import helper

        self.flow = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [self.flow], **attributes))
