from __future__ import annotations

import numpy as np
import pytest
import torch

from wildstyle.errors import SettingError
from wildstyle.synthesis.codes import clip_magnitude, magnitude_of, sample_codes, sample_seeds


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_every_stratum_is_hit_once() -> None:
    length = np.linalg.norm(sample_codes(rng(), 60, 10, 6.0, zero_share=0.0), axis=1)
    assert sorted(np.floor(length / 0.1).astype(int)) == list(range(60))


def test_exact_zeros_and_both_ends_occur() -> None:
    length = np.linalg.norm(sample_codes(rng(), 1000, 10, 6.0, zero_share=0.05), axis=1)
    assert (length == 0).sum() == 50
    assert length.max() > 5.98
    assert length.max() <= 6.0
    assert 0 < length[length > 0].min() < 0.02


def test_directions_are_uniform_and_free_of_magnitude() -> None:
    codes = sample_codes(rng(), 20000, 3, 1.0, zero_share=0.0)
    length = np.linalg.norm(codes, axis=1, keepdims=True)
    direction = codes / length
    np.testing.assert_allclose(direction.T @ direction / len(codes), np.eye(3) / 3, atol=0.01)
    assert abs(np.corrcoef(direction[:, 0], length[:, 0])[0, 1]) < 0.03


def test_same_generator_state_same_codes() -> None:
    np.testing.assert_array_equal(sample_codes(rng(4), 7, 3), sample_codes(rng(4), 7, 3))
    assert sample_codes(rng(), 0, 3).shape == (0, 3)


@pytest.mark.parametrize("bad", [{"count": -1}, {"axes": 0}, {"max_magnitude": 0.0}, {"zero_share": 1.0}])
def test_refuses_bad_arguments(bad: dict[str, float]) -> None:
    with pytest.raises(SettingError):
        sample_codes(rng(), **{"count": 3, "axes": 2, **bad})  # type: ignore[arg-type]


def test_seeds_fit_torch() -> None:
    seeds = torch.from_numpy(sample_seeds(rng(), 100))
    assert seeds.dtype == torch.int64
    assert (seeds >= 0).all()
    assert len(seeds.unique()) == 100


def test_magnitude_has_a_finite_gradient_at_zero() -> None:
    codes = torch.tensor([[0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    length = magnitude_of(codes)
    length.sum().backward()
    assert length.tolist() == [0.0, 5.0]
    torch.testing.assert_close(codes.grad, torch.tensor([[0.0, 0.0], [0.6, 0.8]]))


def test_clip_shortens_only_what_is_too_long() -> None:
    codes = torch.tensor([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
    torch.testing.assert_close(clip_magnitude(codes, 6.0), torch.tensor([[0.0, 0.0], [3.0, 4.0], [3.6, 4.8]]))
