"""All ways to adapt: each is a file here, found by itself through its ``WAY``."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import MappingProxyType

from wildstyle.adaptation.ways.way import Way, WaySettings
from wildstyle.errors import SettingError

__all__ = ["Way", "WaySettings", "all_ways", "way_named"]


@cache
def all_ways() -> MappingProxyType[str, Way]:
    """Every way by name."""
    found: dict[str, Way] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda each: each.name):
        way = getattr(importlib.import_module(f"{__name__}.{module.name}"), "WAY", None)
        if way is not None:
            found[way.name] = way
    return MappingProxyType(found)


def way_named(name: str) -> Way:
    """The way of a name.

    Raises:
        SettingError: there is none of that name.
    """
    if name not in all_ways():
        raise SettingError(
            f"no way to adapt is called {name!r}",
            where="adaptation",
            remedy=f"known are {', '.join(sorted(all_ways()))}",
        )
    return all_ways()[name]
