from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from face_files import jpeg, picture, write_folder, write_tar

from wildstyle.errors import CorruptArchive, HostileFile, InputError, LabelError, UnreadableFace
from wildstyle.faces import Subset, decode_image, open_faces
from wildstyle.faces.listing import Coded, Names
from wildstyle.faces.opening import expand_braces
from wildstyle.faces.tar import TarSource

FILES = {
    "bo/film/2.jpg": jpeg(1),
    "an/1.jpg": jpeg(2),
    "bo/film/1.png": jpeg(3),
    "bo/other/cut/1.JPG": jpeg(4),
    "loose.jpeg": jpeg(5),
}


def ids(source: object) -> list[str]:
    return [source.record(i).id for i in range(len(source))]  # type: ignore[attr-defined,arg-type]


def test_folder_is_sorted_and_hidden_files_are_skipped(tmp_path: Path) -> None:
    write_folder(
        tmp_path, {**FILES, ".hidden/x/1.jpg": b"", "an/.1.jpg": b"", "__MACOSX/a/1.jpg": b"", "an/notes.txt": b""}
    )
    source = open_faces(tmp_path)
    assert ids(source) == sorted(FILES)
    assert [source.record(i).subject for i in range(5)] == ["an", "bo", "bo", "bo", None]
    assert [source.record(i).media for i in range(5)] == [None, "film", "film", "other/cut", None]
    assert source.labels().tolist() == [0, 1, 1, 1, -1]
    assert [source.record(i).label for i in range(5)] == [0, 1, 1, 1, None]
    assert np.array_equal(source.read(1).image, decode_image(FILES["bo/film/1.png"], where="x"))
    assert source.index_of("loose.jpeg") == 4
    assert source.index_of("nowhere.jpg") is None


def test_tar_gives_the_same_faces_as_the_folder_in_archive_order(tmp_path: Path) -> None:
    source = open_faces(write_tar(tmp_path / "x.tar", [("pairs.txt", b"10"), *FILES.items(), ("an/._1.jpg", b"?")]))
    folder = open_faces(write_folder(tmp_path / "x", FILES))
    assert ids(source) == list(FILES)
    for i in range(len(source)):
        twin = folder.index_of(source.record(i).id)
        assert twin is not None
        assert source.record(i) == folder.record(twin)
        assert np.array_equal(source.read(i).image, folder.read(twin).image)
    assert source.subjects() == ["bo", "an", "bo", "bo", None]
    assert isinstance(source, TarSource)
    assert source.member("pairs.txt") == b"10"
    assert source.member("absent") is None
    source.close()
    source.close()
    assert len(source.encoded(0)) == len(FILES["bo/film/2.jpg"])  # opens again


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_and_foreign_names_are_read(tmp_path: Path, format: int) -> None:
    names = [f"{'a' * 120}/{'b' * 150}/1.jpg", "./ünï/Ω.jpg", "x/" + "y" * 99 + ".jpg"]
    source = open_faces(write_tar(tmp_path / "x.tar", [(n, jpeg(i)) for i, n in enumerate(names)], format))
    assert ids(source) == [n.removeprefix("./") for n in names]
    assert source.record(1).subject == "ünï"
    assert source.read(2).image.shape == (12, 16, 3)


def test_ustar_prefix_is_read(tmp_path: Path) -> None:
    name = f"{'a' * 90}/{'b' * 60}/1.jpg"
    source = open_faces(write_tar(tmp_path / "x.tar", [(name, jpeg(1))], tarfile.USTAR_FORMAT))
    assert ids(source) == [name]


