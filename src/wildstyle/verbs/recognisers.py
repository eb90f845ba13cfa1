"""Look at a recogniser, find its preprocessing, and write it in another form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wildstyle.errors import InputError
from wildstyle.recognisers import Recogniser, load_recogniser, save_recogniser
from wildstyle.recognisers.export import export_onnx
from wildstyle.recognisers.importing import import_onnx
from wildstyle.recognisers.probing import ProbeReport
from wildstyle.verbs.progress import Progress, Silent
from wildstyle.verbs.recogniser_of import probe_on


def probe_recogniser(model: Path, faces: Path, *, progress: Progress | None = None) -> ProbeReport:
    """Find the colour order and value range ``model`` was trained with, by trying all on labelled faces.

    Raises:
        InputError: model or faces can't be read.
        LabelError: the faces show one person only, or nobody has a name.
    """
    (progress or Silent()).stage("probe", f"{model} on {faces}")
    return probe_on(model, faces)


def convert(model: Path, out: Path, *, contract: str | None = None) -> Recogniser:
    """Read a recogniser and write it with its contract as .onnx or .safetensors.

    Raises:
        ImportRefused: the model holds operators that can't be made trainable; all are listed.
        ContractError: the contract is missing or contradicts the file.
        InputError: ``out`` is of another kind.
    """
    recogniser = load_recogniser(model, contract=contract)
    if out.suffix == ".onnx":
        export_onnx(recogniser, out)
    elif out.suffix == ".safetensors":
        save_recogniser(recogniser, out)
    else:
        raise InputError("a recogniser is written as .onnx or .safetensors", where=out, remedy="name the file so")
    return recogniser


@dataclass(frozen=True)
class Shown:
    """A recogniser and what is worth knowing of its file, as text by name."""

    recogniser: Recogniser
    facts: dict[str, str]


def show(model: Path, *, contract: str | None = None) -> Shown:
    """Read a recogniser and describe it.

    Raises:
        ContractError: there is no contract, or two that disagree.
        ImportRefused: see ``convert``.
    """
    recogniser = load_recogniser(model, contract=contract)
    parameters = sum(p.numel() for p in recogniser.network.parameters())
    facts = {"parameters": f"{parameters:,}", "sha256 of weights and preprocessing": recogniser.hash}
    if model.suffix == ".onnx":
        report = import_onnx(model).report
        facts["norms folded into convolutions"] = str(report.folded_norms)
    return Shown(recogniser, facts)
