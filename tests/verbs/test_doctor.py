"""The doctor: its figures by hand, and causes planted into real sets."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from wildstyle.cli.main import app
from wildstyle.faces import (
    FaceRecord,
    ManifestRow,
    Pixels,
    encode_png,
    open_faces,
    open_pairs,
    read_manifest,
    write_manifest,
)
from wildstyle.madeup import MadeUpSet, demo_recogniser_path, write_made_up_set
from wildstyle.recognisers import Recogniser, load_recogniser, save_recogniser
from wildstyle.verbs.doctoring import Diagnosis, DoctorJob, Finding, doctor
from wildstyle.verbs.doctoring.cutting import TRIED, Warp
from wildstyle.verbs.doctoring.examining import affordable, sentence
from wildstyle.verbs.doctoring.finding import ranked
from wildstyle.verbs.doctoring.looking import Looked
from wildstyle.verbs.doctoring.patient import Change as Done
from wildstyle.verbs.doctoring.patient import Tried, verdict_on
from wildstyle.verbs.doctoring.pooling import pooling_findings
from wildstyle.verbs.doctoring.preparing import BOTH, ORDER, RANGE, contract_name, simplest_first
from wildstyle.verbs.doctoring.sample import Altered
from wildstyle.verbs.doctoring.separation import Comparisons, Gain, gains
from wildstyle.verbs.doctoring.sharing import TRAINING
from wildstyle.verbs.jobs import EvaluationSpec, parse_evaluation
from wildstyle.verbs.measuring import LabelledSet

RIGHT = "rgb,imagenet"
Change = Callable[[Pixels], Pixels]


def comparisons(first: list[int], second: list[int], people: list[int]) -> Comparisons:
    a, b, p = (np.array(values, np.int64) for values in (first, second, people))
    return Comparisons(a, b, p[a] == p[b], p)


def test_separation_by_hand() -> None:
    # Two people with two faces: mated 0.8 and 0.6 (mean 0.7, variance 0.01), impostors 0.1, 0.1, 0.3, 0.3.
    listed = comparisons([0, 2, 0, 0, 1, 1], [1, 3, 2, 3, 2, 3], [0, 0, 1, 1])
    scores = np.array([0.8, 0.6, 0.1, 0.1, 0.3, 0.3])
    assert listed.separations(scores, np.ones((1, 2)))[0] == pytest.approx((0.7 - 0.2) / np.sqrt(0.01))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_weighted_separation_is_that_of_repeated_comparisons(seed: int) -> None:
    rng = np.random.default_rng(seed)
    people = np.repeat(np.arange(5), 3)
    first, second = np.triu_indices(15, 1)
    listed = comparisons(first.tolist(), second.tolist(), people.tolist())
    scores, draw = rng.random(len(first)), rng.integers(1, 4, 5)
    one, other = people[first], people[second]
    times = np.where(listed.mated, draw[one], draw[one] * draw[other])
    mated, rest = (np.repeat(scores[of], times[of]) for of in (listed.mated, ~listed.mated))
    expected = (mated.mean() - rest.mean()) / np.sqrt((mated.var() + rest.var()) / 2)
    assert listed.separations(scores, draw[None].astype(float))[0] == pytest.approx(expected)


def test_hits_at_a_strict_threshold() -> None:
    scores = np.array([0.9, 0.5, 0.2, *np.linspace(0, 0.5, 100)])
    listed = Comparisons(np.zeros(103, np.int64), np.zeros(103, np.int64), np.arange(103) < 3, np.zeros(1, np.int64))
    # One of 100 impostors may be accepted: the highest is 0.5, the next 0.4949.
    assert listed.hits(scores, 1e-2) == pytest.approx(2 / 3)
    assert np.isnan(listed.hits(scores, 1e-3))


def test_of_many_changes_without_effect_rarely_one_is_named() -> None:
    named = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        before = 2 + 0.1 * rng.normal(size=401)
        changes = []
        for _ in range(15):
            point = 0.05 * rng.normal()  # an estimate of nothing, as uncertain as its draws say
            changes.append(before + point + np.append(0, 0.05 * rng.normal(size=400)))
        named += any(gain.sure > 0 for gain in gains(before, changes))
    assert named <= 12  # 5 are expected; without the allowance for 15 changes it would be 50


def test_verdicts() -> None:
    def gain(value: float, low: float, sure: float) -> Gain:
        return Gain(2.0, 2.0 + value, value, low, 2 * value, sure)

    assert verdict_on(gain(0.2, 0.1, 0.05)) == "this is it"
    assert verdict_on(gain(0.03, 0.02, 0.01)) == "maybe"  # sure, but 1.5 %
    assert verdict_on(gain(0.01, 0.008, 0.005)) == "ruled out"  # sure, but nothing
    assert verdict_on(gain(0.2, 0.05, -0.05)) == "maybe"  # chance among so many
    assert verdict_on(gain(0.2, -0.05, -0.1)) == "ruled out"
    assert verdict_on(gain(0.03, 0.02, 0.01), 0.01) == "this is it"


def test_warps_move_as_they_say() -> None:
    image = np.zeros((112, 112, 3), np.uint8)
    image[50, 40] = 255
    assert Warp(right=5, down=-3).apply(image)[47, 45, 0] == 255
    assert Warp(turn=180).apply(image)[61, 71, 0] > 200
    assert Warp().apply(image).tolist() == image.tolist()
    grown = np.asarray(Warp(zoom=1.25).matrix(112) @ [55.5 + 8, 55.5, 1])
    assert grown == pytest.approx([65.5, 55.5])
    wide = np.asarray(Warp(widen=2).matrix(112) @ [55.5 + 8, 40, 1])
    assert wide == pytest.approx([71.5, 40])
    assert len({warp.name for warp in TRIED}) == len(TRIED)


def test_ranking_and_sentence() -> None:
    causes: tuple[tuple[str, str, str, float], ...] = (
        ("a", "ruled out", "lowers", 9),
        ("b", "this is it", "raises", 9),
        ("c", "this is it", "lowers", 1),
        ("d", "this is it", "lowers", 2),
        ("e", "maybe", "lowers", 9),
    )
    findings = [
        Finding(cause=c, verdict=v, effect=e, evidence="", weight=w, remedy=f"mend {c}")  # type: ignore[arg-type]
        for c, v, e, w in causes
    ]
    order = ranked(findings)
    assert [f.cause for f in order] == ["d", "c", "b", "e", "a"]
    assert sentence(order, (), 0.5).startswith("It is the d: mend d; then look at c.")
    assert sentence(order, (), 0.5).endswith("before this is mended: b.")
    none = sentence(order[3:], ("By size: x.",), 0.5)
    assert "adapt" in none
    assert none.endswith("By size: x.")
    assert "not low" in sentence(order[3:], (), 0.99)


def test_slow_recognisers_get_fewer_faces() -> None:
    assert affordable(1e6, 1) == 800
    assert affordable(0.1, 1) == 160
    assert affordable(64, 2) == affordable(32, 1)


def test_contracts_have_names() -> None:
    from wildstyle.recognisers import parse_contract

    for text in ("rgb,pm1", "bgr,imagenet", "rgb,raw"):
        contract = parse_contract(text).contract(model_id="x", embedding_size=4)
        assert contract_name(contract) == text
    assert contract_name(contract.with_(std=(0.3, 0.3, 0.3))) == "rgb,own range"


def test_a_way_with_one_slip_wins_a_tie_against_two() -> None:
    def way(name: str, value: float, sure: float = 0.1) -> Tried:
        return Tried(Done(name, np.zeros((1, 1), np.float32), ""), Gain(2, 2 + value, value, 0.1, 1, sure), 0.5)

    kinds = {"rgb,s128": BOTH, "rgb,pm1": ORDER, "rgb,unit": RANGE}
    order = [way("rgb,s128", 1.0), way("rgb,pm1", 0.98), way("rgb,unit", 0.2)]
    assert [t.change.name for t in simplest_first(order, kinds)] == ["rgb,pm1", "rgb,s128", "rgb,unit"]
    assert simplest_first([way("rgb,s128", 1.0), way("rgb,pm1", 0.96)], kinds)[0].change.name == "rgb,s128"
    # What is not sure itself does not win.
    assert simplest_first([way("rgb,s128", 1.0), way("rgb,pm1", 0.98, -0.1)], kinds)[0].change.name == "rgb,s128"


def template_set(norms: list[float]) -> tuple[LabelledSet, Looked]:
    """30 people with a gallery template of two faces, the second of which is anybody's, and two probes."""
    rng = np.random.default_rng(0)
    rows, vectors = [], []
    for person in range(30):
        own = rng.normal(size=16)
        for place, (role, template) in enumerate((("gallery", "t"), ("gallery", "t"), ("probe", "a"), ("probe", "b"))):
            vectors.append(rng.normal(size=16) if place == 1 else own + 0.5 * rng.normal(size=16))
            rows.append(
                ManifestRow(file=f"{len(rows)}", subject=f"p{person}", role=role, template=f"{template}{person}")
            )
    unit = np.array(vectors, np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    records = tuple(row.described(FaceRecord(id=str(row.file), source="made")) for row in rows)
    people, ok = np.repeat(np.arange(30), 4), np.ones(120, bool)
    looked = Looked(np.arange(120), records, people, unit, np.tile(np.float32(norms), 30), ok, ())
    spec = EvaluationSpec(name="x", path=Path("x.csv"))
    return LabelledSet(spec, Altered([], []), rows=tuple(rows)), looked


def test_pooling_by_norm_is_offered_where_bad_faces_have_small_norms() -> None:
    labelled, looked = template_set([10, 1, 10, 10])
    found = pooling_findings(labelled, looked, 0)[0]
    assert (found.verdict, found.remedy) == ("maybe", "state the set with pooling=norm-weighted")
    assert found.low is not None
    assert found.low > 0
    same_norms = pooling_findings(*template_set([5, 5, 5, 5]), 0)[0]
    assert (same_norms.verdict, same_norms.gain) == ("ruled out", pytest.approx(0, abs=1e-5))
    weighted = replace(labelled, spec=replace(labelled.spec, pooling="norm-weighted"))
    assert pooling_findings(weighted, looked, 0)[0].verdict == "ruled out"


def test_single_faces_and_pairs_are_not_pooled() -> None:
    labelled, looked = template_set([1, 1, 1, 1])
    alone = replace(labelled, rows=tuple(replace(r, template=f"{k}") for k, r in enumerate(labelled.rows or ())))
    assert pooling_findings(alone, looked, 0)[0].evidence == "Every template is one face."
    assert pooling_findings(replace(labelled, rows=None), looked, 0)[0].verdict == "ruled out"


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WILDSTYLE_CACHE", str(shared_cache))


# -- causes planted into made-up sets ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Manifest and pictures of 20 made-up people: one enrolled face and three probes each."""
    folder = tmp_path_factory.mktemp("made-up")
    faces = write_made_up_set(MadeUpSet(kind="clean", people=20, shots=4, seed=3), folder).faces
    with open_faces(faces) as source:
        records = [source.record(i) for i in range(len(source))]
    seen: set[str | None] = set()
    rows = []
    for record in records:
        role = "probe" if record.subject in seen else "gallery"
        seen.add(record.subject)
        rows.append(ManifestRow(file=record.id, subject=record.subject, role=role))
    write_manifest(folder / "set.csv", rows)
    return folder / "set.csv", faces


def made_up_diagnosis(made_up: tuple[Path, Path], recogniser: Path, train: Path | None = None) -> Diagnosis:
    spec = parse_evaluation(f"x={made_up[0]},faces={made_up[1]}")
    return doctor(DoctorJob(recogniser=recogniser, evaluate=(spec,), faces=160, train=train))["x"]


def test_made_up_people_as_they_are_and_those_of_the_training_set(made_up: tuple[Path, Path]) -> None:
    found = {f.cause: f for f in made_up_diagnosis(made_up, demo_recogniser_path(), made_up[1]).findings}
    assert [f.cause for f in found.values() if f.verdict == "this is it"] == [TRAINING]
    assert found[TRAINING].evidence.startswith("20 of 20 people by name, 80 pictures")


def test_a_wrong_contract_inside_the_file_is_not_mended_by_a_flag(made_up: tuple[Path, Path], tmp_path: Path) -> None:
    right = load_recogniser(demo_recogniser_path())
    wrong = tmp_path / "wrong.safetensors"
    save_recogniser(Recogniser(right.network, right.contract.with_(channel_order="BGR")), wrong)
    diagnosis = made_up_diagnosis(made_up, wrong)
    first = diagnosis.findings[0]
    assert (first.cause, first.verdict) == ("colour order", "this is it")
    assert "the model file says bgr,pm1" in first.remedy
    assert "convert ORIGINAL --out FILE --contract rgb,pm1" in first.remedy
    training = next(f for f in diagnosis.findings if f.cause == TRAINING)
    assert training.verdict == "couldn't be tested"


# -- causes planted into real sets -------------------------------------------------------------------------------


def moved_down(image: Pixels) -> Pixels:
    return np.asarray(cv2.warpAffine(image, np.array([[1, 0, 0], [0, 1, 7.0]]), (112, 112)), np.uint8)


def pair_set(data: Path, out: Path, change: Change | None = None, swapped: float = 0.0) -> str:
    """75 mated and 75 other pairs of each of the first two folds of LFW as a folder."""
    source, pairs = open_pairs(data / "lfw_pairs112.tar")
    chosen: list[int] = []
    for fold in range(2):
        inside = np.flatnonzero(pairs.fold == fold)
        chosen += [*inside[pairs.same[inside]][:75], *inside[~pairs.same[inside]][:75]]
    faces = np.unique([pairs.first[chosen], pairs.second[chosen]])
    shown = dict(zip(faces.tolist(), faces.tolist(), strict=True))
    if swapped:
        some = np.random.default_rng(0).choice(faces, int(swapped * len(faces)), replace=False)
        shown |= dict(zip(some.tolist(), np.roll(some, 1).tolist(), strict=True))
    for face, other in shown.items():
        path = (out / source.record(face).id).with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        image = source.read(other).image
        path.write_bytes(encode_png(change(image) if change else image))
    lines = ["2\t75"]
    for k in chosen:
        ends = [Path(source.record(int(side[k])).id).stem.rsplit("_", 1) for side in (pairs.first, pairs.second)]
        (name, i), (other_name, j) = [(name, str(int(number))) for name, number in ends]
        lines.append("\t".join([name, i, j] if pairs.same[k] else [name, i, other_name, j]))
    (out / "pairs.txt").write_text("\n".join(lines) + "\n")
    source.close()
    return f"planted={out}"


def film_rows(data: Path, each: int = 12) -> list[ManifestRow]:
    """The gallery of the film faces and ``each`` probes a person."""
    sides: dict[str, dict[str, list[ManifestRow]]] = {}
    for row in read_manifest(data / "imfdb_tune.csv").rows:
        sides.setdefault(str(row.subject), {"gallery": [], "probe": []})[str(row.role)].append(row)
    found: list[ManifestRow] = []
    for side in sides.values():
        probes = side["probe"]
        places = np.linspace(0, len(probes) - 1, min(each, len(probes))).astype(int)
        found += [*side["gallery"], *(probes[k] for k in places)]
    return found


def film_set(data: Path, out: Path, rows: list[ManifestRow]) -> str:
    write_manifest(out / "films.csv", rows)
    return f"planted={out / 'films.csv'},faces={data / 'imfdb_tune112.tar'}"


def seen(data: Path, spec: str, contract: str = RIGHT, faces: int = 240) -> Diagnosis:
    job = DoctorJob(
        recogniser=data / "models" / "mobilefacenet.onnx",
        evaluate=(parse_evaluation(spec),),
        contract=contract,
        faces=faces,
    )
    return doctor(job)["planted"]


@pytest.mark.parametrize(
    ("contract", "cause", "remedy"),
    [
        ("rgb,imagenet", None, ""),
        pytest.param("bgr,imagenet", "colour order", "--contract rgb,imagenet", marks=pytest.mark.slow),
        pytest.param("rgb,unit", "value range", "--contract rgb,imagenet", marks=pytest.mark.slow),
        ("bgr,unit", "colour order and value range", "--contract rgb,imagenet"),
    ],
)
def test_contracts_on_pairs(data_dir: Path, tmp_path: Path, contract: str, cause: str | None, remedy: str) -> None:
    found = seen(data_dir, pair_set(data_dir, tmp_path), contract)
    if cause is None:
        assert found.named == ()
        assert "not low" in found.sentence
        return
    first = found.findings[0]
    assert (first.cause, first.verdict) == (cause, "this is it")
    assert remedy in first.remedy
    assert first.low is not None
    assert first.low > 0


@pytest.mark.slow
def test_moved_crops_on_pairs(data_dir: Path, tmp_path: Path) -> None:
    first = seen(data_dir, pair_set(data_dir, tmp_path, moved_down)).findings[0]
    assert (first.cause, first.verdict) == ("alignment", "this is it")
    assert "px up" in first.evidence


@pytest.mark.slow
def test_swapped_labels_on_pairs(data_dir: Path, tmp_path: Path) -> None:
    found = seen(data_dir, pair_set(data_dir, tmp_path, swapped=0.05))
    assert [f.cause for f in found.named] == ["mislabelled images"]


@pytest.mark.slow
def test_films_as_they_are(data_dir: Path, tmp_path: Path) -> None:
    found = seen(data_dir, film_set(data_dir, tmp_path, film_rows(data_dir)))
    assert found.named == ()
    assert "adapt" in found.sentence
    assert "<40 px" in found.concentrated[0]


@pytest.mark.slow
def test_wrong_range_on_films(data_dir: Path, tmp_path: Path) -> None:
    first = seen(data_dir, film_set(data_dir, tmp_path, film_rows(data_dir)), "rgb,pm1").findings[0]
    assert (first.cause, first.verdict) == ("value range", "this is it")


@pytest.mark.slow
def test_swapped_labels_on_films(data_dir: Path, tmp_path: Path) -> None:
    rows = film_rows(data_dir)
    present = np.array([k for k, row in enumerate(rows) if row.file])
    rng = np.random.default_rng(1)
    chosen = rng.choice(present, len(present) // 20, replace=False)
    swapped = list(rows)
    for place, other in zip(chosen, rng.permutation(chosen), strict=True):
        swapped[place] = replace(rows[place], file=rows[other].file, media=rows[other].media)
    found = seen(data_dir, film_set(data_dir, tmp_path, swapped))
    assert found.findings[0].cause == "mislabelled images"
    assert found.findings[0].verdict == "this is it"
    assert found.findings[0].examples


@pytest.mark.slow
def test_one_person_under_two_names_on_films(data_dir: Path, tmp_path: Path) -> None:
    rows = film_rows(data_dir)
    who = sorted({str(row.subject) for row in rows})[14]
    for role in ("gallery", "probe"):
        own = [k for k, row in enumerate(rows) if row.subject == who and row.role == role]
        for k in own[len(own) // 2 :]:
            rows[k] = replace(rows[k], subject="second name", template=f"{rows[k].template} 2")
    found = seen(data_dir, film_set(data_dir, tmp_path, rows))
    assert [f.cause for f in found.named] == ["duplicated identities"]
    assert "second name" in found.named[0].evidence


@pytest.mark.slow
def test_gallery_pictures_among_the_probes(data_dir: Path, tmp_path: Path) -> None:
    rows = film_rows(data_dir)
    copies = [replace(r, role="probe", template=None) for r in rows if r.role == "gallery"][::4]
    found = seen(data_dir, film_set(data_dir, tmp_path, [*rows, *copies]))
    assert {f.cause for f in found.named} == {"same pictures on both sides", "same film or take on both sides"}
    assert "don't trust the figure" in found.sentence


def test_command(data_dir: Path, tmp_path: Path) -> None:
    spec = pair_set(data_dir, tmp_path)
    model = str(data_dir / "models" / "mobilefacenet.onnx")
    out = tmp_path / "found.json"
    options = ["--contract", "bgr,imagenet", "--faces", "160", "--fmr", "1e-5", "--out", str(out)]
    said = CliRunner().invoke(app, ["doctor", model, spec, *options], catch_exceptions=False)
    assert said.exit_code == 0
    assert "too few impostors" in said.stdout
    record = json.loads(out.read_text())["planted"]
    assert next(f for f in record["findings"] if f["cause"] == "too few impostors")["verdict"] == "this is it"
