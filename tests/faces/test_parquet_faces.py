"""Parquet: the same rows as CSV from typed columns, and pictures inside a column."""

from __future__ import annotations

import datetime
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from face_files import jpeg, picture, write_folder, write_tar

from wildstyle.errors import (
    CorruptArchive,
    HostileFile,
    InputError,
    LabelError,
    MissingExtra,
    UnreadableFace,
    WildstyleError,
)
from wildstyle.faces import Face, ManifestSource, decode_image, open_faces, read_manifest, stream
from wildstyle.faces import parquet as module
from wildstyle.faces.parquet import ParquetSource, holds_pictures

pa: Any = pytest.importorskip("pyarrow")
pq: Any = pytest.importorskip("pyarrow.parquet")

CSV = """file,subject,media,template,role,enrolled,min_side,detector_score,label,landmarks,take,when
a.jpg,ann,cam,t1,gallery,1,41.5,0.75,3,1 2 3 4 5 6 7 8 9 10.5,2,2020-01-02
b.jpg,bob,,,probe,0,,,,,,
,ann,cam,,probe,1,9,,3,,7,
"""
TYPED = {
    "file": ["a.jpg", "b.jpg", None],
    "subject": ["ann", "bob", "ann"],
    "media": ["cam", None, "cam"],
    "template": ["t1", None, None],
    "role": ["gallery", "probe", "probe"],
    "enrolled": [True, False, True],
    "min_side": [41.5, None, 9.0],
    "detector_score": [0.75, math.nan, None],
    "label": [3.0, math.nan, 3.0],
    "landmarks": [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10.5], None, None],
    "take": [2, None, 7],
    "when": [datetime.date(2020, 1, 2), None, None],
}


