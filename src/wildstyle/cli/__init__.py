"""The command line: parse, call a verb, show what came back."""

from __future__ import annotations

from wildstyle.cli.main import main

__all__ = ["main"]
