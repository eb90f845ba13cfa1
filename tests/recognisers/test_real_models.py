"""The importer on real recognisers, and golden figures on real faces (WILDSTYLE_DATA)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from wildstyle.errors import ContractError
from wildstyle.faces import Subset, open_faces, open_pairs, working_batch
from wildstyle.recognisers import Recogniser, embed_source, import_onnx, load_recogniser, probe, save_recogniser

# (contract, parameters, embedding size, folded norms)
MODELS = {
    "mobilefacenet": ("rgb,imagenet", 989_952, 128, 51),
    "edgeface_xs": ("rgb,pm1", 2_251_004, 512, 0),
    "edgeface_xxs": ("rgb,pm1", 1_251_032, 512, 0),
}


@pytest.fixture(scope="module")
def recognisers(data_dir: Path) -> dict[str, Recogniser]:
    return {n: load_recogniser(data_dir / "models" / f"{n}.onnx", contract=MODELS[n][0]) for n in MODELS}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_parity_with_onnxruntime_on_real_faces(data_dir: Path, recognisers: dict[str, Recogniser], name: str) -> None:
    source = open_faces(data_dir / "lfw_pairs112.tar")
    recogniser = recognisers[name]
    images = torch.from_numpy(working_batch([source.read(i) for i in range(8)]))
    session = onnxruntime.InferenceSession(
        str(data_dir / "models" / f"{name}.onnx"), providers=["CPUExecutionProvider"]
    )
    given = recogniser.contract.normalise(images).numpy()
    feed = session.get_inputs()[0].name
    wanted = np.concatenate([session.run(None, {feed: given[i : i + 1]})[0] for i in range(8)])
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    with torch.no_grad():
        for batch in (1, 8):
            np.testing.assert_allclose(recogniser.embed(images[:batch]).numpy(), wanted[:batch], atol=1e-4)
    fast = embed_source(recogniser, Subset(source, range(8)), engine="onnxruntime")
    np.testing.assert_allclose(fast.vectors, wanted, atol=1e-4)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_gradients_and_counts(recognisers: dict[str, Recogniser], name: str) -> None:
    recogniser = recognisers[name].trainable_copy()
    recogniser.embed(torch.rand(2, 3, 112, 112)).sum().backward()
    assert [n for n, p in recogniser.network.named_parameters() if p.grad is None] == []
    assert sum(p.numel() for p in recogniser.network.parameters()) == MODELS[name][1]
    assert recogniser.contract.embedding_size == MODELS[name][2]


def test_reports_and_storing(data_dir: Path, recognisers: dict[str, Recogniser], tmp_path: Path) -> None:
    imported = import_onnx(data_dir / "models" / "mobilefacenet.onnx", fresh_affine=True)
    assert imported.report.fixed_batch
    assert (imported.report.folded_norms, imported.report.fresh_affines, imported.report.norms) == (51, 51, 0)
    with pytest.raises(ContractError, match="wildstyle recogniser probe"):
        load_recogniser(data_dir / "models" / "mobilefacenet.onnx")
    for name, recogniser in recognisers.items():
        save_recogniser(recogniser, tmp_path / f"{name}.safetensors")
        assert load_recogniser(tmp_path / f"{name}.safetensors").hash == recogniser.hash


def test_golden_first_pairs_are_separable(data_dir: Path, recognisers: dict[str, Recogniser]) -> None:
    assert _best_accuracy(data_dir, recognisers["mobilefacenet"], 100) >= 0.98


@pytest.mark.slow
def test_golden_all_of_lfw(data_dir: Path, recognisers: dict[str, Recogniser]) -> None:
    # One threshold for all pairs; published with ten folds: 99.37 %.
    assert _best_accuracy(data_dir, recognisers["mobilefacenet"], None) == pytest.approx(0.9937, abs=0.002)


@pytest.mark.slow
def test_probe_finds_the_stated_contract(data_dir: Path, recognisers: dict[str, Recogniser]) -> None:
    report = probe(recognisers["mobilefacenet"].network, open_faces(data_dir / "source112.tar"), most=120)
    assert str(report.rows[0].preprocessing) == "rgb,imagenet"
    assert report.clear


def _best_accuracy(data_dir: Path, recogniser: Recogniser, count: int | None) -> float:
    """Share of right decisions at the best threshold, over all or ``count`` mated and ``count`` impostor pairs."""
    source, pairs = open_pairs(data_dir / "lfw_pairs112.tar")
    chosen = np.arange(len(pairs.same))
    if count is not None:
        chosen = np.concatenate([np.flatnonzero(pairs.same)[:count], np.flatnonzero(~pairs.same)[:count]])
    wanted = np.unique(np.concatenate([pairs.first[chosen], pairs.second[chosen]]))
    found = embed_source(recogniser, source, indices=wanted.tolist())
    assert found.ok.all()
    first = found.vectors[np.searchsorted(wanted, pairs.first[chosen])]
    second = found.vectors[np.searchsorted(wanted, pairs.second[chosen])]
    scores, same = (first * second).sum(1), pairs.same[chosen]
    return float(
        max(((scores >= threshold) == same).mean() for threshold in np.quantile(scores, np.linspace(0, 1, 400)))
    )
