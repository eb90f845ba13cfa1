from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from wildstyle.errors import NotMeasurable
from wildstyle.synthesis.distances import energy_distance, frechet_distance, kernel_distance, nearest_distance, spread
from wildstyle.synthesis.statistics import STATISTICS, style_statistics
from wildstyle.synthesis.window import inner_face, picture_mask


def value(images: torch.Tensor, name: str) -> float:
    return float(style_statistics(images)[0, STATISTICS.index(name)])


def noisy(size: float, seed: int = 0) -> torch.Tensor:
    return (0.5 + size * torch.randn(1, 3, 112, 112, generator=torch.Generator().manual_seed(seed))).clamp(0, 1)


def test_one_column_a_name(faces: torch.Tensor) -> None:
    assert style_statistics(faces).shape == (5, len(STATISTICS))


def test_each_degradation_moves_its_statistic(faces: torch.Tensor) -> None:
    face = faces[:1] * 0.8 + 0.1
    blurred = torch.nn.functional.avg_pool2d(face, 5, 1, 2, count_include_pad=False)
    assert value(blurred, "detail of luma, band 2") < value(face, "detail of luma, band 2") - 0.05
    assert value(face * 0.5, "mean of luma") == pytest.approx(0.5 * value(face, "mean of luma"), abs=1e-4)
    assert value(noisy(0.02), "noise, finest") > value(noisy(0.01), "noise, finest") + 0.4
    light = torch.cat([torch.full((1, 3, 112, 56), 0.2), torch.full((1, 3, 112, 56), 0.8)], dim=3)
    grain = noisy(0.05) - 0.5
    assert value(light + grain * light, "noise in the light") > value(light + grain * (1 - light), "noise in the light")


def test_noise_and_edges_are_told_apart() -> None:
    edge = torch.cat([torch.full((1, 3, 112, 56), 0.4), torch.full((1, 3, 112, 56), 0.6)], dim=3)
    for name in ("coherence of edges", "coherence of edges, half size"):
        assert value(edge, name) > value(noisy(0.05), name) + 0.3
    for band in range(3):
        name = f"quietest detail of luma, band {band}"
        assert value(edge, name) < value(noisy(0.05), name) - 0.5


def test_black_outside_the_picture_does_not_count() -> None:
    plain = noisy(0.05)
    cropped = plain.clone()
    cropped[..., :40] = 0.0
    assert picture_mask(plain).min() == 1
    assert picture_mask(cropped)[..., :40].max() == 0
    assert value(cropped, "mean of luma") == pytest.approx(value(plain, "mean of luma"), abs=0.01)
    assert value(cropped, "detail of luma, band 1") == pytest.approx(value(plain, "detail of luma, band 1"), abs=0.1)


def test_all_black_and_flat_faces_stay_finite() -> None:
    images = torch.stack([torch.zeros(3, 112, 112), torch.ones(3, 112, 112)]).requires_grad_()
    statistics = style_statistics(images)
    statistics.sum().backward()
    assert torch.isfinite(statistics).all()
    assert torch.isfinite(images.grad).all()  # type: ignore[arg-type]


def test_inner_face_is_cut_by_the_template() -> None:
    image = torch.arange(112.0).view(1, 1, 112, 1).expand(1, 1, 112, 112)
    cut = inner_face(image, (2, -3))
    assert cut.shape == (1, 1, 64, 64)
    assert cut[0, 0, 0, 0] == 40


@pytest.mark.parametrize("size", [48, 64, 96, 128, 160])
def test_other_sizes_of_faces_work(size: int) -> None:
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    assert torch.isfinite(style_statistics(images)).all()


def test_kernel_distance_by_loops() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((4, 3)), rng.standard_normal((5, 3)) + 1

    def k(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / 3 + 1) ** 3)

    expected = (
        sum(k(a[i], a[j]) for i in range(4) for j in range(4) if i != j) / 12
        + sum(k(b[i], b[j]) for i in range(5) for j in range(5) if i != j) / 20
        - 2 * sum(k(x, y) for x in a for y in b) / 20
    )
    assert kernel_distance(a, b) == pytest.approx(expected)


def test_kernel_distance_is_about_zero_for_halves() -> None:
    rng = np.random.default_rng(1)
    a = rng.standard_normal((1000, 4))
    assert abs(kernel_distance(a[::2], a[1::2])) < 0.05
    assert kernel_distance(a, a + 1.0) > 0.5


def test_frechet_distance_by_matrix_root() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((50, 3)), rng.standard_normal((60, 3)) @ rng.standard_normal((3, 3)) + 0.5
    ca, cb = np.cov(a.T), np.cov(b.T)
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(ca + cb - 2 * sqrtm(ca @ cb).real)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


def test_distances_refuse_too_few() -> None:
    with pytest.raises(NotMeasurable):
        kernel_distance(np.zeros((1, 3)), np.zeros((5, 3)))
    with pytest.raises(NotMeasurable):
        frechet_distance(np.zeros((4, 3)), np.zeros((5, 2)))


def test_energy_distance_ignores_weightless_points_and_finds_its_place() -> None:
    generator = torch.Generator().manual_seed(3)
    reference = torch.randn(200, 2, generator=generator)
    near, far = torch.randn(50, 2, generator=generator), torch.randn(50, 2, generator=generator) + 2
    one = torch.ones(50)
    assert energy_distance(near, one, reference) < energy_distance(far, one, reference) - 0.5
    mixed = energy_distance(torch.cat([near, far]), torch.cat([one, 0 * one]), reference)
    torch.testing.assert_close(mixed, energy_distance(near, one, reference))


def test_energy_distance_less_the_spread_is_about_zero_for_one_distribution() -> None:
    points = torch.randn(800, 3, generator=torch.Generator().manual_seed(5))
    left = energy_distance(points[::2], torch.ones(400), points[1::2]) - spread(points[1::2])
    assert abs(left.item()) < 0.03
    three = torch.tensor([[0.0], [1.0], [3.0]])
    assert spread(three).item() == pytest.approx(2.0, abs=1e-3)


def test_nearest_distance_by_hand() -> None:
    reference = torch.tensor([[0.0], [1.0], [5.0]])
    points = torch.tensor([[2.0], [9.0]])
    found = nearest_distance(points, torch.tensor([1.0, 3.0]), reference, count=2)
    # 2 is 1 and 2 away from its two nearest, 9 is 4 and 8 away.
    assert found.item() == pytest.approx(0.25 * 1.5 + 0.75 * 6.0, abs=1e-3)
