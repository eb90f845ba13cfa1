from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from wildstyle.errors import InputError, SettingError
from wildstyle.recognisers import Recogniser
from wildstyle.synthesis import (
    FitSettings,
    Generator,
    GeneratorConfig,
    StyleGenerator,
    fit_generator,
    fit_onto,
    kernel_distance,
    load_generator,
    sample_codes,
    save_generator,
)
from wildstyle.synthesis.blocks import BLOCK_SIZES
from wildstyle.synthesis.camera import to_ycc
from wildstyle.synthesis.control import synthesise
from wildstyle.synthesis.explaining import blockiness
from wildstyle.synthesis.kinds import all_kinds, generator_class, ready_made
from wildstyle.synthesis.kinds.blind import RECIPES, BlindGenerator
from wildstyle.synthesis.kinds.blind.generator import crop_mask
from wildstyle.synthesis.kinds.camera import AXES, CameraGenerator
from wildstyle.synthesis.kinds.chain import ChainGenerator
from wildstyle.synthesis.kinds.released import ReleasedGenerator
from wildstyle.synthesis.optics import MOST_SHRINK, motion_matrix, shrink_matrix
from wildstyle.synthesis.statistics import STATISTICS, style_statistics
from wildstyle.synthesis.watching import Look, Watch
from wildstyle.training import LoopPlan

SMALL = GeneratorConfig(axes=4, style_size=16, width=8)


def build(name: str) -> StyleGenerator:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        made: dict[str, Callable[[], StyleGenerator]] = {
            "default": lambda: Generator(SMALL),
            "network": lambda: Generator(replace(SMALL, camera=False)),
            "camera": CameraGenerator,
            "blind": lambda: BlindGenerator("compound"),
            "blind-adaface": lambda: BlindGenerator("adaface"),
            "released": ReleasedGenerator,
            "chain": lambda: ChainGenerator(Generator(SMALL), CameraGenerator()),
        }
        return made[name]().eval().requires_grad_(False)


@pytest.fixture(params=sorted(all_kinds()))
def each(request: pytest.FixtureRequest) -> StyleGenerator:
    return build(request.param)


@pytest.fixture
def textured() -> torch.Tensor:
    coarse = torch.rand(4, 3, 28, 28, generator=torch.Generator().manual_seed(2))
    fine = torch.rand(4, 3, 112, 112, generator=torch.Generator().manual_seed(3))
    return (0.8 * torch.nn.functional.interpolate(coarse, size=112, mode="bicubic") + 0.2 * fine).clamp(0.05, 0.95)


