"""Look at a recogniser, find its preprocessing, and write it in another form."""

from __future__ import annotations

from pathlib import Path

from wildstyle.errors import InputError
from wildstyle.faces import open_faces
from wildstyle.recognisers import (
    ProbeReport,
    Recogniser,
    export_onnx,
    load_recogniser,
    probe,
    save_recogniser,
)
from wildstyle.verbs.progress import Progress, Silent


def probe_recogniser(model: Path, faces: Path, *, progress: Progress | None = None) -> ProbeReport:
    """Find the colour order and value range ``model`` was trained with, by trying all on labelled faces.

    Raises:
        InputError: model or faces can't be read.
        LabelError: the faces show one person only, or nobody has a name.
    """
    progress = progress or Silent()
    progress.stage("probe", f"{model} on {faces}")
    with open_faces(faces) as source:
        return probe(model, source)


def convert(model: Path, out: Path, *, contract: str | None = None) -> Recogniser:
    """Read a recogniser and write it with its contract as .onnx or .safetensors.

    Raises:
        ImportRefused: the model holds operators that can't be made trainable; all are listed.
        ContractError: the contract is missing or contradicts the file.
        InputError: ``out`` is of another kind.
    """
    recogniser = load_recogniser(model, contract=contract)
    if out.suffix == ".onnx":
        export_onnx(recogniser, recogniser.contract, out)
    elif out.suffix == ".safetensors":
        save_recogniser(recogniser, out)
    else:
        raise InputError("a recogniser is written as .onnx or .safetensors", where=out, remedy="name the file so")
    return recogniser
