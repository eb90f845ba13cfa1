from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from face_files import MAGIC, identity_records, jpeg, part, payload, record_bytes, write_rec
from hypothesis import given
from hypothesis import strategies as st

from wildstyle.errors import CorruptArchive, InputError, LabelError, UnreadableFace
from wildstyle.faces import decode_image, open_faces
from wildstyle.faces.record_parts import join_parts, read_payload

IMAGE_7 = "0a23d7ce1d000000 00000000 0000e040 0100000000000000 0000000000000000 ffd8ffd900 000000"
HEADER_3_5 = "0a23d7ce20000000 02000000 00000000 0000000000000000 0100000000000000 00004040 0000a040"


def test_golden_bytes_of_an_image_record() -> None:
    data = bytes.fromhex(IMAGE_7)
    assert len(data) == 40
    found = read_payload(join_parts(data, where="x"), where="x")
    assert (found.flag, found.labels, found.id, found.data) == (0, (7.0,), 1, b"\xff\xd8\xff\xd9\0")
    assert record_bytes(payload(7.0, 1, b"\xff\xd8\xff\xd9\0")) == data


def test_golden_bytes_of_a_header_record() -> None:
    data = bytes.fromhex(HEADER_3_5)
    assert len(data) == 40
    found = read_payload(join_parts(data, where="x"), where="x")
    assert (found.flag, found.labels, found.id, found.data) == (2, (3.0, 5.0), 0, b"")


def test_identity_kind_reads_images_only(tmp_path: Path) -> None:
    labels = [0, 0, 1, 1, 1, 2]
    for index in (True, False):
        source = open_faces(write_rec(tmp_path / f"{index}.rec", identity_records(labels), index))
        assert len(source) == 6
        assert [source.record(i).id for i in range(6)] == ["1", "2", "3", "4", "5", "6"]
        assert source.labels().tolist() == labels
        assert [source.record(i).label for i in range(6)] == labels
        for i in range(6):
            face = source.read(i)
            assert np.array_equal(face.image, decode_image(jpeg(i), where="x"))
            assert face.record == source.record(i)
        assert source.subjects()[2] == f"{index}#1"
        assert source.index_of("4") == 3
        assert source.index_of("7") is None
        assert source.index_of("04") is None


def test_plain_kind_reads_every_key_and_sorts_them(tmp_path: Path) -> None:
    records = [(key, payload(float(key % 3), key, jpeg(key))) for key in (4, 0, 2, 7)]
    for index in (True, False):
        source = open_faces(write_rec(tmp_path / f"{index}.rec", records, index))
        assert [source.record(i).id for i in range(4)] == ["0", "2", "4", "7"]
        assert source.labels().tolist() == [0, 2, 1, 1]
        assert np.array_equal(source.read(3).image, decode_image(jpeg(7), where="x"))


def test_plain_kind_may_have_several_labels_from_key_0_on(tmp_path: Path) -> None:
    records = [(key, payload((float(key), 0.5), key, jpeg(key))) for key in range(3)]
    source = open_faces(write_rec(tmp_path / "x.rec", records))
    assert source.labels().tolist() == [0, 1, 2]


def test_many_labels_before_the_image_are_passed_over(tmp_path: Path) -> None:
    source = open_faces(write_rec(tmp_path / "x.rec", [(0, payload([5.0] + [0.0] * 40, 0, jpeg(1)))]))
    assert source.labels().tolist() == [5]
    assert np.array_equal(source.read(0).image, decode_image(jpeg(1), where="x"))


def test_without_unique_ids_the_order_in_the_file_gives_the_keys(tmp_path: Path) -> None:
    records = [(key, payload(float(key), 0, jpeg(key))) for key in range(3)]
    source = open_faces(write_rec(tmp_path / "x.rec", records, index=False))
    assert [source.record(i).id for i in range(3)] == ["0", "1", "2"]


words = st.one_of(st.just(struct.pack("<I", MAGIC)), st.binary(min_size=4, max_size=4))


