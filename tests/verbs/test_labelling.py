"""Labelling footage end to end: pages, answers, resuming, and the proxy on manifests and real clips."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import typer
from torch import Tensor, nn
from typer.testing import CliRunner

from wildstyle.cli.labelling import label_command, proxy_command
from wildstyle.errors import InputError, Interrupted, NotMeasurable
from wildstyle.evaluation.asking import AskingOptions
from wildstyle.evaluation.implied import Answer
from wildstyle.evaluation.proxy import ProxyOptions
from wildstyle.faces import ManifestRow, Pixels, encode_png, read_manifest, write_manifest
from wildstyle.madeup import demo_recogniser_path
from wildstyle.recognisers import Embeddings, Recogniser, RecogniserContract, load_recogniser
from wildstyle.verbs.answers import GivenAnswer, append_answers, read_answers
from wildstyle.verbs.jobs import EvaluateJob, parse_evaluation
from wildstyle.verbs.label_job import LabelJob, LabelReport, ShownPair
from wildstyle.verbs.labelling import label
from wildstyle.verbs.proxy import ProxyJob, proxy
from wildstyle.verbs.tracked import FootageJob, open_seen, tracks_of

PEOPLE, CAMERAS, FRAMES = 6, 3, 3


class Thumbnail(nn.Module):
    """Embeds a face as its own thumbnail; knows people by their colours."""

    def forward(self, images: Tensor) -> Tensor:
        small: Tensor = torch.nn.functional.avg_pool2d(images, 14).flatten(1)
        return small - small.mean(dim=1, keepdim=True)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WILDSTYLE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def recogniser() -> Recogniser:
    contract = RecogniserContract(
        model_id="thumbnail", channel_order="RGB", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), embedding_size=192
    )
    return Recogniser(Thumbnail(), contract)


def person(number: int) -> Pixels:
    small = np.random.default_rng(number).integers(40, 216, (8, 8, 3)).astype(np.float32)
    return np.asarray(cv2.resize(small, (112, 112), interpolation=cv2.INTER_NEAREST), np.uint8)


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    """``<camera>/<shot>.png``: nothing in the names says who it is."""
    rng = np.random.default_rng(0)
    shots = [(c, p, f) for c in range(CAMERAS) for p in range(PEOPLE) for f in range(FRAMES)]
    for number, (camera, who, _) in enumerate(shots):
        noise = rng.normal(0, 12, (112, 112, 3)) + rng.normal(0, 8, (1, 1, 3))
        image = np.clip(person(who) + noise, 0, 255).astype(np.uint8)
        path = tmp_path / "footage" / f"camera{camera}" / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(image))
    return tmp_path / "footage"


def truth(face: str) -> int:
    return int(Path(face).stem) // FRAMES % PEOPLE


def knows_all(shown: ShownPair) -> Answer:
    return "yes" if truth(shown.first) == truth(shown.second) else "no"


def job_for(footage: Path, **changes: object) -> LabelJob:
    out = footage.parent / "shop.csv"
    job = LabelJob(
        footage=FootageJob(footage=footage, work=footage.parent / "work"),
        recogniser=Path("unused"),
        out=out,
        questions=200,
    )
    return replace(job, **changes)  # type: ignore[arg-type]


def answer_page(report: LabelReport, answers: Callable[[str, str], str], to: Path) -> Path:
    """Fill in the rows beside the page."""
    with report.files["questions"].open(newline="") as file:
        rows = list(csv.DictReader(file))
    with to.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows({**row, "answer": answers(row["first"], row["second"])} for row in rows)
    return to


def yes_or_no(first: str, second: str) -> str:
    return "yes" if truth(first) == truth(second) else "no"


def test_answers_make_a_manifest_that_can_be_evaluated(footage: Path, recogniser: Recogniser) -> None:
    report = label(job_for(footage), asker=knows_all, recogniser=recogniser)
    assert report.faces == PEOPLE * CAMERAS * FRAMES
    assert report.tracks == PEOPLE * CAMERAS
    assert len(report.confirmed.people) == PEOPLE
    assert report.labelled == report.faces
    assert report.same.hits == report.same.trials > 0
    rows = read_manifest(report.files["protocol"]).rows
    assert {row.role for row in rows} == {"gallery", "probe"}
    assert {row.enrolled for row in rows} == {True, False}
    assert all(row.file and row.media and row.attributes["track"] for row in rows)
    by_person: dict[str, set[int]] = {}
    for row in rows:
        by_person.setdefault(str(row.subject), set()).add(truth(str(row.file)))
    assert sorted(map(len, by_person.values())) == [1] * PEOPLE

    from wildstyle.verbs.evaluate import evaluate

    assert report.evaluate is not None
    asked = EvaluateJob(recogniser=Path("unused"), evaluate=(parse_evaluation(report.evaluate),))
    found = evaluate(asked, recogniser=recogniser)["shop"]
    assert next(m for m in found.measures if m.name == "rank-1").value == 1.0


def test_nothing_is_labelled_without_answers(footage: Path, recogniser: Recogniser) -> None:
    report = label(job_for(footage), recogniser=recogniser)
    assert report.labelled == 0
    assert report.evaluate is None
    assert set(report.files) == {"answers", "page", "questions"}
    assert not (footage.parent / "shop.csv").exists()


def test_pages_lead_to_the_same_people(footage: Path, recogniser: Recogniser) -> None:
    job, filled = job_for(footage, questions=12), footage.parent / "filled.csv"
    report = label(job, recogniser=recogniser)
    rounds = 0
    while report.questions and rounds < 30:
        answer_page(report, yes_or_no, filled)
        report = label(replace(job, answers=(filled,)), recogniser=recogniser)
        rounds += 1
    assert len(report.confirmed.people) == PEOPLE
    assert report.labelled == report.faces
    assert not report.contradictions


def test_page_stands_alone_and_shows_no_score(footage: Path, recogniser: Recogniser) -> None:
    report = label(job_for(footage, questions=5), recogniser=recogniser)
    page = report.files["page"].read_text(encoding="utf-8")
    assert not re.search(r"https?://|src=\"(?!data:)|<link", page)
    assert page.count("<section") == report.questions == 5
    stored = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert stored is not None
    data = json.loads(stored.group(1))
    assert len(data["questions"]) == 5
    assert {"kind", "first", "second", "groups", "audit"} == data["questions"][0].keys()
    assert "score" not in stored.group(1)


def test_ctrl_c_keeps_answers_and_the_same_command_goes_on(footage: Path, recogniser: Recogniser) -> None:
    asked: list[tuple[str, str]] = []

    def stops(shown: ShownPair) -> Answer:
        if len(asked) == 9:
            raise KeyboardInterrupt
        asked.append((shown.first, shown.second))
        return knows_all(shown)

    with pytest.raises(Interrupted, match="9 answers, which are kept"):
        label(job_for(footage), asker=stops, recogniser=recogniser)
    ledger = job_for(footage).ledger
    assert len(ledger.read_text().splitlines()) == 10
    before = ledger.read_text()

    def goes_on(shown: ShownPair) -> Answer:
        if shown.ask.kind == "join":
            assert (shown.first, shown.second) not in asked
        return knows_all(shown)

    report = label(job_for(footage), asker=goes_on, recogniser=recogniser)
    assert ledger.read_text().startswith(before)
    whole = label(job_for(footage, out=footage.parent / "whole.csv"), asker=knows_all, recogniser=recogniser)
    assert report.confirmed.people == whole.confirmed.people
    assert ledger.read_text() == whole.files["answers"].read_text()


def test_contradictory_answers_are_told_with_their_pairs(footage: Path, recogniser: Recogniser) -> None:
    job, filled = job_for(footage), footage.parent / "filled.csv"
    label(job, recogniser=recogniser)
    a, b, c = "camera0/000.png", "camera1/018.png", "camera2/036.png"
    append_answers(
        filled, [GivenAnswer("join", a, b, "yes"), GivenAnswer("join", b, c, "yes"), GivenAnswer("join", a, c, "no")]
    )
    report = label(replace(job, answers=(filled,)), recogniser=recogniser)
    assert len(report.contradictions) == 1
    assert {frozenset(pair[:2]) for pair in report.contradictions[0]} == {
        frozenset((a, b)),
        frozenset((b, c)),
        frozenset((a, c)),
    }
    assert report.labelled == 0
    append_answers(filled, [GivenAnswer("join", a, c, "yes")])
    report = label(replace(job, answers=(filled,)), recogniser=recogniser)
    assert not report.contradictions
    assert report.labelled == 3 * FRAMES


def test_the_same_answers_given_twice_count_once(footage: Path, recogniser: Recogniser) -> None:
    job, filled = job_for(footage, questions=6), footage.parent / "filled.csv"
    answer_page(label(job, recogniser=recogniser), yes_or_no, filled)
    label(replace(job, answers=(filled,)), recogniser=recogniser)
    first = job.ledger.read_text()
    label(replace(job, answers=(filled, filled)), recogniser=recogniser)
    assert job.ledger.read_text() == first
    assert len(first.splitlines()) == 7


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("first,second\na,b\n", "has no column 'kind', 'answer'"),
        ("kind,first,second,answer\njoin,a,b,maybe\n", "answer is 'maybe'. Write yes, no or unsure"),
        ("kind,first,second,answer\njoin,a,zzz,yes\n", "face 'zzz' is not in this footage"),
        ("kind,first,second,answer\nother,a,b,yes\n", "kind is 'other'"),
        ("", "has no column"),
    ],
)
def test_a_wrong_answers_file_is_one_clear_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_answers(path, {"a": 0, "b": 1})
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_answers_survive_a_torn_row(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    append_answers(path, [GivenAnswer("join", "a", "b", "yes")])
    whole = path.read_bytes()
    path.write_bytes(whole + b'join,"a')
    assert read_answers(path, {"a": 0, "b": 1}) == [GivenAnswer("join", "a", "b", "yes")]
    append_answers(path, [GivenAnswer("same", "b", "a", "unsure")])
    assert path.read_bytes() == whole + b"same,b,a,unsure\n"


def test_words_for_answers_and_names_with_commas(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text('number,Kind,first,second,answer\n1,join,"a,1",b, Y \n2,join,b,"a,1",can\'t tell\n3,join,b,b,\n')
    found = read_answers(path, {"a,1": 0, "b": 1})
    assert [(a.first, a.answer) for a in found] == [("a,1", "yes"), ("b", "unsure")]


def test_one_track_and_a_wrong_name_are_refused(footage: Path, recogniser: Recogniser, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.csv"):
        job_for(footage, out=tmp_path / "shop.txt")
    one = tmp_path / "one"
    one.mkdir()
    (one / "a.png").write_bytes(encode_png(person(0)))
    with pytest.raises(InputError, match="nothing to ask"):
        label(job_for(one, out=tmp_path / "one.csv"), recogniser=recogniser)


def test_a_file_of_something_else_is_not_overwritten(footage: Path, recogniser: Recogniser) -> None:
    job = job_for(footage)
    job.out.write_text("file\nmine\n")
    with pytest.raises(InputError, match="was not made by labelling"):
        label(job, recogniser=recogniser)
    assert job.out.read_text() == "file\nmine\n"


def test_a_protocol_does_not_outlive_a_correction(footage: Path, recogniser: Recogniser) -> None:
    job, wrong = job_for(footage), footage.parent / "wrong.csv"
    report = label(job, asker=knows_all, recogniser=recogniser)
    assert job.out.exists()
    joined = read_answers(job.ledger, {str(p.relative_to(footage)): 0 for p in footage.rglob("*.png")})
    append_answers(wrong, [replace(a, answer="unsure") for a in joined if a.answer == "yes" and a.kind != "same"])
    report = label(replace(job, answers=(wrong,)), recogniser=recogniser)
    assert report.labelled == 0
    assert report.why_not
    assert not job.out.exists()


def test_choosing_easy_tracks_first_is_told(footage: Path, recogniser: Recogniser) -> None:
    fair = label(job_for(footage, questions=8), asker=knows_all, recogniser=recogniser)
    assert "had their turn at random" in fair.bias
    likely = job_for(footage, questions=8, out=footage.parent / "l.csv", asking=AskingOptions(order="likely"))
    assert "easy faces were labelled first" in label(likely, asker=knows_all, recogniser=recogniser).bias


def test_a_face_without_an_embedding_stays_in_its_track(footage: Path, recogniser: Recogniser) -> None:
    path = together(footage, boxes=True)
    seen = open_seen(FootageJob(footage=path, faces=footage, work=footage.parent / "work"))
    ok = np.ones(len(seen.rows), bool)
    vectors = np.zeros((len(ok), 4), np.float32)
    vectors[np.arange(len(ok)), [truth(str(row.file)) % 4 for row in seen.rows]] = 1
    ok[1], vectors[1] = False, np.nan
    norms = np.where(ok, 1, np.nan).astype(np.float32)
    track = tracks_of(seen, Embeddings(vectors, norms, ok, []))
    assert track[0] == track[1] == track[2]
    ok[:3] = False
    assert (tracks_of(seen, Embeddings(vectors, norms, ok, []))[:3] == -1).all()


def test_media_are_folders_columns_or_minutes(footage: Path, tmp_path: Path) -> None:
    seen = open_seen(FootageJob(footage=footage, work=tmp_path / "work"))
    assert {row.media for row in seen.rows} == {"camera0", "camera1", "camera2"}
    assert {row.subject for row in seen.rows} == {None}
    rows = [
        ManifestRow(file=f"camera0/{n:03d}.png", media="door", attributes={"frame": str(n), "seconds": str(40 * n)})
        for n in range(4)
    ]
    write_manifest(tmp_path / "door.csv", rows)
    job = FootageJob(footage=tmp_path / "door.csv", faces=footage, work=tmp_path / "work", media_minutes=1.0)
    assert [row.media for row in open_seen(job).rows] == ["door@0", "door@0", "door@1", "door@2"]


def together(footage: Path, *, boxes: bool) -> Path:
    """A manifest in which people 0 and 1 (2 and 3, 4 and 5) of a camera stand beside each other, 20 frames apart."""
    rows = []
    for camera in range(CAMERAS):
        for who in range(PEOPLE):
            for shot in range(FRAMES):
                number = (camera * PEOPLE + who) * FRAMES + shot
                frame = 1000 * (who // 2) + 20 * shot
                place = {"box": f"{100 * (who % 2)} 0 {100 * (who % 2) + 50} 50"} if boxes else {"track": f"t{who}"}
                attributes = {"frame": str(frame), **place}
                rows.append(
                    ManifestRow(file=f"camera{camera}/{number:03d}.png", media=f"c{camera}", attributes=attributes)
                )
    path = footage.parent / "together.csv"
    write_manifest(path, rows)
    return path


@pytest.mark.parametrize("boxes", [True, False])
def test_proxy_on_manifests_with_boxes_or_tracks(footage: Path, recogniser: Recogniser, boxes: bool) -> None:
    path = together(footage, boxes=boxes)
    job = ProxyJob(
        footage=FootageJob(footage=path, faces=footage, work=footage.parent / "work"),
        recogniser=Path("unused"),
        options=ProxyOptions(fmr_targets=(0.1,)),
    )
    report = proxy(job, recogniser=recogniser, after=recogniser)
    assert report.result.counts["tracks"] == PEOPLE * CAMERAS
    assert report.result.counts["mated pairs"] == PEOPLE * CAMERAS * 3
    assert report.result.counts["impostor pairs"] == PEOPLE // 2 * CAMERAS * FRAMES
    tar = next(m for m in report.result.measures if m.name == "proxy-tar@fmr=1e-1")
    assert tar.value == 1.0
    assert report.comparison is not None
    assert all(d.gain in (0.0, None) for d in report.comparison.differences)


def test_proxy_without_frames_says_what_is_missing(footage: Path, recogniser: Recogniser) -> None:
    job = ProxyJob(footage=FootageJob(footage=footage, work=footage.parent / "work"), recogniser=Path("unused"))
    with pytest.raises(InputError, match="neither tracks nor frames"):
        proxy(job, recogniser=recogniser)


def test_people_seen_together_are_never_asked_about(footage: Path, recogniser: Recogniser) -> None:
    path = together(footage, boxes=True)
    seen = FootageJob(footage=path, faces=footage, work=footage.parent / "work")
    job = replace(job_for(footage), footage=seen, asking=AskingOptions(audit=0.0))

    def asker(shown: ShownPair) -> Answer:
        cameras = {Path(face).parent.name for face in (shown.first, shown.second)}
        pair = {truth(shown.first) // 2, truth(shown.second) // 2}
        beside = truth(shown.first) != truth(shown.second) and len(cameras) == len(pair) == 1
        assert not beside
        return knows_all(shown)

    report = label(job, asker=asker, recogniser=recogniser)
    assert len(report.confirmed.people) == PEOPLE


def test_commands_ask_in_a_terminal_and_write_a_page(footage: Path, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command("label")(label_command)
    app.command("proxy")(proxy_command)
    out = tmp_path / "here.csv"
    given = ["label", str(footage), "--recogniser", str(demo_recogniser_path()), "--out", str(out), "--alike", "0.9"]
    page = CliRunner().invoke(app, given)
    assert page.exit_code == 0, page.output
    assert "questions are on the page" in page.output
    asked = CliRunner().invoke(app, [*given, "--ask", "terminal"], input="yes\nperhaps\nno\n\n")
    assert asked.exit_code == 0, asked.output
    assert "Write yes, no or unsure" in asked.output
    answers = out.with_suffix(".answers.csv").read_text().splitlines()
    assert [line.rpartition(",")[2] for line in answers] == ["answer", "yes", "no"]
    seen = ["proxy", str(demo_recogniser_path()), str(together(footage, boxes=True)), "--faces", str(footage)]
    shown = CliRunner().invoke(app, [*seen, "--after", str(demo_recogniser_path()), "--out", str(tmp_path / "p.json")])
    assert shown.exit_code == 0, shown.output
    assert "proxy, not an error rate" in shown.output
    assert json.loads((tmp_path / "p.json").read_text())["before"]["protocol"] == "proxy"


def test_three_real_clips_side_by_side(data_dir: Path, tmp_path: Path) -> None:
    """Each clip shows one person; laid side by side they are three people in one picture."""
    pytest.importorskip("av")
    models = data_dir / "models"
    recogniser = load_recogniser(models / "mobilefacenet.onnx", contract="rgb,imagenet")
    apart = FootageJob(
        footage=data_dir / "video",
        work=tmp_path / "cut",
        detector=models / "scrfd_2.5g_bnkps.onnx",
        per_second=1.5,
    )
    with pytest.raises(NotMeasurable, match="no two faces are in one frame"):
        proxy(ProxyJob(footage=apart, recogniser=Path("unused")), recogniser=recogniser)
    found = open_seen(apart)
    assert found.linkable
    asked = LabelJob(footage=apart, recogniser=Path("unused"), out=tmp_path / "clips.csv")
    labelled = label(asked, recogniser=recogniser, asker=lambda shown: "no")
    assert labelled.tracks == 3
    assert labelled.labelled == 0
    clips = sorted({str(row.media) for row in found.rows})
    rows = []
    seen = dict.fromkeys(clips, 0)  # the clips have different rates: their n-th pictures are laid side by side
    for row in found.rows:
        seen[str(row.media)] += 12
        shift = 320 * clips.index(str(row.media))
        left, top, right, bottom = (float(v) for v in row.attributes["box"].split())
        box = f"{left + shift:.0f} {top:.0f} {right + shift:.0f} {bottom:.0f}"
        attributes = {"frame": str(seen[str(row.media)]), "box": box}
        rows.append(replace(row, media="wall", attributes=attributes))
    write_manifest(tmp_path / "wall.csv", rows)
    footage = FootageJob(footage=tmp_path / "wall.csv", faces=found.location, work=tmp_path)
    options = ProxyOptions(min_gap=12, fmr_targets=(0.1,))
    report = proxy(ProxyJob(footage=footage, recogniser=Path("unused"), options=options), recogniser=recogniser)
    assert report.result.counts["tracks"] == 3
    tar = next(m for m in report.result.measures if m.name == "proxy-tar@fmr=1e-1")
    assert tar.value is not None
    assert tar.value > 0.9
