"""A recogniser, a generator and a source small enough for every test."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from wildstyle.faces.record import FaceRecord
from wildstyle.faces.source import FaceSource
from wildstyle.randomness import item_rng
from wildstyle.recognisers import Recogniser, RecogniserContract

SIZE, AXES, WIDE = 16, 4, 6


class ToyGenerator(nn.Module):
    """Interface of the fitted generator; the style tints and dims the picture and adds seeded noise."""

    axes = AXES
    max_magnitude = 6.0

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.content = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4))
            self.mix = nn.Linear(AXES, 3, bias=False)
            self.texture = nn.Conv2d(4, 3, 1)
        self.decoded = 0
        self.encoded = 0

    def encode(self, images: Tensor) -> Tensor:
        self.encoded += len(images)
        return self.content(images)

    def decode(
        self, images: Tensor, content: Tensor, code: Tensor, seed: Tensor, *, target: str | None = None
    ) -> Tensor:
        self.decoded += len(images)
        noise = torch.stack([torch.randn(3, SIZE, SIZE, generator=_of(s)) for s in seed.tolist()])
        length = code.norm(dim=1)[:, None, None, None]
        change = self.mix(code)[:, :, None, None] * (0.3 + 0.5 * self.texture(content)) + 0.02 * length * noise
        return (images + 0.2 * change).clamp(0, 1)


def _of(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def recogniser(seed: int = 0) -> Recogniser:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2),
            nn.BatchNorm2d(8),
            nn.PReLU(8),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(8 * 49, WIDE),
        )
    contract = RecogniserContract(
        model_id="toy",
        channel_order="RGB",
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        embedding_size=WIDE,
        input_size=SIZE,
    )
    return Recogniser(network, contract)


class ToySource(FaceSource):
    """Three people, each with a face of their own under noise; ``broken`` indices hold no image."""

    def __init__(
        self, count: int = 24, *, labelled: bool = True, broken: tuple[int, ...] = (), size: int = SIZE
    ) -> None:
        self.name = self.location = "toys"
        self.count, self.labelled, self.broken, self.size = count, labelled, broken, size

    def __len__(self) -> int:
        return self.count

    def record(self, index: int) -> FaceRecord:
        return FaceRecord(id=f"toy-{index}", source=self.name, label=index % 3 * 2 if self.labelled else None)

    def encoded(self, index: int) -> bytes:
        if index in self.broken:
            return b"\xff\xd8 no image"
        face = item_rng(4, "person", index % 3).integers(0, 200, (self.size, self.size, 3))
        noise = item_rng(4, "shot", index).integers(0, 55, (self.size, self.size, 3))
        return bytes(cv2.imencode(".png", (face + noise).astype(np.uint8))[1])