@given(st.lists(words, max_size=12), st.binary(max_size=3))
def test_payloads_that_hold_the_magic_are_joined_again(blocks: list[bytes], rest: bytes) -> None:
    data = b"".join(blocks) + rest
    stored = record_bytes(data)
    assert len(stored) % 4 == 0
    assert join_parts(stored + bytes(8), where="x") == data


def test_record_in_several_parts_is_read_with_and_without_index(tmp_path: Path) -> None:
    magic = struct.pack("<I", MAGIC)
    image = jpeg(3)
    # The image with two magics in a comment segment, at multiples of four behind the 24 bytes of header.
    comment = b"\xff\xfe" + struct.pack(">H", 2 + 16) + magic + bytes(4) + magic + bytes(4)
    data = image[:2] + b"\xff\xfe\0\4\0\0" + comment + image[2:]
    records = [(1, payload(4.0, 1, data)), (2, payload(5.0, 2, jpeg(4)))]
    for index in (True, False):
        path = write_rec(tmp_path / f"{index}.rec", records, index)
        assert path.read_bytes()[7] >> 5 == 1
        source = open_faces(path)
        assert source.encoded(0) == data
        assert source.labels().tolist() == [4, 5]
        assert np.array_equal(source.read(0).image, decode_image(image, where="x"))


def test_large_record_is_read_whole(tmp_path: Path) -> None:
    image = jpeg(1) + bytes(400_000)
    source = open_faces(write_rec(tmp_path / "x.rec", [(0, payload(0.0, 0, image)), (1, payload(1.0, 1, jpeg(2)))]))
    assert source.encoded(0) == image
    assert source.encoded(1) == jpeg(2)


def test_trailing_zeros_are_tolerated(tmp_path: Path) -> None:
    path = write_rec(tmp_path / "x.rec", identity_records([0, 1]), index=False)
    path.write_bytes(path.read_bytes() + bytes(4096))
    assert len(open_faces(path)) == 2


@pytest.mark.parametrize("index", [True, False])
def test_cut_file_is_refused_when_it_is_opened(tmp_path: Path, index: bool) -> None:
    path = write_rec(tmp_path / "x.rec", identity_records([0, 0, 1]), index)
    data = path.read_bytes()
    for length in range(1, len(data) - 1, 53):
        path.write_bytes(data[:length])
        with pytest.raises(CorruptArchive):
            open_faces(path)


def test_damaged_record_in_the_middle_names_its_key(tmp_path: Path) -> None:
    path = write_rec(tmp_path / "x.rec", [(k, payload(0.0, k, jpeg(k))) for k in range(3)])
    data = bytearray(path.read_bytes())
    second = len(record_bytes(payload(0.0, 0, jpeg(0))))
    data[second] ^= 1
    path.write_bytes(data)
    source = open_faces(path)
    with pytest.raises(CorruptArchive, match="key 1: no record starts here"):
        source.read(1)
    data[second] ^= 1
    data[second + 4 : second + 8] = struct.pack("<I", 100_000)
    path.write_bytes(data)
    with pytest.raises(CorruptArchive, match="key 1: record declares 100000 bytes"):
        open_faces(path).read(1)


def test_early_magic_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "x.rec"
    path.write_bytes(struct.pack("<II", 0x3ED7230A, 29) + bytes(32))
    with pytest.raises(CorruptArchive, match="early dmlc-core"):
        open_faces(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (part(bytes(24), 2), "middle"),
        (part(bytes(24), 1) + part(bytes(4), 0), "missing"),
        (part(bytes(24), 1), "cut off"),
        (part(bytes(24), 5), "kind 5"),
        (part(bytes(10)), "holds 10 bytes"),
        (part(struct.pack("<IfQQ", 2**31, 0, 0, 0)), "2147483648 labels"),
    ],
)
def test_impossible_records_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(CorruptArchive, match=message):
        read_payload(join_parts(data, where="x"), where="x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0\t0\nx\t40\n", "something else"),
        ("0\t0\n1\n", "something else"),
        ("", "empty"),
        ("0\t4000000\n", "points to byte 4000000"),
        ("0\t2\n", "points to byte 2"),
        ("0\t-4\n", "points to byte -4"),
        ("0\t0\n0\t0\n", "comes twice"),
        ("0\t99999999999999999999\n", "something else"),
    ],
)
def test_damaged_index_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = write_rec(tmp_path / "x.rec", identity_records([0, 1]))
    path.with_suffix(".idx").write_text(text)
    with pytest.raises(CorruptArchive, match=message):
        open_faces(path)


