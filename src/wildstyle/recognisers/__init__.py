"""Recognisers: networks with a contract; reading, writing, embedding, probing, backbones."""

from __future__ import annotations

from wildstyle.recognisers.backbones import backbone_names, build_backbone
from wildstyle.recognisers.branches import BranchedNetwork
from wildstyle.recognisers.cache import EmbeddingCache
from wildstyle.recognisers.contract import RecogniserContract
from wildstyle.recognisers.contract_text import Preprocessing, parse_contract
from wildstyle.recognisers.embedding import Embeddings, embed_source
from wildstyle.recognisers.export import ExportReport, export_onnx
from wildstyle.recognisers.files import load_recogniser, read_contract, save_recogniser
from wildstyle.recognisers.importing import Imported, ImportReport, import_onnx
from wildstyle.recognisers.probing import ProbeReport, ProbeRow, probe
from wildstyle.recognisers.recogniser import Recogniser, unit

__all__ = [
    "BranchedNetwork",
    "EmbeddingCache",
    "Embeddings",
    "ExportReport",
    "ImportReport",
    "Imported",
    "Preprocessing",
    "ProbeReport",
    "ProbeRow",
    "Recogniser",
    "RecogniserContract",
    "backbone_names",
    "build_backbone",
    "embed_source",
    "export_onnx",
    "import_onnx",
    "load_recogniser",
    "parse_contract",
    "probe",
    "read_contract",
    "save_recogniser",
    "unit",
]