@pytest.mark.parametrize("name", ["/etc/1.jpg", "../1.jpg", "a/../../1.jpg", "a\\..\\1.jpg", "C:/1.jpg", "..", "../x/"])
def test_tar_names_that_leave_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    path = write_tar(tmp_path / "x.tar", [("a/1.jpg", jpeg(1)), (name, jpeg(2))])
    with pytest.raises(HostileFile, match="leaves the folder"):
        open_faces(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        info = tarfile.TarInfo("a/1.jpg")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(HostileFile, match=r"a/1\.jpg"):
        open_faces(tmp_path / "x.tar")


def test_tar_cut_anywhere_is_refused_when_it_is_opened(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", list(FILES.items()))
    data = path.read_bytes()
    used = len(data.rstrip(b"\0"))
    for length in range(1, used, 97):
        path.write_bytes(data[:length])
        with pytest.raises(CorruptArchive):
            open_faces(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="empty"):
        open_faces(path)


def test_damaged_header_in_the_middle_does_not_end_the_tar_silently(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", list(FILES.items()))
    data = bytearray(path.read_bytes())
    data[data.index(b"an/1.jpg") + 130] ^= 0x55
    path.write_bytes(data)
    with pytest.raises(CorruptArchive, match="damaged"):
        open_faces(path)


def test_joined_tars_do_not_lose_the_second(tmp_path: Path) -> None:
    one = write_tar(tmp_path / "1.tar", [("a/1.jpg", jpeg(1))])
    two = write_tar(tmp_path / "2.tar", [("a/2.jpg", jpeg(2))])
    (tmp_path / "x.tar").write_bytes(one.read_bytes() + two.read_bytes())
    with pytest.raises(CorruptArchive, match="follows the end mark"):
        open_faces(tmp_path / "x.tar")


def test_the_same_file_twice_is_one_face_and_two_pictures_of_one_name_are_refused(tmp_path: Path) -> None:
    members = [("a/1.jpg", jpeg(1)), ("b/1.jpg", jpeg(2)), ("a/1.jpg", jpeg(1)), ("b/2.jpg", jpeg(3))]
    source = TarSource(write_tar(tmp_path / "x.tar", members))
    assert ids(source) == ["a/1.jpg", "b/1.jpg", "b/2.jpg"]
    assert len(source.repeats) == 1
    assert source.labels().tolist() == [0, 1, 1]
    assert np.array_equal(source.read(2).image, decode_image(jpeg(3), where="x"))
    with pytest.raises(CorruptArchive, match=r"'a/1\.jpg' comes twice"):
        open_faces(write_tar(tmp_path / "y.tar", [("a/1.jpg", jpeg(1)), ("a/1.jpg", jpeg(2))]))


def test_tar_that_shrinks_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", list(FILES.items()))
    source = open_faces(path)
    os.truncate(path, 600)
    with pytest.raises(CorruptArchive, match="read in full"):
        source.read(3)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\x1f\x8b" + bytes(600), "compressed"), (b"PK\x03\x04" + bytes(600), "zip"), (b"x" * 2000, "not a tar")],
)
def test_other_archives_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(InputError, match=message):
        open_faces(tmp_path / "x.tar")


def sample(key: str, label: int, seed: int) -> list[tuple[str, bytes]]:
    note = {"subject": f"p{label}", "media": "cam", "min_side": 31.5, "pose": "left", "landmarks": list(range(10))}
    return [
        (f"{key}.cls", f"{label}\n".encode()),
        (f"{key}.jpg", jpeg(seed)),
        (f"{key}.json", json.dumps(note).encode()),
    ]


def test_webdataset_samples_have_labels_and_notes(tmp_path: Path) -> None:
    source = open_faces(
        write_tar(tmp_path / "x.tar", [*sample("000", 7, 0), *sample("001", 3, 1), ("002.jpg", jpeg(2))])
    )
    assert source.labels().tolist() == [7, 3, -1]
    first = source.record(0)
    assert (first.label, first.subject, first.media, first.size_before) == (7, "p7", "cam", 31.5)
    assert dict(first.attributes) == {"pose": "left"}
    assert first.landmarks is not None
    assert first.landmarks.tolist() == np.arange(10).reshape(5, 2).tolist()
    assert source.subjects() == ["p7", "p3", None]
    assert source.read(1).record == source.record(1)


def test_label_alone_makes_a_subject_of_its_source(tmp_path: Path) -> None:
    source = open_faces(write_tar(tmp_path / "x.tar", [("000.jpg", jpeg(1)), ("000.cls", b"4")]))
    assert source.record(0).subject == "x#4"


@pytest.mark.parametrize("label", [b"-1", b"1.5", b"", b"anna", b"99999999999"])
def test_label_beside_an_image_must_be_a_class_number(tmp_path: Path, label: bytes) -> None:
    with pytest.raises(LabelError, match=r"000\.jpg"):
        open_faces(write_tar(tmp_path / "x.tar", [("000.jpg", jpeg(1)), ("000.cls", label)]))


@pytest.mark.parametrize("note", [b"{", b"[1]", b"[" * 100_000, b'{"min_side": "wide"}'])
def test_damaged_note_names_its_image(tmp_path: Path, note: bytes) -> None:
    with pytest.raises(InputError, match=r"000\.jpg"):
        open_faces(write_tar(tmp_path / "x.tar", [("000.jpg", jpeg(1)), ("000.json", note)]))


def test_shards_are_one_source_however_they_are_named(tmp_path: Path) -> None:
    write_tar(tmp_path / "s-000.tar", [("b/1.jpg", jpeg(1))])
    write_tar(tmp_path / "s-001.tar", [("a/1.jpg", jpeg(2)), ("b/2.jpg", jpeg(3))])
    for source in (open_faces(tmp_path), open_faces(tmp_path / "s-{000..001}.tar")):
        assert ids(source) == ["b/1.jpg", "a/1.jpg", "b/2.jpg"]
        assert source.labels().tolist() == [1, 0, 1]
        assert np.array_equal(source.read(2).image, decode_image(jpeg(3), where="x"))


def test_shards_that_share_names_keep_ids_apart(tmp_path: Path) -> None:
    for shard in range(2):
        write_tar(tmp_path / f"s{shard}.tar", [("0.jpg", jpeg(shard)), ("0.cls", b"1"), ("a/0.jpg", jpeg(9))])
    source = open_faces(tmp_path)
    assert ids(source) == ["s0/0.jpg", "s0/a/0.jpg", "s1/0.jpg", "s1/a/0.jpg"]
    assert source.subjects()[1] == "a"
    assert np.array_equal(source.read(2).image, decode_image(jpeg(1), where="x"))


def test_missing_shard_and_wrong_range_are_errors(tmp_path: Path) -> None:
    write_tar(tmp_path / "s-000.tar", [("b/1.jpg", jpeg(1))])
    with pytest.raises(InputError, match=r"s-001\.tar"):
        open_faces(tmp_path / "s-{000..001}.tar")
    with pytest.raises(InputError, match="ascending"):
        expand_braces("s-{5..1}.tar")
    assert expand_braces("s-{8..10}.tar") == ["s-8.tar", "s-9.tar", "s-10.tar"]


def test_missing_and_empty_inputs_say_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        open_faces(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no images"):
        open_faces(tmp_path)
    with pytest.raises(InputError, match="holds no images"):
        open_faces(write_tar(tmp_path / "x.tar", [("readme.txt", b"x")]))
    (tmp_path / "x.doc").write_bytes(b"x")
    with pytest.raises(InputError, match=r"'\.doc'"):
        open_faces(tmp_path / "x.doc")


def test_links_that_leave_the_folder_are_refused_and_others_followed(tmp_path: Path) -> None:
    outside = write_folder(tmp_path / "outside", {"1.jpg": jpeg(1)})
    inside = write_folder(tmp_path / "inside", {"a/1.jpg": jpeg(2)})
    (inside / "a" / "2.jpg").symlink_to(inside / "a" / "1.jpg")
    (inside / "again").symlink_to(inside / "a")
    assert ids(open_faces(inside)) == ["a/1.jpg", "a/2.jpg"]
    (inside / "a" / "3.jpg").symlink_to(outside / "1.jpg")
    with pytest.raises(HostileFile, match="leads out"):
        open_faces(inside)
    (inside / "a" / "3.jpg").unlink()
    (inside / "b").symlink_to(outside)
    with pytest.raises(HostileFile, match="leads out"):
        open_faces(inside)


def test_unreadable_images_are_errors_of_one_face(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a/1.jpg": jpeg(1)[:-20], "a/2.jpg": jpeg(2), "a/3.jpg": b""})
    source = open_faces(tmp_path)
    with pytest.raises(UnreadableFace, match=r"a/1\.jpg: JPEG is truncated"):
        source.read(0)
    with pytest.raises(UnreadableFace, match="empty"):
        source.read(2)
    (tmp_path / "a" / "2.jpg").unlink()
    with pytest.raises(UnreadableFace, match="can't be read"):
        source.read(1)


def test_pipe_named_like_an_image_does_not_hang(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a/1.jpg": jpeg(1)})
    os.mkfifo(tmp_path / "a" / "2.jpg")
    assert ids(open_faces(tmp_path)) == ["a/1.jpg"]


def test_subset_keeps_order_and_labels(tmp_path: Path) -> None:
    source = open_faces(write_folder(tmp_path, FILES))
    some = Subset(source, [3, 0, 3])
    assert ids(some) == ["bo/other/cut/1.JPG", "an/1.jpg", "bo/other/cut/1.JPG"]
    assert some.labels().tolist() == [1, 0, 1]
    assert some.subjects() == ["bo", "an", "bo"]
    with pytest.raises(InputError, match="no face 5"):
        Subset(source, [5])


def test_names_and_codes_agree_with_plain_lists() -> None:
    words = [f"{k * 7919 % 1000}/ü{k}.jpg" for k in range(500)]
    names = Names([*words, words[3]])
    assert list(names) == [*words, words[3]]
    assert [names.find(w) for w in words] == list(range(500))
    assert names.repeats() == [(500, 3)]
    values = [None, "b", "a", None, "b"]
    coded = Coded(values)
    assert [coded[i] for i in range(5)] == values == coded.texts()
    assert coded.codes.tolist() == [-1, 1, 0, -1, 1]


def test_real_sets_have_the_counts_they_should(data_dir: Path) -> None:
    source = open_faces(data_dir / "imfdb_test112.tar")
    assert (len(source), len(set(source.subjects()))) == (2149, 36)
    assert source.read(0).image.shape == (112, 112, 3)
    raw = open_faces(data_dir / "imfdb_raw.tar")
    assert (len(raw), len(raw.repeats)) == (538, 2)


def test_standard_library_agrees_on_where_members_are(data_dir: Path) -> None:
    path = data_dir / "webcam_far_test112.tar"
    source = open_faces(path)
    with tarfile.open(path) as archive:
        members = [m for m in archive.getmembers() if m.isfile()]
        assert ids(source) == [m.name for m in members]
        for i in range(0, len(members), 50):
            file = archive.extractfile(members[i])
            assert isinstance(file, io.BufferedReader)
            assert file.read() == source.encoded(i)


def test_pictures_of_the_test_kit_differ() -> None:
    assert not np.array_equal(picture(1), picture(2))