def test_index_without_a_promised_image_is_refused(tmp_path: Path) -> None:
    path = write_rec(tmp_path / "x.rec", identity_records([0, 1, 1]))
    lines = path.with_suffix(".idx").read_text().splitlines(keepends=True)
    path.with_suffix(".idx").write_text("".join(line for line in lines if not line.startswith("2\t")))
    with pytest.raises(CorruptArchive, match="image 2 of 1 to 3"):
        open_faces(path)


@pytest.mark.parametrize(
    ("labels", "message"),
    [((5.0, 3.0), "two ascending"), ((1.5, 3.0), "two ascending"), ((float("nan"), 3.0), "two ascending"),
     ((2.0, float("inf")), "two ascending"), ((2.0, 2.0**24 + 4), r"2\*\*24"), ((2.0,), "two ascending")],
)  # fmt: skip
def test_header_that_makes_no_sense_is_refused(tmp_path: Path, labels: tuple[float, ...], message: str) -> None:
    path = write_rec(tmp_path / "x.rec", [(0, payload(labels, 0, b"")), (1, payload(0.0, 1, jpeg(1)))])
    with pytest.raises(CorruptArchive, match=message):
        open_faces(path)


@pytest.mark.parametrize("label", [-1.0, 0.5, float("nan"), float("inf"), 2.0**24])
def test_label_out_of_range_names_its_key(tmp_path: Path, label: float) -> None:
    source = open_faces(write_rec(tmp_path / "x.rec", [(k, payload([0.0, label][k], k, jpeg(k))) for k in range(2)]))
    for act in (source.labels, lambda: source.read(1), lambda: source.record(1)):
        with pytest.raises(LabelError, match="key 1: label is"):
            act()


def test_property_bounds_the_labels(tmp_path: Path) -> None:
    path = write_rec(tmp_path / "x.rec", identity_records([0, 1, 2]))
    (tmp_path / "property").write_text("3,112,112\n")
    assert open_faces(path).labels().tolist() == [0, 1, 2]
    (tmp_path / "property").write_text("2,112,112\n")
    with pytest.raises(LabelError, match="2 classes"):
        open_faces(path).labels()
    (tmp_path / "property").write_text("many\n")
    with pytest.raises(CorruptArchive, match="classes,height,width"):
        open_faces(path)


def test_missing_empty_and_wrong_files(tmp_path: Path) -> None:
    (tmp_path / "x.rec").write_bytes(b"")
    with pytest.raises(InputError, match="empty"):
        open_faces(tmp_path / "x.rec")
    (tmp_path / "x.rec").write_bytes(bytes(100))
    with pytest.raises(CorruptArchive, match="no records"):
        open_faces(tmp_path / "x.rec")
    (tmp_path / "x.idx").write_text("0\t0\n")
    with pytest.raises(InputError, match=r"give the \.rec|Give the \.rec"):
        open_faces(tmp_path / "x.idx")


def test_record_without_a_picture_is_an_unreadable_face(tmp_path: Path) -> None:
    source = open_faces(write_rec(tmp_path / "x.rec", [(1, payload(0.0, 1, b"")), (2, payload(0.0, 2, b"nothing"))]))
    for i in range(2):
        with pytest.raises(UnreadableFace):
            source.read(i)


def test_hundred_thousand_records_cost_little(tmp_path: Path) -> None:
    """Three integers a record and no Python object: the index of 100,000 stays under 10 MB."""
    one = record_bytes(payload(3.0, 0, b"x"))
    path = tmp_path / "x.rec"
    path.write_bytes(one * 100_000)
    path.with_suffix(".idx").write_text("".join(f"{k}\t{k * len(one)}\n" for k in range(100_000)))
    tracemalloc.start()
    source = open_faces(path)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(source) == 100_000
    assert kept < 10e6
    assert source.record(99_999).id == "99999"
