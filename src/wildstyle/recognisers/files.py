"""Recognisers on disk: one door for ONNX, safetensors and weights-only PyTorch files."""

from __future__ import annotations

from pathlib import Path

from wildstyle.recognisers.contract import RecogniserContract
from wildstyle.recognisers.contract_text import Preprocessing
from wildstyle.recognisers.recogniser import Recogniser


def load_recogniser(
    path: str | Path, *, contract: RecogniserContract | Preprocessing | str | None = None, key_map: str | None = None
) -> Recogniser:
    """Read a recogniser from ``.onnx``, ``.safetensors``, ``.pt`` or ``.pth``."""
    raise NotImplementedError


def read_contract(path: str | Path) -> RecogniserContract | None:
    """The contract stored in a file, or None."""
    raise NotImplementedError


def save_recogniser(recogniser: Recogniser, path: str | Path) -> None:
    """Write weights, contract and architecture to one safetensors file."""
    raise NotImplementedError
