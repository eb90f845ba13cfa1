"""Thresholds on the user's own data, in model files and at work."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from wildstyle.adaptation.adapt import _signed
from wildstyle.cli.main import app
from wildstyle.errors import ContractError, InputError, NotMeasurable, SettingError
from wildstyle.evaluation.calibration import Calibration
from wildstyle.madeup import MadeUpSet, demo_recogniser_path, write_made_up_set
from wildstyle.recognisers import EmbeddingCache, Recogniser, embed_source, load_recogniser, save_recogniser
from wildstyle.recognisers.contract import RecogniserContract
from wildstyle.verbs.calibrate import calibrate, likelihood_entry, threshold_table
from wildstyle.verbs.embedded import read_embeddings
from wildstyle.verbs.evaluate import evaluate
from wildstyle.verbs.jobs import CalibrateJob, EvaluateJob, EvaluationSpec
from wildstyle.verbs.measuring import LabelledSet, measure, open_labelled


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    patch = pytest.MonkeyPatch()
    patch.setenv("WILDSTYLE_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> EvaluationSpec:
    folder = tmp_path_factory.mktemp("shop")
    made = write_made_up_set(MadeUpSet(kind="held-back", people=12, gallery=2, probes=3, seed=3), folder)
    return EvaluationSpec(name="shop", path=made.manifests["camera"], faces=made.faces, role="target")


@pytest.fixture(scope="module")
def job(spec: EvaluationSpec) -> CalibrateJob:
    return CalibrateJob(recogniser=demo_recogniser_path(), evaluate=(spec,), targets=(0.1, 0.01, 1e-6))


@pytest.fixture(scope="module")
def found(job: CalibrateJob) -> Calibration:
    return calibrate(job)["shop"]


@pytest.fixture(scope="module")
def written(job: CalibrateJob, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    paths = {kind: folder / f"mine.{kind}" for kind in ("onnx", "safetensors")}
    for path in paths.values():
        calibrate(replace(job, into=path))
    return paths


def told(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def test_thresholds_keep_their_rates_and_name_what_they_rest_on(found: Calibration) -> None:
    assert [one.target for one in found.thresholds] == [0.1, 0.01]
    assert found.refused[0][0] == 1e-6
    for one in found.thresholds:
        assert one.reached <= one.target
        assert one.low is not None
        assert one.low <= one.threshold
        assert one.impostors == found.counts["impostor comparisons"]
    assert {"fmr_rule", "pooling", "interval", "few_errors"} <= found.rules.keys()
    assert found.likelihood is not None
    assert found.likelihood.cllr >= found.likelihood.cllr_min - 0.05


@pytest.mark.parametrize("kind", ["onnx", "safetensors"])
def test_they_travel_with_the_model(written: dict[str, Path], found: Calibration, kind: str) -> None:
    contract = load_recogniser(written[kind]).contract
    original = load_recogniser(demo_recogniser_path())
    entry = contract.thresholds["1e-2"]
    assert np.float32(entry["threshold"]) == np.float32(found.thresholds[1].threshold)
    assert entry["data"].startswith("shop ")
    assert entry["people"] == found.counts["people"]
    assert entry["pooling"] == found.rules["pooling"]
    assert contract.likelihood["slope"] == pytest.approx(found.likelihood.map.slope, abs=1e-5)  # type: ignore[union-attr]
    if kind == "safetensors":  # an ONNX file is a graph of its own
        assert load_recogniser(written[kind]).hash == original.hash
    assert contract.with_(thresholds={}, likelihood={}) == original.contract


def test_show_tells_them(written: dict[str, Path]) -> None:
    shown = told("recogniser", "show", written["onnx"])
    assert shown.exit_code == 0
    joined = "".join(shown.output.split())
    assert '"1e-2":{"threshold":' in joined
    assert '"slope":' in joined


def test_a_calibrated_threshold_does_what_it_promises(
    written: dict[str, Path], spec: EvaluationSpec, found: Calibration
) -> None:
    job = EvaluateJob(recogniser=written["safetensors"], evaluate=(spec,), threshold="contract:1e-1")
    result = evaluate(job)["shop"]
    point = found.thresholds[0]
    measure_ = result.measure("fmr@threshold")
    assert measure_.value == pytest.approx(point.reached)
    assert measure_.threshold == pytest.approx(point.threshold)
    assert result.measure("fnmr@threshold").value == pytest.approx(1 - point.tar)
    assert result.measure("fpir@threshold").value is not None
    with pytest.raises(ContractError, match="1e-4"):
        evaluate(replace(job, threshold="contract:1e-4"))
    with pytest.raises(SettingError, match="no score"):
        evaluate(replace(job, threshold="high"))


def test_an_adapted_model_does_not_inherit_them(written: dict[str, Path]) -> None:
    calibrated = load_recogniser(written["safetensors"])
    adapted = _signed(calibrated.trainable_copy(), calibrated)
    assert not adapted.contract.thresholds
    assert not adapted.contract.likelihood


def test_a_file_is_replaced_only_when_told_so(job: CalibrateJob, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save_recogniser(load_recogniser(job.recogniser), path)
    before = path.read_bytes()
    with pytest.raises(SettingError, match="there already"):
        calibrate(replace(job, into=path))
    assert path.read_bytes() == before
    calibrate(replace(job, into=path, force=True))
    assert load_recogniser(path).contract.thresholds
    with pytest.raises(SettingError, match=r"\.onnx"):
        calibrate(replace(job, into=tmp_path / "mine.pt"))
    with pytest.raises(SettingError, match="one set"):
        calibrate(replace(job, evaluate=job.evaluate * 2, into=tmp_path / "two.onnx"))
    with pytest.raises(NotMeasurable):
        calibrate(replace(job, targets=(1e-7,)))


def test_the_command_shows_and_writes(spec: EvaluationSpec, tmp_path: Path) -> None:
    out = tmp_path / "calibration.json"
    text = f"shop={spec.path},faces={spec.faces}"
    shown = told("calibrate", demo_recogniser_path(), text, "--fmr", "0.1,1e-6", "--out", out)
    assert shown.exit_code == 0, shown.output
    assert "log-likelihood ratio" in shown.output
    written = json.loads(out.read_text())["shop"]
    assert written["thresholds"][0]["target"] == 0.1
    assert written["refused"][0][0] == 1e-6
    assert "fmr_rule" in written["rules"]
    assert told("calibrate", demo_recogniser_path(), text, "--fmr", "2").exit_code != 0


def test_contracts_refuse_damaged_tables(found: Calibration) -> None:
    contract = load_recogniser(demo_recogniser_path()).contract
    fine = contract.with_(thresholds=threshold_table(found), likelihood=likelihood_entry(found))
    assert isinstance(fine, RecogniserContract)
    assert fine.threshold("0.01") == pytest.approx(found.thresholds[1].threshold)
    for wrong in ({"often": {"threshold": 0.3}}, {"1e-3": {}}, {"1e-3": {"threshold": "high"}}):
        with pytest.raises(ContractError, match="calibrated"):
            contract.with_(thresholds=wrong)
    with pytest.raises(ContractError, match="slope"):
        contract.with_(likelihood={"offset": 1.0})


def test_embeddings_stand_in_for_a_recogniser(spec: EvaluationSpec, tmp_path: Path) -> None:
    recogniser = load_recogniser(demo_recogniser_path())
    labelled = open_labelled(spec)
    outcome = measure(labelled, recogniser, cache=EmbeddingCache(tmp_path / "cache"))["shop"]
    rows = recogniser_rows(labelled, recogniser)
    path = tmp_path / "shop.npy"
    np.save(path, rows)
    # The pictures are not needed: the manifest alone is copied.
    alone = tmp_path / "alone.csv"
    alone.write_bytes(spec.path.read_bytes())
    given = EvaluationSpec(name="shop", path=alone, embeddings=path, role="target", by=("media",))
    result = evaluate(EvaluateJob(recogniser=path, evaluate=(given,)))["shop"]
    assert result.measure("rank-1").value == pytest.approx(outcome.points()["rank-1", "all"])
    with pytest.raises(SettingError, match="brings embeddings"):
        measure(open_labelled(given), recogniser)
    with pytest.raises(SettingError, match="distractors"):
        evaluate(EvaluateJob(recogniser=path, evaluate=(replace(given, distractors=spec.faces),)))
    with pytest.raises(SettingError, match="none for other"):
        evaluate(EvaluateJob(recogniser=path, evaluate=(given, replace(given, name="other", embeddings=None))))
    np.save(path, rows[:-1])
    with pytest.raises(InputError, match="one row a face"):
        evaluate(EvaluateJob(recogniser=path, evaluate=(given,)))


def recogniser_rows(labelled: LabelledSet, recogniser: Recogniser) -> NDArray[np.float32]:
    found = embed_source(recogniser, labelled.faces)
    return np.where(found.ok[:, None], found.vectors, 0)


def test_the_command_takes_sets_with_embeddings_alone(spec: EvaluationSpec, tmp_path: Path) -> None:
    recogniser, labelled = load_recogniser(demo_recogniser_path()), open_labelled(spec)
    path = tmp_path / "shop.npy"
    np.save(path, recogniser_rows(labelled, recogniser))
    assert read_embeddings(path).ok.all()
    shown = told("evaluate", f"shop={spec.path},embeddings={path}", "--bands", "16,24", "--by", "media", "--json")
    assert shown.exit_code == 0, shown.output
    groups = {measure["group"] for measure in json.loads(shown.output)["shop"]["measures"]}
    assert ">=24 px" in groups
    assert any(group.startswith("media=") for group in groups)
    refused = told("evaluate", f"shop={spec.path},embeddings={path}", f"more={spec.path}")
    assert refused.exit_code != 0
    assert "more" in str(refused.exception)
    assert "no labelled set" in str(told("evaluate", demo_recogniser_path()).exception)


def test_a_layout_that_is_named_is_read_as_such(tmp_path: Path) -> None:
    for layout in ("ijbc", "ijbs", "tinyface", "survface"):
        with pytest.raises(InputError):
            open_labelled(EvaluationSpec(name="x", path=tmp_path, layout=layout))  # type: ignore[arg-type]
