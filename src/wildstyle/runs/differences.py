"""Where two configurations differ, in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

_ABSENT = object()


def differing_keys(there: Mapping[str, Any], given: Mapping[str, Any], may_differ: Collection[str] = ()) -> list[str]:
    """One line a differing key, e.g. ``"synthesis.steps is 200 there, 300 now"``, sorted by key.

    Args:
        there: the stored configuration.
        given: the one asked for now.
        may_differ: dotted keys to leave out, with all keys below them.
    """
    left, right = flat(there), flat(given)
    lines = []
    for key in sorted(left.keys() | right.keys()):
        if any(key == free or key.startswith(f"{free}.") for free in may_differ):
            continue
        a, b = left.get(key, _ABSENT), right.get(key, _ABSENT)
        # True == 1 in Python, but not in a configuration.
        if a != b or type(a) is not type(b):
            lines.append(f"{key} is {_show(a)} there, {_show(b)} now")
    return lines


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, keys joined by dots; an empty table stays as a value."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _show(value: Any) -> str:
    return "not set" if value is _ABSENT else repr(value)
