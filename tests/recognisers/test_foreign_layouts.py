"""State dicts of IR, IR-SE and ViT networks, against second implementations of those networks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from foreign_networks import ForeignIR, ForeignViT, lived_in
from torch import Tensor, nn

from wildstyle.errors import ContractError, SettingError
from wildstyle.recognisers import (
    Recogniser,
    RecogniserContract,
    build_backbone,
    export_onnx,
    key_maps,
    load_recogniser,
    save_recogniser,
)
from wildstyle.recognisers.architecture import describe
from wildstyle.recognisers.key_maps import network_from_state

State = dict[str, Tensor]

PLAIN, NORMED, BOTTLENECK = "n3p3n", "n3np3n", "n1np3np1n"
IR_FORMS: dict[str, Callable[[], ForeignIR]] = {
    "face.evoLVe IR": lambda: ForeignIR(PLAIN, affine=True),
    "face.evoLVe IR-SE": lambda: ForeignIR(PLAIN, affine=True, squeeze="5"),
    "CurricularFace IR-SE": lambda: ForeignIR(PLAIN, squeeze="5"),
    "AdaFace IR": lambda: ForeignIR(NORMED),
    "AdaFace IR-SE": lambda: ForeignIR(NORMED, squeeze="se_block"),
    "AdaFace IR-152": lambda: ForeignIR(BOTTLENECK, widths=(16, 32, 48, 64)),
    "AdaFace IR-SE-152": lambda: ForeignIR(BOTTLENECK, squeeze="se_block", widths=(16, 32, 48, 64)),
}
SMALL = {(24, 2, 16, 56): 4, (30, 1, 9, 60): 5, (32, 2, 14, 64): 2}
VIT_FORMS: dict[str, Callable[[], ForeignViT]] = {
    "4 heads, bias": lambda: ForeignViT(24, 2, 16, 56, 4, bias=True),
    "9 px, 5 heads": lambda: ForeignViT(30, 1, 9, 60, 5),
    "2 heads, no mask token": lambda: ForeignViT(32, 2, 14, 64, 2, mask=False),
}


@pytest.fixture(autouse=True)
def small_vits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small networks count as published ones here, and are the same in every run."""
    torch.manual_seed(0)
    for sizes, heads in SMALL.items():
        monkeypatch.setitem(key_maps.VIT_HEADS, sizes, heads)


@pytest.fixture
def contract(contract: RecogniserContract) -> RecogniserContract:
    return contract.with_(embedding_size=12)


def images(count: int = 3) -> Tensor:
    """Coarse patterns under fine ones: noise alone is the same to a network, whichever it is."""
    chance = torch.Generator().manual_seed(3)
    coarse = torch.randn(count, 3, 7, 7, generator=chance).repeat_interleave(16, 2).repeat_interleave(16, 3)
    return (coarse + torch.randn(count, 3, 112, 112, generator=chance)).clamp(-2, 2) / 2


def read(state: State, key_map: str | None = None) -> nn.Module:
    return network_from_state(state, where="a.pt", key_map=key_map)


@pytest.mark.parametrize("form", IR_FORMS)
def test_ir_embeds_as_the_code_the_weights_come_from(form: str) -> None:
    foreign = lived_in(IR_FORMS[form]())
    network = read(foreign.state_dict(), "ir")
    with torch.no_grad():
        direction, length = foreign(images())
        torch.testing.assert_close(network(images()), direction * length, rtol=1e-5, atol=1e-5)
    assert direction.std(0).max() > 0.02
    assert (length - 1).abs().min() > 0.01  # raw embeddings are those compared
    assert describe(network)["options"]["blocks"] == [2, 1, 3, 1]
    assert not network.training


@pytest.mark.parametrize("form", VIT_FORMS)
def test_vit_embeds_as_the_code_the_weights_come_from(form: str) -> None:
    foreign = lived_in(VIT_FORMS[form]())
    with torch.no_grad():
        torch.testing.assert_close(read(foreign.state_dict(), "vit")(images()), foreign(images()), rtol=1e-5, atol=1e-5)


