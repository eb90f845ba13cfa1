from __future__ import annotations

import numpy as np
import pytest

from wildstyle.synthesis.magnitudes_read import MagnitudeScale, measure_magnitudes
from wildstyle.synthesis.style_reader import StyleEstimate


def shells(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """True codes, of which only the first number is seen; the reading of the others is 0."""
    rng = np.random.default_rng(seed)
    codes = rng.standard_normal((count, 4))
    codes *= rng.uniform(1, 6, (count, 1)) / np.linalg.norm(codes, axis=1, keepdims=True)
    return codes, codes * np.array([1.0, 0.0, 0.0, 0.0])


def test_short_readings_stand_for_longer_codes() -> None:
    codes, read = shells(4000)
    scale = measure_magnitudes(codes, read)
    assert list(scale.true) == sorted(scale.true)
    assert scale.of(read).mean() == pytest.approx(np.linalg.norm(codes, axis=1).mean(), rel=0.05)
    assert np.linalg.norm(read, axis=1).mean() < 0.6 * np.linalg.norm(codes, axis=1).mean()
    assert scale.deviation < np.linalg.norm(codes, axis=1).std()
    ends = scale.of(np.array([[0.0] * 4, [99.0, 0, 0, 0]]))
    assert ends.tolist() == [scale.true[0], scale.true[-1]]


def test_drawn_codes_have_the_magnitudes_and_directions_of_true_ones() -> None:
    codes, read = shells(4000)
    missed = codes - read
    estimate = StyleEstimate(read.astype(np.float32), missed.T @ missed / len(missed), measure_magnitudes(codes, read))
    drawn, frames = estimate.draw(np.random.default_rng(1), 8000, 6.0)
    length = np.linalg.norm(drawn, axis=1)
    assert length.max() <= 6.0 + 1e-5
    assert length.mean() == pytest.approx(np.linalg.norm(codes, axis=1).mean(), rel=0.05)
    # What is seen is kept, what is not seen comes back.
    assert np.corrcoef(drawn[:, 0], read[frames, 0])[0, 1] > 0.8
    assert drawn[:, 1:].std(axis=0) == pytest.approx(codes[:, 1:].std(axis=0), rel=0.15)
    sure, places = estimate.draw(np.random.default_rng(1), 50, 6.0, doubt=0.0)
    cosine = (sure * read[places]).sum(1) / np.linalg.norm(sure, axis=1) / np.linalg.norm(read[places], axis=1)
    assert cosine.min() > 1 - 1e-5


def test_a_sure_reading_of_the_right_length_is_kept() -> None:
    codes = np.array([[3.0, 0, 0], [0, -2.0, 0]], np.float32)
    exact = MagnitudeScale((0.0, 6.0), (0.0, 6.0), 0.0)
    drawn, frames = StyleEstimate(codes, np.eye(3), exact).draw(np.random.default_rng(0), 30, 6.0)
    np.testing.assert_allclose(drawn, codes[frames], atol=1e-5)
