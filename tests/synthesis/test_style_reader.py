from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from wildstyle.errors import CorruptArchive, InputError, NotMeasurable
from wildstyle.synthesis import StyleGenerator, kernel_distance, sample_codes, style_statistics
from wildstyle.synthesis.control import synthesise
from wildstyle.synthesis.kinds.camera import AXES, CameraGenerator
from wildstyle.synthesis.style_reader import (
    StyleEstimate,
    StyleReader,
    fit_style_reader,
    load_style_reader,
    save_style_reader,
)


def pictures(count: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 14, 14, generator=generator)
    fine = torch.rand(count, 3, 56, 56, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=112, mode="bicubic")
    return (0.25 + 0.4 * smooth + 0.15 * torch.nn.functional.interpolate(fine, size=112)).clamp(0.05, 0.95)


@pytest.fixture(scope="module")
def camera() -> CameraGenerator:
    """A camera of known parameters: light, noise and blur act, each alone."""
    generator = CameraGenerator()
    with torch.no_grad():
        generator.mean.fill_(-4.0)
        for both in ("bright / dark", "contrast", "saturation", "warm / cool", "motion across / down"):
            generator.mean[AXES.index(both)] = 0.0
        generator.mean[AXES.index("noise")] = 2.0
        generator.mean[AXES.index("blur")] = 0.0
        generator.free.fill_(0.0)
    return generator.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def reader(camera: CameraGenerator) -> StyleReader:
    return fit_style_reader(camera, pictures(80, 0), steps=120, seed=0)


def frames(generator: StyleGenerator, code: np.ndarray, count: int, seed: int) -> torch.Tensor:
    codes = np.repeat(code[None], count, axis=0).astype(np.float32)
    return synthesise(generator, pictures(count, seed), codes, np.arange(count) + 1000 * seed)


def test_codes_are_read_off_unseen_pictures(camera: CameraGenerator, reader: StyleReader) -> None:
    rng = np.random.default_rng(5)
    codes = sample_codes(rng, 120, 10, 6.0, zero_share=0.0)
    read = reader.read(synthesise(camera, pictures(120, 7), codes, np.arange(120))).numpy()
    light = AXES.index("bright / dark")
    assert np.corrcoef(codes[:, light], read[:, light])[0, 1] > 0.7
    assert np.corrcoef(np.linalg.norm(codes, axis=1), np.linalg.norm(read, axis=1))[0, 1] > 0.6
    strong = np.linalg.norm(codes, axis=1) > 3
    cosine = (codes * read).sum(1) / (np.linalg.norm(codes, axis=1) * np.linalg.norm(read, axis=1) + 1e-9)
    assert cosine[strong].mean() > 0.35  # pictures of other codes: about 0
    assert cosine[strong].mean() == pytest.approx(reader.accuracy.cosine, abs=0.15)


def test_a_camera_of_one_known_style_is_found(camera: CameraGenerator, reader: StyleReader) -> None:
    dark = np.zeros(10)
    dark[AXES.index("bright / dark")] = -5.0
    noisy = np.zeros(10)
    noisy[AXES.index("noise")] = 5.0
    found = {
        name: reader.read(frames(camera, code, 30, 11)).numpy().mean(0)
        for name, code in (("dark", dark), ("noisy", noisy))
    }
    assert np.argmax(np.abs(found["dark"])) == AXES.index("bright / dark")
    assert found["dark"][AXES.index("bright / dark")] < -2
    assert found["noisy"][AXES.index("noise")] > found["dark"][AXES.index("noise")] + 1


def test_made_in_the_style_of_frames_is_nearer_to_them(camera: CameraGenerator, reader: StyleReader) -> None:
    dark = np.zeros(10)
    dark[AXES.index("bright / dark")], dark[AXES.index("blur")] = -4.0, 3.0
    footage = frames(camera, dark, 40, 13)
    rng = np.random.default_rng(0)
    matched, _ = reader.estimate(footage).draw(rng, 40, 6.0)
    anything = sample_codes(rng, 40, 10, 6.0, zero_share=0.0)
    clean, real = pictures(40, 17), style_statistics(footage).numpy()
    scale = real.std(0) + 0.1

    def distance(codes: np.ndarray) -> float:
        made = style_statistics(synthesise(camera, clean, codes, np.arange(40))).numpy()
        return kernel_distance(made / scale, real / scale)

    assert distance(matched) < 0.6 * distance(anything)


def test_what_the_reader_can_not_tell_comes_back_when_drawing() -> None:
    rng = np.random.default_rng(2)
    covariance = np.diag([1.0, 0.25, 0.0])
    codes = rng.standard_normal((500, 3)).astype(np.float32) * np.array([0.5, 1.0, 0.2], np.float32)
    drawn, places = StyleEstimate(codes, covariance).draw(rng, 20000, 100.0)
    assert drawn.shape == (20000, 3)
    assert places.max() < 500
    wanted = codes.var(axis=0) + np.diag(covariance)
    np.testing.assert_allclose(drawn.var(axis=0), wanted, rtol=0.06)
    short, _ = StyleEstimate(codes, covariance).draw(rng, 500, 0.5)
    assert np.linalg.norm(short, axis=1).max() <= 0.5 + 1e-5
    exact, where = StyleEstimate(codes, covariance).draw(rng, 50, 100.0, doubt=0.0)
    np.testing.assert_allclose(exact, codes[where], rtol=1e-6)


def test_reading_does_not_depend_on_the_batch(camera: CameraGenerator, reader: StyleReader) -> None:
    images = synthesise(camera, pictures(6, 3), sample_codes(np.random.default_rng(0), 6, 10, 6.0), np.arange(6))
    together = reader.read(images)
    alone = torch.cat([reader.read(images[i : i + 1]) for i in range(6)])
    assert torch.allclose(together, alone, atol=1e-4)


def test_teaching_repeats(camera: CameraGenerator) -> None:
    one, two = (fit_style_reader(camera, pictures(25, 1), steps=2, seed=4) for _ in range(2))
    other = fit_style_reader(camera, pictures(25, 1), steps=2, seed=5)
    probe = pictures(3, 2)
    assert torch.equal(one.read(probe), two.read(probe))
    assert not torch.equal(one.read(probe), other.read(probe))


def test_a_reader_serves_its_own_generator_only(camera: CameraGenerator, reader: StyleReader, tmp_path: Path) -> None:
    path = tmp_path / "reader.safetensors"
    save_style_reader(reader, path)
    loaded = load_style_reader(path, camera)
    assert torch.equal(loaded.read(pictures(3, 2)), reader.read(pictures(3, 2)))
    assert loaded.accuracy == reader.accuracy
    assert reader.magnitudes is not None
    assert loaded.magnitudes == reader.magnitudes
    other = CameraGenerator()
    with pytest.raises(InputError, match="another generator"):
        load_style_reader(path, other)
    with pytest.raises(InputError, match="no such file"):
        load_style_reader(tmp_path / "nowhere", camera)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CorruptArchive):
        load_style_reader(path, camera)


def test_too_few_faces_are_refused(camera: CameraGenerator) -> None:
    with pytest.raises(NotMeasurable, match="too few"):
        fit_style_reader(camera, pictures(10, 0), steps=1)
