"""What two sets share, and duplicates inside one: small made sets, and real faces where they are at hand."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from wildstyle.cli.main import app
from wildstyle.errors import InputError
from wildstyle.faces import Pixels, decode_image, encode_jpeg, encode_png, open_faces
from wildstyle.madeup import demo_recogniser_path
from wildstyle.verbs.duplicates import find_duplicates, write_duplicates
from wildstyle.verbs.overlap import OverlapJob, overlap, write_overlap


def picture(seed: int, side: int = 112) -> Pixels:
    small = np.random.default_rng(seed).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def write(root: Path, name: str, data: bytes) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.fixture
def sets(tmp_path: Path) -> tuple[Path, Path]:
    train, test = tmp_path / "train", tmp_path / "test"
    for person in range(4):
        for k in range(2):
            write(train, f"p{person}/{k}.png", encode_png(picture(10 * person + k)))
    write(test, "p1/other.png", encode_png(picture(500)))  # the same name
    write(test, "q/same.png", encode_png(picture(20)))  # the very pixels of p2/0
    again = decode_image(encode_jpeg(picture(31), 70), where="test")
    write(test, "q/near.png", encode_png(again))  # p3/1, saved again
    write(test, "r/new.png", encode_png(picture(600)))
    return train, test


def test_names_and_pictures(sets: tuple[Path, Path], tmp_path: Path) -> None:
    train, test = sets
    found = overlap(OverlapJob(train=train, test=test))
    assert [(p.how, p.test, p.train) for p in found.pairs] == [
        ("same name", "p1", "p1"),
        ("same picture", "q/same.png", "p2/0.png"),
        ("near picture", "q/near.png", "p3/1.png"),
    ]
    assert [row[:2] for row in found.leave_out] == [
        ("p1/0.png", "p1"),
        ("p1/1.png", "p1"),
        ("p2/0.png", "p2"),
        ("p3/1.png", "p3"),
    ]
    assert found.threshold is None
    assert "Unknown overlap" in found.sentence()
    write_overlap(found, tmp_path / "pairs.csv", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[2] == {"id": "p2/0.png", "subject": "p2", "reason": "same picture as q/same.png"}
    assert len(list(train.rglob("*.png"))) == 8  # nothing is deleted


def test_nothing_shared(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        write(tmp_path, f"{name}/{name}/0.png", encode_png(picture(seed)))
    found = overlap(OverlapJob(train=tmp_path / "a", test=tmp_path / "b"))
    assert found.pairs == found.leave_out == ()


def test_of_many_copies_each_is_listed_once(tmp_path: Path) -> None:
    train, test = tmp_path / "train", tmp_path / "test"
    again = decode_image(encode_jpeg(picture(1), 70), where="test")
    for k in range(30):
        write(train, f"a/{k}.png", encode_png(picture(1)))
        write(test, f"b/{k}.png", encode_png(picture(1)))
        write(test, f"c/{k}.png", encode_png(again))
    found = overlap(OverlapJob(train=train, test=test))
    assert {p.train for p in found.pairs} == {f"a/{k}.png" for k in range(30)}
    assert {p.test for p in found.pairs} == {f"{name}/{k}.png" for name in "bc" for k in range(30)}
    assert len(found.pairs) < 100  # all pairs would be 1,800
    assert len(found.leave_out) == 30


def test_embeddings_with_a_stated_threshold(
    sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WILDSTYLE_CACHE", str(tmp_path / "cache"))
    train, test = sets
    write(train, "p9/same.png", encode_png(picture(600)))  # the only face of r, too
    job = OverlapJob(train=train, test=test, recogniser=demo_recogniser_path(), threshold=0.9999, pictures=False)
    found = overlap(job)
    by_embedding = {(p.test, p.train): p.score for p in found.pairs if p.how == "embedding"}
    assert by_embedding["r", "p9"] == pytest.approx(1.0, abs=1e-4)
    assert found.comparisons == 3 * 5
    assert found.expected_false > 0
    assert ("p9/same.png", "p9", "embedding as r 1.000") in found.leave_out


def test_duplicates_are_grouped_and_the_best_is_kept(tmp_path: Path) -> None:
    large, small = picture(1, 200), np.asarray(cv2.resize(picture(1, 200), (112, 112), interpolation=cv2.INTER_AREA))
    write(tmp_path, "a/large.png", encode_png(large))
    write(tmp_path, "a/small.png", encode_png(small.astype(np.uint8)))
    write(tmp_path, "b/other.png", encode_png(picture(2)))
    write(tmp_path, "b/broken.png", b"no picture")
    found = find_duplicates(tmp_path)
    assert [[(m.id, m.keep) for m in g.members] for g in found.groups] == [
        [("a/large.png", True), ("a/small.png", False)]
    ]
    assert (found.groups[0].kind, found.unreadable, found.to_spare) == ("near", 1, {"near": 1})
    write_duplicates(found, tmp_path / "groups.csv")
    lines = (tmp_path / "groups.csv").read_text().splitlines()
    assert lines[0] == "group,kind,id,subject,pixels,sharpness,keep"
    assert lines[1].startswith("1,near,a/large.png,a,40000,")
    assert lines[1].endswith(",1")


def test_the_same_file_twice_is_exact_and_two_names_are_seen(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png"):
        write(tmp_path, name, encode_png(picture(1)))
    found = find_duplicates(tmp_path)
    assert [(g.kind, g.people, len(g.members)) for g in found.groups] == [("exact", 2, 2)]
    with pytest.raises(InputError, match="no picture"):
        find_duplicates(only_broken(tmp_path / "x"))


def only_broken(root: Path) -> Path:
    return write(root, "a/broken.png", b"no picture").parents[1]


def test_commands(sets: tuple[Path, Path], tmp_path: Path) -> None:
    train, test = sets
    pairs, out = tmp_path / "p.csv", tmp_path / "l.csv"
    said = CliRunner().invoke(
        app, ["overlap", str(train), str(test), "--pairs", str(pairs), "--leave-out", str(out)], catch_exceptions=False
    )
    assert said.exit_code == 0
    assert pairs.read_text().count("\n") == 4
    said = CliRunner().invoke(
        app, ["faces", "duplicates", str(train), "--out", str(tmp_path / "d.csv")], catch_exceptions=False
    )
    assert said.exit_code == 0
    assert (tmp_path / "d.csv").is_file()


def test_real_people_under_other_names(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """60 training people; 6 of them are in the test set under other names, with other pictures."""
    monkeypatch.setenv("WILDSTYLE_CACHE", str(tmp_path / "cache"))
    train, test = tmp_path / "train", tmp_path / "test"
    with open_faces(data_dir / "source112.tar") as source:
        by_person: dict[str, list[int]] = {}
        for place, subject in enumerate(source.subjects()):
            by_person.setdefault(str(subject), []).append(place)
        for number, places in enumerate(list(by_person.values())[:80]):
            for k, place in enumerate(places[:6]):
                data = source.encoded(place)
                if number < 60 and (number >= 6 or k < 3):
                    write(train, f"t{number}/{k}.jpg", data)
                elif number < 6 or number >= 60:
                    write(test, f"s{number}/{k}.jpg", data)
    job = OverlapJob(
        train=train,
        test=test,
        recogniser=data_dir / "models" / "mobilefacenet.onnx",
        contract="rgb,imagenet",
        fmr=1e-3,
    )
    found = overlap(job)
    pairs = {(p.test, p.train) for p in found.pairs if p.how == "embedding"}
    assert {(f"s{i}", f"t{i}") for i in range(6)} <= pairs
    assert len(pairs) <= 6 + 3 * max(1, found.expected_false)
    assert found.expected_false == pytest.approx(1e-3 * 26 * 60)
    stated = overlap(replace(job, threshold=0.6, pictures=False))
    assert {(p.test, p.train) for p in stated.pairs} == {(f"s{i}", f"t{i}") for i in range(6)}
