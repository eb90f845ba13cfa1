"""The default, a network that steers a camera and adds what no camera does; and the same without the camera."""

from __future__ import annotations

from dataclasses import replace

from wildstyle.synthesis.generator import Generator, GeneratorConfig
from wildstyle.synthesis.kind import Kind


def _without_camera(config: GeneratorConfig) -> Generator:
    return Generator(replace(config, camera=False))


KINDS = (
    Kind(name="default", generator=Generator, fresh=Generator),
    # Nothing else explains the footage here, so the change may be large.
    Kind(name="network", generator=Generator, fresh=_without_camera, weights={"residual": 0.0}),
)
