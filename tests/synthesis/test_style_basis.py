from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wildstyle.errors import SettingError
from wildstyle.synthesis.basis import StyleBasis, orthonormal_rows


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 1000))
def test_rows_are_what_gram_schmidt_gives(axes: int, seed: int) -> None:
    free = np.random.default_rng(seed).standard_normal((axes, 8))
    expected: list[np.ndarray] = []
    for row in free:
        left = row - sum((row @ e) * e for e in expected)
        expected.append(left / np.linalg.norm(left))
    np.testing.assert_allclose(orthonormal_rows(torch.from_numpy(free)).numpy(), expected, atol=1e-8)


def test_rows_stay_orthonormal_while_trained() -> None:
    basis = StyleBasis(5, 12, ["a"])
    optimiser = torch.optim.SGD(basis.parameters(), lr=0.5)
    for k in range(5):
        code = torch.randn(3, 5, generator=torch.Generator().manual_seed(k))
        optimiser.zero_grad()
        basis(code).sin().sum().backward()
        optimiser.step()
    axes = basis.axes()
    torch.testing.assert_close(axes @ axes.T, torch.eye(5), atol=1e-5, rtol=0)
    assert basis.mean[0].abs().max() > 0


def test_length_of_a_code_is_distance_from_the_mean() -> None:
    basis = StyleBasis(3, 20, ["a"])
    code = torch.tensor([[3.0, 0.0, 4.0]])
    assert (basis(code) - basis.mean[0]).norm().item() == pytest.approx(5.0, abs=1e-5)


def test_targets_start_equal_and_are_apart() -> None:
    basis = StyleBasis(3, 20, ["a", "b"])
    torch.testing.assert_close(basis.axes("a"), basis.axes("b"))
    torch.testing.assert_close(basis.axes("a"), StyleBasis(3, 20, ["z"]).axes())
    with torch.no_grad():
        basis.mean[1].add_(1.0)
    code = torch.ones(1, 3)
    torch.testing.assert_close(basis(code, "b") - basis(code), torch.ones(1, 20))


@pytest.mark.parametrize("targets", [[], ["a", "a"]])
def test_refuses_bad_targets(targets: list[str]) -> None:
    with pytest.raises(SettingError):
        StyleBasis(2, 4, targets)


def test_refuses_too_many_axes_and_unknown_target() -> None:
    with pytest.raises(SettingError, match="5 style axes"):
        StyleBasis(5, 4, ["a"])
    with pytest.raises(SettingError, match="a, b"):
        StyleBasis(2, 4, ["a", "b"]).axes("c")
