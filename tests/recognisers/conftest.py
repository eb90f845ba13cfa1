"""Small recognisers, files and sources for the tests of this room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from wildstyle.errors import UnreadableFace
from wildstyle.faces import Face, FaceRecord, FaceSource
from wildstyle.recognisers import Recogniser, RecogniserContract, build_backbone

CONTRACT = RecogniserContract(
    model_id="tiny", channel_order="RGB", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), embedding_size=16
)


class ListSource(FaceSource):
    """Faces in memory; None stands for one that can't be read. Counts its reads."""

    def __init__(self, images: Sequence[np.ndarray | None], subjects: Sequence[str | None] | None = None) -> None:
        self.name = self.location = "memory"
        self.images = images
        self.subjects_given = subjects or [None] * len(images)

    def __len__(self) -> int:
        return len(self.images)

    def record(self, index: int) -> FaceRecord:
        return FaceRecord(id=f"face{index}", source=self.name, subject=self.subjects_given[index])

    def encoded(self, index: int) -> bytes:
        raise NotImplementedError

    def read(self, index: int) -> Face:
        image = self.images[index]
        if image is None:
            raise UnreadableFace("the picture is cut off", where=f"memory:face{index}")
        return Face(image, self.record(index))


@pytest.fixture
def contract() -> RecogniserContract:
    return CONTRACT


@pytest.fixture
def tiny() -> Recogniser:
    """A 16-d recogniser with statistics that are not those of a fresh norm."""
    network = build_backbone("tiny").eval()
    rng = np.random.default_rng(5)
    for name, buffer in network.named_buffers():
        if name.endswith("running_var"):
            buffer.copy_(buffer.new_tensor(rng.uniform(0.5, 2.0, buffer.shape)))
        elif name.endswith("running_mean"):
            buffer.copy_(buffer.new_tensor(rng.normal(0, 0.3, buffer.shape)))
    return Recogniser(network, CONTRACT)


@pytest.fixture
def list_source() -> type[ListSource]:
    return ListSource


@pytest.fixture
def pictures() -> Callable[[int], list[np.ndarray]]:
    def make(count: int, size: int = 112) -> list[np.ndarray]:
        rng = np.random.default_rng(count)
        return [rng.integers(0, 256, (size, size, 3), dtype=np.uint8) for _ in range(count)]

    return make


Nodes = Sequence[tuple[str, Sequence[str], Sequence[str], dict[str, Any]]]


@pytest.fixture
def onnx_file(tmp_path: Path) -> Callable[..., Path]:
    """Write a small ONNX file: input ``x`` of (batch, 3, size, size), output ``y``."""

    def write(
        nodes: Nodes,
        tensors: dict[str, np.ndarray],
        *,
        batch: int | str = "n",
        size: int = 16,
        opset: int = 17,
        name: str = "net.onnx",
        domain: str = "",
        metadata: dict[str, str] | None = None,
    ) -> Path:
        graph = helper.make_graph(
            [
                helper.make_node(op, list(i), list(o), domain=domain if op == "Odd" else "", **a)
                for op, i, o, a in nodes
            ],
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, size, size])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(np.array(v), k) for k, v in tensors.items()],
        )
        opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        for key, value in (metadata or {}).items():
            entry = model.metadata_props.add()
            entry.key, entry.value = key, value
        path = tmp_path / name
        onnx.save(model, str(path))
        return path

    return write