def codes(generator: StyleGenerator, count: int, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(sample_codes(rng, count, generator.axes, generator.max_magnitude, zero_share=0.0))


def test_every_folder_is_found() -> None:
    assert {"default", "network", "camera", "blind", "blind-adaface", "released", "chain"} <= set(all_kinds())
    with pytest.raises(InputError, match="nown are"):
        generator_class("nothing")


def test_pictures_are_pictures_and_follow_the_seed(each: StyleGenerator, textured: torch.Tensor) -> None:
    code, seed = codes(each, 4), torch.arange(4)
    made = each(textured, code, seed)
    assert made.shape == textured.shape
    assert torch.isfinite(made).all()
    assert float(made.min()) >= 0.0
    assert float(made.max()) <= 1.0
    assert torch.equal(made, each(textured, code, seed))


def test_the_same_picture_in_any_batch(each: StyleGenerator, textured: torch.Tensor) -> None:
    code, seed = codes(each, 4), torch.arange(4)
    together = each(textured, code, seed)
    alone = torch.cat([each(textured[i : i + 1], code[i : i + 1], seed[i : i + 1]) for i in range(4)])
    assert torch.allclose(together, alone, atol=2e-5)


def test_the_zero_code_returns_the_input(each: StyleGenerator, textured: torch.Tensor) -> None:
    if isinstance(each, ReleasedGenerator):
        pytest.skip("the published generator only learns to")
    assert torch.equal(each(textured, torch.zeros(4, each.axes), torch.arange(4)), textured)


def test_the_code_can_be_steered(each: StyleGenerator, textured: torch.Tensor) -> None:
    code = codes(each, 4).requires_grad_(True)
    each(textured, code, torch.arange(4)).square().mean().backward()
    assert code.grad is not None
    assert torch.isfinite(code.grad).all()
    assert float(code.grad.abs().amax(1).min()) > 0


def test_every_kind_can_be_kept(each: StyleGenerator, textured: torch.Tensor, tmp_path: Path) -> None:
    save_generator(each, tmp_path / "generator.safetensors")
    loaded, _ = load_generator(tmp_path / "generator.safetensors")
    assert loaded.hash == each.hash
    code = codes(each, 4)
    assert torch.equal(loaded(textured, code, torch.arange(4)), each(textured, code, torch.arange(4)))
    assert len(loaded.axis_names) == loaded.axes


def test_codes_of_the_wrong_length_are_refused(each: StyleGenerator, textured: torch.Tensor) -> None:
    with pytest.raises(InputError, match="codes are"):
        each(textured, torch.zeros(4, each.axes + 1), torch.arange(4))


def test_recipes_need_no_file() -> None:
    generator, notes = load_generator(Path("blind"))
    assert isinstance(generator, BlindGenerator)
    assert generator.recipe == "compound"
    assert notes == {}
    assert ready_made("camera") is None


def test_a_chain_is_one_after_the_other(textured: torch.Tensor) -> None:
    chain = build("chain")
    assert isinstance(chain, ChainGenerator)
    code, seed = codes(chain, 4), torch.arange(4)
    first = chain.first(textured, code[:, : chain.first.axes], seed)
    other = (seed ^ 0x2545F4914F6CDD1D) & (2**62 - 1)
    assert torch.equal(chain(textured, code, seed), chain.second(first, code[:, chain.first.axes :], other))


def test_shrinking_and_moving_keep_brightness() -> None:
    none = torch.zeros(1)
    assert torch.equal(shrink_matrix(torch.ones(1), none, 112)[0], torch.eye(112))
    assert torch.equal(motion_matrix(none, 112)[0], torch.eye(112))
    for factor in (1.3, 2.7, MOST_SHRINK, 40.0):
        for rough in (0.0, 1.0):
            matrix = shrink_matrix(torch.tensor([factor]), torch.tensor([rough]), 112)
            assert torch.allclose(matrix.sum(2), torch.ones(1, 112), atol=1e-4)
    moved = motion_matrix(torch.tensor([4.0]), 112)[0, 50]
    assert float(moved[48:53].min()) == pytest.approx(0.2)
    assert float(moved.sum()) == pytest.approx(1.0)


def test_shrinking_is_smooth_in_its_factor() -> None:
    wave = torch.sin(torch.arange(112) * 0.9)
    left = [
        float((shrink_matrix(torch.tensor([f]), torch.zeros(1), 112)[0] @ wave).std()) for f in (1.0, 1.5, 2.0, 4.0)
    ]
    assert left == sorted(left, reverse=True)
    factor = torch.tensor([2.2], requires_grad=True)
    (shrink_matrix(factor, torch.zeros(1), 112)[0] @ wave).square().sum().backward()
    assert factor.grad is not None
    assert float(factor.grad) < 0


def effect(axis: str, sign: float, faces: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    generator = build("camera")
    with torch.no_grad():
        generator.mean.fill_(-2.0)  # type: ignore[operator, union-attr]
        for both_ways in ("bright / dark", "contrast", "saturation", "warm / cool", "motion across / down"):
            generator.mean[AXES.index(both_ways)] = 0.0  # type: ignore[index]
        if axis == "blocks":
            generator.mean[AXES.index(axis)] = 2.0  # type: ignore[index]
    code = torch.zeros(len(faces), len(AXES))
    code[:, AXES.index(axis)] = 4.0 * sign
    made = generator(faces, code, torch.arange(len(faces)))
    return made, style_statistics(made)


@pytest.mark.parametrize(
    ("axis", "statistic", "rises"),
    [
        ("few pixels", "detail of luma, band 1", False),
        ("blur", "detail of luma, band 0", False),
        ("bright / dark", "mean of luma", True),
        ("contrast", "spread of luma", True),
        ("saturation", "spread of red", True),
        ("warm / cool", "mean of red", True),
        ("noise", "noise, finest", True),
        ("colour noise", "noise of colour", True),
    ],
)
def test_axes_of_the_camera_do_what_they_are_called(
    axis: str, statistic: str, rises: bool, textured: torch.Tensor
) -> None:
    place = STATISTICS.index(statistic)
    plus, minus = (effect(axis, sign, textured)[1][:, place].mean() for sign in (1.0, -1.0))
    assert bool(plus > minus) == rises


def test_motion_blurs_along_its_own_direction(textured: torch.Tensor) -> None:
    across, down = (to_ycc(effect("motion across / down", sign, textured)[0])[:, 0] for sign in (1.0, -1.0))
    assert float(across.diff(dim=2).abs().mean()) < float(across.diff(dim=1).abs().mean())
    assert float(down.diff(dim=2).abs().mean()) > float(down.diff(dim=1).abs().mean())


def test_blocks_show(textured: torch.Tensor) -> None:
    made = [effect("blocks", sign, textured)[0] for sign in (1.0, -1.0)]
    assert float(blockiness(made[0]).mean()) > float(blockiness(made[1]).mean())
    assert len(BLOCK_SIZES) == 2


def test_recipes_reach_further_with_magnitude(textured: torch.Tensor) -> None:
    for name in RECIPES:
        generator = BlindGenerator(name)
        direction = codes(generator, 4)
        direction /= direction.norm(dim=1, keepdim=True)
        change = [
            float((generator(textured, direction * size, torch.arange(4)) - textured).abs().mean())
            for size in (1.0, 3.0, 6.0)
        ]
        assert change == sorted(change)
        assert change[0] > 0


def test_a_crop_stays_in_place() -> None:
    strength = torch.tensor([0.0, 0.99, 0.5])
    mask = crop_mask(strength, torch.tensor([1, 2, 3]), 112)
    assert torch.equal(mask[0], torch.ones(1, 112, 112))
    assert float(mask[1].mean()) == pytest.approx(0.21, abs=0.04)
    assert float(mask[2].mean()) == pytest.approx(0.6, abs=0.08)


def test_a_camera_can_be_fitted(drawn: Callable[..., Any], identity: Recogniser, tmp_path: Path) -> None:
    settings = FitSettings(kind="camera", batch=8, fewest_faces=8, learning_rate=6e-3)
    fitted = fit_generator(
        drawn("clean", 24), drawn("yard", 20, blur=2.0), identity, settings, tmp_path, plan=LoopPlan(steps=60)
    )
    assert isinstance(fitted.generator, CameraGenerator)
    assert fitted.diagnostics.distance_synthesised < fitted.diagnostics.distance_source
    before, after = CameraGenerator().deviations(), fitted.generator.deviations()
    assert not torch.allclose(before, after)
    assert float(torch.linalg.eigvalsh(after).min()) > 0


def test_what_has_nothing_to_learn_is_not_fitted(
    drawn: Callable[..., Any], identity: Recogniser, tmp_path: Path
) -> None:
    for kind in ("blind", "chain"):
        with pytest.raises(InputError, match="nothing to learn"):
            fit_generator(
                drawn("clean", 24),
                drawn("yard", 20, blur=2.0),
                identity,
                FitSettings(kind=kind, fewest_faces=8),
                tmp_path,
                plan=LoopPlan(steps=1),
            )


def test_a_second_camera_is_learnt_beside_the_first(
    drawn: Callable[..., Any], identity: Recogniser, tmp_path: Path, textured: torch.Tensor
) -> None:
    settings = FitSettings(generator=SMALL, batch=8, fewest_faces=8)
    clean = drawn("clean", 24)
    first = fit_generator(
        clean, drawn("yard", 20, blur=0.5), identity, settings, tmp_path / "a", plan=LoopPlan(steps=8)
    )
    base = first.generator
    assert isinstance(base, Generator)
    gate = drawn("gate", 20, blur=3.0)
    second = fit_onto(base, (clean, gate), identity, settings, tmp_path / "b", plan=LoopPlan(steps=25))
    both = second.generator
    assert isinstance(both, Generator)
    assert both.config.targets == ("yard", "gate")
    code, seed = codes(both, 4), torch.arange(4)
    assert torch.equal(both(textured, code, seed), base(textured, code, seed))
    assert torch.equal(both(textured, code, seed, target="yard"), base(textured, code, seed))
    assert not torch.allclose(both(textured, code, seed, target="gate"), base(textured, code, seed), atol=1e-3)
    grown = sum(p.numel() for p in both.parameters()) - sum(p.numel() for p in base.parameters())
    assert grown == 4 * 16 + 16
    shared = {k: v for k, v in base.state_dict().items() if not k.startswith("basis.")}
    assert all(torch.equal(both.state_dict()[name], value) for name, value in shared.items())
    with pytest.raises(SettingError, match="knows a target"):
        fit_onto(both, (clean, gate), identity, settings, tmp_path / "c", plan=LoopPlan(steps=1))


def test_the_second_camera_comes_nearer_to_its_footage(
    drawn: Callable[..., Any], identity: Recogniser, tmp_path: Path
) -> None:
    settings = FitSettings(generator=SMALL, batch=8, fewest_faces=8)
    clean = drawn("clean", 24)
    base = fit_generator(clean, drawn("yard", 20, blur=0.5), identity, settings, tmp_path / "a", plan=LoopPlan(steps=8))
    assert isinstance(base.generator, Generator)
    gate = drawn("gate", 20, blur=3.0)
    both = fit_onto(
        base.generator, (clean, gate), identity, settings, tmp_path / "b", plan=LoopPlan(steps=40)
    ).generator
    images = torch.stack(
        [torch.from_numpy(clean.read(i).image.copy()).permute(2, 0, 1).float() / 255 for i in range(24)]
    )
    footage = torch.stack(
        [torch.from_numpy(gate.read(i).image.copy()).permute(2, 0, 1).float() / 255 for i in range(20)]
    )
    real = style_statistics(footage).numpy()
    scale = real.std(0) + 0.05
    strong = codes(both, 24).numpy()
    strong *= 5.0 / np.linalg.norm(strong, axis=1, keepdims=True)

    def distance(target: str) -> float:
        with torch.no_grad():
            made = both(images, torch.from_numpy(strong), torch.arange(24), target=target)
        return kernel_distance(style_statistics(made).numpy() / scale, real / scale)

    assert distance("gate") < distance("yard")
    assert synthesise(both, images[:2], strong[:2], np.arange(2)).shape == (2, 3, 112, 112)


@pytest.mark.slow
def test_the_published_kind_can_be_watched_like_any_other(
    drawn: Callable[..., Any], identity: Recogniser, tmp_path: Path
) -> None:
    looks: list[Look] = []
    fitted = fit_generator(
        drawn("clean", 24),
        drawn("yard", 20, blur=2.0),
        identity,
        FitSettings(kind="released", batch=4, fewest_faces=8),
        tmp_path,
        plan=LoopPlan(steps=2),
        watch=Watch(every=2, seen=lambda look, _: looks.append(look)),
    )
    assert isinstance(fitted.generator, ReleasedGenerator)
    assert [look.step for look in looks] == [2]
    assert len(fitted.axes) == 10
