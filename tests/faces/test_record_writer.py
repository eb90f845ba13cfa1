"""Record files: byte for byte as the format's fixtures, and as files written by hand."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from face_files import MAGIC, identity_records, jpeg, payload, record_bytes, write_rec
from hypothesis import given
from hypothesis import strategies as st

from wildstyle.errors import InputError, LabelError
from wildstyle.faces import FaceRecord, open_faces
from wildstyle.faces.record_parts import join_parts, read_payload
from wildstyle.faces.recordio import RecordSource
from wildstyle.faces.writing import recordio_writer
from wildstyle.faces.writing.recordio_writer import RecordWriter, image_payload, record_parts
from wildstyle.faces.writing.stored import StoredFace

IMAGE_7 = "0a23d7ce1d000000 00000000 0000e040 0100000000000000 0000000000000000 ffd8ffd900 000000"
HEADER_3_5 = "0a23d7ce20000000 02000000 00000000 0000000000000000 0100000000000000 00004040 0000a040"


def face(label: int | None, place: int) -> StoredFace:
    return StoredFace(FaceRecord(id=str(place), source="x", label=label), f"{place}.jpg", jpeg(place))


def write(folder: Path, labels: list[int], *, identities: bool = False) -> RecordSource:
    folder.mkdir()
    with RecordWriter(folder, "train", identities=identities) as writer:
        for place, label in enumerate(labels):
            writer.add(face(label, place))
        names = writer.finish()
    assert sorted(p.name for p in folder.iterdir()) == sorted(names)
    source = open_faces(folder / "train.rec")
    assert isinstance(source, RecordSource)
    return source


def test_golden_bytes() -> None:
    assert record_parts(image_payload(7, 1, b"\xff\xd8\xff\xd9\0")) == bytes.fromhex(IMAGE_7)
    assert record_parts(image_payload((3, 5), 0, b"", id2=1)) == bytes.fromhex(HEADER_3_5)


def test_a_payload_is_cut_at_the_magic() -> None:
    magic = struct.pack("<I", MAGIC)
    cut = record_parts(b"abcd" + magic + b"ef")
    # First part "abcd" (kind 1), last part "ef" with two zeros (kind 3); the magic between them is left out.
    assert cut == magic + struct.pack("<I", 1 << 29 | 4) + b"abcd" + magic + struct.pack("<I", 3 << 29 | 2) + b"ef\0\0"
    assert record_parts(b"ab" + magic) == magic + struct.pack("<I", 6) + b"ab" + magic + b"\0\0"
    assert join_parts(record_parts(magic * 3), where="x") == magic * 3


@given(st.lists(st.sampled_from([b"\x0a", b"\x0a\x23", struct.pack("<I", MAGIC), b"zz", b"1234"]), max_size=12))
def test_cuts_as_written_by_hand_and_reads_back(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    assert record_parts(data) == record_bytes(data)
    assert join_parts(record_parts(data), where="x") == data


@given(st.lists(st.integers(-(2**24), 2**24), min_size=1, max_size=5), st.integers(0, 2**63), st.binary(max_size=9))
def test_several_labels(labels: list[int], key: int, data: bytes) -> None:
    found = read_payload(image_payload(labels, key, data), where="x")
    assert (found.flag, found.labels, found.id, found.data) == (len(labels), tuple(map(float, labels)), key, data)
    assert image_payload([float(n) for n in labels], key, data) == payload([float(n) for n in labels], key, data)


def test_labels_that_float32_rounds_are_refused() -> None:
    assert read_payload(image_payload(2**24, 1, b""), where="x").labels == (2.0**24,)
    for labels in (2**24 + 1, 42_474_558, (0, 2**24 + 1)):
        with pytest.raises(LabelError, match=r"2\*\*24"):
            image_payload(labels, 1, b"")
    with pytest.raises(LabelError, match="needs a label"):
        image_payload((), 1, b"")


def test_plain_kind_reads_back(tmp_path: Path) -> None:
    labels = [2, 0, 2, 1]
    source = write(tmp_path / "a", labels)
    assert source.labels().tolist() == labels
    assert [source.record(i).id for i in range(4)] == ["0", "1", "2", "3"]
    assert [source.encoded(i) for i in range(4)] == [jpeg(i) for i in range(4)]
    assert (tmp_path / "a" / "property").read_text() == "3,12,16\n"
    (tmp_path / "a" / "train.idx").unlink()
    assert open_faces(tmp_path / "a" / "train.rec").labels().tolist() == labels


def test_identity_kind_is_the_file_written_by_hand(tmp_path: Path) -> None:
    labels = [0, 0, 1, 1, 1, 2]
    by_hand = write_rec(tmp_path / "hand.rec", identity_records(labels))
    with RecordWriter(tmp_path, "ours", identities=True, with_property=False) as writer:
        keys = [writer.add_labels((label, 0), jpeg(place)) for place, label in enumerate(labels)]
        assert writer.finish() == ["ours.idx", "ours.rec"]
    assert keys == [1, 2, 3, 4, 5, 6]
    assert (tmp_path / "ours.rec").read_bytes() == by_hand.read_bytes()
    assert (tmp_path / "ours.idx").read_bytes() == (tmp_path / "hand.idx").read_bytes()


def test_identity_kind_as_a_foreign_loader_reads_it(tmp_path: Path) -> None:
    """The way of InsightFace: key 0 gives the range of image keys; the label of each is the person."""
    write(tmp_path / "a", [4, 4, 7], identities=True).close()
    records = (tmp_path / "a" / "train.rec").read_bytes()
    offsets = dict(map(int, line.split("\t")) for line in (tmp_path / "a" / "train.idx").read_text().splitlines())
    contents = {key: read_payload(join_parts(records[at:], where="x"), where="x") for key, at in offsets.items()}
    assert contents[0].flag == 2
    first = int(contents[0].labels[0])
    assert [contents[key].labels[0] for key in range(1, first)] == [4, 4, 7]
    assert [contents[key].labels for key in range(first, int(contents[0].labels[1]))] == [(1, 3), (3, 4)]
    assert [contents[key].data for key in range(1, first)] == [jpeg(0), jpeg(1), jpeg(2)]


def test_a_scattered_person_or_no_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="not together"):
        write(tmp_path / "a", [0, 1, 0], identities=True)
    for label, what in ((None, "no label"), (-1, "is -1"), (2**24, "16777216")):
        folder = tmp_path / what
        folder.mkdir()
        with RecordWriter(folder, "train") as writer, pytest.raises(LabelError, match=what):
            writer.add(face(label, 0))


def test_keys_beyond_float32_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordio_writer, "LARGEST_EXACT", 5)
    write(tmp_path / "plain", [0, 1, 2, 3, 4])
    with pytest.raises(LabelError, match="keys go up to 7"):
        write(tmp_path / "a", [0, 1, 2], identities=True)


def test_a_part_longer_than_29_bits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordio_writer, "_LONGEST_PART", 7)
    assert record_parts(b"1234567")
    with pytest.raises(InputError, match="8 bytes"):
        record_parts(b"12345678")


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_people_of_the_identity_kind(tmp_path_factory: pytest.TempPathFactory, labels: list[int]) -> None:
    folder = tmp_path_factory.mktemp("people") / "a"
    source = write(folder, sorted(labels), identities=True)
    assert np.array_equal(source.labels(), np.sort(labels))
    source.close()
