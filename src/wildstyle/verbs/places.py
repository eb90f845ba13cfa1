"""Where wildstyle keeps what can be computed again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Folder of the embedding cache: ``$WILDSTYLE_CACHE``, else ``$XDG_CACHE_HOME/wildstyle``, else in the home."""
    if chosen := os.environ.get("WILDSTYLE_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "wildstyle"
