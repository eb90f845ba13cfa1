from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from wildstyle.errors import NotMeasurable
from wildstyle.synthesis.control import (
    coverage,
    identity_control,
    magnitude_for_cosine,
    psnr,
    synthesise,
    zero_control,
)
from wildstyle.synthesis.directions import axis_codes, direction_accuracy, stored
from wildstyle.synthesis.interface import StyleGenerator


class Tinter(StyleGenerator):
    """Adds its three-number code to the colour planes, or only its length where it ignores direction."""

    kind = "tinter"
    axes, max_magnitude = 3, 2.0

    def __init__(self, *, directed: bool = True, shift: float = 0.0) -> None:
        super().__init__()
        self._directed, self._shift = directed, shift

    def describe(self) -> dict[str, Any]:
        return {"directed": self._directed, "shift": self._shift}

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Tinter:
        return cls(**description)

    def encode(self, images: Tensor) -> Tensor:
        return images

    def decode(
        self, images: Tensor, content: Tensor, code: Tensor, seed: Tensor, *, target: str | None = None
    ) -> Tensor:
        added = code if self._directed else code.norm(dim=1, keepdim=True).expand(-1, 3)
        return (content + self._shift + 0.2 * added[:, :, None, None]).clamp(0, 1)


def faces(count: int, seed: int = 0) -> Tensor:
    return 0.3 + 0.4 * torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def mean_colour(images: Tensor) -> Tensor:
    return torch.nn.functional.normalize(images.mean((2, 3)) - 0.2, dim=1)


def test_identity_control_by_hand() -> None:
    magnitude = np.array([0.05, 0.25, 0.45, 0.55, 0.75, 0.95])
    control = identity_control(magnitude, 0.6 * magnitude + 0.01, 0.6)
    assert control.correlation == pytest.approx(1.0)
    assert control.worst_bin == pytest.approx(0.01)
    assert control.wanted == pytest.approx([0.03, 0.15, 0.27, 0.33, 0.45, 0.57])
    with pytest.raises(NotMeasurable, match="six ranges"):
        identity_control(magnitude[:4], magnitude[:4], 0.6)


def test_psnr_by_hand() -> None:
    one = torch.zeros(2, 3, 4, 4)
    other = one.clone()
    other[1] += 0.1
    assert psnr(one, other).tolist() == pytest.approx([100.0, 20.0])


def test_zero_control_tells_a_faithful_generator_from_one_that_shifts() -> None:
    good, bad = (zero_control(Tinter(shift=shift), faces(24), mean_colour) for shift in (0.0, 0.1))
    assert good.psnr == 100.0
    assert good.cosine == pytest.approx(1.0)
    assert good.small_step == pytest.approx(0.01, rel=0.1)
    assert bad.psnr == pytest.approx(20.0, abs=0.1)


def test_the_magnitude_of_a_cosine_is_found_by_halving() -> None:
    assert magnitude_for_cosine(lambda a: 1 - a / 10, 0.8, 6.0, steps=20) == pytest.approx(2.0, abs=1e-4)
    assert magnitude_for_cosine(lambda a: 0.9, 0.8, 6.0) == 6.0
    assert magnitude_for_cosine(lambda a: 0.5 - a / 100, 0.8, 6.0) == 0.0


def test_coverage_counts_real_points_that_a_made_one_reaches() -> None:
    real = np.arange(12.0)[:, None]
    assert coverage(real, real + 0.1, 2) == 1.0
    assert coverage(real, np.array([[0.0]]), 2) == pytest.approx(2 / 12)  # 0 reaches 2, 1 reaches 1, 2 reaches 1
    with pytest.raises(NotMeasurable):
        coverage(real[:3], real, 5)


def test_axes_are_drawn_equally_often_and_large_enough() -> None:
    codes, labels = axis_codes(np.random.default_rng(0), 60, 3, 2.0)
    assert np.bincount(labels).tolist() == [10] * 6
    assert np.count_nonzero(codes) == 60
    size = np.abs(codes).max(1)
    assert size.min() >= 1.0
    assert size.max() <= 2.0
    assert all((code[label % 3] > 0) == (label < 3) for code, label in zip(codes, labels, strict=True))


def test_a_trip_through_jpeg_changes_little_and_keeps_the_range() -> None:
    back = stored(faces(2))
    assert 0 <= float(back.min()) <= float(back.max()) <= 1
    assert 0 < float((back - faces(2)).abs().mean()) < 0.2


def test_directions_are_read_where_they_show_and_guessed_where_they_do_not() -> None:
    torch.set_num_threads(1)
    shown = direction_accuracy(Tinter(), faces(240), faces(60, 1), passes=10)
    hidden = direction_accuracy(Tinter(directed=False), faces(240), faces(60, 1), passes=4)
    assert shown > 0.9
    assert hidden < 0.4  # chance is 1 in 6


def test_pictures_do_not_depend_on_the_batch() -> None:
    codes = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    seeds = np.arange(40)
    whole = synthesise(Tinter(), faces(40), codes, seeds)
    assert torch.equal(whole[33:], synthesise(Tinter(), faces(40)[33:], codes[33:], seeds[33:]))
