"""What each style axis does, in words: measured on faces, not hoped for.

Each signed axis is applied to clean faces. The change of their style statistics, in units of how much such statistics
differ between clean faces, is summed up in a few factors an engineer knows. The largest give the axis its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from wildstyle.randomness import item_rng
from wildstyle.synthesis.camera import to_ycc
from wildstyle.synthesis.codes import sample_seeds
from wildstyle.synthesis.control import synthesise
from wildstyle.synthesis.generator import Generator
from wildstyle.synthesis.interface import StyleGenerator
from wildstyle.synthesis.statistics import STATISTICS, style_statistics
from wildstyle.synthesis.window import inner_face, picture_mask

_SHARE = 0.75  # of the range of magnitudes at which an axis is looked at
_TOLD = 0.35  # deviations between clean faces: what moves less is not named

FACTORS: dict[str, tuple[dict[str, float], tuple[str, str]]] = {
    "exposure": ({"mean of luma": 1.0}, ("low light", "bright")),
    "contrast": ({"spread of luma": 1.0}, ("flat", "hard contrast")),
    "sharpness": (
        {"detail of luma, band 0": 0.5, "detail of luma, band 1": 0.5},
        ("blur", "sharp"),
    ),
    "resolution": (
        {"detail of luma, band 1": 0.5, "detail of luma, band 2": 0.5},
        ("coarse", "fine"),
    ),
    "noise": (
        {"noise, finest": 0.34, "noise, half size": 0.33, "quietest detail of luma, band 0": 0.33},
        ("smooth", "noise"),
    ),
    "colour noise": ({"noise of colour": 1.0}, ("clean colour", "colour noise")),
    "saturation": ({"spread of blue": 0.5, "spread of red": 0.5}, ("pale", "vivid")),
    "blue": ({"mean of blue": 1.0}, ("yellowish", "bluish")),
    "red": ({"mean of red": 1.0}, ("greenish", "reddish")),
    "blockiness": ({"blockiness": 1.0}, ("no blocks", "blocks")),
}
"""Factor to the statistics it is made of, and the words for less and for more of it."""

_BAD = {"exposure": -1.0, "contrast": -1.0, "sharpness": -1.0, "resolution": -1.0, "noise": 1.0, "blockiness": 1.0}


@dataclass(frozen=True, slots=True)
class AxisExplanation:
    """One axis.

    Attributes:
        axis: number from 1.
        plus: what its positive end does more than the mean of all ends, in words.
        minus: the same of its negative end.
        always: what all ends do in the mean, in words; the same for every axis.
        factors: change of each factor at the positive and at the negative end, in deviations between clean faces.
        moved: mean change of pixels over both ends, share of the range.
        shifted: mean distance by which the face moved in the picture, px, by phase correlation: pose that a generator
            changes shows here. Below about 0.2 px it can't be told from blur and noise.
    """

    axis: int
    plus: str
    minus: str
    always: str
    factors: dict[str, tuple[float, float]]
    moved: float
    shifted: float

    @property
    def name(self) -> str:
        """Both ends in one line."""
        return f"axis {self.axis}: {self.plus} / {self.minus}"

    def as_record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self) | {"name": self.name}


@dataclass(frozen=True)
class AxisEffects:
    """Effects of the 2K signed axes, positive ends first.

    Attributes:
        factors: (2K, number of factors) in deviations between clean faces.
        moved: (2K,) mean absolute change of pixels.
        shifted: (2K,) mean distance by which faces moved, px.
    """

    factors: NDArray[np.float64]
    moved: NDArray[np.float64]
    shifted: NDArray[np.float64]

    def renumbered(self, order: NDArray[np.int64], signs: NDArray[np.float32]) -> AxisEffects:
        """The same of axes that were renumbered and turned."""
        count = len(order)
        ends = np.concatenate([np.where(signs > 0, order, order + count), np.where(signs > 0, order + count, order)])
        return AxisEffects(self.factors[ends], self.moved[ends], self.shifted[ends])


def axis_effects(generator: StyleGenerator, images: Tensor, *, seed: int = 0) -> AxisEffects:
    """Apply every signed axis to clean faces (N, 3, S, S), N >= 8, and measure what changes."""
    clean = _statistics(images, images)
    deviation = np.maximum(clean.std(axis=0), 1e-3)
    seeds = sample_seeds(item_rng(seed, "axis effects"), len(images))
    factors, moved, shifted = [], [], []
    for end in range(2 * generator.axes):
        codes = np.zeros((len(images), generator.axes), np.float32)
        codes[:, end % generator.axes] = _SHARE * generator.max_magnitude * (1 if end < generator.axes else -1)
        made = synthesise(generator, images, codes, seeds)
        change = ((_statistics(made, images) - clean) / deviation).mean(axis=0)
        factors.append(_factors(change))
        moved.append(float((made - images).abs().mean()))
        shifted.append(float(np.median(shift_between(images, made))))
    return AxisEffects(np.array(factors), np.array(moved), np.array(shifted))


def shift_between(images: Tensor, others: Tensor) -> NDArray[np.float64]:
    """By how many px the inner faces of (N, 3, S, S) lie apart in each pair, (N,), by phase correlation."""
    before, after = (inner_face(to_ycc(each)[:, :1])[:, 0].double().numpy() for each in (images, others))
    window = cv2.createHanningWindow(before.shape[1:][::-1], cv2.CV_64F)
    found = [cv2.phaseCorrelate(a, b, window)[0] for a, b in zip(before, after, strict=True)]
    return np.asarray(np.hypot(*np.array(found).T))


def explain_axes(effects: AxisEffects) -> tuple[AxisExplanation, ...]:
    """Words for each axis, in the order in which the generator has them.

    Every style of a bad camera is, say, blurred: that names no axis. So an axis is named by how its ends differ from
    the mean of all ends, and that mean is told once.
    """
    count = len(effects.moved) // 2
    common = effects.factors.mean(axis=0)
    always = words_for(common)
    out = []
    for k in range(count):
        plus, minus = effects.factors[k], effects.factors[count + k]
        found = {name: (round(float(plus[i]), 3), round(float(minus[i]), 3)) for i, name in enumerate(FACTORS)}
        moved = float(effects.moved[[k, count + k]].mean())
        shifted = float(effects.shifted[[k, count + k]].mean())
        words = words_for(plus - common), words_for(minus - common)
        out.append(AxisExplanation(k + 1, *words, always, found, round(moved, 5), round(shifted, 3)))
    return tuple(out)


def words_for(change: Sequence[float] | NDArray[np.float64], most: int = 3) -> str:
    """Words for a change of the factors, the largest first.

    >>> words_for([-2.0, 0, -0.1, 0, 1.5, 0, 0, 0, 0, 0])
    'low light + noise'
    """
    order = np.argsort(-np.abs(np.asarray(change, np.float64)))
    named = list(FACTORS)
    told = [FACTORS[named[i]][1][int(change[i] > 0)] for i in order if abs(change[i]) >= _TOLD][:most]
    return " + ".join(told) or "hardly any change"


def axis_order(effects: AxisEffects) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Order and signs that make axes comparable between runs.

    Axes by falling variance of their effect (of the factors, over both ends and about no change); the positive end is
    the one that makes a picture worse: darker, flatter, softer, coarser, noisier, more in blocks.

    Returns:
        ``(order, signs)``, each (K,): new axis k is ``signs[k]`` times the old axis ``order[k]``.
    """
    count = len(effects.moved) // 2
    size = np.square(effects.factors).mean(axis=1)
    order = np.argsort(-(size[:count] + size[count:]), kind="stable").astype(np.int64)
    weight = np.array([_BAD.get(name, 0.0) for name in FACTORS])
    worse = effects.factors @ weight
    signs = np.where(worse[:count] >= worse[count:], 1.0, -1.0).astype(np.float32)[order]
    return order, signs


