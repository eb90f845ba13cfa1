"""Ways to adapt: they start at the untouched recogniser, change what they say, and come back as plain networks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from wildstyle.adaptation.ways import WaySettings, all_ways, way_named
from wildstyle.adaptation.ways.low_rank import LowRankWeight
from wildstyle.errors import SettingError
from wildstyle.recognisers import (
    Recogniser,
    RecogniserContract,
    build_backbone,
    export_onnx,
    load_recogniser,
    save_recogniser,
)
from wildstyle.recognisers.layers import weighted_layers
from wildstyle.recognisers.listing import listing
from wildstyle.recognisers.paired import Mixture, PairedLayer, PairedNetwork
from wildstyle.recognisers.quality import QualityNetwork

CONTRACT = RecogniserContract(
    model_id="tiny", channel_order="RGB", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), embedding_size=16
)


def pictures(count: int = 3) -> Tensor:
    return torch.randn(count, 3, 112, 112, generator=torch.Generator().manual_seed(1))


def fresh() -> nn.Module:
    return build_backbone("tiny", seed=4).eval().requires_grad_(True)


def learned(network: nn.Module) -> list[str]:
    return [name for name, weight in network.named_parameters() if weight.requires_grad]


def one_step(network: nn.Module) -> None:
    """A large step of plain descent on a made-up loss."""
    loss = nn.functional.normalize(network(pictures())).sum()
    loss.backward()
    with torch.no_grad():
        for weight in network.parameters():
            if weight.grad is not None:
                weight -= 0.5 * weight.grad


def quality_of_any_kind() -> QualityNetwork:
    torch.manual_seed(0)
    quality = QualityNetwork()
    with torch.no_grad():
        quality.reading.weight[0, 3] = 1.0  # log of the contrast
        quality.reading.bias.add_(quality.middle - quality(pictures()).median())
    return quality


@pytest.mark.parametrize("name", sorted(all_ways()))
def test_starts_exactly_where_the_recogniser_is_and_then_moves(name: str) -> None:
    before = fresh()(pictures()).detach()
    network = way_named(name).prepare(fresh(), WaySettings(name=name, rank=2), quality_of_any_kind(), 0)
    torch.testing.assert_close(network(pictures()).detach(), before, rtol=0, atol=1e-6)
    one_step(network)
    one_step(network)  # adapters that start at nothing move their other half from the second step on
    moved = network(pictures()).detach()
    assert (moved - before).abs().max() > 1e-4
    finished = way_named(name).finish(network)
    torch.testing.assert_close(finished(pictures()).detach(), moved, rtol=1e-4, atol=1e-5)


def test_unknown_way_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingError, match=r"no way to adapt is called 'lora'.*full, last, low-rank, paired"):
        way_named("lora")


@pytest.mark.parametrize("wrong", [{"last": 0.0}, {"last": 1.1}, {"rank": 0}, {"strength": 0.0}])
def test_settings_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingError, match="can't be gone"):
        WaySettings(**wrong)  # type: ignore[arg-type]


def test_last_trains_the_end_alone() -> None:
    network = fresh()
    layers = [name for name, _ in weighted_layers(network)]
    way_named("last").prepare(network, WaySettings(name="last", last=2 / len(layers)), None, 0)
    weights = [name for name in learned(network) if name.rpartition(".")[0] in layers and name.endswith("weight")]
    assert [name.rpartition(".")[0] for name in weights] == layers[-2:]


def test_low_rank_layer_by_hand() -> None:
    layer = nn.Linear(2, 2, bias=False)
    adapter = LowRankWeight(layer, 1, 2.0)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(2))
        adapter.down.copy_(torch.tensor([[[1.0, 0.0]]]))
        adapter.up.copy_(torch.tensor([[[0.1], [0.2]]]))
    torch.testing.assert_close(adapter(layer.weight), torch.tensor([[1.2, 0.0], [0.4, 1.0]]))


def test_low_rank_in_each_group_of_a_convolution() -> None:
    """Each group's change has the asked rank, and no group leaks into another."""
    layer = nn.Conv2d(8, 12, 3, groups=2)
    adapter = LowRankWeight(layer, 2, 1.0)
    with torch.no_grad():
        adapter.up.normal_()
    change = (adapter(layer.weight) - layer.weight).detach().reshape(2, 6, 4 * 9)
    assert [int(torch.linalg.matrix_rank(part, rtol=1e-4)) for part in change] == [2, 2]
    depthwise = LowRankWeight(nn.Conv2d(5, 5, 3, groups=5), 8, 1.0)
    assert depthwise.down.shape == (5, 1, 9)


