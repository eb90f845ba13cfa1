"""Every format into every other: what the target can hold comes out as it went in."""

from __future__ import annotations

import io
import itertools
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from face_files import jpeg, write_folder, write_tar
from face_sources import InMemory, all_told, full_tar, people_folder, people_rec, told
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wildstyle.errors import HostileFile, InputError, SettingError
from wildstyle.faces import FaceRecord, FaceSource, open_faces, open_pairs
from wildstyle.faces.listing import facts_of, refuse_escape
from wildstyle.faces.pairs_bin import BinSource
from wildstyle.faces.writing import bin_writer
from wildstyle.faces.writing.bin_writer import PairSetWriter
from wildstyle.faces.writing.copying import copy_faces
from wildstyle.faces.writing.folder_writer import FolderWriter
from wildstyle.faces.writing.manifest_writer import ManifestWriter
from wildstyle.faces.writing.naming import Namer, NameRules, folder_name
from wildstyle.faces.writing.parquet_writer import ParquetWriter, column_order
from wildstyle.faces.writing.stored import FaceWriter
from wildstyle.faces.writing.survey import survey
from wildstyle.faces.writing.tar_writer import ShardLimits, TarWriter
from wildstyle.verbs.converting import ConvertJob, Target, convert

pytest.importorskip("pyarrow")

EVERYTHING: tuple[tuple[str, Target], ...] = (
    ("o.tar", "tar"), ("shards", "tar"), ("m.csv", "csv"), ("files", "csv"), ("o.parquet", "parquet"),
)  # fmt: skip
MAIN = {"files": "manifest.csv", "recs": "train.rec"}


def made(source: Path, folder: Path, out: str, to: Target, **options: Any) -> Path:
    """Path to open of a conversion into a folder of its own."""
    convert(ConvertJob(source=source, out=folder / out, to=to, **options))
    path = folder / out
    return path / MAIN[out] if out in MAIN else path


@pytest.mark.parametrize(("first", "second"), itertools.product(EVERYTHING, EVERYTHING))
def test_all_columns_through_two_formats(tmp_path: Path, first: tuple[str, Target], second: tuple[str, Target]) -> None:
    source = full_tar(tmp_path / "a.tar")
    middle = made(source, tmp_path / "1", *first)
    last = made(middle, tmp_path / "2", *second)
    expected = all_told(open_faces(source))
    assert all_told(open_faces(middle)) == expected
    assert all_told(open_faces(last)) == expected
    assert list(all_told(open_faces(last))) == list(expected)


@pytest.mark.parametrize(("out", "to"), [*EVERYTHING, ("folder", "folder")])
def test_a_folder_there_and_back(tmp_path: Path, out: str, to: Target) -> None:
    source = people_folder(tmp_path / "a")
    there = made(source, tmp_path / "1", out, to)
    back = made(there, tmp_path / "2", "back", "folder")
    assert all_told(open_faces(there)) == all_told(open_faces(source))
    files = {p.relative_to(source): p.read_bytes() for p in source.rglob("*.*")}
    assert {p.relative_to(back): p.read_bytes() for p in back.rglob("*.*")} == files


@pytest.mark.parametrize("identities", [False, True])
@pytest.mark.parametrize(("out", "to"), [*EVERYTHING, ("folder", "folder")])
def test_records_there_and_back(tmp_path: Path, out: str, to: Target, identities: bool) -> None:
    source = people_rec(tmp_path / "a.rec")
    there = made(source, tmp_path / "1", out, to)
    back = made(there, tmp_path / "2", "recs", "rec", identities=identities)
    a, b, c = open_faces(source), open_faces(there), open_faces(back)
    assert [b.encoded(i) for i in range(6)] == [a.encoded(i) for i in range(6)]
    assert [c.encoded(i) for i in range(6)] == [a.encoded(i) for i in range(6)]
    assert b.labels().tolist() == c.labels().tolist() == a.labels().tolist()
    assert b.subjects() == a.subjects()
    if identities:
        assert [c.record(i).id for i in range(6)] == [a.record(i).id for i in range(6)]


CSV = """file,subject,role,media
a.jpg,ann,gallery,cam
,bob,probe,cam
a.jpg,ann,probe,cam
b.c.jpg,,probe,
"""


