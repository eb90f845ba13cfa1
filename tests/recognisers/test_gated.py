"""Two recognisers and a gate: mixing, storing, exporting, the size before alignment."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from wildstyle.errors import SettingError
from wildstyle.faces import Face, FaceRecord
from wildstyle.faces.source import FaceSource
from wildstyle.recognisers import (
    BranchedNetwork,
    Recogniser,
    RecogniserContract,
    build_backbone,
    embed_source,
    export_onnx,
    load_recogniser,
    save_recogniser,
    unit,
)
from wildstyle.recognisers.importing.importer import reference_session
from wildstyle.recognisers.quality import LARGEST, SMALLEST, QualityGate, QualityNetwork


def gated(lower: float = 36.0, upper: float = 84.0) -> BranchedNetwork:
    """A gate whose quality follows the contrast of the picture, so that a batch has all kinds of weights."""
    torch.manual_seed(3)
    quality = QualityNetwork()
    with torch.no_grad():
        quality.reading.weight[0, 3] = 1.0  # log of the contrast
        quality.reading.bias.add_(math.log2(math.sqrt(36.0 * 84.0)) - float(quality(pictures()).median()))
    return BranchedNetwork(
        build_backbone("tiny", seed=1), build_backbone("tiny", seed=2), QualityGate(quality, lower, upper)
    ).eval()


@pytest.fixture
def recogniser(contract: RecogniserContract) -> Recogniser:
    return Recogniser(gated(), contract)


def pictures(count: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    contrast = torch.linspace(0.05, 2.5, count).view(count, 1, 1, 1)
    return torch.randn(count, 3, 112, 112, generator=generator) * contrast


def test_ramp_is_clipped_and_falls_with_quality() -> None:
    gate = QualityGate(QualityNetwork(), 30.0, 120.0)
    sizes = torch.tensor([[10.0], [30.0], [60.0], [120.0], [200.0]])
    torch.testing.assert_close(gate.ramp(sizes.log2()), torch.tensor([[1.0], [1.0], [0.5], [0.0], [0.0]]))


@pytest.mark.parametrize(("lower", "upper"), [(0.0, 5.0), (50.0, 50.0), (60.0, 40.0)])
def test_knees_must_make_a_ramp(lower: float, upper: float) -> None:
    with pytest.raises(SettingError, match="knees"):
        QualityGate(QualityNetwork(), lower, upper)


def test_quality_stays_in_its_range() -> None:
    network = QualityNetwork()
    with torch.no_grad():
        network.reading.bias.fill_(99.0)
        assert float(network(pictures(2)).max()) == pytest.approx(math.log2(LARGEST))
        network.reading.bias.fill_(-99.0)
        assert float(network(pictures(2)).max()) == pytest.approx(math.log2(SMALLEST))


def test_only_the_needed_rows_run_and_nothing_changes_by_it() -> None:
    network, images = gated(), pictures()
    seen: list[int] = []
    for branch in (network.untouched, network.adapted):
        branch.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    with torch.no_grad():
        weights = network.gate(images)
        lean = network(images)
    assert 0 < int((weights > 0).sum()) < 6, "the test wants a batch of all kinds"
    assert seen == [int((weights < 1).sum()), int((weights > 0).sum())]
    full = network(images)  # gradients want both sides
    torch.testing.assert_close(lean, full.detach(), rtol=0, atol=1e-6)
    above = weights[:, 0] == 0
    assert above.any()
    torch.testing.assert_close(lean[above], unit(network.untouched(images[above])).detach(), rtol=0, atol=1e-6)


def test_a_batch_on_one_side_runs_one_branch() -> None:
    images = pictures(3)
    for lower, upper, used in ((1e-3, 2e-3, "untouched"), (1e5, 1e6, "adapted")):
        network = gated(lower, upper)
        other = {"untouched": "adapted", "adapted": "untouched"}[used]
        setattr(network, other, nn.Identity())  # would give nonsense
        with torch.no_grad():
            torch.testing.assert_close(network(images), unit(getattr(network, used)(images)))


def test_known_size_can_only_lower_the_quality() -> None:
    network, images = gated(), pictures(2)
    with torch.no_grad():
        without = network.gate(images)
        torch.testing.assert_close(network.gate(images, torch.full((2, 1), 1e6)), without)
        assert (network.gate(images, torch.full((2, 1), 12.0)) == 1.0).all()


def test_stored_and_read_again(recogniser: Recogniser, tmp_path: Path) -> None:
    save_recogniser(recogniser, tmp_path / "gated.safetensors")
    found = load_recogniser(tmp_path / "gated.safetensors")
    assert found.hash == recogniser.hash
    gate = found.network.gate
    assert isinstance(gate, QualityGate)
    assert (gate.lower, gate.upper) == (36.0, 84.0)
    with torch.no_grad():
        torch.testing.assert_close(found.network(pictures()), recogniser.network(pictures()))


def test_exported_with_the_size_as_an_input_that_may_be_left_out(recogniser: Recogniser, tmp_path: Path) -> None:
    report = export_onnx(recogniser, tmp_path / "gated.onnx")
    assert report.writer == "layers"
    session = reference_session(report.path.read_bytes())
    assert [one.name for one in session.get_inputs()] == ["input"]
    assert [one.name for one in session.get_overridable_initializers()] == ["size"]
    images = pictures()
    sizes = torch.tensor([[15.0], [40.0], [60.0], [100.0], [1e6], [50.0]])
    with torch.no_grad():
        for known in (None, sizes):
            feed = {"input": images.numpy()} | ({} if known is None else {"size": known.numpy()})
            wanted = recogniser.network(images, known).numpy()
            np.testing.assert_allclose(session.run(None, feed)[0], wanted, atol=1e-5)
        again = load_recogniser(report.path)
        torch.testing.assert_close(again.network(images), recogniser.network(images), atol=1e-5, rtol=0)


class Sized(FaceSource):
    """One picture under two sizes, and one whose size nobody knows."""

    name, location = "sized", "memory"

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._image = rng.integers(0, 255, (112, 112, 3), dtype=np.uint8)
        self._sizes = (12.0, 110.0, None)

    def __len__(self) -> int:
        return len(self._sizes)

    def record(self, index: int) -> FaceRecord:
        return FaceRecord(id=str(index), source=self.name, size_before=self._sizes[index])

    def encoded(self, index: int) -> bytes:
        return self._image.tobytes()

    def read(self, index: int) -> Face:
        return Face(self._image, self.record(index))


@pytest.mark.parametrize("engine", ["torch", "onnxruntime"])
def test_embedding_with_known_sizes(recogniser: Recogniser, engine: str) -> None:
    plain = embed_source(replace(recogniser, known_sizes=False), Sized(), engine=engine)
    np.testing.assert_allclose(plain.vectors[0], plain.vectors[1], atol=1e-6)
    sized = embed_source(recogniser, Sized(), engine=engine)
    np.testing.assert_allclose(sized.vectors[2], plain.vectors[2], atol=1e-6)
    face = torch.from_numpy(Sized().read(0).image).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        adapted = unit(recogniser.network.adapted(recogniser.contract.normalise(face)))[0].numpy()
    np.testing.assert_allclose(sized.vectors[0], adapted, atol=1e-5)
    assert np.abs(sized.vectors[0] - plain.vectors[0]).max() > 1e-3
