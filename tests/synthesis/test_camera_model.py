from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.fft import dctn, idctn
from scipy.ndimage import gaussian_filter

from wildstyle.synthesis.blocks import BLOCK_SIZES, compress_blocks
from wildstyle.synthesis.camera import CAMERA_PARAMETERS, blur_matrix, change_to_rgb, photograph, strengths_of, to_ycc
from wildstyle.synthesis.chance import draw_chance


def test_blur_is_a_gaussian() -> None:
    image = np.random.default_rng(0).random((32, 32))
    matrix = blur_matrix(torch.tensor([1.5], dtype=torch.float64), 32)[0].numpy()
    expected = gaussian_filter(image, 1.5, truncate=10)
    np.testing.assert_allclose((matrix @ image @ matrix.T)[10:-10, 10:-10], expected[10:-10, 10:-10], atol=2e-3)
    np.testing.assert_allclose(matrix.sum(1), 1.0)


def test_no_blur_is_the_identity() -> None:
    assert torch.equal(blur_matrix(torch.zeros(1), 20)[0], torch.eye(20))


def test_colours_go_there_and_back() -> None:
    image = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(change_to_rgb(to_ycc(image)), image, atol=1e-5, rtol=0)
    grey = to_ycc(torch.full((1, 3, 2, 2), 0.3))
    torch.testing.assert_close(grey, torch.tensor([0.3, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 2, 2))


def test_compression_shrinks_block_cosines() -> None:
    image = np.random.default_rng(1).random((16, 16))
    threshold = 0.7
    expected = image.copy()
    for row in (0, 8):
        for column in (0, 8):
            block = dctn(image[row : row + 8, column : column + 8], norm="ortho")
            place = np.arange(8) / 8
            bound = (threshold * (place[:, None] + place[None])) ** 2
            block -= block * bound / (block**2 + bound + 1e-12)
            expected[row : row + 8, column : column + 8] = idctn(block, norm="ortho")
    levels = torch.tensor([[threshold, 0.0]])
    got = compress_blocks(torch.from_numpy(image[None]).float(), levels, torch.zeros(1, 2, 2, dtype=torch.int64))
    np.testing.assert_allclose(got[0].numpy(), expected, atol=1e-5)


def test_compression_grid_follows_its_phase() -> None:
    image = torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(2))
    phase = torch.zeros(1, 2, 2, dtype=torch.int64)
    shifted = phase.clone()
    shifted[0, :, 0] = 3
    levels = torch.tensor([[0.5, 0.0]])
    moved = compress_blocks(image.roll((3, 3), (1, 2)), levels, shifted)
    still = compress_blocks(image, levels, phase)
    torch.testing.assert_close(moved[:, 8:24, 8:24], still.roll((3, 3), (1, 2))[:, 8:24, 8:24], atol=1e-5, rtol=0)


def test_compression_of_nothing_is_nothing() -> None:
    image = torch.rand(2, 24, 24)
    assert torch.equal(compress_blocks(image, torch.zeros(2, 2), torch.ones(2, 2, 2, dtype=torch.int64)), image)


def test_closed_gate_does_nothing() -> None:
    raw = torch.randn(3, CAMERA_PARAMETERS) * 5
    ycc = to_ycc(torch.rand(3, 3, 32, 32))
    chance = draw_chance(torch.tensor([1, 2, 3]), ycc)
    strengths = strengths_of(raw, torch.zeros(3, 1))
    assert torch.equal(photograph(ycc, strengths, torch.zeros_like(ycc), chance), ycc)


def test_noise_has_the_stated_size_and_slope() -> None:
    raw = torch.full((1, CAMERA_PARAMETERS), -30.0)
    strengths = strengths_of(raw, torch.ones(1, 1))
    quiet = strengths._replace(
        tone=torch.zeros(1, 2),
        colour=torch.zeros(1, 3, 3),
        shift=torch.zeros(1, 3),
        noise=torch.tensor([[0.1, 0.0, 0.05]]),
        noise_shape=torch.tensor([[0.0, 1.2]]),
    )
    ycc = torch.zeros(1, 3, 112, 112)
    ycc[:, 0] = 0.5
    made = photograph(ycc, quiet, torch.zeros_like(ycc), draw_chance(torch.tensor([4]), ycc))
    assert made[0, 0].std().item() == pytest.approx(0.1, rel=0.1)
    assert made[0, 1].std().item() == 0.0
    assert made[0, 2].std().item() == pytest.approx(0.05, rel=0.1)
    ycc[:, 0, 56:] = 1.0
    sloped = quiet._replace(noise_shape=torch.tensor([[0.5, 1.2]]))
    made = photograph(ycc, sloped, torch.zeros_like(ycc), draw_chance(torch.tensor([4]), ycc))
    assert (made[0, 0, 60:].std() / made[0, 0, :52].std()).item() == pytest.approx(1.5, rel=0.15)


def test_chance_belongs_to_the_seed() -> None:
    pair = torch.zeros(2, 3, 16, 16)
    both, one = draw_chance(torch.tensor([7, 8]), pair), draw_chance(torch.tensor([8]), pair[:1])
    for part, alone in zip(both, one, strict=True):
        assert torch.equal(part[1:], alone)
    assert (both.phase < torch.tensor(BLOCK_SIZES)).all()
