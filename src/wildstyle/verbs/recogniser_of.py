"""The recogniser of a job under its contract: stored, stated by the user, or found by trying."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from wildstyle.errors import ContractError, LabelError
from wildstyle.faces import open_faces
from wildstyle.recognisers import Recogniser, load_recogniser, read_contract
from wildstyle.recognisers.importing import import_onnx
from wildstyle.recognisers.probing import ProbeReport, probe
from wildstyle.verbs.jobs import AdaptJob

PROBED_FACES = 160
"""Faces on which all ways are tried: enough to tell orders and ranges apart, ten passes over them in seconds."""


def recogniser_of(model: Path, contract: str | None, source: Path) -> tuple[Recogniser, bool]:
    """Load ``model``; where neither its file nor the user says how it wants its input, try all ways on ``source``.

    Returns:
        The recogniser, and whether its contract was found by trying.

    Raises:
        ContractError: stored and stated contract disagree, or trying does not settle the question.
        InputError, ImportRefused: the model can't be used.
    """
    if contract is not None or read_contract(model) is not None:
        return load_recogniser(model, contract=contract), False
    remedy = "state it, e.g. --contract rgb,pm1, or see `wildstyle recogniser probe`"
    try:
        found = probe_on(model, source)
    except LabelError as error:
        raise ContractError(
            f"has no contract, and it can't be found on the source ({error.what})", where=model, remedy=remedy
        ) from error
    best = found.rows[0].preprocessing
    if not found.clear:
        raise ContractError(
            f"has no contract, and trying did not settle it: {found.statement}", where=model, remedy=remedy
        )
    return load_recogniser(model, contract=str(best)), True


def probe_on(model: Path, faces: Path) -> ProbeReport:
    """Try every colour order and value range of a model on labelled aligned faces.

    Raises:
        InputError: model or faces can't be read.
        LabelError: fewer than two people with two faces of the right size.
    """
    network, size = _bare_network(model)
    with open_faces(faces) as source:
        return probe(network, source, input_size=size, most=PROBED_FACES)


def _bare_network(model: Path) -> tuple[nn.Module, int]:
    if model.suffix == ".onnx":
        imported = import_onnx(model)
        return imported.network, imported.report.input_size
    # Any contract will do: all are tried.
    loaded = load_recogniser(model, contract=None if read_contract(model) else "rgb,pm1")
    return loaded.network, loaded.contract.input_size


def strong_of(job: AdaptJob) -> Recogniser | None:
    """The stronger recogniser of a job, or None where it names none.

    Raises:
        InputError, ContractError: it can't be read, or nobody says how it wants its input.
    """
    return None if job.strong is None else load_recogniser(job.strong, contract=job.strong_contract)
