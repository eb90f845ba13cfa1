"""How near a fitted generator comes to its target, and what it costs in identity."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wildstyle.errors import UnreadableFace
from wildstyle.faces.source import FaceSource
from wildstyle.randomness import item_rng
from wildstyle.recognisers import Recogniser
from wildstyle.synthesis.codes import sample_codes, sample_seeds
from wildstyle.synthesis.distances import kernel_distance
from wildstyle.synthesis.interface import StyleGenerator
from wildstyle.synthesis.losses import identity_distance
from wildstyle.synthesis.material import TargetFaces, to_images
from wildstyle.synthesis.settings import FitSettings
from wildstyle.synthesis.statistics import style_statistics
from wildstyle.synthesis.window import picture_mask

_FACES = 384
_IDENTIFIED = 192
_BINS = 6


@dataclass(frozen=True, slots=True)
class MagnitudeBin:
    """Identity distance of synthesised faces in one range of magnitudes.

    Attributes:
        low: lower end of the range.
        high: upper end.
        wanted: mean identity distance asked for.
        reached: mean identity distance.
        n: faces.
    """

    low: float
    high: float
    wanted: float
    reached: float
    n: int


@dataclass(frozen=True, slots=True)
class FitDiagnostics:
    """Figures of a fit. Distances are kernel distances of standardised style statistics to held-back target faces.

    Attributes:
        distance_source: of untouched source faces.
        distance_synthesised: of synthesised faces, at magnitudes that are asked to look like the target.
        distance_target: of the fitted part of the target, the best that can be hoped for.
        identity: identity distance by magnitude.
        identity_correlation: between wanted and reached identity distance, per face.
        faces: source faces used.
        held: held-back target faces used.
        unusable: target faces that could not be used, (id, reason).
    """

    distance_source: float
    distance_synthesised: float
    distance_target: float
    identity: tuple[MagnitudeBin, ...]
    identity_correlation: float
    faces: int
    held: int
    unusable: tuple[tuple[str, str], ...] = ()

    def as_record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def diagnose(
    generator: StyleGenerator, identity: Recogniser, source: FaceSource, target: TargetFaces, settings: FitSettings
) -> FitDiagnostics:
    """Measure a generator on source faces and on held-back target faces."""
    images = some_source(source, settings)
    rng = item_rng(settings.seed, "diagnose")
    low = settings.like_target[1] / generator.max_magnitude
    codes = sample_codes(rng, len(images), generator.axes, generator.max_magnitude, zero_share=0.0)
    seeds = torch.from_numpy(sample_seeds(rng, len(images)))
    whole = torch.from_numpy(codes)
    # The same directions with magnitudes moved into the range that should look like the target.
    length = whole.norm(dim=1, keepdim=True).clamp_min(1e-6)
    upper = whole / length * (low * generator.max_magnitude + (1.0 - low) * length)
    seen = _measure(generator, identity, images, whole, upper, seeds)
    held = _statistics(to_images(target.held[:_FACES]))
    fitted = _statistics(to_images(target.fit[rng.permutation(len(target.fit))[:_FACES]]))
    magnitude = length[: len(seen.distance), 0].numpy()
    scale = _Common(np.concatenate([seen.clean, held]))
    return FitDiagnostics(
        distance_source=kernel_distance(scale(seen.clean), scale(held)),
        distance_synthesised=kernel_distance(scale(seen.made), scale(held)),
        distance_target=kernel_distance(scale(fitted), scale(held)),
        identity=_bins(magnitude, seen.distance, settings),
        identity_correlation=float(np.corrcoef(magnitude, seen.distance)[0, 1]),
        faces=len(images),
        held=len(held),
        unusable=target.failures,
    )


@dataclass(frozen=True)
class _Seen:
    clean: NDArray[np.float64]
    made: NDArray[np.float64]
    distance: NDArray[np.float64]


class _Common:
    """Standardise by the clean and the held-back faces together."""

    def __init__(self, both: NDArray[np.float64]) -> None:
        self.mean, self.deviation = both.mean(0), np.maximum(both.std(0), 1e-3)

    def __call__(self, statistics: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((statistics - self.mean) / self.deviation)


@torch.no_grad()
def _measure(
    generator: StyleGenerator, identity: Recogniser, images: Tensor, whole: Tensor, upper: Tensor, seeds: Tensor
) -> _Seen:
    clean: list[Tensor] = []
    made: list[Tensor] = []
    distance: list[Tensor] = []
    for part in torch.split(torch.arange(len(images)), 32):
        faces, mask = images[part], picture_mask(images[part])
        content = generator.encode(faces)
        clean.append(style_statistics(faces, mask))
        made.append(style_statistics(generator.decode(faces, content, upper[part], seeds[part]), mask))
        if sum(len(d) for d in distance) < _IDENTIFIED:
            changed = generator.decode(faces, content, whole[part], seeds[part])
            distance.append(identity_distance(identity.embed(faces), identity.embed(changed)))
    return _Seen(*(torch.cat(p).double().numpy() for p in (clean, made, distance)))


@torch.no_grad()
def _statistics(images: Tensor) -> NDArray[np.float64]:
    return torch.cat([style_statistics(part) for part in torch.split(images, 64)]).double().numpy()


def some_source(source: FaceSource, settings: FitSettings, count: int = _FACES) -> Tensor:
    """At most ``count`` readable source faces, (N, 3, S, S) in [0, 1], chosen by the seed."""
    faces = []
    for index in item_rng(settings.seed, "look").permutation(len(source))[:count]:
        try:
            faces.append(source.read(int(index)).image)
        except UnreadableFace:
            continue
    return to_images(np.stack(faces))


def _bins(
    magnitude: NDArray[np.float64], distance: NDArray[np.float64], settings: FitSettings
) -> tuple[MagnitudeBin, ...]:
    top = settings.generator.max_magnitude
    edges = np.linspace(0.0, top, _BINS + 1)
    place = np.clip(np.digitize(magnitude, edges) - 1, 0, _BINS - 1)
    bins = []
    for k in range(_BINS):
        inside = place == k
        if inside.any():
            wanted = float(magnitude[inside].mean() * settings.identity_at_max / top)
            bins.append(MagnitudeBin(edges[k], edges[k + 1], wanted, float(distance[inside].mean()), int(inside.sum())))
    return tuple(bins)
