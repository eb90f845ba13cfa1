"""The bad camera: strength 0 is the identity, each step does what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildstyle.errors import SettingError
from wildstyle.madeup import BAD_CAMERA, CLEAN, EVERYDAY, CameraSettings, degrade
from wildstyle.randomness import item_rng


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (12, 12, 3))
    return np.kron(coarse, np.ones((8, 8, 1))).astype(np.uint8)


def test_strength_zero_is_the_identity_to_the_bit(picture: np.ndarray) -> None:
    for profile in (BAD_CAMERA, EVERYDAY):
        settings_ = profile.draw(item_rng(1), 0.0)
        assert settings_ == CLEAN
        assert np.array_equal(degrade(picture, settings_, item_rng(2)), picture)


@given(seed=st.integers(0, 10_000), strength=st.floats(0.0, 1.0))
@settings(max_examples=60, deadline=None)
def test_drawn_settings_stay_inside_the_profile(seed: int, strength: float) -> None:
    drawn = BAD_CAMERA.draw(item_rng(seed), strength)
    assert 0 <= drawn.motion <= BAD_CAMERA.motion[1]
    assert 1 <= drawn.shrink <= BAD_CAMERA.shrink[1] + 1e-6
    assert 0 <= drawn.noise <= BAD_CAMERA.noise[1]
    assert drawn.jpeg == 0 or BAD_CAMERA.jpeg[0] <= drawn.jpeg <= 100


def test_more_strength_is_more_damage(picture: np.ndarray) -> None:
    damage = []
    for strength in (0.0, 0.3, 0.6, 1.0):
        changed = degrade(picture, BAD_CAMERA.draw(item_rng(5), strength), item_rng(6))
        damage.append(np.abs(changed.astype(float) - picture).mean())
    assert damage == sorted(damage)
    assert damage[-1] > damage[1] > 0


def test_noise_has_the_stated_spread() -> None:
    grey = np.full((128, 128, 3), 128, np.uint8)
    noisy = degrade(grey, CameraSettings(noise=9.0), item_rng(0)).astype(float)
    assert noisy.std() == pytest.approx(9.0, rel=0.05)
    assert noisy.mean() == pytest.approx(128.0, abs=0.3)


def test_one_stop_halves_the_light() -> None:
    grey = np.full((8, 8, 3), 180, np.uint8)
    darker = degrade(grey, CameraSettings(exposure=-1.0), item_rng(0))
    assert darker[0, 0, 0] == pytest.approx(255 * ((180 / 255) ** 2.2 / 2) ** (1 / 2.2), abs=1)


def test_lens_blur_spreads_a_point_as_its_gaussian() -> None:
    point = np.zeros((65, 65, 3), np.uint8)
    point[32, 32] = 255
    spread = degrade(point, CameraSettings(blur=1.5), item_rng(0))[:, :, 0].astype(float)
    assert spread[32, 32] == pytest.approx(255 / (2 * np.pi * 1.5**2), abs=2)


@pytest.mark.parametrize(("angle", "axis"), [(0.0, 1), (90.0, 0)])
def test_motion_blurs_along_its_direction(angle: float, axis: int) -> None:
    point = np.zeros((33, 33, 3), np.uint8)
    point[16, 16] = 255
    moved = degrade(point, CameraSettings(motion=6.0, motion_angle=angle), item_rng(0))[:, :, 0]
    assert np.ptp(np.argwhere(moved > 5)[:, axis]) >= 5
    assert np.ptp(np.argwhere(moved > 5)[:, 1 - axis]) <= 1


def test_size_stays_and_detail_goes(picture: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    detailed = rng.integers(0, 256, (90, 70, 3)).astype(np.uint8)
    coarse = degrade(detailed, CameraSettings(shrink=4.0), item_rng(0))
    assert coarse.shape == detailed.shape
    assert coarse.astype(float).std() < 0.5 * detailed.astype(float).std()


def test_lengths_scale_with_the_picture() -> None:
    scaled = CameraSettings(motion=4.0, blur=1.0, shrink=3.0, noise=5.0).for_side(80)
    assert (scaled.motion, scaled.blur, scaled.shrink, scaled.noise) == (2.0, 0.5, 1.5, 5.0)


@pytest.mark.parametrize("wrong", [{"shrink": 0.5}, {"noise": -1.0}, {"jpeg": 101}, {"gamma": 0.0}, {"blur": -0.1}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingError):
        CameraSettings(**wrong)  # type: ignore[arg-type]


def test_strength_out_of_range_is_refused() -> None:
    with pytest.raises(SettingError):
        BAD_CAMERA.draw(item_rng(0), 1.1)
