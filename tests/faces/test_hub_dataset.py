"""Folders that the Hugging Face library saves, written here by hand, and by that library where it is installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from face_files import jpeg

from wildstyle.errors import CorruptArchive, HostileFile, InputError, LabelError, MissingExtra
from wildstyle.faces import open_faces
from wildstyle.faces.hub_dataset import SavedDataset

pa: Any = pytest.importorskip("pyarrow")

FEATURES = {
    "image": {"_type": "Image"},
    "label": {"names": ["zoe", "ann", "bob"], "_type": "ClassLabel"},
    "role": {"names": ["gallery", "probe"], "_type": "ClassLabel"},
}
LABELS = (0, 1, 1, -1, 2)


def saved(folder: Path, *, metadata: bool = True, labels: tuple[int, ...] = LABELS, files: int = 2) -> Path:
    """As ``save_to_disk``: Arrow streams, state.json, dataset_info.json."""
    folder.mkdir(parents=True)
    said = {"huggingface": json.dumps({"info": {"features": FEATURES}})} if metadata else None
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("image", picture), ("label", pa.int64()), ("role", pa.int64())], metadata=said)
    cells = [{"bytes": jpeg(i), "path": None} for i in range(len(labels))]
    table = pa.Table.from_pydict({"image": cells, "label": labels, "role": [i % 2 for i in range(len(labels))]}, schema)
    names = [f"data-{k:05d}-of-{files:05d}.arrow" for k in range(files)]
    cut = -(-len(labels) // files)
    for k, name in enumerate(names):
        with pa.ipc.new_stream(str(folder / name), schema) as writer:
            writer.write_table(table.slice(k * cut, cut), max_chunksize=2)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    (folder / "dataset_info.json").write_text(json.dumps({"features": FEATURES}))
    return folder


@pytest.mark.parametrize("metadata", [True, False])
def test_a_saved_data_set(tmp_path: Path, metadata: bool) -> None:
    source = open_faces(saved(tmp_path / "set", metadata=metadata))
    assert isinstance(source, SavedDataset)
    assert [source.encoded(i) for i in (4, 0, 3, 1, 2)] == [jpeg(i) for i in (4, 0, 3, 1, 2)]
    assert source.labels().tolist() == [0, 1, 1, -1, 2]
    assert source.subjects() == ["zoe", "ann", "ann", None, "bob"]
    assert source.record(1).attributes == {"role": "probe"}
    assert (source.record(3).label, source.record(3).subject) == (None, None)
    assert source.read(2).image.shape == (12, 16, 3)


def test_a_dictionary_of_splits(tmp_path: Path) -> None:
    saved(tmp_path / "train")
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train"]}')
    assert len(open_faces(tmp_path)) == 5
    saved(tmp_path / "test")
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(InputError, match="several splits: train, test"):
        open_faces(tmp_path)
    assert len(open_faces(tmp_path / "test")) == 5
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["../train"]}')
    with pytest.raises(CorruptArchive, match="no splits"):
        open_faces(tmp_path)


@pytest.mark.parametrize("name", ["../a.arrow", "/etc/passwd", "", "..", 5])
def test_files_outside_the_folder_are_refused(tmp_path: Path, name: object) -> None:
    folder = saved(tmp_path / "set")
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    with pytest.raises(HostileFile, match="no file of this folder"):
        open_faces(folder)


def test_a_link_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "set", files=1)
    inside = folder / "data-00000-of-00001.arrow"
    inside.rename(tmp_path / "outside.arrow")
    inside.symlink_to(tmp_path / "outside.arrow")
    with pytest.raises(HostileFile):
        open_faces(folder)


def test_damage(tmp_path: Path) -> None:
    folder = saved(tmp_path / "set", files=1)
    data = (folder / "data-00000-of-00001.arrow").read_bytes()
    for bad in (data[: len(data) // 2], b"", b"nonsense" * 20):
        (folder / "data-00000-of-00001.arrow").write_bytes(bad)
        with pytest.raises((CorruptArchive, InputError)):
            open_faces(folder)
    (folder / "data-00000-of-00001.arrow").unlink()
    with pytest.raises(CorruptArchive):
        open_faces(folder)
    for text in ("[", "[]", '{"_data_files": 3}'):
        (folder / "state.json").write_text(text)
        with pytest.raises(CorruptArchive):
            open_faces(folder)
    (folder / "state.json").write_text('{"_data_files": [], "_indices_data_files": [{"filename": "i.arrow"}]}')
    with pytest.raises(InputError, match="selection"):
        open_faces(folder)


def test_a_class_without_a_name(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="only 3 classes have names"):
        open_faces(saved(tmp_path / "set", labels=(0, 3)))


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = saved(tmp_path / "set")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match="data sets needs pyarrow"):
        open_faces(folder)


def test_what_the_library_itself_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets: Any = pytest.importorskip("datasets", reason="the Hugging Face library is not installed")
    datasets.disable_progress_bars()
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["zoe", "ann"])})
    cells = [{"bytes": jpeg(i), "path": None} for i in range(5)]
    whole = datasets.Dataset.from_dict({"image": cells, "label": [0, 1, 1, -1, 0]}, features=features)
    whole.select([4, 1, 3]).save_to_disk(str(tmp_path / "disk"))
    whole.to_parquet(str(tmp_path / "shards" / "train-00000-of-00001.parquet"))
    chosen = open_faces(tmp_path / "disk")
    assert [chosen.encoded(i) for i in range(3)] == [jpeg(4), jpeg(1), jpeg(3)]
    assert chosen.subjects() == ["zoe", "ann", None]
    shards = open_faces(tmp_path / "shards")
    assert [shards.encoded(i) for i in range(5)] == [jpeg(i) for i in range(5)]
    assert shards.labels().tolist() == [0, 1, 1, -1, 0]


def test_the_library_reads_what_is_written_here(tmp_path: Path) -> None:
    datasets: Any = pytest.importorskip("datasets", reason="the Hugging Face library is not installed")
    from face_sources import full_tar

    from wildstyle.verbs.converting import ConvertJob, convert

    convert(ConvertJob(source=full_tar(tmp_path / "a.tar"), out=tmp_path / "a.parquet"))
    read = datasets.Dataset.from_parquet(str(tmp_path / "a.parquet"), cache_dir=str(tmp_path / "cache"))
    plain = read.cast_column("image", datasets.Image(decode=False))
    assert next(iter(plain))["image"]["bytes"] == jpeg(0)
    assert plain[0]["label"] == 5
    assert plain[1]["enrolled"] is False
    assert len(plain[0]["landmarks"]) == 10
