"""Where the demo's recogniser lies: a small network trained on made-up people only."""

from __future__ import annotations

from pathlib import Path


def demo_recogniser_path() -> Path:
    """Its weights with their contract, made by ``scripts/train_demo_recogniser.py``."""
    return Path(__file__).with_name("demo_recogniser.safetensors")
