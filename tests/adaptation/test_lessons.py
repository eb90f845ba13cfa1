"""Teachers, ways, footage and guidance inside the training task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import nn
from toy_faces import AXES, SIZE, ToyGenerator, ToySource, recogniser

from wildstyle.adaptation import (
    AdaptedRecogniser,
    AdaptSettings,
    AdaptTask,
    GuidanceSettings,
    HeadSettings,
    Lessons,
    Material,
    StyleTwins,
    WaySettings,
    adapt_recogniser,
    clean_check,
)
from wildstyle.adaptation.batches import AdaptBatch
from wildstyle.adaptation.targets import Targets
from wildstyle.errors import ContractError, Interrupted, SettingError
from wildstyle.faces.record import FaceRecord
from wildstyle.recognisers import Recogniser, RecogniserContract
from wildstyle.training import LoopPlan, Progress

PLAN = LoopPlan(steps=6, checkpoint_every=3, log_every=1, device="cpu")


class Footage(ToySource):
    """Other faces, whose people nobody knows."""

    name = "footage"

    def record(self, index: int) -> FaceRecord:
        return FaceRecord(id=f"frame {index}", source=self.name)


def strong(size: int = 12, *, pixels: int = SIZE) -> Recogniser:
    torch.manual_seed(9)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.LazyLinear(size)).eval()
    network(torch.zeros(1, 3, pixels, pixels))
    contract = RecogniserContract(
        model_id="strong",
        channel_order="BGR",
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        embedding_size=size,
        input_size=pixels,
    )
    return Recogniser(network, contract)


def run(folder: Path, material: Material | None = None, *, plan: LoopPlan = PLAN, **settings: Any) -> AdaptedRecogniser:
    return adapt_recogniser(
        recogniser(),
        ToyGenerator(),
        material or Material(ToySource()),
        AdaptSettings(**{"batch": 8, "learning_rate": 0.01} | settings),
        folder,
        plan=plan,
    )


def weights(found: AdaptedRecogniser) -> list[torch.Tensor]:
    return list(found.recogniser.network.state_dict().values())


@pytest.mark.parametrize("term", ["relations", "neighbours", "strangers"])
def test_each_term_joins_in_and_is_told(tmp_path: Path, term: str) -> None:
    plain = run(tmp_path / "plain")
    found = run(tmp_path / "term", **{term: 2.0})
    assert found.loop_result.values[term] > 0
    assert term not in plain.loop_result.values
    assert any(not torch.equal(a, b) for a, b in zip(weights(plain), weights(found), strict=True))


def test_a_strong_teacher_of_another_length_is_followed(tmp_path: Path) -> None:
    settings = {"strong_weight": 5.0, "retention_weight": 0.0, "twin_weight": 0.1}
    plan = LoopPlan(steps=40, log_every=1, device="cpu")
    found = run(tmp_path, Material(ToySource(), strong=strong()), plan=plan, **settings)
    assert found.diagnostics.last["strong"] < 0.8 * found.diagnostics.means["strong"]
    assert found.recogniser.contract.embedding_size == recogniser().contract.embedding_size
    with pytest.raises(SettingError, match="holds another run"):
        run(tmp_path, Material(ToySource(), strong=strong(10)), plan=plan, **settings)


def test_a_strong_teacher_that_takes_other_faces_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="20 px"):
        run(tmp_path, Material(ToySource(), strong=strong(pixels=20)))


@pytest.mark.parametrize("name", ["full", "last", "low-rank", "paired"])
def test_every_way_trains_and_leaves_what_it_should(tmp_path: Path, name: str) -> None:
    found = run(tmp_path, way=WaySettings(name=name, rank=2, constant_gate=True, last=0.5))
    untouched, adapted = recogniser().network, found.recogniser.network
    assert not any(weight.requires_grad for weight in adapted.parameters())
    if name == "paired":
        return
    before, after = untouched.state_dict(), adapted.state_dict()
    assert before.keys() == after.keys()
    moved = [key for key in before if not torch.equal(before[key], after[key])]
    assert moved
    if name == "last":
        assert all(key.startswith("5.") for key in moved), "the first layers stay"
    if name == "low-rank":
        assert all(key.endswith("weight") for key in moved)


def test_footage_is_drawn_at_its_share_and_needs_no_label(tmp_path: Path) -> None:
    material = Material(ToySource(), footage=Footage())
    found = run(tmp_path / "free", material, footage_share=0.25)
    assert found.loop_result.values["twin"] > 0
    headed = run(tmp_path / "head", material, footage_share=0.25, head=HeadSettings())
    assert headed.loop_result.values["head"] > 0
    with pytest.raises(SettingError, match="no footage was given"):
        run(tmp_path / "none", footage_share=0.25)


def test_triplets_see_several_faces_of_a_person(tmp_path: Path) -> None:
    found = run(tmp_path, head=HeadSettings(name="triplet-batch-hard", margin=1.9))
    assert found.diagnostics.means["head"] > 0


@pytest.mark.parametrize(
    "settings",
    [
        {"strangers": 1.0, "footage_share": 0.25, "curriculum": 0.5},
        {"way": WaySettings(name="low-rank", rank=2), "average": 0.9},
        {"guidance": GuidanceSettings(method="random", share=0.5), "relations": 1.0},
    ],
)
def test_interrupted_and_resumed_is_bit_identical(tmp_path: Path, settings: dict[str, Any]) -> None:
    material = Material(ToySource(), footage=Footage(), strong=strong())
    whole = run(tmp_path / "whole", material, **settings)

    def stop(progress: Progress) -> None:
        if progress.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        adapt_recogniser(
            recogniser(),
            ToyGenerator(),
            material,
            AdaptSettings(**{"batch": 8, "learning_rate": 0.01} | settings),
            tmp_path / "broken",
            plan=PLAN,
            on_step=stop,
        )
    resumed = run(tmp_path / "broken", material, **settings)
    assert resumed.loop_result.resumed_from > 0
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(resumed), strict=True))


# -- inside a step -------------------------------------------------------------------------------------------------


def batch(count: int = 8, twins: int = 6) -> AdaptBatch:
    drawn = torch.Generator().manual_seed(0)
    codes = torch.randn(twins, AXES, generator=drawn)
    return AdaptBatch(
        torch.rand(count, 3, SIZE, SIZE, generator=drawn),
        codes,
        torch.arange(twins),
        torch.full((count,), -1),
        torch.arange(count),
    )


def task(**settings: Any) -> AdaptTask:
    chosen = AdaptSettings(**settings)
    made = AdaptTask(recogniser(), StyleTwins(ToyGenerator(), chosen.guidance), chosen, Lessons(faces=8))
    made.attach(Accelerator(cpu=True))
    return made


def test_half_of_the_twins_are_guided_and_the_others_stay_as_drawn() -> None:
    plain, _, _ = task(guidance=GuidanceSettings(enabled=False))._prepare(batch())
    mixed, _, told = task(guidance=GuidanceSettings(share=0.5))._prepare(batch())
    same = [torch.equal(a, b) for a, b in zip(plain, mixed, strict=True)]
    assert same == [True, True, True, False, True, False, True, False]
    assert "guidance/loss_before" in told.diagnostics
    none, _, told = task(guidance=GuidanceSettings(share=0.0))._prepare(batch())
    assert torch.equal(none, plain)
    assert told.diagnostics == {}


def test_magnitudes_rise_with_the_curriculum() -> None:
    made = task(curriculum=0.5, guidance=GuidanceSettings(enabled=False))
    seen: list[float] = []
    inner = made.twins

    class Listening:
        axes, max_magnitude = inner.axes, inner.max_magnitude

        def __call__(self, request: Any, objective: Any) -> Any:
            seen.append(float(request.codes.norm(dim=1).mean()))
            return inner(request, objective)

    made.twins = Listening()  # type: ignore[assignment]
    for step in range(8):
        made.step(batch(), step, 8)
    assert seen[0] == pytest.approx(seen[-1] / 4, rel=1e-4)
    assert seen[3:] == pytest.approx([seen[-1]] * 5)


def test_a_bound_on_likeness_is_asked_of_the_untouched_recogniser() -> None:
    *_, told = task(guidance=GuidanceSettings(least_similarity=1.0))._prepare(batch())
    assert told.diagnostics["guidance/taken_back"] == 1.0


def test_a_teacher_is_asked_once_a_face() -> None:
    asked: list[int] = []
    teacher = recogniser().frozen_copy()
    teacher.network.register_forward_pre_hook(lambda _, inputs: asked.append(len(inputs[0])))
    targets = Targets(teacher, 8)
    pictures = batch().images
    first = targets.of(torch.tensor([0, 3, 5]), pictures[[0, 3, 5]])
    again = targets.of(torch.tensor([5, 6, 0]), pictures[[5, 6, 0]])
    assert asked == [3, 1]
    assert torch.equal(again[[2, 0]], first[[0, 2]])
    other = Targets(recogniser().frozen_copy(), 8)
    other.load_state_dict(targets.state_dict())
    assert torch.equal(other.of(torch.tensor([3]), torch.full_like(pictures[:1], torch.nan)), first[1:2])


def test_nothing_is_remembered_of_a_huge_source() -> None:
    targets = Targets(recogniser().frozen_copy(), 10**9)
    assert targets.state_dict()["values"].numel() == 0
    assert targets.of(torch.tensor([10**8]), batch().images[:1]).shape[0] == 1


@pytest.mark.parametrize("wrong", [{"footage_share": 1.0}, {"curriculum": 1.5}, {"relations": -1.0}, {"bank": 1}])
def test_settings_without_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        AdaptSettings(**wrong)


# -- the look at clean faces ---------------------------------------------------------------------------------------


def test_drift_on_clean_faces_is_told_and_ends_a_run_that_goes_too_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clean_check, "EVERY", 2)
    material = Material(ToySource(), held=ToySource(count=12))
    plan = LoopPlan(steps=12, log_every=1, device="cpu")
    free = run(tmp_path / "free", material, plan=plan, most_drift=None)
    assert free.diagnostics.drift is not None
    assert 0 < free.diagnostics.drift < 2
    assert not free.diagnostics.stopped
    assert free.loop_result.steps == 12
    bound = run(tmp_path / "bound", material, plan=plan, most_drift=1e-6)
    assert bound.diagnostics.stopped
    assert bound.loop_result.values.keys() == free.loop_result.values.keys()
    lines = (tmp_path / "bound/metrics.jsonl").read_text().splitlines()
    assert len(lines) == 2, "it ends at the first look"
    assert run(tmp_path / "none").diagnostics.drift is None


def test_an_untouched_student_has_not_drifted() -> None:
    check = clean_check.CleanCheck(recogniser(), ToySource(), 0.1, 0)
    assert check.drift(recogniser().frozen_copy()) == pytest.approx(0, abs=1e-6)
    assert check.drift(recogniser(5).frozen_copy()) > 0.1
    assert not check.too_far(7, recogniser(5).frozen_copy()), "it is not time to look"
    assert check.too_far(50, recogniser(5).frozen_copy())
