from __future__ import annotations

import io
import pickle
import pickletools
from pathlib import Path

import numpy as np
import pytest
from face_files import jpeg, write_folder, write_tar

from wildstyle.errors import CorruptArchive, HostileFile, InputError
from wildstyle.faces import decode_image, open_faces, open_pairs
from wildstyle.faces.safe_pickle import load_pickle

IMAGES = [jpeg(k) for k in range(6)]
SAME = [True, False, True]


def bin_file(path: Path, content: object, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("form", ["bytes", "flat", "column", "bool array", "numpy marks", "integers", "bytearray"])
def test_every_usual_way_to_write_pairs_is_read(tmp_path: Path, protocol: int, form: str) -> None:
    images: list[object] = list(IMAGES)
    marks: object = SAME
    if form == "flat":
        images = [np.frombuffer(d, np.uint8) for d in IMAGES]
    elif form == "column":
        images = [np.frombuffer(d, np.uint8)[:, None].copy() for d in IMAGES]
    elif form == "bool array":
        marks = np.array(SAME)
    elif form == "numpy marks":
        marks = [np.bool_(s) for s in SAME]
    elif form == "integers":
        marks = [int(s) for s in SAME]
    elif form == "bytearray" and protocol == 5:
        images = [bytearray(d) for d in IMAGES]
    source, pairs = open_pairs(bin_file(tmp_path / "x.bin", (images, marks), protocol))
    assert [source.encoded(i) for i in range(6)] == IMAGES
    assert np.array_equal(source.read(5).image, decode_image(IMAGES[5], where="x"))
    assert pairs.same.tolist() == SAME
    assert pairs.first.tolist() == [0, 2, 4]
    assert pairs.second.tolist() == [1, 3, 5]
    assert [source.record(i).id for i in (0, 5)] == ["0/0", "2/1"]


def test_numpy_1_module_names_are_read(tmp_path: Path) -> None:
    data = pickle.dumps(([np.frombuffer(d, np.uint8) for d in IMAGES], SAME), protocol=2)
    old = data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert old != data or b"numpy.core" in data
    (tmp_path / "x.bin").write_bytes(old)
    source, _ = open_pairs(tmp_path / "x.bin")
    assert source.encoded(3) == IMAGES[3]


def test_python_2_pickle_is_read(tmp_path: Path) -> None:
    """Written by hand: protocol 2 with byte strings, as Python 2 wrote ``str``."""
    out = b"\x80\x02]q\x01("
    for data in IMAGES:
        out += b"T" + len(data).to_bytes(4, "little") + data
    out += b"e]q\x02(" + b"".join(b"\x88" if s else b"\x89" for s in SAME) + b"e\x86."
    (tmp_path / "x.bin").write_bytes(out)
    source, pairs = open_pairs(tmp_path / "x.bin")
    assert [source.encoded(i) for i in range(6)] == IMAGES
    assert pairs.same.tolist() == SAME


def test_python_2_numpy_array_is_read() -> None:
    body = b"\xff\xd8\x01\x02"
    out = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R(K\x01K\x04\x85"
    out += b"cnumpy\ndtype\nU\x02u1K\0K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89"
    out += b"U\x04" + body + b"tb."
    assert load_pickle(out, where="x").data == body


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (eval, ("__import__('pathlib').Path('OWNED').write_text('x')",))


def test_hostile_pickle_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for protocol in range(6):
        with pytest.raises(HostileFile, match=r"eval"):
            open_faces(bin_file(tmp_path / "x.bin", ([Evil()], [True]), protocol))
    assert not (tmp_path / "OWNED").exists()


@pytest.mark.parametrize(
    "opcodes",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"cnumpy\nload\n.",
        b"cnumpy.core.multiarray\nfromfile\n.",
        b"\x80\x02c_codecs\nencode\nX\x01\0\0\0aX\x05\0\0\0utf-8\x86R.",
        b"(ios\nsystem\n.",
        b"\x80\x02Pabc\n.",
        b"\x80\x02cbuiltins\nbytes\nJ\0\0\0\x40\x85R.",  # a gigabyte of zeros
        b"\x80\x02r\xff\xff\xff\xff.",
        b"\x80\x02]r\xf0\xff\xff\x0f.",  # a memo of 268 million places
        b"\x80\x02cnumpy\ndtype\nX\x04\0\0\0V999\x85R.",
        b"\x80\x02cnumpy\ndtype\nX\x01\0\0\0O\x85R.",
        b"\x80\x02\x82\x01.",
    ],
)
def test_pickles_that_ask_for_more_than_bytes_are_refused(opcodes: bytes) -> None:
    with pytest.raises((HostileFile, CorruptArchive)):
        load_pickle(opcodes, where="x")
    assert pickletools.code2op  # the opcodes above are read by the same table


def test_array_with_fewer_bytes_than_its_shape_is_refused() -> None:
    good = pickle.dumps(np.zeros(7, np.uint8), protocol=2)
    assert load_pickle(good, where="x").shape == (7,)
    huge = good.replace(b"K\x01K\x07\x85", b"K\x01J\xff\xff\xff\x7f\x85")
    assert huge != good
    with pytest.raises(HostileFile, match="of its shape"):
        load_pickle(huge, where="x")


@pytest.mark.parametrize("cut", [1, 10, 200, -2])
def test_cut_pickle_is_refused(tmp_path: Path, cut: int) -> None:
    path = bin_file(tmp_path / "x.bin", (IMAGES, SAME))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CorruptArchive, match="cut off"):
        open_faces(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2, 3], "no pair"),
        ((IMAGES, [True]), "6 images for 1 pairs"),
        (([], []), "0 images"),
        ((IMAGES, [True, False, 2]), "mark 2"),
        ((IMAGES, 3), "no list"),
        (([1, 2], [True]), "image 0 is int"),
        (([np.zeros((2, 2), np.bool_), b"x"], [True]), "image 0"),
        ({"a": 1}, "no pair"),
    ],
)
def test_pickle_of_something_else_is_refused(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(CorruptArchive, match=message):
        open_faces(bin_file(tmp_path / "x.bin", content))


def test_missing_empty_and_oversized_bin(tmp_path: Path) -> None:
    from wildstyle.faces.pairs_bin import BinSource

    (tmp_path / "x.bin").write_bytes(b"")
    with pytest.raises(InputError, match="empty"):
        open_faces(tmp_path / "x.bin")
    with pytest.raises(HostileFile, match="more than 100 bytes"):
        BinSource(bin_file(tmp_path / "y.bin", (IMAGES, SAME)), largest_bytes=100)


def test_folds_of_a_bin_are_ten_runs_in_order(tmp_path: Path) -> None:
    images, marks = [jpeg(0)] * 46, [True] * 23
    _, pairs = open_pairs(bin_file(tmp_path / "x.bin", (images, marks)))
    assert pairs.fold.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [f for f in range(3, 10) for _ in range(2)]


PAIRS = "2\t1\nAn_Bo\t1\t2\nAn_Bo\t1\tCy\t1\nCy\t1\t3\nCy\t3\tAn_Bo\t2\n"
LFW = [("pairs.txt", PAIRS.encode()), *[(f"{n}/{n}_000{k}.jpg", jpeg(k)) for n, k in (
    ("An_Bo", 1), ("An_Bo", 2), ("Cy", 1), ("Cy", 3))]]  # fmt: skip


def test_lfw_pairs_keep_fold_order(tmp_path: Path) -> None:
    for path in (write_tar(tmp_path / "x.tar", LFW), write_folder(tmp_path / "x", dict(LFW))):
        source, pairs = open_pairs(path)
        names = [source.record(i).id.rpartition("/")[2] for i in range(4)]
        assert [names[i] for i in pairs.first] == ["An_Bo_0001.jpg", "An_Bo_0001.jpg", "Cy_0001.jpg", "Cy_0003.jpg"]
        assert [names[i] for i in pairs.second] == ["An_Bo_0002.jpg", "Cy_0001.jpg", "Cy_0003.jpg", "An_Bo_0002.jpg"]
        assert pairs.same.tolist() == [True, False, True, False]
        assert pairs.fold.tolist() == [0, 0, 1, 1]


def test_one_fold_list_with_blanks_is_read(tmp_path: Path) -> None:
    text = b"1\nAn_Bo 1 2\nAn_Bo 1 Cy 1\n"
    _, pairs = open_pairs(write_tar(tmp_path / "x.tar", [("pairs.txt", text), *LFW[1:]]))
    assert (pairs.same.tolist(), pairs.fold.tolist()) == ([True, False], [0, 0])


def test_missing_image_of_a_pair_is_an_error_that_names_it(tmp_path: Path) -> None:
    text = PAIRS.replace("An_Bo\t1\t2", "An_Bo\t1\t1")
    members = [("pairs.txt", text.encode()), *[m for m in LFW[1:] if "An_Bo_0002" not in m[0]]]
    with pytest.raises(InputError, match=r"pair 3: image An_Bo/An_Bo_0002\.jpg is missing"):
        open_pairs(write_tar(tmp_path / "x.tar", members))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line"),
        ("ten 300\n", "first line"),
        ("2\t2\nCy\t1\t3\n", "1 pairs, the first line promises 8"),
        ("1\t1\nCy\t1\t3\nCy\t1\t3\n", "same and 1 different"),
        ("1\t1\nCy\t1\nCy\t1\tAn_Bo\t1\n", "is no pair"),
        ("1\t1\nCy\tx\t3\nCy\t1\tAn_Bo\t1\n", "no number"),
    ],
)
def test_damaged_pair_list_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CorruptArchive, match=message):
        open_pairs(write_tar(tmp_path / "x.tar", [("pairs.txt", text.encode()), *LFW[1:]]))


def test_faces_without_pairs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no pairs\.txt"):
        open_pairs(write_tar(tmp_path / "x.tar", LFW[1:]))


def test_real_lfw_has_ten_official_folds(data_dir: Path) -> None:
    source, pairs = open_pairs(data_dir / "lfw_pairs112.tar")
    assert len(source) == 7701
    assert pairs.same.reshape(10, 2, 300).all(axis=(0, 2)).tolist() == [True, False]
    assert np.array_equal(pairs.fold, np.repeat(np.arange(10), 600))
    people = source.subjects()
    assert [people[a] == people[b] for a, b in zip(pairs.first, pairs.second, strict=True)] == pairs.same.tolist()


def test_pickle_without_arrays_is_the_standard_library_s_reading() -> None:
    content = ([b"a", "b", 3, None, 2.5], {"k": (True, 10**12)})
    for protocol in range(2, 6):
        data = pickle.dumps(content, protocol=protocol)
        assert load_pickle(data, where="x") == pickle.Unpickler(io.BytesIO(data)).load()
