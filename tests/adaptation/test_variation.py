"""Varied faces: a function of their seeds, near where they were, teacher and student alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_faces import ToySource, recogniser

from wildstyle.adaptation import AdaptSettings, HeadSettings, adapt_recogniser
from wildstyle.adaptation.batches import SourceBatches, StyleRange
from wildstyle.adaptation.variation import MOST_OF_ANOTHER, Variation
from wildstyle.errors import SettingError
from wildstyle.synthesis.kinds import ready_made
from wildstyle.training import Draws, LoopPlan


def faces(count: int = 64) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def spot() -> torch.Tensor:
    """A bright spot right of the middle, on each of many pictures."""
    pictures = torch.zeros(200, 3, 65, 65)
    pictures[:, :, 30:35, 40:45] = 1.0
    return pictures


def test_nothing_asked_nothing_done() -> None:
    images = faces(2)
    assert Variation()(images, [0, 1]) is images


def test_a_look_depends_on_its_seed() -> None:
    make, images = Variation(moves=0.5), faces(4)
    first = make(images, [1, 2, 3, 4])
    assert torch.equal(first, make(images, [1, 2, 3, 4]))
    assert torch.equal(first[1:2], make(images[1:2], [2]))
    assert not torch.equal(first, make(images, [5, 6, 7, 8]))


def test_half_are_mirrored_and_all_moved_a_little() -> None:
    moved = Variation(moves=1.0)(spot(), list(range(200)))
    weight = moved.mean(1)
    across = (weight * torch.arange(65.0)).sum((1, 2)) / weight.sum((1, 2))
    down = (weight * torch.arange(65.0)[:, None]).sum((1, 2)) / weight.sum((1, 2))
    right = across > 32
    assert 0.4 < right.float().mean() < 0.6
    # The spot lies 10 px off the middle; a turn moves it by up to 1.4 px, a shift by 2, a change of scale by 0.8.
    assert (across[right] - 42).abs().max() < 4
    assert (across[~right] - 22).abs().max() < 4
    assert (down - 32).abs().max() < 4
    assert across[right].std() > 0.5
    assert down.std() > 0.5


def test_the_asked_share_is_blended_with_the_next_face() -> None:
    images = torch.arange(400.0).view(400, 1, 1, 1).expand(400, 3, 4, 4) / 400
    made = Variation(morphs=0.3)(images, list(range(400)))
    of_next = ((made - images)[:-1, 0, 0, 0] * 400).clamp(0, 1)
    assert (of_next > 1e-4).float().mean() == pytest.approx(0.3, abs=0.06)
    assert of_next.max() <= MOST_OF_ANOTHER + 1e-3


def test_batches_look_different_each_epoch_and_are_the_same_when_made_again() -> None:
    source = ToySource()
    draws = Draws(len(source), len(source), 3)
    labels = np.arange(len(source))
    plain, varied = (
        SourceBatches(source, draws, 0.5, StyleRange(2, 6.0), labels, variation)
        for variation in (Variation(), Variation(moves=0.5, morphs=0.5))
    )
    assert torch.equal(varied(0).images, varied(0).images)
    assert torch.equal(varied(0).items, plain(0).items)
    assert not torch.equal(varied(0).images, plain(0).images)
    first, second = varied(0), varied(1)
    rows = [int((second.items == item).nonzero()[0, 0]) for item in first.items]
    assert not torch.equal(first.images, second.images[rows])


def test_varied_faces_are_learnt_from_and_two_runs_end_the_same(tmp_path: Path) -> None:
    settings = AdaptSettings(batch=8, learning_rate=0.01, moves=0.5, morphs=0.5)
    generator = ready_made("blind-adaface")
    assert generator is not None
    plan = LoopPlan(steps=4, checkpoint_every=2, device="cpu")

    def run(folder: Path) -> torch.Tensor:
        found = adapt_recogniser(recogniser(), generator, ToySource(), settings, folder, plan=plan)
        return torch.cat([weight.flatten() for weight in found.recogniser.network.parameters()])

    assert torch.equal(run(tmp_path / "one"), run(tmp_path / "two"))


def test_blends_have_no_label() -> None:
    with pytest.raises(SettingError, match="no label"):
        AdaptSettings(morphs=0.2, head=HeadSettings())
    with pytest.raises(SettingError, match="moves"):
        replace(AdaptSettings(), moves=2.0)
