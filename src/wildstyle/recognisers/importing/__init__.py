"""ONNX files made trainable by a narrow importer of our own."""

from __future__ import annotations

from wildstyle.recognisers.importing.importer import Imported, ImportReport, import_onnx
from wildstyle.recognisers.importing.network import GraphNetwork

__all__ = ["GraphNetwork", "ImportReport", "Imported", "import_onnx"]
