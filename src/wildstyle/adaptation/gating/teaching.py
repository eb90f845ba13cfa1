"""A quality taught without any label: how far a face has moved in the recogniser's own space, told from its pixels.

The recogniser itself says how much a degraded face still resembles its clean original (cosine of their embeddings);
the cosine becomes the side in px at which plain shrinking would have done as much harm. A ridge regression learns to
read that from the degraded pixels alone. So quality is measured in what the recogniser needs, not in beauty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wildstyle.adaptation.gating.effective_size import SizeCurve, size_curve
from wildstyle.adaptation.gating.worse import Worse
from wildstyle.adaptation.readable import readable_faces
from wildstyle.errors import NotMeasurable, SettingError
from wildstyle.faces.source import FaceSource
from wildstyle.faces.stream import working_batch
from wildstyle.randomness import item_rng
from wildstyle.recognisers import Recogniser
from wildstyle.recognisers.quality import FARTHEST, QualityNetwork
from wildstyle.synthesis import sample_seeds

FEWEST = 24
"""Faces below which nothing is taught."""

_AT_ONCE = 64
_RIDGES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class QualitySettings:
    """How the quality is taught.

    Attributes:
        faces: clean faces that are made worse and looked at, >= 24. A few thousand are enough.
        curve_faces: clean faces on which the curve of sizes is measured, >= 16.
        least_correlation: of the size read and the size found, on faces left out, below which the quality is refused.
    """

    faces: int = 2000
    curve_faces: int = 160
    least_correlation: float = 0.5

    def __post_init__(self) -> None:
        if self.faces < FEWEST or self.curve_faces < 16 or not -1 <= self.least_correlation < 1:
            raise SettingError(f"a quality can't be taught with {self}")


@dataclass(frozen=True, slots=True)
class TaughtQuality:
    """What was taught.

    Attributes:
        network: frozen, on the CPU.
        curve: what a cosine is worth.
        faces: how many were looked at.
        correlation: of log2 of the size read and the size found, each face left out of the fit that reads it.
        octaves_off: root mean square of their difference, in octaves of size, by the same.
    """

    network: QualityNetwork
    curve: SizeCurve
    faces: int
    correlation: float
    octaves_off: float


@torch.no_grad()
def teach_quality(
    recogniser: Recogniser,
    worse: Worse,
    source: FaceSource,
    settings: QualitySettings,
    *,
    seed: int = 0,
    on_faces: Callable[[int, int], None] | None = None,
) -> TaughtQuality:
    """Teach a small network the quality of faces, as one recogniser needs it.

    Args:
        recogniser: left as it was; its contract says how pictures reach the small network too.
        worse: makes faces of every quality.
        source: clean faces; labels are not used.
        settings: how.
        seed: of the choice of faces, and of how they are made worse.
        on_faces: told how many faces of how many are done.

    Raises:
        InputError: the recogniser does not mind shrinking at all.
        NotMeasurable: too few faces can be read, or the pixels do not tell what the recogniser minds.
    """
    teacher = recogniser.frozen_copy()
    faces = readable_faces(source, settings.faces, seed, "quality")
    if len(faces) < FEWEST:
        raise NotMeasurable(
            f"a quality is taught on at least {FEWEST} faces, {len(faces)} can be read", where=source.location
        )
    curve = size_curve(teacher.embed, torch.from_numpy(working_batch(faces[: settings.curve_faces])))
    network = QualityNetwork().eval().requires_grad_(False)
    network.read_pictures_of(teacher.contract)
    seeds = torch.from_numpy(sample_seeds(item_rng(seed, "worse"), len(faces)))
    features, wanted = [], []
    for first in range(0, len(faces), _AT_ONCE):
        clean = torch.from_numpy(working_batch(faces[first : first + _AT_ONCE]))
        shown = worse(clean, seeds[first : first + _AT_ONCE])
        wanted.append(curve.log_size((teacher.embed(clean) * teacher.embed(shown)).sum(1)))
        features.append(network.features(teacher.contract.normalise(shown)))
        if on_faces is not None:
            on_faces(min(first + _AT_ONCE, len(faces)), len(faces))
    return _read(network, curve, torch.cat(features).double(), torch.cat(wanted).double(), settings)


def _read(
    network: QualityNetwork, curve: SizeCurve, features: Tensor, wanted: Tensor, settings: QualitySettings
) -> TaughtQuality:
    """Put the regression of sizes (N,) on features (N, F) into the network."""
    shift = features.mean(0)
    gain = 1.0 / features.std(0).clamp_min(1e-4)
    known = ((features - shift) * gain).clamp(-FARTHEST, FARTHEST)
    columns = torch.cat([known, known * known], 1)
    centre = columns.mean(0)
    weights, left_out = ridge(columns - centre, wanted - wanted.mean())
    found = left_out + wanted.mean()
    correlation = float(torch.corrcoef(torch.stack([found, wanted]))[0, 1])
    if not correlation >= settings.least_correlation:
        raise NotMeasurable(
            f"the pixels tell too little of what the recogniser minds (correlation {correlation:.2f} on"
            f" {len(wanted)} faces, at least {settings.least_correlation:g} is needed)"
        )
    network.shift.copy_(shift)
    network.gain.copy_(gain)
    network.reading.weight.copy_(weights[None])
    network.reading.bias.copy_(wanted.mean() - centre @ weights)
    off = float((found - wanted).square().mean().sqrt())
    return TaughtQuality(network, curve, len(wanted), correlation, off)


def ridge(columns: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Ridge regression, its strength chosen by the error of leaving one out.

    Args:
        columns: (N, F) float64, centred.
        wanted: (N,) float64, centred.

    Returns:
        Weights (F,), and what each row would be predicted if it were left out, (N,). The latter is exact:
        ``y - (y - Hy) / (1 - diag H)`` for the hat matrix H (the weight of the mean counts as one more column).
    """
    left, spread, right = torch.linalg.svd(columns, full_matrices=False)
    along = left.T @ wanted
    best: tuple[float, Tensor, Tensor] | None = None
    for strength in _RIDGES:
        kept = spread.square() / (spread.square() + strength * len(wanted))
        predicted = left @ (kept * along)
        influence = (left.square() @ kept + 1.0 / len(wanted)).clamp_max(1.0 - 1e-6)
        left_out = wanted - (wanted - predicted) / (1.0 - influence)
        error = float((left_out - wanted).square().mean())
        if best is None or error < best[0]:
            shrunken = kept / spread.clamp_min(1e-12) * along
            best = (error, right.T @ shrunken, left_out)
    assert best is not None
    return best[1], best[2]


@torch.no_grad()
def log_sizes(quality: nn.Module, recogniser: Recogniser, images: Tensor) -> Tensor:
    """log2 of the effective sizes (N,) of working images (N, 3, S, S) in [0, 1]."""
    parts = [quality(recogniser.contract.normalise(part))[:, 0] for part in torch.split(images, 128)]
    return torch.cat(parts)


def settle(quality: QualityNetwork, found: Tensor) -> None:
    """Note the middle and spread of log2 effective sizes (N,) of the faces that are to be expected."""
    middle = found.median()
    quality.middle.copy_(middle)
    quality.spread.copy_((1.4826 * (found - middle).abs().median()).clamp_min(0.05))
