from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor

from wildstyle.recognisers import Recogniser
from wildstyle.synthesis import FitSettings, Generator, GeneratorConfig, fit_generator
from wildstyle.synthesis.codes import magnitude_of
from wildstyle.synthesis.collapse import Collapse, measure_collapse
from wildstyle.synthesis.diagnostics import FitDiagnostics
from wildstyle.synthesis.fit import new_generator, style_scale
from wildstyle.synthesis.health import FitHealth, judge_finished
from wildstyle.synthesis.material import FitBatches, read_target
from wildstyle.synthesis.settings import LossWeights
from wildstyle.synthesis.task import SynthesisTask
from wildstyle.synthesis.watching import Watch
from wildstyle.training import LoopPlan

HEALTHY = {
    "critic": 1.60,
    "score_gap": 0.23,
    "statistics": 0.35,
    "support": 3.7,
    "adversarial": 0.5,
    "direction": 0.60,
    "identity": 0.03,
    "residual": 0.005,
}
"""Means of a healthy fit to real footage after 150 steps."""


def heard(values: Mapping[str, float], steps: int = 150, weights: LossWeights | None = None) -> FitHealth:
    health = FitHealth(weights)
    for step in range(steps):
        health.hear({**values, "score_gap": values["score_gap"] + (0.1 if step % 2 else -0.1)})
    return health


def names(health: FitHealth) -> list[str]:
    return [one.name for one in health.complaints()]


def test_a_healthy_fit_gives_no_complaint() -> None:
    assert names(heard(HEALTHY)) == []


@pytest.mark.parametrize(
    ("sick", "name"),
    [
        ({"critic": 0.95, "score_gap": 1.85}, "discriminator won"),
        ({"direction": 1.0}, "direction ignored"),
        ({"identity": 0.2}, "identity astray"),
    ],
)
def test_each_sickness_has_its_name_a_figure_and_a_remedy(sick: dict[str, float], name: str) -> None:
    health = heard(HEALTHY | sick)
    assert names(health) == [name]
    text = str(health.complaints()[0])
    assert f"{next(iter(sick.values())):.2f}" in text
    assert text.endswith(".")
    assert health.as_record()["complaints"][0]["name"] == name


def test_a_discriminator_that_sees_nothing_is_told_from_one_that_is_torn() -> None:
    health = FitHealth()
    for _ in range(60):
        health.hear({**HEALTHY, "score_gap": 0.003})
    assert names(health) == ["generator won"]
    assert names(heard(HEALTHY | {"score_gap": 0.0})) == []  # torn: now on this side, now on that
    done = FitHealth()
    for _ in range(60):
        done.hear({**HEALTHY, "score_gap": 0.003, "statistics": 0.02})
    assert names(done) == []  # nothing is left to see


def test_the_first_steps_are_nobodys_fault() -> None:
    wild = {**HEALTHY, "critic": 0.5, "score_gap": 2.0, "direction": 1.0, "identity": 0.3}
    assert names(heard(wild, steps=49)) == []
    assert "direction ignored" not in names(heard(wild, steps=100))


def test_what_steers_nothing_is_not_judged_and_missing_values_neither() -> None:
    assert names(heard(HEALTHY | {"critic": 0.5, "score_gap": 2.0}, weights=LossWeights(adversarial=0.0))) == []
    health = FitHealth()
    for _ in range(150):
        health.hear({"reconstruction": torch.tensor(0.4), "critic": torch.tensor(0.1)})
    assert names(health) == []


def test_nobody_reads_a_direction_without_weight() -> None:
    (complaint,) = heard(HEALTHY | {"direction": 1.0}, weights=LossWeights(direction=0.0)).complaints()
    assert complaint.name == "direction ignored"
    assert "weight" in complaint.what


def test_old_sickness_is_forgotten() -> None:
    health = heard(HEALTHY | {"critic": 0.5, "score_gap": 2.0})
    for _ in range(100):
        health.hear(HEALTHY)
    assert names(health) == []


def test_news_come_once() -> None:
    health = heard(HEALTHY | {"identity": 0.2})
    assert [one.name for one in health.news()] == ["identity astray"]
    assert health.news() == ()
    for _ in range(100):
        health.hear(HEALTHY | {"identity": 0.2, "direction": 1.0})
    assert [one.name for one in health.news()] == ["direction ignored"]
    assert len(health.complaints()) == 2


