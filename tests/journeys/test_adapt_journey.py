"""The whole way on made-up people: what it leaves, and that stopping changes nothing."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from journeys_world import Stopper  # type: ignore[import-not-found]

from wildstyle.adaptation.gating import GateSettings, QualitySettings
from wildstyle.errors import Interrupted, StorageError
from wildstyle.recognisers import BranchedNetwork, load_recogniser, read_contract
from wildstyle.recognisers.quality import QualityGate
from wildstyle.verbs.adapt import AdaptOutcome, adapt
from wildstyle.verbs.rereport import rereport

LEFT = ("config.json", "provenance.json", "recogniser.safetensors", "recogniser.onnx", "report.html", "model_card.md")


@pytest.fixture(scope="module")
def finished(world, tmp_path_factory) -> AdaptOutcome:  # type: ignore[no-untyped-def]
    return adapt(world.job(tmp_path_factory.mktemp("finished") / "run"))


def test_a_run_leaves_everything(finished: AdaptOutcome) -> None:
    folder = finished.folder.path
    for name in (*LEFT, "verdict.json", "metrics/evaluation-camera.json", "metrics/checks.json"):
        assert (folder / name).stat().st_size > 0, name
    assert finished.verdict.message in (folder / "report.html").read_text(encoding="utf-8")
    record = json.loads((folder / "metrics/evaluation-camera.json").read_text())
    rank1 = next(d for d in record["comparison"]["differences"] if d["name"] == "rank-1" and d["group"] == "all")
    assert rank1["low"] <= rank1["gain"] <= rank1["high"]
    assert rank1["n"] == 12


def test_nothing_in_a_run_names_its_place(finished: AdaptOutcome) -> None:
    for path in finished.folder.path.rglob("*.json"):
        text = path.read_text(encoding="utf-8")
        # What the user typed is kept as typed; nothing else may hold a place.
        assert str(finished.folder.path) not in text or path.name == "config.json", path


def test_the_onnx_file_is_the_adapted_recogniser(finished: AdaptOutcome) -> None:
    import onnxruntime

    file = finished.folder.path / "recogniser.onnx"
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).standard_normal((3, 3, 112, 112)).astype(np.float32)
    (found,) = session.run(None, {session.get_inputs()[0].name: images})
    loaded = load_recogniser(finished.folder.path / "recogniser.safetensors")
    with torch.inference_mode():
        wanted = loaded.network(torch.from_numpy(images)).numpy()
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (found, wanted)]
    assert np.abs(unit[0] - unit[1]).max() < 1e-4
    contract = read_contract(file)
    assert contract == loaded.contract
    assert contract.base_model_hash


def test_adaptation_changes_the_weights_and_leaves_the_original(finished: AdaptOutcome, world) -> None:  # type: ignore[no-untyped-def]
    assert finished.recogniser.hash != load_recogniser(world.recogniser).hash


def test_a_finished_run_is_not_done_again(finished: AdaptOutcome, world) -> None:  # type: ignore[no-untyped-def]
    before = (finished.folder.path / "recogniser.safetensors").read_bytes()
    again = adapt(world.job(finished.folder.path), progress=Stopper("learn the camera", 1))
    assert again.verdict == finished.verdict
    assert (finished.folder.path / "recogniser.safetensors").read_bytes() == before


@pytest.mark.parametrize(("stage", "step"), [("learn the camera", 2), ("adapt", 1), ("measure", 0), ("export", 0)])
def test_stopped_and_continued_ends_the_same(
    finished: AdaptOutcome,
    world,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    stage: str,
    step: int,
) -> None:
    job = world.job(tmp_path / "run")
    with pytest.raises((Interrupted, KeyboardInterrupt)):
        adapt(job, progress=Stopper(stage, step))
    assert not list((tmp_path / "run").rglob("*.part"))
    adapt(job)
    for name in ("recogniser.safetensors", "recogniser.onnx", "work/fit/generator.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (finished.folder.path / name).read_bytes(), name


def gated_job(world, out: Path):  # type: ignore[no-untyped-def]
    gate = GateSettings(
        enabled=True, lower=20.0, upper=60.0, quality=QualitySettings(faces=40, curve_faces=16, least_correlation=-1.0)
    )
    return replace(world.job(out), gate=gate)


def test_with_a_gate_one_file_holds_both_sides(world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises((Interrupted, KeyboardInterrupt)):
        adapt(gated_job(world, tmp_path / "run"), progress=Stopper("teach quality", 0))
    outcome = adapt(gated_job(world, tmp_path / "run"))
    network = outcome.recogniser.network
    assert isinstance(network, BranchedNetwork)
    assert isinstance(network.gate, QualityGate)
    assert (network.gate.lower, network.gate.upper) == (20.0, 60.0)
    told = json.loads((tmp_path / "run/metrics/diagnostics-gate.json").read_text())
    assert {figure["name"]: figure["value"] for figure in told["figures"]} == {"lower knee": 20.0, "upper knee": 60.0}
    loaded = load_recogniser(tmp_path / "run/recogniser.safetensors")
    assert loaded.hash == outcome.recogniser.hash
    assert load_recogniser(tmp_path / "run/recogniser.onnx").contract == loaded.contract
    untouched = load_recogniser(world.recogniser)
    faces = torch.rand(4, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        weights = network.gate(loaded.contract.normalise(faces))
        above = weights[:, 0] == 0
        torch.testing.assert_close(loaded.embed(faces)[above], untouched.embed(faces)[above], rtol=0, atol=1e-5)
        assert not above.all() or (network.adapted(faces) - network.untouched(faces)).abs().max() > 0


def test_too_few_clean_faces_for_a_gate_leave_it_out_and_say_so(world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    job = gated_job(world, tmp_path / "run")
    outcome = adapt(replace(job, gate=replace(job.gate, lower=None, upper=None)))
    assert not isinstance(outcome.recogniser.network, BranchedNetwork)
    told = json.loads((tmp_path / "run/metrics/diagnostics-gate.json").read_text())
    assert "fewer than 60 clean faces" in told["figures"][0]["meaning"]


def test_a_full_disk_is_one_sentence_and_loses_nothing(
    world,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import errno

    from wildstyle.verbs import adapt as module

    def full(*_: object, **__: object) -> None:
        raise StorageError("the disk is full", where=tmp_path) from OSError(errno.ENOSPC, "No space left on device")

    job = world.job(tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(module, "save_recogniser", full)
        with pytest.raises(StorageError):
            adapt(job)
    assert (tmp_path / "run/work/fit/generator.safetensors").exists()
    assert not (tmp_path / "run/recogniser.safetensors").exists()
    adapt(job, progress=Stopper("learn the camera", 1))


def test_without_labelled_footage_the_verdict_asks_for_people(world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    outcome = adapt(replace(world.job(tmp_path / "run"), evaluate=()))
    assert outcome.verdict.decision == "not enough evidence"
    assert outcome.verdict.needed
    assert any(character.isdigit() for character in outcome.verdict.needed[0].sentence)


def test_a_moved_run_can_be_reported_again(finished: AdaptOutcome, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(finished.folder.path, moved)
    (moved / "report.html").unlink()
    verdict, report = rereport(moved)
    assert verdict == finished.verdict
    assert report.is_file()
    assert report.is_relative_to(moved)
