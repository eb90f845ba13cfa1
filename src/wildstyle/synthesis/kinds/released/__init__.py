"""The published generator with its own losses and schedule: the yardstick."""

from __future__ import annotations

from typing import Any

from wildstyle.synthesis.generator import GeneratorConfig
from wildstyle.synthesis.kind import Kind
from wildstyle.synthesis.kinds.released.networks import ReleasedDiscriminator, ReleasedGenerator
from wildstyle.synthesis.kinds.released.training import ReleasedTask

__all__ = ["KINDS", "ReleasedDiscriminator", "ReleasedGenerator", "ReleasedTask"]


def _fresh(_: GeneratorConfig) -> ReleasedGenerator:
    return ReleasedGenerator()


def _task(generator: ReleasedGenerator, identity: Any, settings: Any, _: Any) -> ReleasedTask:
    return ReleasedTask(generator, identity, seed=settings.seed)


KINDS = (Kind(name="released", generator=ReleasedGenerator, fresh=_fresh, mirror=False, task=_task),)
