"""Batches, the task and the verb: each image once, labels optional, resumable to the bit, nothing else touched."""

from __future__ import annotations

import copy
import math
import os
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from toy_faces import AXES, SIZE, ToyGenerator, ToySource, recogniser

from wildstyle.adaptation import (
    AdaptedRecogniser,
    AdaptSettings,
    AdaptTask,
    GuidanceSettings,
    HeadSettings,
    Lessons,
    Objective,
    StyleTwins,
    TwinRequest,
    Twins,
    adapt_recogniser,
)
from wildstyle.adaptation.adapt import _head
from wildstyle.adaptation.batches import SourceBatches, StyleRange
from wildstyle.adaptation.heads import class_centres, first_faces
from wildstyle.adaptation.heads.kinds import all_kinds
from wildstyle.adaptation.weights import WeightAverage
from wildstyle.errors import ContractError, InputError, Interrupted, LabelError, SettingError
from wildstyle.faces.source import Subset
from wildstyle.recognisers import Recogniser
from wildstyle.synthesis.kinds import ready_made
from wildstyle.training import Draws, LoopPlan, Progress

PLAN = LoopPlan(steps=6, checkpoint_every=3, log_every=1, device="cpu")
SETTINGS = AdaptSettings(batch=8, learning_rate=0.01)


def maker(share: float, *, batch: int = 8, rank: int = 0, world: int = 1, **source: Any) -> SourceBatches:
    faces = ToySource(**source)
    draws = Draws(len(faces), batch, 3, rank, world)
    return SourceBatches(faces, draws, share, StyleRange(AXES, 6.0), np.arange(len(faces)))


def adapt(
    folder: Path,
    settings: AdaptSettings = SETTINGS,
    *,
    plan: LoopPlan = PLAN,
    source: Any = None,
    original: Recogniser | None = None,
    generator: Any = None,
    **more: Any,
) -> AdaptedRecogniser:
    return adapt_recogniser(
        original or recogniser(),
        generator or ToyGenerator(),
        source or ToySource(),
        settings,
        folder,
        plan=plan,
        **more,
    )


def weights(found: AdaptedRecogniser) -> list[torch.Tensor]:
    return list(found.recogniser.network.state_dict().values())


# -- batches -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 1 / 3, 0.3, 0.65, 0.9, 1.0])
@pytest.mark.parametrize("batch", [2, 7, 8, 10])
def test_any_share_uses_each_image_once(share: float, batch: int) -> None:
    made = maker(share, batch=batch, count=batch * 3)
    seen: Counter[int] = Counter()
    for step in range(3):
        found = made(step)
        assert len(found.images) == batch
        assert len(found.codes) == len(found.seeds) == batch - round((1 - share) * batch)
        seen.update(found.labels.tolist())
    assert seen == Counter(range(batch * 3))


def test_images_labels_and_order_belong_together() -> None:
    made = maker(0.5)
    found = made(2)
    for image, label in zip(found.images, found.labels.tolist(), strict=True):
        pixels = torch.from_numpy(made.source.read(label).image).permute(2, 0, 1) / 255
        torch.testing.assert_close(image, pixels)


def test_a_style_depends_on_its_item_alone() -> None:
    small, large = maker(1.0, batch=4), maker(1.0, batch=12)
    first = [small(step) for step in range(3)]
    together = large(0)
    assert torch.equal(torch.cat([b.codes for b in first]), together.codes)
    assert torch.equal(torch.cat([b.seeds for b in first]), together.seeds)


def test_processes_together_make_the_batch_of_one() -> None:
    alone = maker(0.375)(5)
    parts = [maker(0.375, rank=rank, world=2)(5) for rank in range(2)]
    pairs = lambda b: dict(zip(b.labels[len(b.labels) - len(b.codes) :].tolist(), b.codes.tolist(), strict=True))  # noqa: E731
    assert pairs(parts[0]) | pairs(parts[1]) == pairs(alone)
    assert abs(len(parts[0].codes) - len(parts[1].codes)) <= 1