def test_vit_t_of_its_true_size() -> None:
    foreign = lived_in(ForeignViT(256, 12, 9, 1024, 8))
    network = read(foreign.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(network(images(2)), foreign(images(2)), rtol=1e-5, atol=1e-5)


WRAPPED: dict[str, Callable[[State], object]] = {
    "plain": lambda state: state,
    "backwards": lambda state: dict(reversed(state.items())),
    "sorted as text": lambda state: dict(sorted(state.items())),
    "DataParallel": lambda state: {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}},
    "Lightning, AdaFace": lambda state: {
        "epoch": 3,
        "state_dict": {f"model.{k}": v for k, v in state.items()}
        | {"head.kernel": torch.ones(12, 5), "head.t": torch.ones(1), "head.batch_mean": torch.ones(1)},
        "lr_schedulers": [],
    },
    "CVLface": lambda state: {f"net.{k}": v for k, v in state.items()},
    "arcface_torch": lambda state: {"epoch": 3, "state_dict_backbone": state, "state_dict_softmax_fc": {}},
}


@pytest.mark.parametrize("wrapped", WRAPPED)
@pytest.mark.parametrize("family", ["ir", "vit"])
def test_wrappers_and_order_change_nothing(family: str, wrapped: str, tmp_path: Path) -> None:
    # More than ten units, so that their order as text is another than by number.
    deep = ForeignIR(NORMED, squeeze="se_block", blocks=(2, 1, 9, 1))
    foreign = deep if family == "ir" else VIT_FORMS["9 px, 5 heads"]()
    state = foreign.state_dict()
    torch.save(WRAPPED[wrapped](state), tmp_path / "net.pth")
    network = load_recogniser(tmp_path / "net.pth", contract="bgr,pm1").network
    assert describe(network)["name"] == family
    own = network.state_dict()
    assert set(state) - set(own) == ({"mask_token"} if family == "vit" else set())
    assert all(torch.equal(tensor, state[name]) for name, tensor in own.items())


def families() -> dict[str, State]:
    """A state dict a key map."""
    return {
        "iresnet": build_backbone("iresnet18", embedding_size=8).state_dict(),
        "mobilefacenet": build_backbone("mobilefacenet", embedding_size=8).state_dict(),
        "mobilefacenet-wide": build_backbone("mobilefacenet-wide", embedding_size=8).state_dict(),
        "ir": IR_FORMS["face.evoLVe IR-SE"]().state_dict(),
        "vit": VIT_FORMS["4 heads, bias"]().state_dict(),
    }


def test_families_are_not_confused() -> None:
    states = families()
    for name, state in states.items():
        found = [read(state), read({f"module.model.{key}": tensor for key, tensor in state.items()})]
        assert [describe(network)["name"].removesuffix("18") for network in found] == [name, name]
        for other in states.keys() - {name}:
            with pytest.raises(ContractError, match=f"key map '{other}' expects a tensor"):
                read(state, other)


def test_other_transformers_are_not_taken_for_it() -> None:
    state = VIT_FORMS["4 heads, bias"]().state_dict()
    timm = {k: v for k, v in state.items() if not k.startswith("feature")} | {"cls_token": torch.zeros(1, 1, 24)}
    with pytest.raises(ContractError, match="belong to no known backbone"):
        read(timm)
    with pytest.raises(ContractError, match=r"1 unexpected \(senet.0.weight\)"):
        read(state | {"senet.0.weight": torch.zeros(1)})


@pytest.mark.parametrize("form", ["AdaFace IR-SE", "face.evoLVe IR-SE"])
def test_missing_and_unexpected_keys_of_ir_are_listed(form: str) -> None:
    state = IR_FORMS[form]().state_dict()
    del state["body.1.res_layer.1.weight"]
    state["body.0.res_layer.1.weight"] = torch.zeros(8, 8, 1, 1)
    with pytest.raises(ContractError) as caught:
        read(state | {"body.2.odd": torch.zeros(1)})
    assert "1 missing (body.1.res_layer.1.weight)" in caught.value.what
    assert "1 unexpected (body.2.odd)" in caught.value.what
    assert "body.0.res_layer.1.weight (8, 8, 1, 1) in the file, (8, 8, 3, 3) in the network" in caught.value.what


