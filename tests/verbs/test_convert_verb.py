"""The verb that converts: what it promises before, while and after it writes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from wildstyle.cli.convert import convert_command
from wildstyle.errors import InputError, Interrupted, LabelError, SettingError, StorageError
from wildstyle.faces import encode_jpeg, encode_png, open_faces, open_pairs
from wildstyle.faces.writing import copying, publishing
from wildstyle.faces.writing.tar_writer import ShardLimits
from wildstyle.verbs import converting
from wildstyle.verbs.converting import ConvertJob, convert

ALL = (
    ("o.tar", None),
    ("shards", "tar"),
    ("o.csv", None),
    ("files", "csv"),
    ("o.rec", None),
    ("recs", "rec"),
    ("f", None),
)
WITH_ARROW = (*ALL, ("o.parquet", None))


def face(seed: int) -> bytes:
    return encode_jpeg(np.random.default_rng(seed).integers(0, 255, (16, 16, 3), np.uint8), 90)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    for place in range(40):
        path = tmp_path / "people" / f"p{place // 8}" / f"cam{place % 2}" / f"{place:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(face(place))
    return tmp_path / "people"


def contents(folder: Path) -> dict[str, str]:
    found = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in found}


class Heard:
    """Keeps what a verb says, in order."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps: list[tuple[int, int | None]] = []

    def stage(self, name: str, detail: str = "") -> None:
        self.said.append(name)

    def step(self, done: int, total: int | None, detail: str = "") -> None:
        self.steps.append((done, total))

    def note(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.parametrize(("out", "to"), WITH_ARROW)
def test_twice_the_same_bytes(people: Path, tmp_path: Path, out: str, to: Any) -> None:
    if out.endswith("parquet"):
        pytest.importorskip("pyarrow")
    for folder in ("1", "2"):
        convert(ConvertJob(source=people, out=tmp_path / folder / out, to=to))
    found = contents(tmp_path / "1")
    assert found
    assert found == contents(tmp_path / "2")


@pytest.mark.parametrize(("out", "to"), WITH_ARROW)
def test_stopped_it_leaves_nothing(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, to: Any
) -> None:
    if out.endswith("parquet"):
        pytest.importorskip("pyarrow")
    job = ConvertJob(source=people, out=tmp_path / "there" / out, to=to)
    seen = 0

    def stopping(data: bytes, quality: int | None, where: str) -> tuple[bytes, str]:
        nonlocal seen
        seen += 1
        if seen == 20:
            raise KeyboardInterrupt
        return data, ".jpg"

    with monkeypatch.context() as patch:
        patch.setattr(copying, "prepared", stopping)
        with pytest.raises(Interrupted, match="nothing was written"):
            convert(job)
    assert list((tmp_path / "there").iterdir()) == []
    assert convert(job).faces == 40
    assert not [p for p in (tmp_path / "there").iterdir() if p.name.startswith(".")]


def test_stopped_between_two_names_it_takes_the_first_back(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed: list[str] = []
    original = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if renamed:
            raise KeyboardInterrupt
        renamed.append(Path(target).name)
        return original(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(Interrupted):
        convert(ConvertJob(source=people, out=tmp_path / "there" / "o.csv"))
    assert renamed == ["o.tar"]
    assert list((tmp_path / "there").iterdir()) == []


def test_too_little_space_is_said_before(people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = 40 * (3072 + len(face(0)))
    usage = publishing.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(publishing.shutil, "disk_usage", lambda _: usage._replace(free=free))
    with pytest.raises(StorageError, match="are needed"):
        convert(ConvertJob(source=people, out=tmp_path / "there" / "o.tar"))
    assert not (tmp_path / "there").exists()
    monkeypatch.setattr(publishing.shutil, "disk_usage", lambda _: usage._replace(free=2 * free))
    assert convert(ConvertJob(source=people, out=tmp_path / "there" / "o.tar")).faces == 40


def test_the_disk_filling_up_leaves_nothing(people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(converting.TarWriter, "add", full)
    with pytest.raises(StorageError, match="disk is full"):
        convert(ConvertJob(source=people, out=tmp_path / "there" / "o.tar"))
    assert list((tmp_path / "there").iterdir()) == []


def test_what_lies_there_stays(people: Path, tmp_path: Path) -> None:
    for name, job in (
        ("o.tar", {"out": "o.tar"}),
        ("o.idx", {"out": "o.rec"}),
        ("m.tar", {"out": "m.csv"}),
        ("f", {"out": "f"}),
    ):
        (tmp_path / name).write_text("mine")
        with pytest.raises(InputError, match="exists already"):
            convert(ConvertJob(source=people, out=tmp_path / job["out"]))
        assert (tmp_path / name).read_text() == "mine"
    with pytest.raises(InputError, match="lies inside"):
        convert(ConvertJob(source=people, out=people / "o.tar"))


def test_what_is_lost_is_said_before_writing(people: Path, tmp_path: Path) -> None:
    heard = Heard()
    done = convert(ConvertJob(source=people, out=tmp_path / "o.rec"), progress=heard)
    sentence = "A record file can't hold names of people, media and names of pictures."
    assert heard.said == ["look through", sentence, "write"]
    assert done.lost == sentence
    assert heard.steps[-1] == (40, 40)
    heard = Heard()
    assert convert(ConvertJob(source=people, out=tmp_path / "o.tar"), progress=heard).lost is None
    assert heard.said == ["look through", "write"]


def test_pictures_that_are_none_are_left_out_and_named(people: Path, tmp_path: Path) -> None:
    (people / "p0" / "bad.jpg").write_bytes(b"no picture")
    done = convert(ConvertJob(source=people, out=tmp_path / "o.tar"))
    assert done.faces == 40
    assert [name for name, _ in done.left_out] == ["p0/bad.jpg"]
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match="not one picture"):
        convert(ConvertJob(source=tmp_path / "only", out=tmp_path / "p.tar"))


def test_quality_encodes_anew(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(encode_png(image))
    (tmp_path / "in" / "a.jpg").write_bytes(encode_jpeg(image, 95))
    convert(ConvertJob(source=tmp_path / "in", out=tmp_path / "out", quality=60))
    assert {p.name: p.read_bytes()[:2] for p in (tmp_path / "out").iterdir()} == {
        "a-0.jpg": b"\xff\xd8",
        "a-1.jpg": b"\xff\xd8",
    }
    assert (tmp_path / "out" / "a-1.jpg").read_bytes() == encode_jpeg(image, 60)


def test_a_record_file_needs_people(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(face(0))
    with pytest.raises(LabelError, match="1 of 1 faces show nobody known"):
        convert(ConvertJob(source=tmp_path / "in", out=tmp_path / "o.rec"))


def test_property_rules_only_its_own_records(people: Path, tmp_path: Path) -> None:
    folder = tmp_path / "recs"
    convert(ConvertJob(source=people, out=folder / "a.rec"))
    assert (folder / "property").read_text() == "5,16,16\n"
    convert(ConvertJob(source=people, out=folder / "b.rec"))
    assert open_faces(folder / "b.rec").labels().max() == 4
    (folder / "property").write_text("4,16,16\n")
    with pytest.raises(InputError, match="5 are needed"):
        convert(ConvertJob(source=people, out=folder / "c.rec"))
    (folder / "property").unlink()
    convert(ConvertJob(source=people, out=folder / "d.rec"))
    assert not (folder / "property").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"out": "o.tar", "to": "zip"},
        {"out": "o.tar", "to": "rec"},
        {"out": "o", "to": "parquet"},
        {"out": "o", "to": "bin"},
        {"out": "o.tar", "quality": 0},
        {"out": "o.tar", "quality": 101},
        {"out": "o.rec", "pairs": True},
        {"out": "o", "to": "tar", "limits": ShardLimits(0, 1)},
    ],
)
def test_settings_that_contradict(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        ConvertJob(source=tmp_path, **{**wrong, "out": tmp_path / wrong["out"]})


def test_memory_stays_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The most faces held at a time is one run, whatever the source."""
    (tmp_path / "in").mkdir()
    for place in range(100):
        (tmp_path / "in" / f"{place:03d}.jpg").write_bytes(face(0))
    longest = 0
    original = copying._encoded

    def measured(source: Any, run: Any) -> Any:
        nonlocal longest
        longest = max(longest, len(run))
        return original(source, run)

    monkeypatch.setattr(copying, "_encoded", measured)
    convert(ConvertJob(source=tmp_path / "in", out=tmp_path / "o.tar"))
    assert longest == 32


def test_command_line(people: Path, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(convert_command)
    (people / "p0" / "bad.jpg").write_bytes(b"no picture")
    out = tmp_path / "shards"
    shown = CliRunner().invoke(app, [str(people), str(out), "--to", "tar", "--shard-faces", "15"])
    assert shown.exit_code == 0, shown.output
    assert sorted(p.name for p in out.iterdir()) == [f"shards-{k:06d}.tar" for k in range(3)]


def test_real_faces_there_and_back(data_dir: Path, tmp_path: Path) -> None:
    """A manifest of real faces into parquet and back to a manifest: all rows and bytes of the first and the last."""
    pytest.importorskip("pyarrow")
    manifest, faces = data_dir / "webcam_far_test.csv", data_dir / "webcam_far_test112.tar"
    if not manifest.exists() or not faces.exists():
        pytest.skip("this set is not among the real data")
    done = convert(ConvertJob(source=manifest, faces=faces, out=tmp_path / "o.parquet"))
    back = convert(ConvertJob(source=tmp_path / "o.parquet", out=tmp_path / "o.csv"))
    assert done.faces == back.faces > 0
    original, last = open_faces(faces, manifest=manifest), open_faces(tmp_path / "o.csv")
    assert original.subjects() == last.subjects()
    assert original.labels().tolist() == last.labels().tolist()
    for index in (0, len(last) - 1):
        assert last.record(index).with_(source="") == original.record(index).with_(source="")
        assert last.read(index).image.tolist() == original.read(index).image.tolist()


def test_real_pairs_there_and_back(data_dir: Path, tmp_path: Path) -> None:
    pairs = data_dir / "lfw_pairs112.tar"
    if not pairs.exists():
        pytest.skip("this set is not among the real data")
    convert(ConvertJob(source=pairs, out=tmp_path / "lfw.bin"))
    convert(ConvertJob(source=tmp_path / "lfw.bin", out=tmp_path / "lfw.tar", pairs=True))
    (first, expected), (last, found) = open_pairs(pairs), open_pairs(tmp_path / "lfw.tar")
    assert len(found) == 6000
    assert np.array_equal(found.same, expected.same)
    assert np.array_equal(found.fold, expected.fold)
    for index in range(0, 6000, 7):
        assert last.encoded(int(found.second[index])) == first.encoded(int(expected.second[index]))
