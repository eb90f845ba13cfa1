from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from wildstyle.cli.protocol import protocol_app
from wildstyle.errors import InputError, LabelError
from wildstyle.evaluation import evaluate_pairs
from wildstyle.evaluation.building import BuildOptions
from wildstyle.faces import decode_image, encode_jpeg, open_faces, read_manifest
from wildstyle.madeup import demo_recogniser_path
from wildstyle.recognisers import load_recogniser
from wildstyle.verbs.building import BuildJob, build, read_pairs
from wildstyle.verbs.jobs import parse_evaluation
from wildstyle.verbs.measuring import measure, open_labelled


def picture(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (7, 7, 3)).astype(np.uint8)
    return encode_jpeg(np.kron(small, np.ones((16, 16, 1), np.uint8)))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Six people on three days, two pictures a day; one more person on one day only; one picture twice."""
    root = tmp_path / "shop"
    for p in range(6):
        for day in range(3):
            home = root / f"p{p}" / f"day{day}"
            home.mkdir(parents=True)
            for n in range(2):
                (home / f"{n}.jpg").write_bytes(picture(100 * p + 10 * day + n))
    (root / "solo" / "day0").mkdir(parents=True)
    (root / "solo" / "day0" / "0.jpg").write_bytes(picture(999))
    (root / "p0" / "day1" / "again.jpg").write_bytes(picture(10))
    return root


def test_written_files_and_their_record(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "shop.csv"
    report = build(BuildJob(faces=shop, out=out, options=BuildOptions(dev_share=0.3, seed=7)))
    assert {path.name for path in out.parent.iterdir()} == {
        "shop.csv",
        "shop.pairs.csv",
        "shop.tune.csv",
        "shop.tune.pairs.csv",
        "shop.json",
    }
    record = json.loads(report.files["record"].read_text())
    assert record["seed"] == 7
    assert record["left_out"] == [{"face": "p0/day1/again.jpg", "reason": "repeats p0/day1/0.jpg"}]
    for part in ("test", "tune"):
        said = record["parts"][part]
        assert said["sha256"] == hashlib.sha256((out.parent / said["manifest"]).read_bytes()).hexdigest()
        assert said["pairs_sha256"] == hashlib.sha256((out.parent / said["pairs"]).read_bytes()).hexdigest()
    people = [{row.subject for row in read_manifest(report.files[part]).rows} for part in ("test", "tune")]
    assert people[0] | people[1] == {"solo", *(f"p{p}" for p in range(6))}
    assert not people[0] & people[1]
    assert str(tmp_path) not in report.files["record"].read_text()
    rows = read_manifest(out).rows
    assert all(
        row.attributes["sha256"] == hashlib.sha256((shop / str(row.file)).read_bytes()).hexdigest() for row in rows
    )
    again = tmp_path / "again" / "shop.csv"
    build(BuildJob(faces=shop, out=again, options=BuildOptions(dev_share=0.3, seed=7)))
    for path in out.parent.iterdir():
        assert (again.parent / path.name).read_bytes() == path.read_bytes()
    # A folder knows no sizes: they stay empty rather than zero.
    assert all(row.min_side is None and "band" not in row.attributes for row in rows)


def test_what_was_built_is_measured(shop: Path, tmp_path: Path) -> None:
    report = build(BuildJob(faces=shop, out=tmp_path / "shop.csv", options=BuildOptions(dev_share=0)))
    recogniser = load_recogniser(demo_recogniser_path())
    labelled = open_labelled(parse_evaluation(report.evaluate))
    outcome = measure(labelled, recogniser)["shop"]
    labelled.close()
    assert outcome.counts["gallery people"] == 6
    assert outcome.counts["mated probes"] == 24
    assert outcome.counts["enrolled people"] == report.protocol.test.counts["enrolled people"] == 3
    assert outcome.counts["open-set non-mated probes"] == 13
    assert outcome.counts["probes sharing a medium"] == 0


def test_pairs_are_read_back(shop: Path, tmp_path: Path) -> None:
    pairs_file = tmp_path / "elsewhere.csv"
    report = build(BuildJob(faces=shop, out=tmp_path / "shop.csv", pairs=pairs_file, options=BuildOptions(dev_share=0)))
    with open_faces(shop) as faces:
        pairs, kinds = read_pairs(pairs_file, faces)
        assert len(pairs) == len(report.protocol.test.pairs)
        assert [kind == "mated" for kind in kinds] == pairs.same.tolist()
        for i in range(len(pairs)):
            a, b = faces.record(int(pairs.first[i])), faces.record(int(pairs.second[i]))
            assert (a.subject == b.subject) == bool(pairs.same[i])
            if kinds[i] != "impostor-same-media":
                assert a.media != b.media
            else:
                assert a.media == b.media
        vectors = np.eye(len(faces), dtype=np.float32)
        outcome = evaluate_pairs(vectors, np.ones(len(faces), bool), pairs, people=faces.subjects())
        # p: six faces each on three days: 12 mated pairs across days a person.
        assert outcome.counts["mated pairs"] == 6 * 12
        with pairs_file.open() as file:
            header = next(csv.reader(file))
        assert header[:4] == ["first", "second", "same", "kind"]
        pairs_file.write_text(pairs_file.read_text().replace("p1/day0/0.jpg", "gone.jpg"))
        with pytest.raises(InputError, match=r"gone\.jpg"):
            read_pairs(pairs_file, faces)
        pairs_file.write_text("a,b\n1,2\n")
        with pytest.raises(InputError, match="no pairs with the columns"):
            read_pairs(pairs_file, faces)


def test_a_manifest_of_faces(shop: Path, tmp_path: Path) -> None:
    """Tracks, sizes and failures come from a manifest; the result can be evaluated with the same faces."""
    lines = ["file,subject,media,track,min_side,detector_score"]
    for p in range(3):
        for day in range(3):
            lines += [f"p{p}/day{day}/{n}.jpg,p{p},day{day},p{p}-{day},{20 + 10 * day + n},0.9" for n in range(2)]
    lines.append(",p0,day0,,,")
    manifest = shop / "faces.csv"
    manifest.write_text("\n".join(lines) + "\n")
    options = BuildOptions(dev_share=0, template="track", bands=(24, 32))
    report = build(BuildJob(faces=manifest, out=tmp_path / "built.csv", options=options))
    rows = read_manifest(tmp_path / "built.csv").rows
    assert {row.media for row in rows if row.role == "gallery"} == {"day2"}
    assert {row.template for row in rows if row.subject == "p1" and row.role == "probe"} == {
        "p1:day0:p1-0",
        "p1:day1:p1-1",
    }
    assert report.protocol.test.counts["probe faces not found"] == 1
    assert report.protocol.test.counts["probe faces 24-31 px"] == 6
    labelled = open_labelled(parse_evaluation(report.evaluate))
    outcome = measure(labelled, load_recogniser(demo_recogniser_path()))["built"]
    labelled.close()
    assert {"<24 px", "24-31 px"} <= outcome.questions[0].groups.keys()
    assert outcome.counts["probes"] == 7
    assert outcome.counts["probe failures"] == 1


def test_look_alikes(shop: Path, tmp_path: Path) -> None:
    """A picture saved again on another day has other bytes: only its look keeps both days together."""
    image = decode_image((shop / "p2" / "day0" / "0.jpg").read_bytes(), where="here")
    (shop / "p2" / "day2" / "copy.jpg").write_bytes(encode_jpeg(image, 60))
    (shop / "p2" / "day0" / "copy.jpg").write_bytes(encode_jpeg(image, 50))
    job = BuildJob(faces=shop, out=tmp_path / "shop.csv", options=BuildOptions(dev_share=0))
    assert build(job).protocol.joined == ()
    built = build(replace(job, look_alikes=True)).protocol
    assert built.joined == (("day0", "day2"),)
    assert ("p2/day0/copy.jpg", "repeats p2/day0/0.jpg") in built.left_out
    for row in built.test.rows:
        if row.file in ("p2/day0/0.jpg", "p2/day2/copy.jpg"):
            assert row.attributes["look"] == "p2/day0/0.jpg"
    record = json.loads((tmp_path / "shop.json").read_text())
    assert record["look_alikes"] is True
    assert record["media_kept_together"] == [["day0", "day2"]]


def test_distractors_are_checked(shop: Path, tmp_path: Path) -> None:
    others = tmp_path / "others"
    (others / "stranger").mkdir(parents=True)
    (others / "stranger" / "0.jpg").write_bytes(picture(5000))
    job = BuildJob(faces=shop, out=tmp_path / "shop.csv", distractors=others)
    report = build(job)
    assert report.distractors == {"faces": 1, "people": 1}
    assert report.evaluate.endswith(f",distractors={others}")
    (others / "stranger" / "1.jpg").write_bytes(picture(10))
    with pytest.raises(LabelError, match="1 distractors are pictures of the protocol"):
        build(job)
    (others / "p1").mkdir()
    (others / "p1" / "0.jpg").write_bytes(picture(5001))
    with pytest.raises(LabelError, match="1 people are among the distractors"):
        build(job)


def test_command(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "shop.csv"
    arguments = ["build", str(shop), "--out", str(out), "--gallery-media", "day1", "--dev-share", "0", "--bands", ""]
    done = CliRunner().invoke(protocol_app, arguments)
    assert done.exit_code == 0, done.output
    assert "people not enrolled" in done.output
    assert "repeats p0/day1/0.jpg" in done.output
    assert f"shop={out},faces={shop}" in done.output.replace("\n", "")
    assert {row.media for row in read_manifest(out).rows if row.role == "gallery"} == {"day1"}
    assert not (tmp_path / "shop.tune.csv").exists()


def test_bad_requests(shop: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.csv file"):
        build(BuildJob(faces=shop, out=tmp_path / "shop.txt"))
    flat = tmp_path / "flat"
    (flat / "p0").mkdir(parents=True)
    (flat / "p0" / "0.jpg").write_bytes(picture(1))
    with pytest.raises(InputError, match="no face has a person and a medium"):
        build(BuildJob(faces=flat, out=tmp_path / "shop.csv"))
    assert not (tmp_path / "shop.csv").exists()
    done = CliRunner().invoke(protocol_app, ["build", str(shop), "--out", str(tmp_path / "x.csv"), "--bands", "a,b"])
    assert isinstance(done.exception, InputError)