def test_missing_keys_of_vit_are_listed() -> None:
    state = VIT_FORMS["4 heads, bias"]().state_dict()
    del state["blocks.1.attn.qkv.bias"], state["norm.weight"]
    with pytest.raises(ContractError, match=r"2 missing \(blocks.1.attn.qkv.bias, norm.weight\)"):
        read(state)


@pytest.mark.parametrize(
    ("form", "key"),
    [
        ("AdaFace IR", "input_layer.0.weight"),
        ("AdaFace IR", "output_layer.3.weight"),
        ("4 heads, bias", "patch_embed.proj.weight"),
        ("4 heads, bias", "pos_embed"),
        ("4 heads, bias", "feature.2.weight"),
    ],
)
def test_sizes_that_can_not_be_read_name_their_tensor(form: str, key: str) -> None:
    state = (IR_FORMS | VIT_FORMS)[form]().state_dict()
    for damaged in ({k: v for k, v in state.items() if k != key}, state | {key: torch.zeros(0)}):
        with pytest.raises(ContractError, match=f"no tensor '{re.escape(key)}'") as caught:
            read(damaged)
        assert caught.value.where == "a.pt"


def test_sizes_of_no_known_network_are_refused() -> None:
    with pytest.raises(ContractError, match=r"width 40, depth 2, patch 16 px and 64 hidden.*attention heads.*ONNX"):
        read(ForeignViT(40, 2, 16, 64, 8).state_dict())
    state = VIT_FORMS["4 heads, bias"]().state_dict()
    with pytest.raises(ContractError, match=r"50 tokens of 16 px.*class token.*49"):
        read(state | {"pos_embed": torch.zeros(1, 50, 24)})
    with pytest.raises(ContractError, match=r"6 units in 3 stages.*4"):
        read(ForeignIR(NORMED, widths=(8, 16, 24), blocks=(2, 1, 3)).state_dict())
    with pytest.raises(ContractError, match=r"no 7x7 maps.*112 px"):
        read(ForeignIR(NORMED, side=14).state_dict())


@pytest.mark.parametrize(
    "form", ["AdaFace IR", "face.evoLVe IR-SE", "AdaFace IR-SE-152", "4 heads, bias", "9 px, 5 heads"]
)
def test_stored_again_and_exported_for_any_batch(form: str, contract: RecogniserContract, tmp_path: Path) -> None:
    network = read(lived_in((IR_FORMS | VIT_FORMS)[form]()).state_dict())
    recogniser = Recogniser(network, contract)
    save_recogniser(recogniser, tmp_path / "net.safetensors")
    report = export_onnx(recogniser, tmp_path / "net.onnx")
    assert report.difference < 1e-4
    assert report.writer == "layers"
    session = onnxruntime.InferenceSession(str(report.path), providers=["CPUExecutionProvider"])
    stored, imported = load_recogniser(tmp_path / "net.safetensors"), load_recogniser(report.path)
    assert stored.hash == recogniser.hash
    with torch.no_grad():
        for count in (1, 4):
            wanted = network(images(count))
            found = session.run(None, {"input": images(count).numpy()})[0]
            np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(imported.network(images(count)), wanted, rtol=1e-4, atol=1e-4)
            assert torch.equal(stored.network(images(count)), wanted)


@pytest.mark.parametrize("form", ["AdaFace IR-SE", "4 heads, bias"])
def test_every_weight_takes_a_gradient(form: str) -> None:
    network = read(lived_in((IR_FORMS | VIT_FORMS)[form]()).state_dict())
    (network(images(2)) * torch.randn(2, 12)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_pictures_of_another_size_are_not_cut_into_more_faces() -> None:
    network = read(VIT_FORMS["4 heads, bias"]().state_dict())
    with torch.no_grad(), pytest.raises(RuntimeError, match="size"):
        network(torch.zeros(1, 3, 224, 224))


def test_impossible_options_are_refused() -> None:
    with pytest.raises(SettingError, match="4 stages"):
        build_backbone("ir", blocks=[2, 2, 2])
    with pytest.raises(SettingError, match="plain, normed, bottleneck"):
        build_backbone("ir", unit="odd")
    with pytest.raises(SettingError, match=r"30 channels.*4 heads"):
        build_backbone("vit", width=30, heads=4)
