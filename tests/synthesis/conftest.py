"""Small stand-ins: sources in memory and a tiny recogniser."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from wildstyle.faces.record import FaceRecord
from wildstyle.faces.source import FaceSource
from wildstyle.recognisers import Recogniser, RecogniserContract
from wildstyle.synthesis import Generator, GeneratorConfig

SIZE = 112


class Drawn(FaceSource):
    """Blobs on a ramp, sharp or blurred, as JPEG bytes in memory."""

    def __init__(self, name: str, count: int, blur: float = 0.0, size: int = SIZE) -> None:
        self.name = name
        self.location = f"memory:{name}"
        self.bytes = [_drawn(k, blur, size) for k in range(count)]

    def __len__(self) -> int:
        return len(self.bytes)

    def record(self, index: int) -> FaceRecord:
        return FaceRecord(id=f"{index}.jpg", source=self.name)

    def encoded(self, index: int) -> bytes:
        return self.bytes[index]


def _drawn(seed: int, blur: float, size: int) -> bytes:
    rng = np.random.default_rng(seed)
    picture = np.full((size, size, 3), rng.integers(60, 200, 3), np.float32)
    for _ in range(25):
        centre, radius = rng.integers(0, size, 2), int(rng.integers(2, size // 6))
        cv2.circle(picture, tuple(map(int, centre)), radius, tuple(map(float, rng.integers(0, 255, 3))), -1)
    if blur:
        picture = cv2.GaussianBlur(picture, (0, 0), blur) * 0.6
    return cv2.imencode(".jpg", picture.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


@pytest.fixture(scope="session")
def drawn() -> Callable[..., Drawn]:
    return Drawn


@pytest.fixture
def generator() -> Generator:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Generator(GeneratorConfig(axes=4, style_size=16, width=8, targets=("yard", "gate"))).eval()


@pytest.fixture(scope="session")
def identity() -> Recogniser:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = nn.Sequential(
            nn.Conv2d(3, 8, 8, stride=8), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.Flatten(), nn.LazyLinear(16)
        )
        network(torch.zeros(1, 3, SIZE, SIZE))
    contract = RecogniserContract(
        model_id="tiny", channel_order="RGB", mean=(0.5,) * 3, std=(0.5,) * 3, embedding_size=16
    )
    return Recogniser(network.eval(), contract)


@pytest.fixture
def faces() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    smooth = torch.rand(5, 3, 14, 14, generator=generator)
    return nn.functional.interpolate(smooth, size=(SIZE, SIZE), mode="bicubic").clamp(0, 1)
