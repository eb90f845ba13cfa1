"""Recognisers: networks with a contract; reading, writing, embedding, probing, backbones."""

from __future__ import annotations

from wildstyle.recognisers.backbones import backbone_names, build_backbone
from wildstyle.recognisers.cache import EmbeddingCache
from wildstyle.recognisers.contract import RecogniserContract
from wildstyle.recognisers.contract_text import Preprocessing, parse_contract
from wildstyle.recognisers.embedding import Embeddings, embed_source
from wildstyle.recognisers.files import load_recogniser, read_contract, save_recogniser
from wildstyle.recognisers.recogniser import Recogniser, unit

__all__ = [
    "EmbeddingCache",
    "Embeddings",
    "Preprocessing",
    "Recogniser",
    "RecogniserContract",
    "backbone_names",
    "build_backbone",
    "embed_source",
    "load_recogniser",
    "parse_contract",
    "read_contract",
    "save_recogniser",
    "unit",
]
