from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from wildstyle.errors import ContractError, HostileFile, InputError
from wildstyle.recognisers import (
    Recogniser,
    RecogniserContract,
    build_backbone,
    export_onnx,
    load_recogniser,
    parse_contract,
    read_contract,
    save_recogniser,
)
from wildstyle.recognisers.key_maps import _PARTS, _STAGES, _UNITS


def images() -> torch.Tensor:
    return torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(3))


def same(one: Recogniser, other: Recogniser) -> None:
    with torch.no_grad():
        torch.testing.assert_close(one.embed(images()), other.embed(images()), rtol=1e-5, atol=1e-6)


def test_safetensors_round_trip_of_a_backbone(tiny: Recogniser, tmp_path: Path) -> None:
    save_recogniser(tiny, tmp_path / "tiny.safetensors")
    found = load_recogniser(tmp_path / "tiny.safetensors")
    assert found.hash == tiny.hash
    assert found.contract == tiny.contract.with_(compat_group=tiny.hash[:16])
    assert not found.network.training
    assert read_contract(tmp_path / "tiny.safetensors") == tiny.contract
    same(found, tiny)


def test_onnx_and_back_and_stored_without_the_onnx(tiny: Recogniser, tmp_path: Path) -> None:
    export_onnx(tiny, tmp_path / "tiny.onnx")
    imported = load_recogniser(tmp_path / "tiny.onnx")
    (tmp_path / "tiny.onnx").unlink()
    adapted = imported.trainable_copy()
    with torch.no_grad():
        for parameter in adapted.network.parameters():
            parameter.mul_(1.1)
    save_recogniser(adapted, tmp_path / "adapted.safetensors")
    found = load_recogniser(tmp_path / "adapted.safetensors")
    same(imported, tiny)
    same(found, adapted)
    assert found.contract.compat_group == imported.contract.compat_group
    assert len({imported.hash, adapted.hash}) == 2


def test_a_file_without_contract_names_the_way_to_find_it(tmp_path: Path) -> None:
    torch.save(build_backbone("mobilefacenet").state_dict(), tmp_path / "foreign.pt")
    with pytest.raises(ContractError, match="wildstyle recogniser probe"):
        load_recogniser(tmp_path / "foreign.pt")
    assert read_contract(tmp_path / "foreign.pt") is None
    found = load_recogniser(tmp_path / "foreign.pt", contract="bgr,pm1")
    assert found.contract.channel_order == "BGR"
    assert found.contract.embedding_size == 128
    assert found.contract.compat_group


def test_file_and_user_who_disagree_are_both_named(tiny: Recogniser, tmp_path: Path) -> None:
    save_recogniser(tiny, tmp_path / "tiny.safetensors")
    assert load_recogniser(tmp_path / "tiny.safetensors", contract="rgb,pm1").hash == tiny.hash
    with pytest.raises(ContractError, match=r"the file says .*RGB.*you say .*BGR"):
        load_recogniser(tmp_path / "tiny.safetensors", contract="bgr,pm1")


def test_wrong_embedding_size_names_both_sides(tmp_path: Path, contract: RecogniserContract) -> None:
    torch.save(build_backbone("mobilefacenet").state_dict(), tmp_path / "foreign.pt")
    with pytest.raises(ContractError, match=r"16-d from 112 px.*128-d from 112 px"):
        load_recogniser(tmp_path / "foreign.pt", contract=contract)


