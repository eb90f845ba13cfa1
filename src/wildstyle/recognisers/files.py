"""Recognisers on disk: one door for ONNX, safetensors and weights-only PyTorch files."""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wildstyle.errors import ContractError, HostileFile, InputError
from wildstyle.recognisers.architecture import describe
from wildstyle.recognisers.backbones import build_backbone
from wildstyle.recognisers.branches import BranchedNetwork
from wildstyle.recognisers.contract import RecogniserContract
from wildstyle.recognisers.contract_text import Preprocessing, from_metadata, parse_contract, to_metadata
from wildstyle.recognisers.importing import GraphNetwork, import_onnx
from wildstyle.recognisers.key_maps import load_state, network_from_state
from wildstyle.recognisers.paired import PairedNetwork
from wildstyle.recognisers.quality import QualityNetwork, gate_from
from wildstyle.recognisers.recogniser import Recogniser
from wildstyle.recognisers.tensor_file import tensor_bytes
from wildstyle.runs.atomic import write_bytes

ARCHITECTURE_KEY = "wildstyle.architecture"
SUFFIXES = (".onnx", ".safetensors", ".pt", ".pth", ".ckpt")

Stated = RecogniserContract | Preprocessing | str | None


def load_recogniser(path: str | Path, *, contract: Stated = None, key_map: str | None = None) -> Recogniser:
    """Read a recogniser: one of the ``SUFFIXES``; in evaluation mode, on the CPU.

    Args:
        contract: what the user says of it: a contract, or text such as ``"rgb,pm1"``; needed where the
            file has none.
        key_map: naming family of a foreign state dict; None finds it by the keys.

    Raises:
        InputError: the file is missing, truncated or of no known kind.
        HostileFile: a PyTorch file that holds more than tensors.
        ContractError: no contract is stored or stated, or the two disagree, or the weights don't fit.
        ImportRefused: an ONNX file that can't be made trainable.
    """
    path = _existing(path)
    if path.suffix == ".onnx":
        imported = import_onnx(path)
        report = imported.report
        stored = from_metadata(imported.metadata, where=path)
        network, sizes = imported.network, (report.embedding_size, report.input_size)
    else:
        network, stored = _from_weights(path, key_map)
        input_size = stored.input_size if stored else 112
        sizes = (_embedding_size(network, input_size, path), input_size)
    return Recogniser(network, _agreed(network, stored, contract, path, sizes))


def read_contract(path: str | Path) -> RecogniserContract | None:
    """The contract stored in a file, or None; the weights are not read where that can be avoided.

    Raises:
        InputError: the file is missing, truncated or of no known kind.
        ContractError: the stored contract is damaged or of another version.
    """
    path = _existing(path)
    if path.suffix == ".onnx":
        from wildstyle.recognisers.importing.reading import load_model

        model = load_model(path)
        return from_metadata({entry.key: entry.value for entry in model.metadata_props}, where=path)
    if path.suffix == ".safetensors":
        return from_metadata(_safetensors_metadata(path), where=path)
    return None


def save_recogniser(recogniser: Recogniser, path: str | Path) -> None:
    """Write weights, contract and architecture to one safetensors file, atomically.

    Raises:
        ContractError: the network's architecture can't be described as data.
        StorageError: the file can't be written.
    """
    description = describe(recogniser.network)
    if description["kind"] == "foreign":
        raise ContractError(
            f"a network of class {description['class']} can't be stored: it could not be built again",
            where=path,
            remedy="use a backbone of the registry or an imported ONNX file",
        )
    metadata = to_metadata(recogniser.contract)
    metadata[ARCHITECTURE_KEY] = json.dumps(description, sort_keys=True)
    write_bytes(Path(path), tensor_bytes(_distinct(recogniser.network), metadata))


def rebuild(description: Mapping[str, Any], *, where: object) -> nn.Module:
    """The network a description stands for, with arbitrary weights.

    Raises:
        ContractError: the description is of no known kind.
    """
    if description.get("kind") == "backbone":
        return build_backbone(description["name"], **description["options"])
    if description.get("kind") == "graph":
        return GraphNetwork(description)
    if description.get("kind") == "branched":
        untouched, adapted = (rebuild(description[part], where=where) for part in ("untouched", "adapted"))
        return BranchedNetwork(untouched, adapted, gate_from(description["gate"]))
    if description.get("kind") == "paired":
        quality = QualityNetwork() if description["gated"] else None
        inner = rebuild(description["network"], where=where)
        return PairedNetwork(inner, quality, rank=description["rank"], strength=description["strength"])
    raise ContractError(f"the stored architecture is of no known kind ({description.get('kind')!r})", where=where)


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise InputError("there is no such file", where=path, remedy="check the path of the recogniser")
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"a recogniser is a {', '.join(SUFFIXES)} file, not {path.suffix or 'a file without suffix'}", where=path
        )
    return path