@pytest.mark.parametrize(("out", "to"), EVERYTHING)
def test_rows_without_a_picture(tmp_path: Path, out: str, to: Target) -> None:
    write_folder(tmp_path / "in", {"a.jpg": jpeg(1), "b.c.jpg": jpeg(2)})
    (tmp_path / "in" / "m.csv").write_text(CSV)
    result = convert(ConvertJob(source=tmp_path / "in" / "m.csv", out=tmp_path / "1" / out, to=to))
    found = open_faces(result.out / MAIN[out] if out in MAIN else result.out)
    subjects, expected = found.subjects(), ["ann", "bob", "ann", None]
    assert result.faces == 3
    if to == "tar":
        assert result.lost is not None
        assert "1 rows for which no face was found" in result.lost
        expected.remove("bob")
    else:
        assert found.record(1).id == "row1"
        with pytest.raises(InputError, match="failure to enrol"):
            found.encoded(1)
    assert subjects == expected
    pictures = [i for i, subject in enumerate(subjects) if subject != "bob"]
    assert [found.encoded(i) for i in pictures] == [jpeg(1), jpeg(1), jpeg(2)]
    roles = [found.record(i).attributes["role"] for i in range(len(found))]
    assert roles == (["gallery", "probe", "probe"] if to == "tar" else ["gallery", "probe", "probe", "probe"])


@pytest.mark.parametrize(("out", "to"), [t for t in EVERYTHING if t[1] != "tar"])
def test_one_picture_in_several_rows(tmp_path: Path, out: str, to: Target) -> None:
    write_folder(tmp_path / "in", {"a.jpg": jpeg(1), "b.c.jpg": jpeg(2)})
    (tmp_path / "in" / "m.csv").write_text(CSV)
    there = made(tmp_path / "in" / "m.csv", tmp_path / "1", out, to)
    source, found = open_faces(tmp_path / "in" / "m.csv"), open_faces(there)
    assert [told(found.record(i)) for i in range(4)] == [told(source.record(i)) for i in range(4)]
    assert [found.record(i).id for i in range(4)] == ["a.jpg#row0", "row1", "a.jpg#row2", "b.c.jpg"]
    if out == "m.csv":
        with tarfile.open(there.with_suffix(".tar")) as archive:
            assert archive.getnames() == ["a.jpg", "b.c.jpg"]
    if out == "files":
        assert sorted(p.name for p in there.parent.iterdir()) == ["a.jpg", "b.c.jpg", "manifest.csv"]


def test_rows_of_one_name_with_pictures_of_their_own(tmp_path: Path) -> None:
    """In parquet a name that comes twice may stand for two pictures; both are kept."""
    pyarrow: Any = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    cells = {"image": [jpeg(1), jpeg(2)], "file": ["a.jpg", "a.jpg"]}
    parquet.write_table(pyarrow.table(cells), tmp_path / "in.parquet")
    done = convert(ConvertJob(source=tmp_path / "in.parquet", out=tmp_path / "o.csv"))
    assert done.lost == "A manifest can't hold the names of 2 pictures, which get others."
    found = open_faces(done.out)
    assert {found.record(i).id: found.encoded(i) for i in range(2)} == {"a-row0.jpg": jpeg(1), "a-row1.jpg": jpeg(2)}
    again = open_faces(made(tmp_path / "in.parquet", tmp_path / "1", "o.parquet", "parquet"))
    assert [again.encoded(i) for i in range(2)] == [jpeg(1), jpeg(2)]
    assert again.record(1).id == "a.jpg#row1"


def copied(source: FaceSource, folder: Path, kind: str) -> FaceSource:
    """Through one writer, without the verb around it."""
    namer = Namer(NameRules(flat=kind == "tar"))
    found = survey(source, namer)
    columns = column_order(found.known, found.attributes)
    makers: dict[str, Callable[[], FaceWriter]] = {
        "tar": lambda: TarWriter(folder, "o"),
        "csv": lambda: ManifestWriter(folder, "o", columns, TarWriter(folder, "o", notes=False)),
        "parquet": lambda: ParquetWriter(folder, "o", columns),
    }
    with makers[kind]() as writer:
        assert copy_faces(source, range(len(source)), namer, writer) == []
        main = writer.finish()[-1]
    return open_faces(folder / main, name=source.name)


texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=12).map(
    str.strip
)
words = texts.filter(bool)
odd_names = st.sampled_from(
    ["..", ".", "a/b", "a%2Fb", "C:x", "__MACOSX", ".x", "a\\b", "ann", "x" * 300, "ä", "a.b.c"]
)
people = st.none() | odd_names | words
numbers = st.none() | st.floats(0, 1e9, allow_nan=False, width=32)
points = st.none() | st.lists(st.floats(-500, 500, width=32), min_size=10, max_size=10)


