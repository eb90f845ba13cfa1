"""All kinds of generators, by the name under which they are stored."""

from __future__ import annotations

from wildstyle.errors import InputError
from wildstyle.synthesis.generator import Generator
from wildstyle.synthesis.interface import StyleGenerator
from wildstyle.synthesis.released import ReleasedGenerator

KINDS: dict[str, type[StyleGenerator]] = {each.kind: each for each in (Generator, ReleasedGenerator)}


def generator_class(kind: str) -> type[StyleGenerator]:
    """The class of a kind.

    Raises:
        InputError: there is none of that name here.
    """
    if kind not in KINDS:
        raise InputError(f"no kind of generator is called {kind!r}", remedy=f"known are {', '.join(sorted(KINDS))}")
    return KINDS[kind]
