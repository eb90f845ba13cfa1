"""All kinds of generators: each is a folder here, found by itself through its ``KINDS``."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import MappingProxyType

from wildstyle.errors import InputError
from wildstyle.synthesis.interface import StyleGenerator
from wildstyle.synthesis.kind import Kind


@cache
def all_kinds() -> MappingProxyType[str, Kind]:
    """Every kind by name."""
    found: dict[str, Kind] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda each: each.name):
        for kind in importlib.import_module(f"{__name__}.{module.name}").KINDS:
            found[kind.name] = kind
    return MappingProxyType(found)


def kind_named(name: str) -> Kind:
    """The kind of a name.

    Raises:
        InputError: there is none of that name here.
    """
    if name not in all_kinds():
        raise InputError(
            f"no kind of generator is called {name!r}", remedy=f"known are {', '.join(sorted(all_kinds()))}"
        )
    return all_kinds()[name]


def generator_class(stored_as: str) -> type[StyleGenerator]:
    """The class whose generators are stored under a name.

    Raises:
        InputError: there is none of that name here.
    """
    classes = {each.generator.kind: each.generator for each in all_kinds().values()}
    if stored_as not in classes:
        raise InputError(
            f"no kind of generator is called {stored_as!r}", remedy=f"known are {', '.join(sorted(classes))}"
        )
    return classes[stored_as]


def ready_made(name: str) -> StyleGenerator | None:
    """The generator of a kind that has nothing to learn, or None."""
    kind = all_kinds().get(name)
    return None if kind is None or kind.ready is None else kind.ready().eval()