@st.composite
def records(draw: Any) -> list[FaceRecord]:
    """Records with odd names and anything a manifest holds; either all known people have a label or none."""
    count = draw(st.integers(1, 6))
    ids = draw(
        st.lists(
            st.sampled_from(["1", "a.jpg", "a.png", "a.b.jpg", "../x.jpg", "/y.jpg", "b/c.jpg", ".h.jpg", "d/.e.jpg"])
            | st.integers(10, 99).map(str),
            min_size=count,
            max_size=count,
            unique=True,
        )
    )
    found = []
    for place in range(count):
        landmarks = draw(points)
        subject = draw(people)
        attributes = draw(st.dictionaries(st.sampled_from(["light", "lens", "odd one"]), words, max_size=3))
        found.append(
            FaceRecord(
                id=ids[place],
                source="o",
                label=place + 3 if subject is not None else None,
                subject=subject,
                media=draw(st.none() | words),
                template=draw(st.none() | words),
                landmarks=None if landmarks is None else np.array(landmarks, np.float32).reshape(5, 2),
                detector_score=draw(numbers),
                size_before=draw(numbers),
                eye_distance_before=draw(numbers),
                attributes={**attributes, **draw(st.sampled_from([{}, {"role": "probe"}, {"enrolled": "0"}]))},
            )
        )
    return found


@pytest.mark.parametrize("kind", ["tar", "csv", "parquet"])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(given_records=records())
def test_any_record_comes_back(
    tmp_path_factory: pytest.TempPathFactory, kind: str, given_records: list[FaceRecord]
) -> None:
    pictures = [jpeg(i) for i in range(len(given_records))]
    source = InMemory(given_records, pictures, name="o")
    with copied(source, tmp_path_factory.mktemp("any"), kind) as found:
        assert [found.encoded(i) for i in range(len(found))] == pictures
        for index, record in enumerate(given_records):
            back = told(found.record(index))
            assert {**back, "id": None} == {**told(record), "id": None}


@given(st.lists(odd_names | texts.filter(lambda t: t != ""), max_size=8, unique=True))
def test_two_people_never_share_a_folder(names: list[str]) -> None:
    folders = [folder_name(name) for name in names]
    assert len(set(folders)) == len(names)
    for folder in folders:
        refuse_escape(f"{folder}/x.jpg", where="x")
        assert facts_of(f"{folder}/x.jpg").subject == folder
        assert len(folder.encode()) <= 255
        assert not folder.startswith(".")


def test_a_bare_carriage_return_is_no_new_row(tmp_path: Path) -> None:
    source = InMemory([FaceRecord(id="a.jpg", source="o", media="x\ry", attributes={"light": "1\r\n2"})], [jpeg(0)])
    found = copied(source, tmp_path, "csv").record(0)
    assert (found.media, found.attributes["light"]) == ("x\ry", "1\r\n2")


def test_names_differ_in_more_than_the_suffix_for_webdataset(tmp_path: Path) -> None:
    names = ["a.jpg", "a.png", "a.b.jpg", "a_b.jpg", "b.jpg"]
    source = InMemory([FaceRecord(id=n, source="o", media=n) for n in names], [jpeg(i) for i in range(5)])
    found = copied(source, tmp_path, "tar")
    ids = [found.record(i).id for i in range(5)]
    assert ids == ["a-0.jpg", "a-1.png", "a_b-2.jpg", "a_b-3.jpg", "b.jpg"]
    assert [found.record(i).media for i in range(5)] == names
    with tarfile.open(tmp_path / "o.tar") as archive:
        members = archive.getmembers()
    assert [m.name.split(".")[0] for m in members[::2]] == [m.name.split(".")[0] for m in members[1::2]]
    assert {(m.mtime, m.uid, m.gid) for m in members} == {(0, 0, 0)}


def test_shards_keep_their_limits(tmp_path: Path) -> None:
    source = people_folder(tmp_path / "a")
    by_count = made(source, tmp_path / "1", "faces", "tar", limits=ShardLimits(10**9, 3))
    assert sorted(p.name for p in by_count.iterdir()) == [f"faces-{k:06d}.tar" for k in range(3)]
    assert [len(open_faces(by_count / f"faces-{k:06d}.tar")) for k in range(3)] == [3, 3, 1]
    by_size = made(source, tmp_path / "2", "faces", "tar", limits=ShardLimits(8000, 10**6))
    assert max(p.stat().st_size for p in by_size.iterdir()) <= 8000
    assert all_told(open_faces(by_count)) == all_told(open_faces(by_size)) == all_told(open_faces(source))
    assert len(list(by_size.iterdir())) > 1
    tiny = made(source, tmp_path / "3", "faces", "tar", limits=ShardLimits(1, 1))
    assert len(list(tiny.iterdir())) == 7


SAME = [True, True, False, False] * 10


