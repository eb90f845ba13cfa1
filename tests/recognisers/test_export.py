from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from wildstyle.errors import ContractError, InputError
from wildstyle.recognisers import (
    BranchedNetwork,
    Recogniser,
    RecogniserContract,
    build_backbone,
    export_onnx,
    load_recogniser,
    read_contract,
    unit,
)
from wildstyle.recognisers.listing import Unwritable
from wildstyle.recognisers.writing import onnx_bytes


def run(path: Path, images: Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [entry.name for entry in session.get_inputs()] == ["input"]
    assert [entry.name for entry in session.get_outputs()] == ["embedding"]
    found = session.run(None, {"input": images.numpy()})[0]
    return np.asarray(found)


@pytest.mark.parametrize("name", ["tiny", "demo", "mobilefacenet"])
def test_files_agree_for_any_batch_and_are_reproducible(
    name: str, contract: RecogniserContract, tmp_path: Path
) -> None:
    network = build_backbone(name, embedding_size=16).eval()
    recogniser = Recogniser(network, contract)
    report = export_onnx(recogniser, tmp_path / "one.onnx")
    export_onnx(recogniser, tmp_path / "two.onnx")
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()
    assert report.difference <= 1e-4
    assert report.opset >= 17
    assert report.writer == "layers"
    images = torch.randn(5, 3, 112, 112)
    with torch.no_grad():
        np.testing.assert_allclose(run(report.path, images), network(images).numpy(), rtol=1e-3, atol=1e-4)


def test_metadata_holds_the_contract_and_nothing_of_this_machine(tiny: Recogniser, tmp_path: Path) -> None:
    export_onnx(tiny, tmp_path / "tiny.onnx")
    assert read_contract(tmp_path / "tiny.onnx") == tiny.contract
    model = onnx.load(str(tmp_path / "tiny.onnx"))
    onnx.checker.check_model(model)
    assert all(entry.key.startswith("wildstyle.") for entry in model.metadata_props)
    assert str(Path.cwd()).encode() not in model.SerializeToString()
    session = onnxruntime.InferenceSession(str(tmp_path / "tiny.onnx"), providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map["wildstyle.channel_order"] == '"RGB"'


def test_training_state_comes_back(tiny: Recogniser, tmp_path: Path) -> None:
    tiny.network.train()
    export_onnx(tiny, tmp_path / "tiny.onnx")
    assert all(module.training for module in tiny.network.modules())


class Contrast(nn.Module):
    """A toy gate: flat pictures go to the adapted branch."""

    def __init__(self) -> None:
        super().__init__()
        self.middle = nn.Parameter(torch.tensor(0.5))

    def forward(self, images: Tensor) -> Tensor:
        return torch.sigmoid(4 * (self.middle - images.std(dim=(1, 2, 3)))).unsqueeze(1)


class Fixed(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, images: Tensor) -> Tensor:
        return images.new_full((images.shape[0], 1), self.value)


def test_branches_mix_unit_embeddings() -> None:
    old, new = (build_backbone("tiny", seed=s).eval() for s in (1, 2))
    images = torch.randn(3, 3, 112, 112)
    with torch.no_grad():
        torch.testing.assert_close(BranchedNetwork(old, new, Fixed(0.0))(images), unit(old(images)))
        torch.testing.assert_close(BranchedNetwork(old, new, Fixed(1.0))(images), unit(new(images)))
        torch.testing.assert_close(BranchedNetwork(old, new, Fixed(7.0))(images), unit(new(images)))
        middle = (unit(old(images)) + unit(new(images))) / 2
        torch.testing.assert_close(BranchedNetwork(old, new, Fixed(0.5))(images), unit(middle))


def test_branches_become_one_file_that_can_be_read_again(contract: RecogniserContract, tmp_path: Path) -> None:
    network = BranchedNetwork(build_backbone("tiny", seed=1), build_backbone("tiny", seed=2), Contrast()).eval()
    with pytest.raises(InputError, match="with a contract"):
        export_onnx(network, tmp_path / "x.onnx")
    report = export_onnx(network, tmp_path / "branches.onnx", contract)
    assert report.writer == "traced"
    images = torch.randn(4, 3, 112, 112) * torch.tensor([0.1, 0.4, 0.8, 2.0]).view(4, 1, 1, 1)
    with torch.no_grad():
        wanted = network(images)
        np.testing.assert_allclose(run(report.path, images), wanted.numpy(), atol=1e-5)
        found = load_recogniser(report.path)
        torch.testing.assert_close(found.network(images), wanted, rtol=1e-4, atol=1e-5)


def test_nothing_is_written_where_file_and_contract_disagree(tiny: Recogniser, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"\(1, 16\).*\(1, 8\)"):
        export_onnx(tiny, tmp_path / "x.onnx", tiny.contract.with_(embedding_size=8))
    assert list(tmp_path.iterdir()) == []


def test_hooks_and_foreign_layers_are_not_written_past(tiny: Recogniser) -> None:
    network = tiny.network
    handle = next(m for m in network.modules() if isinstance(m, nn.Conv2d)).register_forward_hook(lambda *_: None)
    with pytest.raises(Unwritable, match="hook"):
        onnx_bytes(network, 112)
    handle.remove()
    network.features.layers[2] = nn.Bilinear(1, 1, 1)  # type: ignore[union-attr, operator, index]
    with pytest.raises(Unwritable, match=r"Bilinear|traced"):
        onnx_bytes(network, 112)
    with pytest.raises(Unwritable, match="Sequential"):
        onnx_bytes(nn.Sequential(nn.Flatten()), 112)
