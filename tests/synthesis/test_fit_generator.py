from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from wildstyle.errors import CorruptArchive, InputError, NotMeasurable, SettingError
from wildstyle.recognisers import Recogniser
from wildstyle.synthesis import (
    FitSettings,
    Generator,
    GeneratorConfig,
    fit_generator,
    load_generator,
    save_generator,
    style_sheet,
)
from wildstyle.synthesis.fit import new_generator, style_scale, whitening_of
from wildstyle.synthesis.losses import (
    DirectionReader,
    critic_loss,
    direction_loss,
    fooling_loss,
    identity_distance,
    identity_miss,
    identity_target,
    residual_size,
    target_weight,
)
from wildstyle.synthesis.material import FitBatches, TargetFaces, read_target
from wildstyle.synthesis.settings import LossWeights
from wildstyle.synthesis.task import SynthesisTask
from wildstyle.synthesis.watching import Watch
from wildstyle.training import LoopPlan

SMALL = FitSettings(generator=GeneratorConfig(axes=4, style_size=16, width=8), batch=8, fewest_faces=8)


@pytest.fixture(scope="module")
def sets(drawn: Callable[..., Any]) -> tuple[Any, Any]:
    return drawn("clean", 24), drawn("yard", 20, blur=2.0)


def prepared(sets: tuple[Any, Any], identity: Recogniser, **changes: Any) -> tuple[SynthesisTask, FitBatches]:
    settings = replace(SMALL, **changes)
    faces = read_target(sets[1], settings)
    batches = FitBatches(sets[0], faces.fit, settings)
    task = SynthesisTask(new_generator(settings), identity.frozen_copy(), settings, style_scale(batches, faces))
    task.attach(Accelerator(cpu=True))
    return task, batches


def test_fit_learns_and_reports(sets: tuple[Any, Any], identity: Recogniser, tmp_path: Path) -> None:
    seen = []
    before = identity.hash
    fitted = fit_generator(*sets, identity, SMALL, tmp_path, plan=LoopPlan(steps=15), watch=Watch(on_step=seen.append))
    assert len(seen) == fitted.loop.steps == 15
    assert seen[-1].values["statistics"] < seen[0].values["statistics"]
    found = fitted.diagnostics
    assert found.distance_synthesised < found.distance_source
    assert found.distance_target < found.distance_source
    assert sum(b.n for b in found.identity) == found.faces == 24
    assert found.identity[0].reached < found.identity[-1].reached
    assert fitted.generator.config.targets == ("yard",)
    assert not any(p.requires_grad for p in fitted.generator.parameters())
    assert identity.hash == before
    assert (tmp_path / "metrics.jsonl").exists()


def test_step_touches_every_part_but_the_recogniser(sets: tuple[Any, Any], identity: Recogniser) -> None:
    task, batches = prepared(sets, identity)
    # The first step opens the response, whose last layer starts at zero.
    task.step(batches(0), 0, 10)
    old = {name: {k: v.clone() for k, v in part.items()} for name, part in weights(task).items()}
    frozen = task.identity.hash
    values = task.step(batches(1), 1, 10)
    assert all(np.isfinite(float(v)) for v in values.values())
    for name, part in weights(task).items():
        assert [k for k, v in part.items() if torch.equal(v, old[name][k])] == []
    assert task.identity.hash == frozen
    assert all(p.grad is None for p in task.identity.network.parameters())


def weights(task: SynthesisTask) -> dict[str, dict[str, torch.Tensor]]:
    parts = {"generator": task.generator, "critic": task.critic, "reader": task.reader, "averaged": task.averaged}
    return {name: dict(part.named_parameters()) for name, part in parts.items()}


def test_state_carries_all_that_the_next_step_needs(sets: tuple[Any, Any], identity: Recogniser) -> None:
    first, batches = prepared(sets, identity)
    first.step(batches(0), 0, 3)
    second, _ = prepared(sets, identity)
    second.load_state_dict(torch.load(_stored(first), weights_only=True))
    for task in (first, second):
        task.step(batches(1), 1, 3)
    for ours, theirs in zip(weights(first).values(), weights(second).values(), strict=True):
        assert all(torch.equal(v, theirs[k]) for k, v in ours.items())


def _stored(task: SynthesisTask) -> Any:
    import io

    buffer = io.BytesIO()
    torch.save(task.state_dict(), buffer)
    buffer.seek(0)
    return buffer