def test_styles_cover_magnitudes_and_directions_evenly() -> None:
    made = maker(1.0, batch=24)
    codes = torch.cat([made(step).codes for step in range(40)])
    lengths = codes.norm(dim=1)
    assert lengths.max() <= 6.0
    counts = torch.histc(lengths, 6, 0, 6)
    assert counts.min() >= 0.97 * len(codes) / 6
    one = made(0).codes.norm(dim=1)
    assert torch.histc(one, 6, 0, 6).min() >= 3, "one batch already covers the range"
    assert (codes / lengths[:, None]).mean(0).norm() < 0.06


def test_styles_keep_to_the_axes_of_their_part() -> None:
    faces = ToySource()
    parts = StyleRange(5, 6.0, ((0.5, 0, 2), (0.25, 2, 5)))
    make = SourceBatches(faces, Draws(len(faces), 8, 3), 1.0, parts, np.arange(len(faces)))
    codes = torch.cat([make(step).codes for step in range(50)])
    first, last = codes[:, :2].norm(dim=1) > 0, codes[:, 2:].norm(dim=1) > 0
    assert (first & ~last).float().mean() == pytest.approx(0.5, abs=0.01)
    assert (last & ~first).float().mean() == pytest.approx(0.25, abs=0.01)
    assert (first & last).float().mean() == pytest.approx(0.25, abs=0.01)
    for chosen in (first & ~last, last & ~first, first & last):
        assert codes[chosen].norm(dim=1).mean() == pytest.approx(3.0, abs=0.25)


@pytest.mark.parametrize("shares", [(1.0, 0.0), (0.0, 1.0), (0.5, 0.25)])
def test_twins_of_a_recipe_and_of_both_are_learnt_from(tmp_path: Path, shares: tuple[float, float]) -> None:
    blind, both = shares
    settings = replace(SETTINGS, blind_share=blind, both_share=both)
    found = adapt(tmp_path, settings, generator=ready_made("blind-adaface"))
    assert found.diagnostics.last["twin"] > 0
    assert found.diagnostics.means["guidance/magnitude_after"] > 0


def test_an_unreadable_face_gives_its_place_to_the_next() -> None:
    made = maker(0.5, batch=24, broken=(4, 5))
    found = made(0)
    assert sorted(made.unreadable) == ["toy-4", "toy-5"]
    assert Counter(found.labels.tolist())[6] == 3
    with pytest.raises(InputError, match="in a row"):
        maker(0.5, batch=4, count=6, broken=tuple(range(6)))(0)


# -- the verb ------------------------------------------------------------------------------------------------------


def test_the_student_comes_to_see_twins_as_the_teacher_sees_the_clean_face(tmp_path: Path) -> None:
    seen: list[Progress] = []
    found = adapt(tmp_path, plan=LoopPlan(steps=40, log_every=1, device="cpu"), on_step=seen.append)
    begin, end = seen[0].values, found.loop_result.values
    assert begin["retention"] == pytest.approx(0.0, abs=1e-6)
    mean = [np.mean([p.values["twin"] for p in part]) for part in (seen[:8], seen[-8:])]
    assert mean[1] < 0.6 * mean[0]
    assert begin["guidance/loss_after"] > begin["guidance/loss_before"]
    assert end["guidance/zero_signs"] == 0.0
    assert set(found.diagnostics.means) == set(end)
    assert found.diagnostics.means["guidance/loss_after"] > found.diagnostics.means["guidance/loss_before"]


def test_recogniser_and_generator_are_left_as_they_were(tmp_path: Path) -> None:
    original, generator = recogniser(), ToyGenerator()
    before = [copy.deepcopy(m.state_dict()) for m in (original.network, generator)]
    found = adapt(tmp_path, original=original, generator=generator)
    for module, state in zip((original.network, generator), before, strict=True):
        assert all(torch.equal(v, state[k]) for k, v in module.state_dict().items())
        assert all(p.requires_grad and p.grad is None for p in module.parameters())
        assert all(part.training for part in module.modules())
    assert found.recogniser.contract.base_model_hash == original.hash
    assert found.recogniser.contract.model_id == "toy-adapted"
    assert found.recogniser.hash != original.hash
    assert not any(p.requires_grad for p in found.recogniser.network.parameters())


