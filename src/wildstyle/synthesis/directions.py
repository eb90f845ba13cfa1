"""Does a style's direction show? A reader is taught afterwards, on pictures alone, and tested on new faces."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from wildstyle.faces.decode import decode_image, encode_jpeg
from wildstyle.randomness import item_rng
from wildstyle.synthesis.codes import sample_seeds
from wildstyle.synthesis.control import synthesise
from wildstyle.synthesis.interface import StyleGenerator

_QUALITY = 75
_LEAST = 0.5  # of the range of magnitudes: where a style shows it should be told


def axis_codes(
    rng: np.random.Generator, count: int, axes: int, max_magnitude: float
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Codes on single signed axes.

    Returns:
        ``(codes, labels)``: (count, K) float32 of magnitudes in the upper half of the range, and (count,) int64,
        axis k upwards is k, downwards K + k; all equally often.
    """
    labels = rng.permutation(np.arange(count) % (2 * axes)).astype(np.int64)
    codes = np.zeros((count, axes), np.float32)
    size = max_magnitude * rng.uniform(_LEAST, 1.0, count)
    codes[np.arange(count), labels % axes] = np.where(labels < axes, size, -size)
    return codes, labels


def stored(images: Tensor, quality: int = _QUALITY) -> Tensor:
    """Images (N, 3, S, S) after a trip through JPEG."""
    pixels = (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
    back = np.stack([decode_image(encode_jpeg(p, quality), where="memory") for p in pixels])
    return torch.from_numpy(back).permute(0, 3, 1, 2).float() / 255


def direction_accuracy(
    generator: StyleGenerator,
    teach: Tensor,
    test: Tensor,
    *,
    passes: int = 12,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> float:
    """Share of test faces for which the right one of the 2K signed axes is read off (clean, synthesised) pairs.

    The synthesised face goes through JPEG 75 first, so nothing hides in the last bits.

    Args:
        generator: any; it learns nothing here.
        teach: (N, 3, S, S) faces the reader is taught on, each in ``passes`` styles.
        test: (M, 3, S, S) faces of other people, each in one style.
        passes: rounds over ``teach``.
        seed: of codes, noise and the reader's weights.
        progress: told (round, rounds).
    """
    reader = _Reader(2 * generator.axes, seed)
    optimiser = torch.optim.AdamW(reader.parameters(), lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, passes * ((len(teach) + 63) // 64))
    for turn in range(passes):
        images, made, labels = _examples(generator, teach, seed, "teach", turn)
        for part in torch.split(torch.from_numpy(item_rng(seed, "order", turn).permutation(len(images))), 64):
            loss = functional.cross_entropy(reader(images[part], made[part]), labels[part])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
        if progress is not None:
            progress(turn + 1, passes)
    images, made, labels = _examples(generator, test, seed, "test", 0)
    reader.eval()
    with torch.no_grad():
        parts = torch.split(torch.arange(len(images)), 64)
        right = torch.cat([reader(images[p], made[p]).argmax(1) == labels[p] for p in parts])
    return float(right.float().mean())


def _examples(
    generator: StyleGenerator, faces: Tensor, seed: int, use: str, turn: int
) -> tuple[Tensor, Tensor, Tensor]:
    rng = item_rng(seed, "directions", use, turn)
    codes, labels = axis_codes(rng, len(faces), generator.axes, generator.max_magnitude)
    made = stored(synthesise(generator, faces, codes, sample_seeds(rng, len(faces))))
    return faces, made, torch.from_numpy(labels)


class _Reader(nn.Module):
    """Clean and synthesised face to scores of the signed axes."""

    def __init__(self, classes: int, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            widths = (24, 32, 64, 96)
            layers: list[nn.Module] = []
            before = 9
            for width in widths:
                layers += [nn.Conv2d(before, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
                before = width
            self.look = nn.Sequential(*layers)
            self.judge = nn.Sequential(nn.Linear(2 * before, 64), nn.ReLU(), nn.Linear(64, classes))

    def forward(self, images: Tensor, made: Tensor) -> Tensor:
        seen = self.look(torch.cat([images - 0.5, made - 0.5, 4.0 * (made - images)], dim=1))
        pooled = torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], dim=1)
        scores: Tensor = self.judge(pooled)
        return scores
