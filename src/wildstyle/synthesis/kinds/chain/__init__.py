"""One generator after another."""

from __future__ import annotations

from wildstyle.synthesis.kind import Kind
from wildstyle.synthesis.kinds.chain.generator import ChainGenerator

__all__ = ["KINDS", "ChainGenerator"]

KINDS = (Kind(name="chain", generator=ChainGenerator),)
