"""The folder a run leaves behind, and how files get into it whole."""

from __future__ import annotations

from wildstyle.runs.folder import RunFolder, StageMarker, inputs_hash
from wildstyle.runs.provenance import describe_input, gather_provenance

__all__ = ["RunFolder", "StageMarker", "describe_input", "gather_provenance", "inputs_hash"]