def numbered_state(network: nn.Module) -> dict[str, torch.Tensor]:
    """Our scale-1 MobileFaceNet under the "conv_23" names, by a table written the other way round."""
    units, parts = ({v: k for k, v in table.items()} for table in (_UNITS, _PARTS))
    stages = {v: k for k, v in _STAGES.items()}
    state = {}
    for key, tensor in network.state_dict().items():
        words = [w for w in key.split(".") if w != "layers"]
        if key.startswith("conv_sep"):
            name = f"conv_6_sep.{parts[words[1]]}.{words[-1]}"
        elif key.startswith("features"):
            table = {"2": "linear", "3": "bn"}
            name = f"conv_6_dw.{parts[words[2]]}.{words[-1]}" if words[1] == "0" else f"{table[words[1]]}.{words[-1]}"
        else:
            stage, *middle, part, leaf = words
            inner = {0: [], 1: [units[w] for w in middle]}.get(len(middle)) if len(middle) < 2 else None
            path = inner if inner is not None else ["model", middle[0], units[middle[1]]]
            name = ".".join([stages[int(stage)], *path, parts[part], leaf])
        state[name] = tensor
    return state


def test_key_maps(tmp_path: Path) -> None:
    cases = {
        "iresnet": (build_backbone("iresnet18", embedding_size=8), None),
        "mobilefacenet": (build_backbone("mobilefacenet", embedding_size=8), None),
        "mobilefacenet-wide": (build_backbone("mobilefacenet-wide", embedding_size=8, blocks=[2, 1, 2, 1]), None),
        "mobilefacenet-numbered": (build_backbone("mobilefacenet-wide", embedding_size=8, scale=1), numbered_state),
    }
    for name, (network, rename) in cases.items():
        state = rename(network) if rename else network.state_dict()
        wrapped = {
            "epoch": 3,
            "state_dict": {f"module.{k}": v for k, v in state.items()} | {"head.weight": torch.ones(2)},
        }
        torch.save(wrapped, tmp_path / f"{name}.pth")
        for key_map in (None,) if name == "iresnet" else (None, name):
            found = load_recogniser(tmp_path / f"{name}.pth", contract="rgb,pm1", key_map=key_map)
            own = network.eval().state_dict()
            assert all(torch.equal(t, own[k]) for k, t in found.network.state_dict().items())


def test_numbered_names_are_the_published_ones() -> None:
    names = set(numbered_state(build_backbone("mobilefacenet-wide", scale=1)))
    published = {
        "conv1.conv.weight",
        "conv2_dw.prelu.weight",
        "conv_23.conv_dw.bn.running_mean",
        "conv_3.model.0.project.bn.bias",
        "conv_6_sep.prelu.weight",
        "conv_6_dw.conv.weight",
        "linear.weight",
        "bn.weight",
    }
    assert published <= names


def test_mismatches_are_listed_briefly(tmp_path: Path) -> None:
    state = build_backbone("iresnet18", embedding_size=8).state_dict()
    for name in list(state)[10:30]:
        del state[name]
    state["layer1.0.conv1.weight"] = torch.zeros(3)
    state["something.else"] = torch.zeros(1)
    torch.save(state, tmp_path / "bad.pt")
    with pytest.raises(ContractError) as caught:
        load_recogniser(tmp_path / "bad.pt", contract="rgb,pm1")
    for words in ("missing", "1 unexpected (something.else)", "..."):
        assert words in caught.value.what
    assert len(caught.value.what) < 700


def test_foreign_keys_and_wrong_maps_are_refused(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.zeros(2), "b": torch.zeros(1)}, tmp_path / "odd.pt")
    with pytest.raises(ContractError, match=r"no known backbone \(first keys: a.weight, b\)"):
        load_recogniser(tmp_path / "odd.pt", contract="rgb,pm1")
    with pytest.raises(ContractError, match="key map 'iresnet' expects"):
        load_recogniser(tmp_path / "odd.pt", contract="rgb,pm1", key_map="iresnet")
    with pytest.raises(ContractError, match="no key map is called 'x'"):
        load_recogniser(tmp_path / "odd.pt", contract="rgb,pm1", key_map="x")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(ContractError, match="holds no state dict"):
        load_recogniser(tmp_path / "list.pt", contract="rgb,pm1")


class Attack:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.mark,))