def test_batch_statistics_stay_the_teachers(tmp_path: Path) -> None:
    original = recogniser()
    norm = adapt(tmp_path, original=original).recogniser.network[1]  # type: ignore[index]
    assert torch.equal(norm.running_mean, original.network[1].running_mean)  # type: ignore[index]
    assert norm.num_batches_tracked == 0


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS,
        AdaptSettings(batch=8, head=HeadSettings(), average=0.9, synthetic_share=0.25),
        AdaptSettings(batch=8, guidance=GuidanceSettings(enabled=False), synthetic_share=1.0),
        AdaptSettings(batch=8, head=HeadSettings(), twin_weight=0.0, retention_weight=0.0),
        AdaptSettings(batch=8, head=HeadSettings(name="adaface", rate=0.7, negatives=8)),
        AdaptSettings(batch=8, head=HeadSettings(name="triplet-violating")),
    ],
    ids=["default", "head and average", "unguided", "head alone", "head with statistics and draws", "triplets"],
)
def test_interrupted_and_resumed_is_bit_identical(tmp_path: Path, settings: AdaptSettings) -> None:
    whole = adapt(tmp_path / "whole", settings)

    def stop(progress: Progress) -> None:
        if progress.step == 4:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        adapt(tmp_path / "broken", settings, on_step=stop)
    resumed = adapt(tmp_path / "broken", settings)
    assert resumed.loop_result.resumed_from in (4, 5)
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(resumed), strict=True))
    assert whole.loop_result.values == resumed.loop_result.values


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_any_share_trains(tmp_path: Path, share: float) -> None:
    found = adapt(tmp_path, AdaptSettings(batch=7, synthetic_share=share), plan=LoopPlan(steps=2, device="cpu"))
    assert ("twin" in found.loop_result.values) == (share > 0)
    assert ("retention" in found.loop_result.values) == (share < 1)


def test_labels_are_used_only_with_a_head(tmp_path: Path) -> None:
    plain = [adapt(tmp_path / str(labelled), source=ToySource(labelled=labelled)) for labelled in (True, False)]
    assert all(torch.equal(a, b) for a, b in zip(weights(plain[0]), weights(plain[1]), strict=True))
    with_head = adapt(tmp_path / "head", AdaptSettings(batch=8, head=HeadSettings()))
    assert with_head.loop_result.values["head"] > 0
    with pytest.raises(LabelError, match="24 of 24 clean faces have no label"):
        adapt(tmp_path / "none", AdaptSettings(batch=8, head=HeadSettings()), source=ToySource(labelled=False))


@pytest.mark.parametrize("name", sorted(all_kinds()))
def test_every_head_trains(tmp_path: Path, name: str) -> None:
    norms = {"norms": (0.1, 30.0), "regulariser": 2000.0} if name == "magface" else {}
    settings = AdaptSettings(batch=8, head=HeadSettings(name=name, **norms))
    found = adapt(tmp_path, settings, plan=LoopPlan(steps=2, device="cpu"))
    assert math.isfinite(found.loop_result.values["head"])


def begun(head: HeadSettings) -> Any:
    source = ToySource()
    labels = np.arange(len(source)) % 3
    return _head(recogniser(), source, labels, AdaptSettings(head=head))


def test_a_head_begins_where_the_recogniser_puts_people() -> None:
    source, labels = ToySource(), np.arange(24) % 3
    centres = class_centres(recogniser(), source, labels)
    for name in ("arcface", "sface"):
        torch.testing.assert_close(begun(HeadSettings(name=name)).centres.detach(), centres)
    raw, people = first_faces(recogniser(), source, labels)
    assert sorted(people.tolist()) == [0] * 4 + [1] * 4 + [2] * 4
    own = (torch.nn.functional.normalize(raw) * centres[people]).sum(dim=1)
    level = begun(HeadSettings(name="curricularface")).rule.t
    assert level.item() == pytest.approx(own.mean().item(), abs=1e-6)
    assert level > 0.5
    statistics = begun(HeadSettings(name="adaface")).rule
    assert statistics.mean.item() == pytest.approx(raw.norm(dim=1).mean().item(), rel=1e-5)
    assert statistics.deviation.item() == pytest.approx(raw.norm(dim=1).std().item(), rel=1e-4)