@pytest.fixture
def pair_bin(tmp_path: Path) -> Path:
    path = tmp_path / "lfw.bin"
    path.write_bytes(pickle.dumps(([jpeg(i) for i in range(80)], SAME)))
    return path


@pytest.mark.parametrize("out", ["p.tar", "p"])
def test_pairs_there_and_back(tmp_path: Path, pair_bin: Path, out: str) -> None:
    listed = convert(ConvertJob(source=pair_bin, out=tmp_path / out, pairs=True))
    faces, pairs = open_pairs(listed.out)
    original, expected = open_pairs(pair_bin)
    assert listed.faces == len(faces) == 80
    for name in ("same", "fold"):
        assert np.array_equal(getattr(pairs, name), getattr(expected, name))
    for ours, theirs in ((pairs.first, expected.first), (pairs.second, expected.second)):
        assert [faces.encoded(i) for i in ours] == [original.encoded(i) for i in theirs]
    again = convert(ConvertJob(source=listed.out, out=tmp_path / "back.bin"))
    assert again.faces == 40
    assert pickle.loads(again.out.read_bytes()) == ([jpeg(i) for i in range(80)], SAME)
    other = convert(ConvertJob(source=listed.out, out=tmp_path / "other.tar", pairs=True))
    text = open_faces(other.out).member("pairs.txt")  # type: ignore[attr-defined]
    assert text.decode().splitlines()[:4] == ["10\t2", "000000\t1\t2", "000001\t1\t2", "000002a\t1\t000002b\t1"]


def test_pairs_of_another_form_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.bin"
    path.write_bytes(pickle.dumps(([jpeg(i) for i in range(6)], [True, True, False])))
    with pytest.raises(InputError, match="equal folds"):
        convert(ConvertJob(source=path, out=tmp_path / "o.tar", pairs=True))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["odd.bin"]
    names = [f"ann/ann_000{k}.jpg" for k in (1, 2)] + ["bob/bob_0001.jpg"]
    one_fold = write_tar(
        tmp_path / "one.tar", [*((n, jpeg(1)) for n in names), ("pairs.txt", b"1\nann 1 2\nann 1 bob 1")]
    )
    assert convert(ConvertJob(source=one_fold, out=tmp_path / "copy.tar", pairs=True)).faces == 3
    with pytest.raises(InputError, match=r"1 folds, a \.bin has ten"):
        convert(ConvertJob(source=one_fold, out=tmp_path / "one.bin"))


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_pickles_that_everybody_reads(tmp_path: Path, protocol: int) -> None:
    pictures, same = [bytes([i % 256, 255, 216]) * 40 for i in range(2100)], [i % 3 == 0 for i in range(1050)]
    with PairSetWriter(tmp_path / "a.bin", protocol=protocol) as writer:
        for place, mark in enumerate(same):
            writer.add_pair(pictures[2 * place], pictures[2 * place + 1], mark)
        writer.finish()
    data = (tmp_path / "a.bin").read_bytes()
    assert pickle.Unpickler(io.BytesIO(data), encoding="bytes").load() == (pictures, same)
    source = BinSource(tmp_path / "a.bin")
    assert [source.encoded(i) for i in range(2100)] == pictures
    assert source.same.tolist() == same
    if protocol == 2:
        # As InsightFace's loader expects of such files: the first try fails so, the second names the encoding.
        with pytest.raises(UnicodeDecodeError):
            pickle.loads(data)
    else:
        assert pickle.loads(data) == (pictures, same)


def test_pair_sets_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingError, match="protocol 5"):
        PairSetWriter(tmp_path / "a.bin", protocol=5)
    with PairSetWriter(tmp_path / "a.bin") as writer, pytest.raises(InputError, match="at least one pair"):
        writer.finish()
    monkeypatch.setattr(bin_writer, "LARGEST_BYTES", 2000)
    with PairSetWriter(tmp_path / "a.bin") as writer, pytest.raises(InputError, match="grows beyond"):
        writer.add_pair(b"x" * 800, b"y" * 800, True)


def test_hostile_names_stay_in_the_folder(tmp_path: Path) -> None:
    with pytest.raises(HostileFile):
        FolderWriter(tmp_path).add_other("../x.jpg", b"")
    odd = [FaceRecord(id="../../x.jpg", source="o", subject="../..", media="/etc/..")]
    namer = Namer(NameRules(in_path=True))
    source = InMemory(odd, [jpeg(1)])
    survey(source, namer)
    (tmp_path / "in").mkdir()
    with FolderWriter(tmp_path / "in") as writer:
        copy_faces(source, [0], namer, writer)
    assert [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.jpg")] == [
        "in/%2E.%2F.%2E/%/etc/%2E%2E/x.jpg"
    ]