def test_batches_are_a_function_of_the_step(sets: tuple[Any, Any]) -> None:
    target = read_target(sets[1], SMALL).fit
    first, again = FitBatches(sets[0], target, SMALL), FitBatches(sets[0], target, SMALL)
    again(1)
    for ours, theirs in zip(first(5), again(5), strict=True):
        assert torch.equal(ours, theirs)
    assert not torch.equal(first(5).code, first(6).code)
    assert sorted(torch.cat([first(s).face for s in range(3)]).tolist()) == list(range(24))


def test_target_faces_set_aside_are_not_fitted(sets: tuple[Any, Any]) -> None:
    faces = read_target(sets[1], SMALL)
    assert len(faces.fit) + len(faces.held) == 20
    assert 2 <= len(faces.held) <= 9
    assert not {f.tobytes() for f in faces.fit} & {f.tobytes() for f in faces.held}


def test_unreadable_faces_are_counted_and_replaced(drawn: Callable[..., Any]) -> None:
    broken = drawn("broken", 20, blur=1.0)
    broken.bytes[3] = b"no picture"
    faces = read_target(broken, SMALL)
    assert [name for name, _ in faces.failures] == ["3.jpg"]
    batches = FitBatches(broken, faces.fit, SMALL)
    drawn_faces = torch.cat([batches(step).face for step in range(5)]).tolist()
    assert 3 not in drawn_faces
    assert drawn_faces.count(4) >= 2


def test_refuses_what_can_not_be_learned_from(
    drawn: Callable[..., Any], sets: tuple[Any, Any], identity: Recogniser, tmp_path: Path
) -> None:
    plan = LoopPlan(steps=1)
    with pytest.raises(NotMeasurable, match="20 usable target faces"):
        fit_generator(*sets, identity, FitSettings(), tmp_path, plan=plan)
    with pytest.raises(InputError, match="same faces"):
        fit_generator(sets[0], drawn("copy", 24), identity, SMALL, tmp_path, plan=plan)
    with pytest.raises(InputError, match="no source faces"):
        fit_generator(drawn("none", 0), sets[1], identity, SMALL, tmp_path, plan=plan)
    mixed = drawn("mixed", 20, blur=1.0)
    mixed.bytes[5] = drawn("small", 1, size=96).bytes[0]
    with pytest.raises(InputError, match="one square size"):
        fit_generator(sets[0], mixed, identity, SMALL, tmp_path, plan=plan)
    other = TargetFaces(np.zeros((8, 64, 64, 3), np.uint8), np.zeros((2, 64, 64, 3), np.uint8), ())
    with pytest.raises(InputError, match="112 px, target faces 64 px"):
        FitBatches(sets[0], other.fit, SMALL)(0)


@pytest.mark.parametrize("wrong", [{"batch": 1}, {"identity_at_max": 0.0}, {"like_target": (3.0, 2.0)}, {"seed": -1}])
def test_settings_refuse_values_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong))):
        replace(SMALL, **wrong)


def test_whitening_makes_directions_comparable_but_for_the_tiny_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(4000, 2, generator=generator) @ torch.tensor([[3.0, 1.0], [0.0, 0.01]])
    matrix = whitening_of(points, points.std(0), shrink=0.1)
    covariance = torch.cov((points @ matrix).T)
    # In units of the spread the two are one direction of variance 2 and one of about 0.
    torch.testing.assert_close(covariance.diagonal().sort().values, torch.tensor([0.0, 2 / 2.1]), atol=5e-3, rtol=0)
    assert covariance[0, 1].abs() < 1e-2


def test_identity_and_direction_teach_the_camera_and_not_the_learned_change(
    sets: tuple[Any, Any], identity: Recogniser
) -> None:
    task, batches = prepared(sets, identity)
    batch = batches(0)
    made, added, lean = task.generator(batch.images, batch.code, batch.seed)
    assert torch.equal(lean, made)
    assert added.abs().max() > 0
    lean.sum().backward()
    touched = {n.split(".")[1] for n, p in task.generator.named_parameters() if p.grad is not None and p.grad.any()}
    assert "camera" in touched
    assert "decoder" not in touched


@pytest.mark.parametrize(("term", "learns"), [("identity", False), ("direction", False), ("statistics", True)])
def test_which_term_of_the_loss_reaches_the_learned_change(
    sets: tuple[Any, Any], identity: Recogniser, term: str, learns: bool
) -> None:
    nothing = dict.fromkeys(("statistics", "support", "adversarial", "identity", "direction", "residual"), 0.0)
    task, batches = prepared(sets, identity, weights=LossWeights(**{**nothing, term: 1.0}))
    decoder = {n: p.detach().clone() for n, p in task.generator.named_parameters() if ".decoder." in n}
    task.step(batches(0), 0, 10)
    moved = [n for n, p in task.generator.named_parameters() if n in decoder and not torch.equal(p, decoder[n])]
    assert bool(moved) == learns


