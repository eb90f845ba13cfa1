"""A camera and nothing else: its parameters are the style space, their distribution is fitted to footage."""

from __future__ import annotations

from wildstyle.synthesis.generator import GeneratorConfig
from wildstyle.synthesis.kind import Kind
from wildstyle.synthesis.kinds.camera.generator import AXES, CameraGenerator

__all__ = ["AXES", "KINDS", "CameraGenerator"]


def _fresh(_: GeneratorConfig) -> CameraGenerator:
    return CameraGenerator()


# Some 300 numbers to learn: they can go faster than a network's weights.
KINDS = (Kind(name="camera", generator=CameraGenerator, fresh=_fresh, pace=5.0),)