def parquet(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


def embedded(path: Path, count: int = 6, *, nested: bool = True, rows: int = 2, **more: Any) -> Path:
    pictures = [jpeg(i) for i in range(count)]
    cells = [{"bytes": data, "path": f"{i}.jpg"} for i, data in enumerate(pictures)] if nested else pictures
    return parquet(path, {"image": cells, **more}, row_group_size=rows)


def test_rows_are_those_of_the_csv(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(CSV)
    expected = read_manifest(tmp_path / "m.csv")
    found = read_manifest(parquet(tmp_path / "m.parquet", TYPED))
    assert found.rows[1:] == expected.rows[1:]
    assert found.rows[0] == expected.rows[0]
    assert found.rows[0].landmarks is not None
    assert found.rows[0].landmarks.tolist() == expected.rows[0].landmarks.tolist()  # type: ignore[union-attr]
    assert found.rows[0].attributes == {"take": "2", "when": "2020-01-02"}
    assert found.rows[0].enrolled is True
    assert found.rows[1].enrolled is False
    assert found.columns == expected.columns


def test_a_manifest_finds_its_pictures(tmp_path: Path) -> None:
    files = {"a.jpg": jpeg(1), "b.jpg": jpeg(2)}
    manifest = parquet(tmp_path / "m.parquet", TYPED)
    write_folder(tmp_path, files)
    elsewhere = write_tar(tmp_path / "other.tar", list(files.items()))
    for source in (open_faces(manifest), open_faces(elsewhere, manifest=manifest)):
        assert isinstance(source, ManifestSource)
        assert source.encoded(1) == jpeg(2)
        assert source.record(0).label == 3
        with pytest.raises(UnreadableFace, match="failure to enrol"):
            source.encoded(2)
    write_tar(tmp_path / "m.tar", [("a.jpg", jpeg(5)), ("b.jpg", jpeg(6))])
    assert open_faces(manifest).encoded(0) == jpeg(5)


@pytest.mark.parametrize(
    ("columns", "error", "what"),
    [
        ({"subjekt": ["a"], "file": ["a.jpg"]}, InputError, "subjekt"),
        ({"subject": ["a"]}, InputError, "no column 'file'"),
        ({"file": ["../a.jpg"]}, HostileFile, "leaves the folder"),
        ({"file": ["/etc/a.jpg"]}, HostileFile, "leaves the folder"),
        ({"file": ["a.jpg"], "label": [1.5]}, LabelError, "1.5"),
        ({"file": ["a.jpg"], "label": [-2]}, LabelError, "-2"),
        ({"file": ["a.jpg"], "enrolled": [2]}, InputError, "enrolled"),
        ({"file": ["a.jpg"], "min_side": [-1.0]}, InputError, "min_side"),
        ({"file": ["a.jpg"], "min_side": [1.0], "size_before": [1.0]}, InputError, "twice"),
        ({"file": pa.array([], pa.string())}, InputError, "no rows"),
    ],
)
def test_bad_manifests(tmp_path: Path, columns: dict[str, Any], error: type[WildstyleError], what: str) -> None:
    with pytest.raises(error, match=what):
        read_manifest(parquet(tmp_path / "m.parquet", columns))


def test_unknown_people_are_minus_one_or_minus_hundred(tmp_path: Path) -> None:
    path = embedded(tmp_path / "m.parquet", 4, label=[0, -1, -100, 1])
    with ParquetSource(path) as source:
        assert source.labels().tolist() == [0, -1, -1, 1]
        assert [source.record(i).label for i in range(4)] == [0, None, None, 1]
        assert source.subjects() == ["m#0", None, None, "m#1"]


@pytest.mark.parametrize("nested", [True, False])
def test_embedded_pictures(tmp_path: Path, nested: bool) -> None:
    path = embedded(tmp_path / "m.parquet", nested=nested, subject=["b", "a", None, "b", "a", "c"], light=[1] * 6)
    source = open_faces(path)
    assert isinstance(source, ParquetSource)
    assert len(source) == 6
    for index in (5, 0, 3, 0):
        assert source.encoded(index) == jpeg(index)
    assert np.array_equal(source.read(4).image, decode_image(jpeg(4), where="x"))
    assert source.labels().tolist() == [1, 0, -1, 1, 0, 2]
    assert source.record(3).subject == "b"
    assert source.record(3).attributes == {"light": "1"}
    assert (source.record(2).subject, source.record(2).label) == (None, None)
    assert source.index_of("4") == 4
    with pytest.raises(IndexError):
        source.encoded(6)


def test_only_the_row_group_that_is_needed_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = ParquetSource(embedded(tmp_path / "m.parquet", 8, rows=2))
    read: list[int] = []
    original = ParquetSource._read
    monkeypatch.setattr(ParquetSource, "_read", lambda self, number: (read.append(number), original(self, number))[1])
    assert source.encoded(5) == jpeg(5)
    assert source.encoded(4) == jpeg(4)
    assert read == [2]
    monkeypatch.setattr(module, "_KEPT_BYTES", 1)
    source.encoded(0)
    assert list(source._kept) == [0]
    source.encoded(4)
    assert read == [2, 0, 2]
    source.close()
    assert source.encoded(7) == jpeg(7)


def test_threads_read_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT_BYTES", 1)
    source = ParquetSource(embedded(tmp_path / "m.parquet", 40, rows=3))
    order = np.random.default_rng(0).integers(0, 40, 80).tolist()
    for index, face in zip(order, stream(source, order, workers=4), strict=True):
        assert isinstance(face, Face)
        assert np.array_equal(face.image, decode_image(jpeg(index), where="x"))


def test_shards_are_one_source(tmp_path: Path) -> None:
    for shard in range(3):
        cells = [{"bytes": jpeg(2 * shard + k), "path": None} for k in range(2)]
        parquet(tmp_path / f"train-0000{shard}-of-00003.parquet", {"image": cells, "label": [shard, shard]})
    (tmp_path / "README.md").write_text("about")
    pattern = tmp_path / "train-{00000..00002}-of-00003.parquet"
    for source in (open_faces(tmp_path), open_faces(pattern)):
        assert [source.encoded(i) for i in range(6)] == [jpeg(i) for i in range(6)]
        assert source.labels().tolist() == [0, 0, 1, 1, 2, 2]
    parquet(tmp_path / "train-00002-of-00003.parquet", {"image": cells, "label": ["2", "2"]})
    with pytest.raises(CorruptArchive, match="other columns"):
        open_faces(pattern)
    (tmp_path / "train-00002-of-00003.parquet").rename(tmp_path / "test-00000-of-00001.parquet")
    with pytest.raises(InputError, match="several splits: test, train"):
        open_faces(tmp_path)


def test_few_files_are_open_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_OPEN", 2)
    monkeypatch.setattr(module, "_KEPT_BYTES", 1)
    for shard in range(5):
        parquet(tmp_path / f"{shard}.parquet", {"image": [jpeg(shard)]})
    source = ParquetSource(sorted(tmp_path.glob("*.parquet")))
    assert not source._open
    for index in (4, 0, 3, 1, 2, 4):
        assert source.encoded(index) == jpeg(index)
        assert len(source._open) <= 2
    source.close()
    source.close()
    assert source.encoded(1) == jpeg(1)


def test_a_folder_of_pictures_with_a_manifest_stays_a_folder(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a.jpg": jpeg(1)})
    parquet(tmp_path / "m.parquet", {"file": ["a.jpg"]})
    assert open_faces(tmp_path).record(0).id == "a.jpg"


def test_files_missing_pictures_and_repeats(tmp_path: Path) -> None:
    cells = [{"bytes": jpeg(0)}, {"bytes": jpeg(1)}, {"bytes": None}, {"bytes": None}]
    files = ["ann/film/a.jpg", "ann/film/a.jpg", None, "bob/c.jpg"]
    path = parquet(tmp_path / "m.parquet", {"image": cells, "file": files, "role": ["gallery", "probe", "x", "y"]})
    source = open_faces(path)
    assert [source.record(i).id for i in range(4)] == [
        "ann/film/a.jpg#row0",
        "ann/film/a.jpg#row1",
        "row2",
        "bob/c.jpg",
    ]
    assert (source.record(1).subject, source.record(1).media) == ("ann", "film")
    with pytest.raises(UnreadableFace, match="failure to enrol"):
        source.encoded(2)
    with pytest.raises(UnreadableFace, match="no bytes"):
        source.encoded(3)
    rows = read_manifest(path).rows
    assert [row.file for row in rows] == ["ann/film/a.jpg#row0", "ann/film/a.jpg#row1", None, "bob/c.jpg"]
    both = ManifestSource(read_manifest(path), source)
    assert both.encoded(1) == jpeg(1)
    assert both.record(1).attributes["role"] == "probe"


def test_which_column_holds_the_pictures(tmp_path: Path) -> None:
    two = {"image": [jpeg(1)], "depth": [b"x"]}
    assert open_faces(parquet(tmp_path / "a.parquet", two)).encoded(0) == jpeg(1)
    with pytest.raises(InputError, match="several columns may hold pictures: 'depth', 'colour'"):
        open_faces(parquet(tmp_path / "b.parquet", {"depth": [b"x"], "colour": [jpeg(1)]}))
    assert not holds_pictures(parquet(tmp_path / "c.parquet", {"file": ["a"]}))
    with pytest.raises(InputError, match="no column holds pictures"):
        ParquetSource(tmp_path / "c.parquet")
    alone = ParquetSource(parquet(tmp_path / "d.parquet", {"photo": [jpeg(1), jpeg(2)]}))
    assert [alone.record(i).id for i in range(2)] == ["0", "1"]


def test_hostile_and_damaged_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HostileFile, match="leaves the folder"):
        open_faces(embedded(tmp_path / "a.parquet", 1, file=["../x.jpg"])).record(0)
    good = embedded(tmp_path / "b.parquet").read_bytes()
    for name, data in (("cut", good[:-20]), ("none", b"PAR1 nothing PAR1"), ("empty", b"")):
        (tmp_path / f"{name}.parquet").write_bytes(data)
        with pytest.raises(CorruptArchive, match="no parquet, or damaged"):
            open_faces(tmp_path / f"{name}.parquet")
    with pytest.raises(InputError, match="does not exist"):
        open_faces(tmp_path / "not.parquet")
    monkeypatch.setattr(module, "LARGEST_GROUP", 100)
    with pytest.raises(HostileFile, match="smaller row groups"):
        open_faces(tmp_path / "b.parquet")


def test_a_text_of_all_rows_is_held_once(tmp_path: Path) -> None:
    """A long text in every row takes little of the file; read plainly it would fill the memory."""
    count = 2000
    path = parquet(tmp_path / "a.parquet", {"file": [f"{i}.jpg" for i in range(count)], "light": ["x" * 10**5] * count})
    assert path.stat().st_size < 10**6
    before = pa.total_allocated_bytes()
    source = ParquetSource(embedded(tmp_path / "b.parquet", 3, subject=["s" * 10**5] * 3))
    assert {len(name or "") for name in source.subjects()} == {10**5}
    assert source.subjects()[0] is source.subjects()[2]
    rows = read_manifest(path).rows
    assert len(rows) == count
    assert rows[0].attributes["light"] is rows[-1].attributes["light"]
    assert pa.total_allocated_bytes() - before < 10**7
    with pytest.raises(HostileFile, match="column 'light' takes 200000 bytes"):
        read_manifest(parquet(tmp_path / "c.parquet", {"file": ["a"], "light": ["x" * 200_000]}))


def test_categories_of_a_data_frame(tmp_path: Path) -> None:
    people = pa.array(["b", "a", None, "b"]).dictionary_encode()
    source = ParquetSource(embedded(tmp_path / "a.parquet", 4, subject=people))
    assert source.subjects() == ["b", "a", None, "b"]
    assert source.record(3).subject == "b"


def test_damage_in_the_middle_is_an_error_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    data = bytearray(embedded(path, 4, rows=4).read_bytes())
    data[4:40] = b"\xff" * 36  # the first page's header
    path.write_bytes(data)
    with pytest.raises(CorruptArchive), open_faces(path) as source:
        source.encoded(0)


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = embedded(tmp_path / "a.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match="needs pyarrow") as missing:
        open_faces(path)
    assert "wildstyle[parquet]" in str(missing.value)


def test_pixels_are_rgb(tmp_path: Path) -> None:
    image = open_faces(embedded(tmp_path / "a.parquet", 1, rows=1)).read(0).image
    assert np.abs(image.astype(int) - picture(0)).mean() < 3
