"""The style of a frame: which code would have made it look as it does, read off the frame alone.

A frame of footage has no clean twin, so the reader is taught on faces the generator has redrawn itself, from codes it
knows, and sees the redrawn face only. What it can't tell is kept as the covariance of its misses on faces put aside:
codes drawn from its readings get that doubt back, since readings alone would lie too close to their mean.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from wildstyle.errors import CorruptArchive, InputError, NotMeasurable
from wildstyle.randomness import item_rng
from wildstyle.runs.atomic import replacing
from wildstyle.synthesis.codes import sample_codes, sample_seeds
from wildstyle.synthesis.control import synthesise
from wildstyle.synthesis.directions import stored
from wildstyle.synthesis.interface import StyleGenerator
from wildstyle.synthesis.magnitudes_read import MagnitudeScale, draw_at_magnitude, measure_magnitudes
from wildstyle.synthesis.statistics import STATISTICS, style_statistics
from wildstyle.synthesis.window import inner_face, picture_mask

FORMAT_VERSION = 1
STEPS = 500
_BATCH = 48
_ASIDE = 5  # every fifth face is put aside
_FEWEST = 20


@dataclass(frozen=True)
class ReaderAccuracy:
    """How well codes are read, on faces that were put aside.

    Attributes:
        cosine: mean cosine of true and read code, where the magnitude is above half the range.
        magnitude: correlation of true and read magnitude.
        faces: how many.
    """

    cosine: float
    magnitude: float
    faces: int


@dataclass(frozen=True)
class StyleEstimate:
    """Codes of frames.

    Attributes:
        codes: (N, K) float32, the most likely code of each frame.
        covariance: (K, K) float64 of what the reader can't tell, the same for all.
        magnitudes: what lengths of readings stand for; None: themselves.
    """

    codes: NDArray[np.float32]
    covariance: NDArray[np.float64]
    magnitudes: MagnitudeScale | None = None

    def draw(
        self, rng: np.random.Generator, count: int, max_magnitude: float, *, doubt: float = 1.0
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Codes of frames drawn at random, with the reader's doubt added.

        Args:
            rng: source of randomness.
            count: codes to draw.
            max_magnitude: codes are shortened to this.
            doubt: share of the doubt's deviation, 0: the readings themselves.

        Returns:
            ``(codes, frames)``: (count, K) float32, and (count,) int64, which frame each belongs to.
        """
        frames = rng.integers(0, len(self.codes), count)
        values, vectors = np.linalg.eigh(self.covariance)
        spread = vectors * np.sqrt(np.maximum(values, 0.0))
        noise = rng.standard_normal((count, len(values))) @ spread.T
        if self.magnitudes is not None:
            unit = noise / max(float(np.sqrt(np.maximum(values, 0.0).sum())), 1e-12)
            codes = draw_at_magnitude(rng, self.codes[frames], unit, self.magnitudes, max_magnitude, doubt)
            return codes.astype(np.float32), frames.astype(np.int64)
        codes = self.codes[frames] + doubt * noise
        length = np.linalg.norm(codes, axis=1, keepdims=True)
        codes = codes * np.minimum(1.0, max_magnitude / np.maximum(length, 1e-12))
        return codes.astype(np.float32), frames.astype(np.int64)