def test_hostile_and_broken_files(tmp_path: Path, tiny: Recogniser) -> None:
    mark = tmp_path / "ran"
    torch.save({"state_dict": Attack(mark)}, tmp_path / "hostile.pt")
    with (tmp_path / "hostile_old.pth").open("wb") as file:
        pickle.dump(Attack(mark), file)
    for name in ("hostile.pt", "hostile_old.pth"):
        with pytest.raises(HostileFile, match="more than tensors"):
            load_recogniser(tmp_path / name, contract="rgb,pm1")
    assert not mark.exists()
    torch.save(tiny.network.state_dict(), tmp_path / "whole.pt")
    save_recogniser(tiny, tmp_path / "whole.safetensors")
    for suffix in (".pt", ".safetensors"):
        data = (tmp_path / f"whole{suffix}").read_bytes()
        for length in (0, 5, len(data) // 2, len(data) - 9):
            (tmp_path / f"cut{suffix}").write_bytes(data[:length])
            with pytest.raises(InputError, match=r"not a readable .* file|no state dict"):
                load_recogniser(tmp_path / f"cut{suffix}", contract="rgb,pm1")
    with pytest.raises(InputError, match="no such file"):
        load_recogniser(tmp_path / "nowhere.pt")
    (tmp_path / "net.bin").write_bytes(b"1")
    with pytest.raises(InputError, match=r"\.onnx, \.safetensors, \.pt, \.pth"):
        load_recogniser(tmp_path / "net.bin")


def test_damaged_architecture_is_refused(tiny: Recogniser, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    from wildstyle.recognisers.contract_text import to_metadata

    for text in ('{"kind": "graph"', '{"kind": "other"}', '{"kind": "backbone"}', '{"kind": "graph", "format": 99}'):
        metadata = {**to_metadata(tiny.contract), "wildstyle.architecture": text}
        save_file(tiny.network.state_dict(), str(tmp_path / "odd.safetensors"), metadata=metadata)
        with pytest.raises((InputError, ContractError)):
            load_recogniser(tmp_path / "odd.safetensors")


def test_networks_that_could_not_be_built_again_are_not_stored(contract: RecogniserContract, tmp_path: Path) -> None:
    foreign = Recogniser(nn.Sequential(nn.Flatten(), nn.Linear(3 * 112 * 112, 16)), contract)
    with pytest.raises(ContractError, match="Sequential can't be stored"):
        save_recogniser(foreign, tmp_path / "x.safetensors")
    assert not (tmp_path / "x.safetensors").exists()


def test_raw_checks_both_sides(tiny: Recogniser) -> None:
    with pytest.raises(ContractError, match=r"\(N, 3, 112, 112\), got \(1, 3, 96, 96\)"):
        tiny.embed(torch.zeros(1, 3, 96, 96))
    wrong = Recogniser(tiny.network, tiny.contract.with_(embedding_size=8))
    with pytest.raises(ContractError, match=r"\(1, 16\).*\(N, 8\)"):
        wrong.embed(torch.zeros(1, 3, 112, 112))


def test_embed_is_unit_differentiable_and_copies_are_apart(tiny: Recogniser) -> None:
    batch = images().requires_grad_()
    frozen, trainable = tiny.frozen_copy(), tiny.trainable_copy()
    np.testing.assert_allclose(frozen.embed(batch).norm(dim=1).detach().numpy(), 1, rtol=1e-5)
    frozen.embed(batch)[:, 0].sum().backward()
    assert batch.grad is not None
    assert not any(p.requires_grad for p in frozen.network.parameters())
    assert all(p.requires_grad for p in trainable.network.parameters())
    with torch.no_grad():
        next(trainable.network.parameters()).add_(1.0)
    assert frozen.hash == tiny.hash != trainable.hash


def test_hash_depends_on_weights_architecture_and_preprocessing(tiny: Recogniser) -> None:
    other = parse_contract("bgr,pm1").contract(model_id="tiny", embedding_size=16)
    assert Recogniser(tiny.network, tiny.contract.with_(licence="MIT")).hash == tiny.hash
    assert Recogniser(tiny.network, other).hash != tiny.hash
