"""What is known of a kind of generator besides its class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wildstyle.synthesis.generator import GeneratorConfig
from wildstyle.synthesis.interface import StyleGenerator


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of generator.

    Attributes:
        name: by which it is asked for.
        generator: its class; ``generator.kind`` is the name in files, which several kinds may share.
        fresh: makes one to be fitted; None where there is nothing to learn.
        ready: makes one that needs no fit; None where there is none.
        weights: weights of the fit's loss that differ from the usual.
        pace: factor on the fit's learning rate.
        mirror: whether every other target face is shown mirrored.
        task: makes the task that fits it, from (generator, identity, settings, scale); None: ``SynthesisTask``.
    """

    name: str
    generator: type[StyleGenerator]
    fresh: Callable[[GeneratorConfig], StyleGenerator] | None = None
    ready: Callable[[], StyleGenerator] | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    pace: float = 1.0
    mirror: bool = True
    task: Callable[..., Any] | None = None
