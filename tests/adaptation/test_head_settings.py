"""Which head with what settings: names found, values checked, nothing taken that a head does not know."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from wildstyle.adaptation import AdaptSettings, HeadSettings, build_head
from wildstyle.adaptation.heads import IdentityHead, MarginHead, MarginRule, PartialHead
from wildstyle.adaptation.heads.kinds import all_kinds
from wildstyle.errors import SettingError
from wildstyle.verbs.configuration import overlay, resolved

NAMES = {
    "adaface",
    "arcface",
    "combined",
    "cosface",
    "curricularface",
    "magface",
    "sface",
    "simplex",
    "softmax",
    "triplet-batch-hard",
    "triplet-centroid",
    "triplet-semi-hard",
    "triplet-violating",
}


def test_all_heads_are_found() -> None:
    assert set(all_kinds()) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_is_a_loss_per_image(name: str) -> None:
    made = build_head(HeadSettings(name=name), 4, 6)
    assert isinstance(made, IdentityHead)
    embeddings = 20 * torch.randn(8, 6, generator=torch.Generator().manual_seed(0))
    losses = made(embeddings, torch.arange(8) % 4)
    assert losses.shape == (8,)
    assert losses.dtype == torch.float32
    assert losses.isfinite().all()
    if issubclass(all_kinds()[name], MarginRule):
        assert isinstance(made, MarginHead)
        assert made.centres.shape == (4, 6)
        assert made.logits(embeddings, torch.arange(8) % 4).shape == (8, 4)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(SettingError, match="no head is called 'arkface'; known are adaface, arcface, ") as refused:
        HeadSettings(name="arkface")
    assert all(name in str(refused.value) for name in NAMES)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"margins": (1.0, 0.0, 0.1)}, "the head 'arcface' has no margins; it takes margin, scale, rate"),
        ({"name": "softmax", "margin": 0.1}, "no margin; it takes scale, rate, sharded, negatives, whisker"),
        ({"name": "triplet-semi-hard", "rate": 0.5}, "no rate; it takes margin"),
        ({"name": "triplet-violating", "scale": 4.0}, "no scale; it takes margin"),
        ({"name": "sface", "sharded": True}, "no sharded; it takes scale, slope, turns"),
        ({"name": "simplex", "negatives": 3, "pace": 0.5}, "no pace, negatives; it takes scale"),
    ],
)
def test_settings_of_another_head_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        HeadSettings(**settings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"scale": 0.0}, "scale"),
        ({"scale": float("nan")}, "scale"),
        ({"margin": -0.1}, "margin of ArcFace"),
        ({"margin": 2.0}, "margin of ArcFace"),
        ({"name": "cosface", "margin": 2.0}, "margin of CosFace"),
        ({"name": "combined", "margins": (1.0, 0.3)}, "not three"),
        ({"name": "combined", "margins": (0.0, 0.3, 0.1)}, "not three"),
        ({"name": "adaface", "pace": 0.0}, "pace 0.0"),
        ({"name": "adaface", "concentration": -1.0}, "concentration -1.0"),
        ({"name": "curricularface", "pace": 1.5}, "pace 1.5"),
        ({"name": "magface", "margins": (0.8, 0.45)}, "rising"),
        ({"name": "magface", "norms": (110.0, 10.0)}, "norms"),
        ({"name": "magface", "regulariser": 20.0}, "at least 22.5867"),
        ({"name": "magface", "scale": 128.0}, "at least 45.1733"),
        ({"rate": 0.0}, "rate"),
        ({"rate": 1.5}, "rate"),
        ({"negatives": -1}, "negatives"),
        ({"whisker": 1.5}, "negatives is 0"),
    ],
)
def test_values_without_sense_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        HeadSettings(**settings)


def test_the_regulariser_of_magface_may_be_the_least_that_is_feasible() -> None:
    HeadSettings(name="magface", regulariser=22.586667)
    with pytest.raises(SettingError, match="unique"):
        HeadSettings(name="magface", regulariser=22.5866)


def test_settings_reach_the_head() -> None:
    made = build_head(HeadSettings(margin=0.3, scale=30.0, negatives=5, whisker=1.0), 3, 4)
    assert isinstance(made, MarginHead)
    assert not isinstance(made, PartialHead)
    assert made.negatives is not None
    assert (made.rule.margin, made.scale, made.negatives.most, made.negatives.whisker) == (0.3, 30.0, 5, 1.0)
    partial = build_head(HeadSettings(name="magface", rate=0.5, regulariser=40.0), 3, 4)
    assert isinstance(partial, PartialHead)
    assert (partial.rule.regulariser, partial.rate, partial.sampled, partial.sharded) == (40.0, 0.5, True, False)
    assert build_head(HeadSettings(sharded=True), 3, 4).sharded


def test_a_seed_draws_the_centres() -> None:
    first, same, other = (build_head(HeadSettings(), 3, 4, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.centres, same.centres)
    assert not torch.equal(first.centres, other.centres)


def test_a_head_is_a_table_of_a_configuration() -> None:
    given = {"head": {"name": "combined", "margins": [1, 0.3, 0.2], "rate": 0.5}, "batch": 32}
    found = overlay(AdaptSettings(), given, where="f")
    assert found.head == HeadSettings(name="combined", margins=(1.0, 0.3, 0.2), rate=0.5)
    assert overlay(AdaptSettings(), {"head": {}}, where="f").head == HeadSettings()
    for settings in (AdaptSettings(), found):
        assert overlay(AdaptSettings(), resolved(settings), where="f") == settings


def test_faults_of_a_head_in_a_configuration_are_told() -> None:
    with pytest.raises(SettingError, match="'head' is a table, not 'arcface'"):
        overlay(AdaptSettings(), {"head": "arcface"}, where="f")
    with pytest.raises(SettingError, match=r"'head\.margn', did you mean 'head\.margin'"):
        overlay(AdaptSettings(), {"head": {"margn": 0.3}}, where="f")
    with pytest.raises(SettingError, match="known are adaface, arcface"):
        overlay(AdaptSettings(), {"head": {"name": "arkface"}}, where="f")
