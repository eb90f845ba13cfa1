"""An ONNX recogniser made trainable, and checked against onnxruntime before anyone trains it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wildstyle.errors import ImportRefused
from wildstyle.randomness import item_rng
from wildstyle.recognisers.importing.fusing import Layered, fuse
from wildstyle.recognisers.importing.network import GraphNetwork, describe_graph, layer_key
from wildstyle.recognisers.importing.reading import OnnxFile, read_onnx
from wildstyle.recognisers.importing.specialise import specialise

TOLERANCE = 1e-4
"""Largest difference allowed in any entry of a unit embedding, against onnxruntime."""


@dataclass(frozen=True)
class ImportReport:
    """What became of a file.

    Attributes:
        operators: how often each layer or kernel occurs in the result.
        parameters: trainable numbers.
        norms: batch norms that are still norms.
        folded_norms: convolutions whose batch norm was folded into them before the file was written.
        fresh_affines: per-channel gains and shifts added in their place.
        fixed_batch: whether the file fixed the batch to 1 (it no longer is).
        input_size: height and width in px.
        embedding_size: length of the embedding.
        difference: largest difference to onnxruntime in unit embeddings, over batches of 1 and 8.
    """

    operators: dict[str, int]
    parameters: int
    norms: int
    folded_norms: int
    fresh_affines: int
    fixed_batch: bool
    input_size: int
    embedding_size: int
    difference: float


@dataclass(frozen=True)
class Imported:
    """A trainable network in evaluation mode, what was found, and the file's own string pairs."""

    network: nn.Module
    report: ImportReport
    metadata: dict[str, str]


def import_onnx(path: str | Path, *, fresh_affine: bool = False, input_size: int = 112) -> Imported:
    """Make an ONNX recogniser trainable.

    Args:
        fresh_affine: add a gain and shift a channel after every convolution that no norm follows.
        input_size: height and width in px, where the file leaves it open.

    Raises:
        InputError: the file can't be read.
        ImportRefused: operators or shapes can't be made trainable faithfully (all unknown operators
            are listed), or the result differs from onnxruntime by more than 1e-4.
    """
    file = read_onnx(Path(path))
    size = file.input_size or input_size
    graph = specialise(file, size)
    layered = fuse(graph, fresh_affine=fresh_affine)
    network = build(layered, (graph.input, graph.output))
    difference = _difference(network, file, size)
    if not difference <= TOLERANCE:
        raise ImportRefused(
            f"the imported network differs from onnxruntime by {difference:.2g} in unit embeddings"
            f" (allowed: {TOLERANCE:g})",
            where=file.path,
            remedy="load the recogniser's PyTorch weights instead",
        )
    report = _report(file, network, layered, (size, graph.embedding_size, difference))
    return Imported(network, report, dict(file.metadata))


def build(layered: Layered, ends: tuple[str, str]) -> GraphNetwork:
    """The network of a layered graph with its weights, in evaluation mode.

    Args:
        ends: names of input and output.
    """
    description, short = describe_graph(layered.steps, layered.loose, layered.learned, ends)
    state: dict[str, Tensor] = {}
    owners: dict[int, str] = {}
    for number, step in enumerate(layered.steps):
        for leaf, tensor in layered.weights.get(step.output, {}).items():
            name = f"layers.{layer_key(number, step.kernel)}.{leaf}"
            state[name] = tensor
            # One stored tensor used twice (tied weights) stays one parameter; views don't tie.
            first = owners.setdefault(id(tensor), name)
            if first != name:
                description["shared"][name] = first
    for original, tensor in layered.loose.items():
        prefix = "loose." if original in layered.learned else ""
        state[prefix + short[original]] = tensor
    network = GraphNetwork(description)
    network.load_state_dict(state)
    return network.eval()


def _report(file: OnnxFile, network: nn.Module, layered: Layered, found: tuple[int, int, float]) -> ImportReport:
    counts: dict[str, int] = {}
    for step in layered.steps:
        counts[step.kernel] = counts.get(step.kernel, 0) + 1
    return ImportReport(
        operators=dict(sorted(counts.items())),
        parameters=sum(p.numel() for p in network.parameters()),
        norms=counts.get("BatchNorm2d", 0) + counts.get("BatchNorm1d", 0),
        folded_norms=layered.folded,
        fresh_affines=counts.get("ChannelAffine", 0),
        fixed_batch=file.fixed_batch,
        input_size=found[0],
        embedding_size=found[1],
        difference=found[2],
    )


def _difference(network: nn.Module, file: OnnxFile, size: int) -> float:
    """Largest difference in unit embeddings on smooth random pictures, in batches of 8 and of 1."""
    pictures = probe_pictures(8, size)
    step = 1 if file.fixed_batch else 8
    try:
        session = reference_session(file.model.SerializeToString())
        wanted = np.concatenate([run_session(session, pictures[i : i + step]) for i in range(0, 8, step)])
    except Exception as error:
        raise ImportRefused(
            f"onnxruntime itself can't run it ({str(error).splitlines()[0][:160]})",
            where=file.path,
            remedy="check the file with `onnx.checker`, or export it again",
        ) from error
    with torch.no_grad():
        together = network(torch.from_numpy(pictures)).numpy()
        alone = network(torch.from_numpy(pictures[:1])).numpy()
    return max(unit_difference(together, wanted), unit_difference(alone, wanted[:1]))


def probe_pictures(count: int, size: int) -> NDArray[np.float32]:
    """Smooth random network input, (count, 3, size, size) float32 of about unit variance."""
    import cv2

    coarse = item_rng(0, "parity", size).normal(size=(count, 7, 7, 3)).astype(np.float32)
    smooth = [cv2.resize(c, (size, size), interpolation=cv2.INTER_CUBIC) for c in coarse]
    return np.ascontiguousarray(np.stack(smooth).transpose(0, 3, 1, 2))


def reference_session(model: bytes | str) -> Any:
    """A single-threaded onnxruntime session that keeps its warnings to itself."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run_session(session: Any, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Embeddings (N, D) of network input (N, 3, H, W) by onnxruntime."""
    found = session.run(None, {session.get_inputs()[0].name: pictures})[0]
    return np.asarray(found, dtype=np.float32).reshape(len(pictures), -1)


def unit_difference(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Largest difference between two sets of embeddings (N, D) after normalising each."""
    if a.shape != b.shape:
        return float("inf")
    unit_a = a / np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-12)
    unit_b = b / np.maximum(np.linalg.norm(b, axis=1, keepdims=True), 1e-12)
    return float(np.abs(unit_a - unit_b).max())
