"""From faces to a report: worst errors, licences, stored draws, several runs, and the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wildstyle.cli import main
from wildstyle.errors import CorruptArchive, InputError, SettingError
from wildstyle.evaluation import Bootstrap, Outcome, Result
from wildstyle.evaluation.alarms import Site
from wildstyle.evaluation.paired_draws import store_draws
from wildstyle.faces import Face, FaceRecord, ManifestRow, PairList, open_faces
from wildstyle.madeup import MadeUpSet, demo_recogniser_path, write_made_up_set
from wildstyle.recognisers import EmbeddingCache, Recogniser, load_recogniser, save_recogniser
from wildstyle.runs import RunFolder
from wildstyle.runs.atomic import write_json
from wildstyle.verbs.errors_shown import (
    Scale,
    brightness,
    listed_candidates,
    sharpness,
    stands_out,
    template_candidates,
    worst_errors,
    yaw_ratio,
)
from wildstyle.verbs.jobs import AdaptJob, EvaluateJob, EvaluationSpec
from wildstyle.verbs.licences_found import brought_to, licence_in, licences_of, parse_licence
from wildstyle.verbs.measuring import LabelledSet, measure, open_labelled
from wildstyle.verbs.reporting import (
    ReportOptions,
    draws_path,
    measured_run,
    read_draws,
    read_run,
    report_results,
    write_draws,
    write_report,
)

BOOTSTRAP = Bootstrap(100)
FILE = {"bytes": 10, "files": 1, "sha256": "a3" * 32}
PROVENANCE = {
    "created": "2026-11-25T13:15:05Z",
    "arguments": [],
    "seeds": {"run": 0},
    "versions": {"wildstyle": "0"},
    "commit": None,
    "machine": {"processor": "x", "cores": 2, "memory_gib": None, "system": "x", "accelerators": []},
    "threads": {"torch": None},
}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> EvaluateJob:
    folder = tmp_path_factory.mktemp("faces")
    held_back = write_made_up_set(MadeUpSet(kind="held-back", people=6, gallery=2, probes=2, seed=9), folder)
    spec = EvaluationSpec(name="shop", path=held_back.manifests["camera"], faces=held_back.faces, role="target")
    return EvaluateJob(recogniser=demo_recogniser_path(), evaluate=(spec,))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> EmbeddingCache:
    return EmbeddingCache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def labelled(job: EvaluateJob) -> LabelledSet:
    return open_labelled(job.evaluate[0])


@pytest.fixture(scope="module")
def recogniser(job: EvaluateJob) -> Recogniser:
    return load_recogniser(job.recogniser)


@pytest.fixture(scope="module")
def outcome(labelled: LabelledSet, recogniser: Recogniser, cache: EmbeddingCache) -> Outcome:
    return measure(labelled, recogniser, cache=cache)["shop"]


@pytest.fixture
def stored(outcome: Outcome, tmp_path: Path) -> Path:
    """Results and draws as an evaluation leaves them."""
    path = tmp_path / "mine.json"
    write_json(path, {"shop": outcome.result(BOOTSTRAP).to_json()})
    write_draws(draws_path(path), {"shop": store_draws(outcome, BOOTSTRAP)})
    return path


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["wildstyle", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return run


# -- worst errors ----------------------------------------------------------------------------------------------


def test_worst_errors_of_a_manifest(labelled: LabelledSet, recogniser: Recogniser, cache: EmbeddingCache) -> None:
    pairs = worst_errors(labelled, recogniser, cache=cache, most=6)
    mated, impostors = ([p.score for p in pairs if p.kind == kind] for kind in ("mated", "impostor"))
    assert len(mated) == len(impostors) == 3
    assert mated == sorted(mated)
    assert impostors == sorted(impostors, reverse=True)
    assert all(p.data == "shop" and p.reason and p.probe.jpeg.startswith(b"\xff\xd8") for p in pairs)
    assert all(len(p.probe.jpeg) < 8000 for p in pairs)


def test_worst_errors_of_a_pair_set(labelled: LabelledSet, recogniser: Recogniser, cache: EmbeddingCache) -> None:
    people = labelled.faces.subjects()
    first = np.repeat(np.arange(len(people)), len(people))
    second = np.tile(np.arange(len(people)), len(people))
    keep = first < second
    first, second = first[keep], second[keep]
    same = np.array([people[a] == people[b] for a, b in zip(first, second, strict=True)])
    pairs = PairList(first, second, same, np.zeros(len(first), np.int64))
    shown = worst_errors(replace(labelled, rows=None, pairs=pairs), recogniser, cache=cache, most=4)
    assert [pair.kind for pair in shown] == ["mated", "mated", "impostor", "impostor"]
    with pytest.raises(InputError, match="pair set or a manifest"):
        worst_errors(replace(labelled, rows=None), recogniser, cache=cache)


def angles(*degrees: float) -> np.ndarray:
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_candidates_of_listed_pairs() -> None:
    vectors, ok = angles(0, 60, 10, 0, 80, 20), np.array([True] * 5 + [False])
    pairs = PairList(
        np.array([0, 0, 0, 1, 0]),
        np.array([1, 2, 4, 4, 5]),
        np.array([True, True, False, False, True]),
        np.zeros(5, int),
    )
    mated, impostors = listed_candidates(vectors, ok, pairs)
    assert [(c.probe, c.gallery) for c in mated] == [(0, 1), (0, 2)]
    assert [(c.probe, c.gallery) for c in impostors] == [(1, 4), (0, 4)]
    assert mated[0].score == pytest.approx(0.5)
    assert impostors[0].score == pytest.approx(np.cos(np.deg2rad(20)))


def test_candidates_of_templates() -> None:
    def row(subject: str | None, role: str, template: str | None = None) -> ManifestRow:
        return ManifestRow(subject=subject, role=role, template=template)

    rows = [
        row("a", "gallery", "A"),
        row("a", "gallery", "A"),
        row("b", "gallery"),
        row(None, "gallery"),
        row("a", "probe"),
        row("b", "probe"),
        row("c", "probe"),
        row("a", "probe"),
    ]
    vectors = angles(0, 20, 90, 200, 30, 100, 60, 0)
    ok = np.array([True] * 7 + [False])
    mated, impostors = template_candidates(vectors, ok, rows)
    # Template A points to 10 degrees; the picture nearest to the probe at 30 is the one at 20.
    assert [(c.probe, c.gallery) for c in mated] == [(4, 1), (5, 2)]
    assert mated[0].score == pytest.approx(np.cos(np.deg2rad(20)), abs=1e-6)
    # c is nobody of the gallery; a failed probe is no pair.
    assert [(c.probe, c.gallery) for c in impostors] == [(6, 2), (4, 2), (5, 1)]


def test_yaw_ratio_of_the_template_and_of_a_turned_head() -> None:
    template = np.array(
        [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
    )
    assert yaw_ratio(template.astype(np.float32)) == pytest.approx(0.003178, rel=0.01)
    turned = template.astype(np.float32) + np.float32([[0, 0], [0, 0], [10, 0], [0, 0], [0, 0]])
    assert yaw_ratio(turned) == pytest.approx(10.112 / 35.2372, abs=1e-4)
    assert yaw_ratio(None) is None
    assert yaw_ratio(np.zeros((5, 2), np.float32)) is None


def test_reasons_name_only_what_was_measured() -> None:
    rng = np.random.default_rng(0)
    sharp = rng.integers(70, 190, (112, 112, 3)).astype(np.uint8)
    scale = Scale(sharpness=np.linspace(10, sharpness(sharp), 50), scores=np.linspace(0.5, 0.9, 50))
    plain = Face(sharp, FaceRecord(id="x", source="s", size_before=120.0, detector_score=0.8))
    assert stands_out(plain, scale) == []
    points = np.array([[30, 50], [80, 50], [75, 70], [40, 90], [70, 90]], np.float32)
    bad = FaceRecord(id="y", source="s", size_before=18.0, detector_score=0.5, landmarks=points)
    dark = Face(np.full((112, 112, 3), 20, np.uint8), bad)
    assert stands_out(dark, scale) == ["small (18 px)", "turned sideways", "blurred", "weakly detected", "dark"]
    assert brightness(dark.image) == pytest.approx(20)
    assert sharpness(dark.image) == 0


# -- licences --------------------------------------------------------------------------------------------------


def test_licences_are_looked_for_beside_the_files(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.tar").write_bytes(b"")
    (tmp_path / "a" / "a.tar.license").write_text("SPDX-License-Identifier: CC-BY-NC-SA-4.0, i.e. CC BY-NC-SA")
    (tmp_path / "b" / "LICENSE").write_text("Permission is hereby granted, free of charge, to any person")
    (tmp_path / "c" / "README.md").write_text("| c.tar | faces, research only |\n| other.tar | MIT |\n")
    (tmp_path / "d" / "README.md").write_text("MIT is a university.\n\n## Licence\n\nApache 2.0\n")
    brought = {name: tmp_path / name / f"{name}.tar" for name in ("a", "b", "c", "d")}
    found = {one.name: (one.text, one.source) for one in licences_of(brought, {"x": "ask"})}
    assert found == {
        "a": ("CC BY-NC-SA", "a.tar.license"),
        "b": ("MIT", "LICENSE"),
        "c": ("research only", "README.md"),
        "d": ("Apache-2.0", "README.md"),
        "x": ("ask", "the user"),
    }


def test_what_nobody_states_is_not_stated(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("Some faces.")
    (one,) = licences_of({"shop": tmp_path / "shop.csv"})
    assert (one.text, one.source, one.file) == ("not stated", "", "shop.csv")
    (two,) = licences_of({"shop": tmp_path / "shop.csv"}, {"shop": "ours"})
    assert (two.text, two.source) == ("ours", "the user")


def test_licence_of_a_models_contract(recogniser: Recogniser, tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    save_recogniser(replace(recogniser, contract=recogniser.contract.with_(licence="ask the owner")), file)
    (tmp_path / "LICENSE").write_text("Apache License, Version 2.0")
    (one,) = licences_of({"recogniser": file})
    assert (one.text, one.source) == ("ask the owner", "contract")
    save_recogniser(replace(recogniser, contract=recogniser.contract.with_(licence="unknown")), file)
    (one,) = licences_of({"recogniser": file})
    assert (one.text, one.source) == ("Apache-2.0", "LICENSE")


def test_all_files_of_an_adapt_job_are_listed(job: EvaluateJob) -> None:
    (spec,) = job.evaluate
    adapt = AdaptJob(
        recogniser=job.recogniser,
        source=Path("clean.tar"),
        target=(Path("a.mp4"), Path("b.mp4")),
        out=Path("run"),
        detector=Path("d.onnx"),
        evaluate=(replace(spec, distractors=Path("more.tar")),),
    )
    names = ["recogniser", "source", "target", "target 2", "detector", "shop", "shop, distractors"]
    assert list(brought_to(adapt)) == names
    assert list(brought_to(job)) == ["recogniser", "shop"]


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("GNU Affero General Public License", "AGPL-3.0"),
        ("Licensed under the Apache License, Version 2.0", "Apache-2.0"),
        ("CC BY 4.0", "CC BY"),
        ("CC BY-NC 4.0; non-commercial", "CC BY-NC, non-commercial"),
        ("for academic research purposes only", "research only"),
        ("MITRE and permit", ""),
    ],
)
def test_names_of_licences(text: str, licence: str) -> None:
    assert licence_in(text) == licence


@pytest.mark.parametrize("text", ["lfw", "lfw=", "=MIT"])
def test_licence_option_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="name=licence"):
        parse_licence(text)


# -- results to a report ---------------------------------------------------------------------------------------


def test_run_of_a_job_lists_what_it_brought(job: EvaluateJob, outcome: Outcome) -> None:
    run = measured_run(job, {"shop": outcome.result(BOOTSTRAP)}, licences={"shop": "ours"})
    assert [(one.name, one.text) for one in run.licences][1:] == [("shop", "ours")]
    assert run.run.about["recogniser"] == job.recogniser.name


def test_draws_come_back_as_they_were(outcome: Outcome, tmp_path: Path) -> None:
    draws = {"shop": store_draws(outcome, BOOTSTRAP), "yard, north": store_draws(outcome, BOOTSTRAP)}
    write_draws(tmp_path / "x.draws.npz", draws)
    found = read_draws(tmp_path / "x.draws.npz")
    assert found.keys() == draws.keys()
    for name, wanted in draws.items():
        assert found[name].keys() == wanted.keys()
        assert all(np.array_equal(found[name][key], wanted[key], equal_nan=key.startswith("draws:")) for key in wanted)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 cut", b"text"])
def test_damaged_draws_are_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.draws.npz").write_bytes(data)
    with pytest.raises(CorruptArchive):
        read_draws(tmp_path / "x.draws.npz")


def test_same_results_side_by_side_differ_by_nothing(stored: Path) -> None:
    runs = [*read_run(stored, name="a"), *read_run(stored, name="b")]
    (compared,) = report_results(runs).side_by_side
    assert compared.unpaired == ""
    told = [d for d in compared.differences if d.low is not None]
    assert len(told) >= 3
    assert all((d.gain, d.low, d.high) == (0, 0, 0) for d in told)


def test_without_draws_the_report_says_so(stored: Path) -> None:
    first, second = (*read_run(stored, name="a"), *read_run(stored, name="b"))
    (compared,) = report_results([first, replace(second, draws={})]).side_by_side
    assert "no draws are stored beside the results of b" in compared.unpaired
    assert all(d.low is None for d in compared.differences)
    others = {"shop": {**second.draws["shop"], "people": np.zeros(32, np.uint8)}}
    (compared,) = report_results([first, replace(second, draws=others)]).side_by_side
    assert "people are others" in compared.unpaired


def test_reports_of_every_kind(stored: Path, tmp_path: Path) -> None:
    site = Site(gallery_size=500, faces_a_day=1000)
    report = report_results(read_run(stored), ReportOptions(title="Shop", site=site))
    assert [one.text for one in report.licences] == ["not stated", "not stated"]
    texts = {end: write_report(report, tmp_path / f"r{end}").read_text() for end in (".html", ".md", ".json")}
    assert "<h1>Shop</h1>" in texts[".html"]
    assert texts[".md"].startswith("# Shop")
    (again,) = read_run(tmp_path / "r.json")
    assert again.run.results == report.runs[0].results
    with pytest.raises(SettingError, match=r"ends in '\.pdf'"):
        write_report(report, tmp_path / "r.pdf")


@pytest.mark.parametrize(
    ("text", "fault"),
    [("{", "no JSON"), ("[1]", "no results"), ('{"a": 1}', "no results"), ('{"report": 9}', "schema 9")],
)
def test_other_files_are_refused(text: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=fault):
        read_run(tmp_path / "x.json")


def test_two_runs_of_one_name_are_refused(stored: Path) -> None:
    with pytest.raises(SettingError, match="same name"):
        report_results([*read_run(stored), *read_run(stored)])
    with pytest.raises(InputError, match="no results"):
        report_results([])


# -- command line ----------------------------------------------------------------------------------------------


def test_command_writes_and_shows(stored: Path, command: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    out = tmp_path / "side.html"
    code, said, _ = command("report", stored, f"other={stored}", "--out", out, "--licence", "shop=ours")
    assert (code, "side.html" in said) == (0, True)
    text = out.read_text()
    assert "other against mine" in text
    assert ">ours<" in text
    code, said, _ = command("report", stored)
    assert code == 0
    assert "Rank-1" in said
    assert "not stated" in said


def test_licence_of_a_run_is_stated_and_kept(command: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {})
    run.write_json("provenance", {**PROVENANCE, "inputs": {"evaluate shop": [{**FILE, "given": "some/shop.csv"}]}})
    assert command("report", run.path, "--licence", "shop=ours")[0] == 0
    assert command("report", run.path)[0] == 0
    card = (run.path / "model_card.md").read_text()
    assert "| shop | shop.csv | ours | the user |" in card
    assert json.loads((run.path / "metrics/licences.json").read_text())["licences"][0]["file"] == "shop.csv"


def test_command_refuses_what_it_cannot_do(stored: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    code, _, said = command("report", stored, "--gallery-size", 500)
    assert code == 1
    assert "both --gallery-size and --faces-a-day" in said
    code, _, said = command("report", stored, "--include-faces")
    assert code == 1
    assert "results hold no faces" in said
    code, _, said = command("report", stored.parent, "--out", stored.parent / "x.html")
    assert code == 1
    assert "takes no --out" in said


def test_results_of_one_set_alone_are_read(outcome: Outcome, tmp_path: Path) -> None:
    result: Result = outcome.result(BOOTSTRAP)
    write_json(tmp_path / "one.json", result.to_json())
    (run,) = read_run(tmp_path / "one.json")
    assert run.run.results == {"shop": result}


def test_faces_are_listed_by_the_set(labelled: LabelledSet) -> None:
    with open_faces(labelled.spec.faces or labelled.spec.path) as faces:
        scale = Scale.of(faces)
    assert len(scale.sharpness) > 10
    assert np.all(np.diff(scale.sharpness) >= 0)