@torch.no_grad()
def reorder_axes(generator: Generator, order: NDArray[np.int64], signs: NDArray[np.float32]) -> None:
    """Renumber and turn the axes of a generator's first target, in place; what it can do stays the same."""
    free = generator.basis.free[0]
    axes = generator.basis.axes()
    free.copy_(torch.from_numpy(signs).to(axes)[:, None] * axes[torch.from_numpy(order)])


def _factors(change: NDArray[np.float64]) -> list[float]:
    place = {name: i for i, name in enumerate((*STATISTICS, "blockiness"))}
    return [sum(share * float(change[place[name]]) for name, share in parts.items()) for parts, _ in FACTORS.values()]


@torch.no_grad()
def _statistics(images: Tensor, sources: Tensor) -> NDArray[np.float64]:
    """(N, F + 1) style statistics and blockiness, under the masks of the sources."""
    out = []
    for part in torch.split(torch.arange(len(images)), 64):
        mask = picture_mask(sources[part])
        statistics = style_statistics(images[part], mask)
        out.append(torch.cat([statistics, blockiness(images[part])[:, None]], dim=1))
    return torch.cat(out).double().numpy()


def blockiness(images: Tensor, size: int = 8) -> Tensor:
    """How much the steps across some grid of blocks stand out from all others, log ratio, (N,) from (N, 3, S, S).

    The grid may start anywhere, as in aligned footage: the largest over all phases counts.
    """
    luma = inner_face(to_ycc(images)[:, :1])
    ratios = []
    for steps in (luma.diff(dim=3).abs().mean(dim=(1, 2)), luma.diff(dim=2).abs().mean(dim=(1, 3))):
        usable = steps[:, : steps.shape[1] // size * size]
        phases = usable.reshape(len(usable), -1, size).mean(dim=1)
        rest = (phases.sum(dim=1, keepdim=True) - phases) / (size - 1)
        ratios.append(functional.relu((phases + 1e-3) / (rest + 1e-3)).log().amax(dim=1))
    return torch.stack(ratios).mean(dim=0)