def test_guidance_leaves_the_statistics_of_a_head() -> None:
    head = begun(HeadSettings(name="adaface", pace=0.5))
    settings = AdaptSettings(
        batch=8, head=HeadSettings(name="adaface", pace=0.5), twin_weight=0.0, retention_weight=0.0
    )
    task = AdaptTask(recogniser(), StyleTwins(ToyGenerator(), settings.guidance), settings, Lessons(head=head))
    task.attach(Accelerator(cpu=True))
    before = copy.deepcopy(head.state_dict())
    task._prepare(maker(0.5)(0)._replace(labels=torch.arange(8) % 3))
    assert all(torch.equal(value, before[name]) for name, value in head.state_dict().items())


def test_one_person_only_is_refused_with_a_head_and_fine_without(tmp_path: Path) -> None:
    alone = Subset(ToySource(), list(range(0, 24, 3)))
    with pytest.raises(LabelError, match="at least two people"):
        adapt(tmp_path, AdaptSettings(batch=8, head=HeadSettings()), source=alone)
    adapt(tmp_path, source=alone)


def test_faces_of_the_wrong_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="16"):
        adapt(tmp_path, source=ToySource(size=20))


def test_a_folder_of_other_settings_is_refused(tmp_path: Path) -> None:
    adapt(tmp_path)
    with pytest.raises(SettingError, match="holds another run"):
        adapt(tmp_path, AdaptSettings(batch=8, learning_rate=0.02))
    with pytest.raises(SettingError, match="holds another run"):
        adapt(tmp_path, original=recogniser(7))
    assert adapt(tmp_path).loop_result.resumed_from == 6


class Darkened:
    """A rival that knows no styles."""

    axes, max_magnitude = 0, 1.0

    def to(self, device: torch.device) -> None:
        pass

    def fingerprint(self) -> str:
        return "darkened"

    def __call__(self, request: TwinRequest, objective: Objective) -> Twins:
        assert request.codes.shape[1] == 0
        strength = (request.seeds % 97).float()[:, None, None, None] / 97
        return Twins(request.images * (1 - 0.5 * strength), {})


def test_a_rival_takes_the_generators_place(tmp_path: Path) -> None:
    found = adapt(tmp_path, generator=Darkened())
    assert found.loop_result.values["twin"] > 0
    assert not any(name.startswith("guidance") for name in found.loop_result.values)


def test_bf16_guidance_still_runs_in_fp32(tmp_path: Path) -> None:
    found = adapt(tmp_path, plan=LoopPlan(steps=2, device="cpu", precision="bf16"))
    assert found.loop_result.values["guidance/zero_signs"] == 0.0
    assert all(w.dtype != torch.bfloat16 for w in weights(found))


def test_an_average_by_hand() -> None:
    average = WeightAverage({"w": torch.tensor([0.0]), "n": torch.tensor(0)}, decay=0.5)
    average.update({"w": torch.tensor([1.0]), "n": torch.tensor(1)}, 1)  # early decay is 1 / 10
    assert average.state["w"].item() == pytest.approx(0.9)
    average.update({"w": torch.tensor([2.0]), "n": torch.tensor(2)}, 1000)
    assert average.state["w"].item() == pytest.approx(1.45)
    assert average.state["n"].item() == 2


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"batch": 1}, "batch"),
        ({"synthetic_share": 1.5}, "synthetic_share"),
        ({"twin_weight": -1.0}, "negative"),
        ({"twin_weight": 0.0, "retention_weight": 0.0}, "nothing is learnt"),
        ({"synthetic_share": 0.0, "retention_weight": 0.0}, "nothing is learnt"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"head": "arcface"}, "head"),
        ({"average": 1.0}, "average"),
        ({"max_magnitude": 0.0}, "max_magnitude"),
    ],
)
def test_settings_of_an_adaptation_without_sense_are_refused(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingError, match=named):
        AdaptSettings(**changes)


def test_toy_sizes_agree() -> None:
    assert recogniser().embed(torch.rand(2, 3, SIZE, SIZE)).shape == (2, 6)