class StyleReader(nn.Module):
    """Frames to the codes of one generator.

    Args:
        axes: K.
        max_magnitude: end of the range of magnitudes.
        generator: hash of the generator it reads for.
    """

    def __init__(self, axes: int, max_magnitude: float, generator: str) -> None:
        super().__init__()
        self.axes, self.max_magnitude, self.generator = axes, max_magnitude, generator
        self.accuracy = ReaderAccuracy(0.0, 0.0, 0)
        self.magnitudes: MagnitudeScale | None = None
        count = len(STATISTICS)
        self.mean: Tensor
        self.deviation: Tensor
        self.covariance: Tensor
        self.register_buffer("mean", torch.zeros(count))
        self.register_buffer("deviation", torch.ones(count))
        self.register_buffer("covariance", torch.zeros(axes, axes, dtype=torch.float64))
        self.look = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(24, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 48, 3, stride=2, padding=1),
            nn.BatchNorm2d(48),
            nn.ReLU(),
            nn.Conv2d(48, 64, 3, stride=2, padding=1),
            nn.BatchNorm2d(64),
            nn.ReLU(),
        )
        self.tell = nn.Sequential(
            nn.Linear(count + 128, 128), nn.SiLU(), nn.Linear(128, 128), nn.SiLU(), nn.Linear(128, axes)
        )

    def forward(self, images: Tensor, mask: Tensor) -> Tensor:
        """Codes (N, K) of images (N, 3, S, S) in [0, 1] under their picture masks (N, 1, S, S)."""
        standard = (style_statistics(images, mask) - self.mean) / self.deviation
        inner = (inner_face(images) - 0.5) * inner_face(mask)
        coarse = functional.interpolate(
            functional.avg_pool2d(inner, 2), scale_factor=2, mode="bilinear", align_corners=False
        )
        seen = self.look(torch.cat([2.0 * inner, 8.0 * (inner - coarse)], dim=1))
        pooled = torch.cat([seen.mean((2, 3)), seen.square().mean((2, 3)).sqrt()], dim=1)
        told: Tensor = self.tell(torch.cat([standard.clamp(-6.0, 6.0), pooled], dim=1))
        return told

    @torch.no_grad()
    def read(self, images: Tensor) -> Tensor:
        """Codes (N, K) of aligned frames (N, 3, S, S) in [0, 1], in blocks; no longer than the range of magnitudes."""
        codes = torch.cat([self(part, picture_mask(part)) for part in torch.split(images, 64)])
        length = codes.norm(dim=1, keepdim=True).clamp_min(1e-12)
        within: Tensor = codes * (self.max_magnitude / length).clamp(max=1.0)
        return within

    def estimate(self, images: Tensor) -> StyleEstimate:
        """Codes of frames (N, 3, S, S) in [0, 1], N >= 1, and the doubt that remains."""
        return StyleEstimate(self.read(images).numpy(), self.covariance.numpy(), self.magnitudes)


