"""Embeddings remembered on disk by (recogniser hash, face hash)."""

from __future__ import annotations

from pathlib import Path


class EmbeddingCache:
    """A folder of append-only files of fixed-size rows, one folder a recogniser."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