def test_the_learned_change_beside_a_camera_is_faint(faces: torch.Tensor) -> None:
    for camera, faint, bounded in ((True, 0.03, True), (True, None, False), (False, 0.03, False)):
        generator = Generator(GeneratorConfig(camera=camera, faint=faint))
        with torch.no_grad():
            for weight in generator.decoder.parameters():
                weight.add_(0.5)
            code = torch.full((len(faces), generator.axes), 1.5)
            found = generator.ingredients(faces, generator.encode(faces), code, torch.arange(len(faces)))
        assert (float(found.added.abs().max()) <= 0.03) == bounded
        again = Generator.from_description(generator.describe())
        assert again.config == generator.config
    with pytest.raises(SettingError, match="at most 0"):
        GeneratorConfig(faint=0.0)


def test_losses_by_hand() -> None:
    magnitude = torch.tensor([0.0, 1.0, 2.0, 6.0])
    torch.testing.assert_close(identity_target(magnitude, 0.6, 6.0), torch.tensor([0.0, 0.1, 0.2, 0.6]))
    torch.testing.assert_close(target_weight(magnitude, (1.0, 3.0)), torch.tensor([0.0, 0.0, 0.5, 1.0]))
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8]])
    assert identity_distance(a, b).item() == pytest.approx(0.4)
    assert identity_miss(torch.tensor([0.2, 0.35]), torch.tensor([0.1, 0.35])).item() == pytest.approx(0.01 / 0.25 / 2)
    added = torch.zeros(1, 1, 112, 112)
    added[..., 38:102, 24:88] = -0.5
    assert residual_size(added).item() == pytest.approx(0.5 * 64 * 64 / 112**2)
    assert residual_size(torch.ones(1, 1, 112, 112) - 2 * (added != 0)).item() == pytest.approx(5 - 4 * 64**2 / 112**2)
    real, fake = torch.tensor([[2.0, 0.5]]), torch.tensor([[0.0, 1.0], [9.0, 9.0]])
    # real: relu(1 - 2) = 0 and relu(1 - 0.5) = 0.5, mean 0.25; fake: (1 + 2) / 2 = 1.5, the second has no weight.
    weight = torch.tensor([3.0, 0.0])
    assert critic_loss(real, fake, weight).item() == pytest.approx(0.25 + 1.5)
    assert fooling_loss(fake, weight).item() == pytest.approx(-0.5)
    assert direction_loss(torch.tensor([[5.0, 0.0]]), torch.tensor([[0.0, 3.0]])).item() == pytest.approx(1.0)


def test_direction_reader_learns_from_what_it_sees(faces: torch.Tensor) -> None:
    reader = DirectionReader(3, 4)
    reader(faces, faces * 0.5, torch.rand(5, 4)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in reader.parameters())


def test_generator_survives_the_disk(generator: Generator, faces: torch.Tensor, tmp_path: Path) -> None:
    path = tmp_path / "generator.safetensors"
    save_generator(generator, path, {"target": "yard"})
    back, notes = load_generator(path)
    assert notes == {"target": "yard"}
    assert back.config == generator.config
    assert back.hash == generator.hash
    code, seed = torch.ones(5, 4), torch.arange(5)
    assert torch.equal(back(faces, code, seed), generator(faces, code, seed))


def test_damaged_and_foreign_files_are_refused(generator: Generator, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "generator.safetensors"
    save_generator(generator, path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(CorruptArchive):
        load_generator(path)
    path.write_bytes(data[:-4] + b"\x01\x02\x03\x04")
    with pytest.raises(CorruptArchive, match="not those"):
        load_generator(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="no generator"):
        load_generator(path)
    with pytest.raises(InputError, match="no such file"):
        load_generator(tmp_path / "nowhere")


def test_sheet_has_a_row_a_signed_axis_and_a_column_a_magnitude(generator: Generator, faces: torch.Tensor) -> None:
    sheet = style_sheet(generator, faces[:2], (0.0, 3.0, 6.0))
    assert sheet.shape == (8 * 112, 3 * 112, 3)
    assert sheet.dtype == np.uint8
    np.testing.assert_array_equal(sheet[:112, :112], (faces[0] * 255).round().permute(1, 2, 0).numpy())
    assert (sheet[:112, :112] != sheet[:112, 224:]).any()