def fit_style_reader(
    generator: StyleGenerator,
    images: Tensor,
    *,
    steps: int = STEPS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> StyleReader:
    """Teach a reader for a generator, which stays untouched.

    Args:
        generator: whose codes are to be read.
        images: (N, 3, S, S) clean faces in [0, 1], N >= 20; every fifth is put aside for what the reader can't tell.
        steps: of the teaching, 48 faces each.
        seed: of weights, codes and noise.
        progress: told (step, steps).

    Raises:
        NotMeasurable: too few faces.
    """
    if len(images) < _FEWEST:
        raise NotMeasurable(
            f"{len(images)} clean faces are too few to teach a reader of styles",
            remedy=f"give at least {_FEWEST}, better 500",
        )
    aside = torch.arange(len(images)) % _ASIDE == _ASIDE - 1
    taught, tested = images[~aside], images[aside]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        reader = StyleReader(generator.axes, generator.max_magnitude, generator.hash)
    _standardise(reader, generator, taught, seed)
    optimiser = torch.optim.AdamW(reader.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, max(steps, 2))
    for step in range(steps):
        made, mask, codes = _lesson(generator, taught, seed, "teach", step, _BATCH)
        loss = (reader(made, mask) - codes).square().sum(1).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        if progress is not None:
            progress(step + 1, steps)
    reader.eval().requires_grad_(False)
    _examine(reader, generator, tested, seed)
    return reader


def _lesson(
    generator: StyleGenerator, images: Tensor, seed: int, use: str, step: int, count: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Redrawn faces, their picture masks, and the codes they were redrawn with."""
    rng = item_rng(seed, "style reader", use, step)
    faces = images[torch.from_numpy(rng.permutation(len(images))[:count])]
    faces = torch.where(torch.from_numpy(rng.random(len(faces)) < 0.5)[:, None, None, None], faces.flip(3), faces)
    codes = sample_codes(rng, len(faces), generator.axes, generator.max_magnitude)
    made = synthesise(generator, faces, codes, sample_seeds(rng, len(faces)))
    # Frames come out of files: half of the lessons go through one.
    if rng.random() < 0.5:
        made = stored(made, int(rng.integers(70, 96)))
    return made, picture_mask(faces), torch.from_numpy(codes)


@torch.no_grad()
def _standardise(reader: StyleReader, generator: StyleGenerator, images: Tensor, seed: int) -> None:
    found = []
    for step in range(4):
        made, mask, _ = _lesson(generator, images, seed, "standard", step, _BATCH)
        found.append(style_statistics(made, mask))
    every = torch.cat(found)
    reader.mean.copy_(every.mean(0))
    reader.deviation.copy_(every.std(0).clamp_min(1e-3))


@torch.no_grad()
def _examine(reader: StyleReader, generator: StyleGenerator, images: Tensor, seed: int) -> None:
    """What the reader misses on faces it has not seen."""
    true, told = [], []
    for step in range(max(1, -(-400 // len(images)))):
        made, mask, codes = _lesson(generator, images, seed, "examine", step, len(images))
        true.append(codes)
        told.append(reader(made, mask))
    a, b = torch.cat(true).double(), torch.cat(told).double()
    missed = a - b
    reader.covariance.copy_(missed.T @ missed / len(missed))
    reader.magnitudes = measure_magnitudes(a.numpy(), b.numpy())
    strong = a.norm(dim=1) > 0.5 * generator.max_magnitude
    cosine = functional.cosine_similarity(a[strong], b[strong]).mean()
    together = torch.corrcoef(torch.stack([a.norm(dim=1), b.norm(dim=1)]))[0, 1]
    reader.accuracy = ReaderAccuracy(float(cosine), float(together), len(images))


def save_style_reader(reader: StyleReader, path: Path) -> None:
    """Write a reader atomically; it tells which generator it reads for."""
    described: dict[str, Any] = {
        "version": FORMAT_VERSION,
        "axes": reader.axes,
        "max_magnitude": reader.max_magnitude,
        "generator": reader.generator,
        "accuracy": [reader.accuracy.cosine, reader.accuracy.magnitude, reader.accuracy.faces],
        "magnitudes": None if reader.magnitudes is None else asdict(reader.magnitudes),
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in reader.state_dict().items()}
    with replacing(Path(path)) as temporary:
        save_file(tensors, temporary, metadata={"wildstyle.style_reader": json.dumps(described)})


def load_style_reader(path: Path, generator: StyleGenerator) -> StyleReader:
    """Read what ``save_style_reader`` wrote.

    Raises:
        InputError: there is no such file, it is no reader, or one for another generator.
        CorruptArchive: the file is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("there is no such file", where=path, remedy="give the file of a reader of styles")
    try:
        with safe_open(path, framework="pt") as archive:
            text = (archive.metadata() or {}).get("wildstyle.style_reader")
            tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CorruptArchive(f"the file can't be read ({error})", where=path) from error
    if text is None:
        raise InputError("this file holds no reader of styles", where=path, remedy="give reader.safetensors")
    described = json.loads(text)
    if described["generator"] != generator.hash:
        raise InputError(
            "this reader was taught for another generator", where=path, remedy="delete it, a new one will be taught"
        )
    reader = StyleReader(described["axes"], described["max_magnitude"], described["generator"])
    try:
        reader.load_state_dict(tensors)
    except RuntimeError as error:
        raise CorruptArchive("weights and description don't fit each other", where=path) from error
    cosine, magnitude, faces = described["accuracy"]
    reader.accuracy = ReaderAccuracy(cosine, magnitude, faces)
    if (scale := described.get("magnitudes")) is not None:
        reader.magnitudes = MagnitudeScale(tuple(scale["read"]), tuple(scale["true"]), scale["deviation"])
    return reader.eval().requires_grad_(False)
