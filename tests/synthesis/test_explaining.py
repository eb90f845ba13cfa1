from __future__ import annotations

import numpy as np
import pytest
import torch
from test_control import Tinter, faces

from wildstyle.synthesis import Generator
from wildstyle.synthesis.explaining import (
    FACTORS,
    AxisEffects,
    axis_effects,
    axis_order,
    blockiness,
    explain_axes,
    reorder_axes,
    shift_between,
    words_for,
)


def change(**factors: float) -> np.ndarray:
    return np.array([factors.get(name.replace(" ", "_"), 0.0) for name in FACTORS])


def test_an_axis_is_named_by_what_it_does() -> None:
    images = torch.nn.functional.interpolate(faces(24), size=112, mode="bilinear")
    found = explain_axes(axis_effects(Tinter(), images))
    # Tinter adds to red, green and blue: green weighs most in luma, red and blue in their differences.
    assert "reddish" in found[0].plus
    assert "greenish" in found[0].minus
    assert "greenish" in found[1].plus or "bright" in found[1].plus
    assert "bluish" in found[2].plus
    assert found[0].moved > 0.05
    assert found[0].as_record()["name"].startswith("axis 1: ")


def test_nothing_is_named_where_nothing_moves() -> None:
    assert words_for(change(exposure=0.1)) == "hardly any change"
    assert words_for(change(sharpness=-3.0, noise=2.0, exposure=-1.0, blue=0.6)) == "blur + noise + low light"


def test_axes_are_ordered_by_effect_and_turned_to_the_worse_end() -> None:
    weak, blur, bright = change(blue=0.2), change(sharpness=-2.0), change(exposure=3.0)
    effects = AxisEffects(np.array([weak, blur, bright, -weak, -blur, -bright]), np.ones(6), np.zeros(6))
    order, signs = axis_order(effects)
    assert order.tolist() == [2, 1, 0]
    assert signs.tolist()[:2] == [-1.0, 1.0]


def test_reordering_changes_names_not_pictures(generator: Generator) -> None:
    images = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    code = torch.tensor([[1.0, -2.0, 0.5, 0.0], [0.0, 1.0, 3.0, -1.0]])
    seed = torch.tensor([3, 4])
    order, signs = np.array([2, 0, 3, 1]), np.array([-1, 1, 1, -1], np.float32)
    with torch.no_grad():
        before = generator(images, code, seed)
        reorder_axes(generator, order, signs)
        renamed = code[:, torch.from_numpy(order)] * torch.from_numpy(signs)
        after = generator(images, renamed, seed)
    torch.testing.assert_close(before, after, atol=1e-5, rtol=0)
    axes = generator.basis.axes()
    torch.testing.assert_close(axes @ axes.T, torch.eye(4), atol=1e-5, rtol=0)


def test_blocks_are_seen_whatever_their_phase() -> None:
    plain = torch.nn.functional.interpolate(
        torch.rand(4, 3, 28, 28, generator=torch.Generator().manual_seed(0)), size=112, mode="bicubic"
    ).clamp(0, 1)
    cells = torch.nn.functional.avg_pool2d(plain, 8)
    blocks = torch.nn.functional.interpolate(cells, size=112, mode="nearest")
    shifted = torch.roll(blocks, (3, 5), dims=(2, 3))
    assert float(blockiness(blocks).min()) > float(blockiness(plain).max()) + 1
    assert float(blockiness(shifted).min()) > float(blockiness(plain).max()) + 1


def test_a_face_that_moves_is_noticed_and_one_that_blurs_is_not() -> None:
    coarse = torch.rand(6, 3, 28, 28, generator=torch.Generator().manual_seed(1))
    faces = torch.nn.functional.interpolate(coarse, size=112, mode="bicubic").clamp(0, 1)
    moved = torch.roll(faces, shifts=(0, 3), dims=(2, 3))
    assert np.median(shift_between(faces, moved)) == pytest.approx(3.0, abs=0.3)
    assert np.median(shift_between(faces, faces)) == pytest.approx(0.0, abs=0.01)
    blurred = torch.nn.functional.avg_pool2d(faces, 5, 1, 2, count_include_pad=False)
    assert np.median(shift_between(faces, 0.5 * blurred)) < 0.2


def test_what_all_axes_do_names_none_of_them() -> None:
    every = change(sharpness=-3.0, resolution=-2.0)
    dark, noisy = change(exposure=-1.5), change(noise=1.2)
    effects = AxisEffects(np.array([every + dark, every + noisy, every - dark, every - noisy]), np.ones(4), np.zeros(4))
    found = explain_axes(effects)
    assert {axis.always for axis in found} == {"blur + coarse"}
    assert [(axis.plus, axis.minus) for axis in found] == [("low light", "bright"), ("noise", "smooth")]
    assert found[0].factors["sharpness"] == (-3.0, -3.0)
