from __future__ import annotations

import pytest
import torch
from torch import nn

from wildstyle.errors import SettingError
from wildstyle.recognisers import backbone_names, build_backbone

# Published sizes (arcface_torch; the inverted-residual MobileFaceNet is stated as 0.99 M with folded norms).
PARAMETERS = {
    "iresnet18": 24_025_600,
    "iresnet50": 43_590_848,
    "mobilefacenet-wide": 2_059_520,
}


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_sizes_are_the_published_ones(name: str) -> None:
    assert sum(p.numel() for p in build_backbone(name).parameters()) == PARAMETERS[name]


def test_ir_se_50_has_the_published_size() -> None:
    network = build_backbone("ir", unit="plain", reduction=16, affine=True)
    assert sum(p.numel() for p in network.parameters()) == 43_797_696


def test_demo_fits_in_two_megabytes() -> None:
    state = build_backbone("demo", embedding_size=128).state_dict()
    assert 4 * sum(t.numel() for t in state.values()) < 1.9e6


@pytest.mark.parametrize("name", ["demo", "mobilefacenet", "mobilefacenet-wide", "tiny"])
def test_shapes_and_gradients(name: str) -> None:
    network = build_backbone(name, embedding_size=24).train()
    embedded = network(torch.randn(2, 3, 112, 112))
    assert embedded.shape == (2, 24)
    (embedded * torch.randn(2, 24)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    assert any(isinstance(m, nn.BatchNorm2d) for m in network.modules())


def test_seed_decides_weights_and_the_global_state_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    one, same, other = (build_backbone("tiny", seed=s).state_dict() for s in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(one[k], same[k]) for k in one)
    assert not all(torch.equal(one[k], other[k]) for k in one)


def test_unknown_names_get_the_nearest_known_one() -> None:
    with pytest.raises(SettingError, match=r"'iresnet51'.*\n?.*[Dd]id you mean 'iresnet50'"):
        build_backbone("iresnet51")
    with pytest.raises(SettingError, match=r"no option 'embeding_size'.*[Dd]id you mean 'embedding_size'"):
        build_backbone("tiny", embeding_size=3)
    assert "demo" in backbone_names()
