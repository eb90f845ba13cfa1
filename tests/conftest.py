"""Fixtures for every room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of real faces and models, named by WILDSTYLE_DATA."""
    value = os.environ.get("WILDSTYLE_DATA")
    if not value:
        pytest.skip("WILDSTYLE_DATA is not set: real faces and models are not at hand")
    folder = Path(value)
    if not folder.is_dir():
        pytest.skip(f"WILDSTYLE_DATA={value} is no folder")
    return folder
