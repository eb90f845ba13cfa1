"""Recognisers as ONNX files that say how to use them, checked against onnxruntime before they exist."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wildstyle.errors import ContractError, InputError
from wildstyle.recognisers.contract import RecogniserContract
from wildstyle.recognisers.contract_text import to_metadata
from wildstyle.recognisers.importing.importer import (
    TOLERANCE,
    probe_pictures,
    reference_session,
    run_session,
    unit_difference,
)
from wildstyle.recognisers.recogniser import Recogniser
from wildstyle.recognisers.writing import OPSET, Unwritable, onnx_bytes
from wildstyle.runs.atomic import write_bytes

CHECKED_BATCHES = (1, 3)


@dataclass(frozen=True)
class ExportReport:
    """What was written.

    Attributes:
        path: the file.
        difference: largest difference to onnxruntime in unit embeddings.
        writer: "layers" (written layer by layer, norms stay norms) or "traced" (by torch's exporter).
        opset: version of the operator set.
        size: bytes.
    """

    path: Path
    difference: float
    writer: str
    opset: int
    size: int


def export_onnx(
    recogniser: Recogniser | nn.Module, path: str | Path, contract: RecogniserContract | None = None
) -> ExportReport:
    """Write an ONNX file with a free batch and the contract in its metadata, atomically.

    The input is called ``input``: (N, 3, H, W) float32, normalised by the contract. The output is called
    ``embedding``: (N, D) float32, raw. The same weights give the same bytes.

    Args:
        recogniser: a recogniser, or any module from normalised images to embeddings, e.g. a
            ``BranchedNetwork``.
        contract: needed for a plain module.

    Raises:
        InputError: a plain module without a contract.
        ContractError: the network can't be exported, or the file disagrees with it.
        StorageError: the file can't be written.
    """
    path = Path(path)
    if isinstance(recogniser, Recogniser):
        network, contract = recogniser.network, contract or recogniser.contract
    else:
        network = recogniser
    if contract is None:
        raise InputError("a plain module is exported with a contract", where=path, remedy="pass one")
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        model, writer = _model(network, contract.input_size, path)
        _finish(model, contract)
        data: bytes = model.SerializeToString(deterministic=True)
        difference = _checked(network, data, contract, path)
    finally:
        for module in training:
            module.training = True
    write_bytes(path, data)
    return ExportReport(path, difference, writer, max(entry.version for entry in model.opset_import), len(data))


def _model(network: nn.Module, input_size: int, path: Path) -> tuple[Any, str]:
    import onnx

    try:
        return onnx.load_from_string(onnx_bytes(network, input_size)), "layers"
    except Unwritable:
        pass
    try:
        return _traced(network, input_size), "traced"
    except Exception as error:
        raise ContractError(
            f"the network can't be exported to ONNX ({str(error).strip().splitlines()[0][:160]})", where=path
        ) from error


def _traced(network: nn.Module, input_size: int) -> Any:
    images = torch.zeros(2, 3, input_size, input_size, device=next(network.parameters()).device)
    noisy = logging.getLogger("torch.onnx")
    level = noisy.level
    noisy.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network,
                (images,),
                input_names=["input"],
                output_names=["embedding"],
                dynamic_shapes=({0: torch.export.Dim("n", min=1, max=65536)},),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    finally:
        noisy.setLevel(level)
    if program is None:
        raise RuntimeError("torch's exporter gave nothing")
    return program.model_proto


def _finish(model: Any, contract: RecogniserContract) -> None:
    """Names, contract, and nothing that depends on the machine or the day."""
    output = model.graph.output[0]
    if output.name != "embedding":
        for node in model.graph.node:
            for i, name in enumerate(node.output):
                if name == output.name:
                    node.output[i] = "embedding"
            for i, name in enumerate(node.input):
                if name == output.name:
                    node.input[i] = "embedding"
        output.name = "embedding"
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
    del model.graph.value_info[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
    dims = output.type.tensor_type.shape.dim
    dims[1].dim_value = contract.embedding_size
    model.producer_name, model.producer_version, model.doc_string = "wildstyle", "", contract.model_id
    for key, value in sorted(to_metadata(contract).items()):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value


def _checked(network: nn.Module, data: bytes, contract: RecogniserContract, path: Path) -> float:
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    session = reference_session(data)
    worst = 0.0
    for count in CHECKED_BATCHES:
        pictures = probe_pictures(count, contract.input_size)
        with torch.no_grad():
            wanted = network(torch.from_numpy(pictures).to(device)).float().cpu().numpy()
        if wanted.shape != (count, contract.embedding_size):
            raise ContractError(
                f"the network gives {wanted.shape}, the contract says ({count}, {contract.embedding_size})", where=path
            )
        worst = max(worst, unit_difference(run_session(session, pictures), wanted))
    if not worst <= TOLERANCE:
        raise ContractError(
            f"the exported file differs from the network by {worst:.2g} in unit embeddings (allowed: {TOLERANCE:g})",
            where=path,
            remedy="report this network; nothing was written",
        )
    return worst