def test_low_rank_is_merged_into_a_network_that_exporters_know(tmp_path: Path) -> None:
    network = way_named("low-rank").prepare(fresh(), WaySettings(rank=3), None, 0)
    count = sum(weight.numel() for weight in network.parameters() if weight.requires_grad)
    assert count > 0
    assert all("parametrizations" in name for name in learned(network))
    one_step(network)
    listing(way_named("low-rank").finish(network))
    assert not any("parametrizations" in name for name, _ in network.named_parameters())
    report = export_onnx(Recogniser(network, CONTRACT), tmp_path / "merged.onnx")
    assert report.writer == "layers"


def test_pair_by_hand() -> None:
    """W = I, x = (1, 2), D1 = (1, 0), U1 = (.1, .2), D2 = (0, 1), U2 = (.3, -.1)."""
    mixture = Mixture()
    layer = PairedLayer(nn.Linear(2, 2, bias=False), 1, 1.0, mixture)
    with torch.no_grad():
        layer.layer.weight.copy_(torch.eye(2))
        layer.down.copy_(torch.eye(2))
        layer.up.copy_(torch.tensor([[0.1, 0.3], [0.2, -0.1]]))
        for share, wanted in ((0.62, (1.41, 1.952)), (0.0, (1.1, 2.2)), (1.0, (1.6, 1.8))):
            mixture.share = torch.tensor([share])
            torch.testing.assert_close(layer(torch.tensor([[1.0, 2.0]])), torch.tensor([wanted]))


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_paired_convolution_is_two_adapters_mixed(groups: int) -> None:
    torch.manual_seed(2)
    mixture = Mixture()
    layer = PairedLayer(nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=groups), 1, 0.5, mixture)
    with torch.no_grad():
        layer.up.normal_()
    x, shares = torch.randn(3, 4, 8, 8), torch.tensor([0.0, 0.3, 1.0])
    mixture.share = shares
    found = layer(x).detach()
    down = layer.down.detach().reshape(groups, 2, 4 // groups, 3, 3)
    up = layer.up.detach().reshape(groups, 8 // groups, 2)
    for face, share in enumerate(shares.tolist()):
        change = sum(
            weight * torch.einsum("go,gikl->goikl", up[:, :, which], down[:, which]).reshape(8, 4 // groups, 3, 3)
            for which, weight in ((0, 1 - share), (1, share))
        )
        conv = layer.layer
        assert isinstance(conv, nn.Conv2d)
        wanted = nn.functional.conv2d(
            x[face : face + 1], conv.weight + 0.5 * change, conv.bias, stride=2, padding=1, groups=groups
        )
        torch.testing.assert_close(found[face : face + 1], wanted.detach(), rtol=1e-4, atol=1e-5)


def test_pair_is_mixed_by_quality_and_stored_with_it(tmp_path: Path) -> None:
    network = way_named("paired").prepare(fresh(), WaySettings(name="paired", rank=2), quality_of_any_kind(), 0)
    assert isinstance(network, PairedNetwork)
    with torch.no_grad():
        shares = network.share(pictures())
    assert 0 <= float(shares.min()) < float(shares.max()) <= 1
    one_step(network)
    one_step(network)
    assert all("quality" not in name for name in learned(network))
    recogniser = Recogniser(network.eval(), CONTRACT)
    save_recogniser(recogniser, tmp_path / "paired.safetensors")
    found = load_recogniser(tmp_path / "paired.safetensors")
    with torch.no_grad():
        torch.testing.assert_close(found.network(pictures()), network(pictures()))
    report = export_onnx(recogniser, tmp_path / "paired.onnx")
    assert report.difference < 1e-4


def test_pair_without_quality_needs_the_constant_gate() -> None:
    with pytest.raises(SettingError, match="constant_gate"):
        way_named("paired").prepare(fresh(), WaySettings(name="paired"), None, 0)
    network = way_named("paired").prepare(fresh(), WaySettings(name="paired", constant_gate=True), None, 0)
    assert isinstance(network, PairedNetwork)
    assert network.share(pictures()).tolist() == [0.5, 0.5, 0.5]