def _from_weights(path: Path, key_map: str | None) -> tuple[nn.Module, RecogniserContract | None]:
    if path.suffix != ".safetensors":
        return network_from_state(_load_pickle(path), where=path, key_map=key_map), None
    metadata, state = _load_safetensors(path)
    stored = from_metadata(metadata, where=path)
    if ARCHITECTURE_KEY not in metadata:
        return network_from_state(state, where=path, key_map=key_map), stored
    try:
        description = json.loads(metadata[ARCHITECTURE_KEY])
        network = rebuild(description, where=path)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"the stored architecture is damaged ({error})", where=path) from error
    load_state(network, state, where=path, what="the stored architecture")
    return network.eval(), stored


def _load_pickle(path: Path) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols; what it can't read it refuses anyway
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "Weights only load failed" in str(error):
            raise HostileFile(
                "the file holds more than tensors and plain containers; it was not opened",
                where=path,
                remedy="save network.state_dict() alone and give that file",
            ) from error
        raise InputError(f"not a readable PyTorch file ({_brief(error)})", where=path) from error
    except Exception as error:
        raise InputError(
            f"not a readable PyTorch file, perhaps truncated ({_brief(error)})", where=path, remedy="copy it again"
        ) from error


def _safetensors_metadata(path: Path) -> dict[str, str]:
    from safetensors import safe_open

    try:
        with safe_open(str(path), framework="pt") as opened:
            return dict(opened.metadata() or {})
    except Exception as error:
        raise _damaged(path, error) from error


def _load_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    from safetensors.torch import load_file

    metadata = _safetensors_metadata(path)
    try:
        return metadata, load_file(str(path))
    except Exception as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        f"not a readable safetensors file, perhaps truncated ({_brief(error)})", where=path, remedy="copy it again"
    )


def _brief(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]


def _distinct(network: nn.Module) -> dict[str, Tensor]:
    """The state with every shared tensor once, under its first name."""
    kept: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in network.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            kept[name] = tensor.detach().cpu().contiguous()
    return kept


def _embedding_size(network: nn.Module, input_size: int, path: Path) -> int:
    with torch.inference_mode():
        embedded = network(torch.zeros(1, 3, input_size, input_size))
    if embedded.ndim != 2:
        raise ContractError(f"the network gives {tuple(embedded.shape)}, an embedding is (N, D)", where=path)
    return int(embedded.shape[1])


def _agreed(
    network: nn.Module,
    stored: RecogniserContract | None,
    stated: Stated,
    path: Path,
    sizes: tuple[int, int],
) -> RecogniserContract:
    """The one contract that file and user agree on."""
    embedding_size, input_size = sizes
    said = parse_contract(stated) if isinstance(stated, str) else stated
    if isinstance(said, Preprocessing):
        said = said.contract(model_id=path.stem, embedding_size=embedding_size, input_size=input_size)
    if stored is None and said is None:
        raise ContractError(
            "the file does not say how faces must be prepared (colour order, mean and scale)",
            where=path,
            remedy="state it, e.g. rgb,pm1 (how the model's authors trained it), or find it with"
            " `wildstyle recogniser probe` on labelled faces",
        )
    if stored is not None and said is not None and stored.preprocessing() != said.preprocessing():
        raise ContractError(
            f"the file says {stored.preprocessing()}, you say {said.preprocessing()}",
            where=path,
            remedy="leave out the contract to trust the file",
        )
    agreed = stored or said
    assert agreed is not None  # for the type checker; refused above
    if (agreed.embedding_size, agreed.input_size) != sizes:
        raise ContractError(
            f"the contract says {agreed.embedding_size}-d from {agreed.input_size} px,"
            f" the network gives {embedding_size}-d from {input_size} px",
            where=path,
        )
    if not agreed.compat_group:
        # Embeddings of two unrelated recognisers of one size must not look comparable.
        agreed = agreed.with_(compat_group=Recogniser(network, agreed).hash[:16])
    return agreed