class Deaf(Generator):
    """Uses the magnitude of a code and nothing of its direction."""

    def decode(
        self, images: Tensor, content: Tensor, code: Tensor, seed: Tensor, *, target: str | None = None
    ) -> Tensor:
        return torch.mul(images, 1 - 0.1 * magnitude_of(code)[:, None, None, None])


class Versatile(Generator):
    """Each axis changes brightness in its own way."""

    def decode(
        self, images: Tensor, content: Tensor, code: Tensor, seed: Tensor, *, target: str | None = None
    ) -> Tensor:
        gain = 1 + 0.15 * code[:, :3, None, None]
        return (images * gain).clamp(0, 1)


def test_collapse_is_seen_on_single_faces(faces: torch.Tensor) -> None:
    config = GeneratorConfig(axes=4, style_size=16, width=8, targets=("yard",))
    footage = (faces * torch.linspace(0.4, 1.0, 5)[:, None, None, None]).clamp(0, 1)
    deaf, versatile = (measure_collapse(kind(config).eval(), faces, footage, codes=8) for kind in (Deaf, Versatile))
    assert deaf.spread < 1e-3
    assert deaf.alike == 1.0
    assert versatile.spread > 0.1
    assert versatile.faces == 5
    assert measure_collapse(Versatile(config).eval(), faces, footage, codes=8) == versatile


def test_finished_generators_are_judged() -> None:
    fine = FitDiagnostics(5.6, 0.5, 0.1, (), 0.9, 384, 384)
    assert judge_finished(fine, Collapse(0.4, 0.0, 16)) == ()
    bad = replace(fine, distance_synthesised=18.0, identity_correlation=0.1)
    assert [one.name for one in judge_finished(bad, Collapse(0.01, 1.0, 16))] == [
        "no nearer",
        "identity astray",
        "collapse",
    ]
    heard_before = heard(HEALTHY | {"identity": 0.2}).complaints()
    both = judge_finished(bad, None, heard_before)
    assert [one.name for one in both] == ["identity astray", "no nearer"]
    assert both[0] == heard_before[0]
    unknown = replace(fine, identity_correlation=float("nan"))
    assert [one.name for one in judge_finished(unknown)] == ["identity astray"]


def test_hears_what_a_fit_says(drawn: Callable[..., Any], identity: Recogniser, tmp_path: Path) -> None:
    settings = FitSettings(generator=GeneratorConfig(axes=4, style_size=16, width=8), batch=8, fewest_faces=8)
    health = FitHealth(settings.weights)
    watch = Watch(on_step=lambda progress: health.hear(progress.values))
    fit_generator(
        drawn("clean", 12),
        drawn("yard", 12, blur=2.0),
        identity,
        settings,
        tmp_path,
        plan=LoopPlan(steps=3),
        watch=watch,
    )
    record = health.as_record()
    assert record["steps"] == 3
    assert {"critic", "score_gap", "statistics", "direction", "identity"} <= record["means"].keys()
    assert record["complaints"] == []


@pytest.mark.slow
@pytest.mark.parametrize("rates", [(1e-12, 1e-3), (2e-3, 1e-12), (2e-3, 1e-3)])
def test_real_steps_made_sick(rates: tuple[float, float], drawn: Callable[..., Any], identity: Recogniser) -> None:
    settings = FitSettings(
        generator=GeneratorConfig(axes=4, style_size=16, width=8),
        batch=6,
        fewest_faces=8,
        learning_rate=rates[0],
        critic_rate=rates[1],
    )
    faces = read_target(drawn("yard", 24, blur=2.0), settings)
    batches = FitBatches(drawn("clean", 24), faces.fit, settings)
    task = SynthesisTask(new_generator(settings), identity.frozen_copy(), settings, style_scale(batches, faces))
    task.attach(Accelerator(cpu=True))
    health = FitHealth(settings.weights)
    for step in range(55):
        health.hear(task.step(batches(step), step, 55))
    wanted = {1e-12: "discriminator won"}.get(rates[0]) or {1e-12: "generator won"}.get(rates[1])
    told = {one.name for one in health.complaints()}
    assert told & {"discriminator won", "generator won"} == ({wanted} if wanted else set()), health.as_record()
