"""All kinds of heads, each found by itself: a module here names in ``KINDS`` the rules and heads it holds."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import MappingProxyType

from wildstyle.adaptation.heads.head import IdentityHead
from wildstyle.adaptation.heads.rule import MarginRule
from wildstyle.errors import SettingError

Kind = type[MarginRule] | type[IdentityHead]


@cache
def all_kinds() -> MappingProxyType[str, Kind]:
    """Every margin rule (for a softmax over class centres) and every other head, by name."""
    found: dict[str, Kind] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda each: each.name):
        found |= importlib.import_module(f"{__name__}.{module.name}").KINDS
    return MappingProxyType(found)


def kind_named(name: str) -> Kind:
    """The kind of a name.

    Raises:
        SettingError: there is none of that name.
    """
    if name not in all_kinds():
        raise SettingError(f"no head is called {name!r}; known are {', '.join(sorted(all_kinds()))}")
    return all_kinds()[name]
