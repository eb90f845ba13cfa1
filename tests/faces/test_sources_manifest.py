from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from face_files import jpeg, write_folder, write_tar

from wildstyle.errors import CorruptArchive, HostileFile, InputError, LabelError, UnreadableFace
from wildstyle.faces import (
    ManifestSource,
    check_labels,
    labels_of,
    open_faces,
    read_manifest,
    require_people,
    shared_subjects,
    write_manifest,
)

HEADER = "file,subject,media,template,role,enrolled,min_side,detector_score"
ROWS = [
    "bo/m/1.jpg,bo,m,bo:g,gallery,1,166,0.823",
    "an/m/1.jpg,an,m,an:g,gallery,0,40,0.5",
    ",an,n,an:2,probe,0,32,",
    "bo/m/1.jpg,bo,m,bo:3,probe,1,166,0.823",
]
IMAGES = {"bo/m/1.jpg": jpeg(1), "an/m/1.jpg": jpeg(2)}


def manifest_file(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "m.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_rows_are_read_with_their_types(tmp_path: Path) -> None:
    manifest = read_manifest(manifest_file(tmp_path, *(row + ",left" for row in ROWS), header=HEADER + ",pose"))
    first, failure = manifest.rows[0], manifest.rows[2]
    assert (first.file, first.role, first.enrolled, first.min_side) == ("bo/m/1.jpg", "gallery", True, 166.0)
    assert dict(first.attributes) == {"pose": "left"}
    assert (failure.file, failure.detector_score, failure.enrolled) == (None, None, False)
    assert len(manifest) == 4


def test_only_the_file_column_must_be_there(tmp_path: Path) -> None:
    row = read_manifest(manifest_file(tmp_path, "a.jpg", header="file")).rows[0]
    assert (row.file, row.subject, row.role, row.enrolled, dict(row.attributes)) == ("a.jpg", None, None, None, {})


def test_byte_order_mark_quotes_and_windows_lines_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes('\ufefffile,subject,note\r\n"a,b.jpg",Ünal,"said ""no"""\r\n'.encode())
    row = read_manifest(path).rows[0]
    assert (row.file, row.subject, row.attributes["note"]) == ("a,b.jpg", "Ünal", 'said "no"')


def test_failure_to_enrol_stays_a_row_that_cannot_be_read(tmp_path: Path) -> None:
    faces = open_faces(write_tar(tmp_path / "x.tar", list(IMAGES.items())))
    source = ManifestSource(read_manifest(manifest_file(tmp_path, *ROWS)), faces)
    assert len(source) == 4
    assert source.positions.tolist() == [0, 1, -1, 0]
    assert [source.record(i).id for i in range(4)] == ["bo/m/1.jpg#row0", "an/m/1.jpg", "row2", "bo/m/1.jpg#row3"]
    with pytest.raises(UnreadableFace, match="failure to enrol"):
        source.read(2)
    assert source.record(2).size_before == 32.0
    assert labels_of(source).tolist() == [1, 0, 0, 1]
    record = source.read(3).record
    assert (record.subject, record.template, record.label, record.attributes["role"]) == ("bo", "bo:3", 1, "probe")
    assert record == source.record(3)
    assert [source.enrolled_faces().record(i).id for i in range(3)][1] == "an/m/1.jpg"


def test_given_labels_win_and_empty_ones_are_unknown(tmp_path: Path) -> None:
    path = manifest_file(tmp_path, "bo/m/1.jpg,bo,7", "an/m/1.jpg,an,", header="file,subject,label")
    source = open_faces(write_folder(tmp_path, IMAGES), manifest=path)
    assert labels_of(source).tolist() == [7, -1]
    assert [source.record(i).label for i in range(2)] == [7, None]


def test_manifest_alone_finds_its_images(tmp_path: Path) -> None:
    write_folder(tmp_path, IMAGES)
    by_folder = open_faces(manifest_file(tmp_path, *ROWS))
    write_tar(tmp_path / "m.tar", list(IMAGES.items()))
    by_tar = open_faces(tmp_path / "m.csv")
    assert np.array_equal(by_folder.read(1).image, by_tar.read(1).image)
    assert by_tar.name == "m"


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    header = HEADER + ",eye_distance,landmarks,pose"
    rows = [row + ",12.5,1 2 3 4 5 6 7 8 9 10,left" for row in ROWS]
    manifest = read_manifest(manifest_file(tmp_path, *rows, header=header))
    write_manifest(tmp_path / "again.csv", manifest.rows)
    again = read_manifest(tmp_path / "again.csv")
    assert again.rows == manifest.rows
    assert again.rows[0].landmarks is not None
    assert again.rows[0].landmarks.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]


@pytest.mark.parametrize(
    ("header", "rows", "error", "message"),
    [
        ("path,subject", ["a.jpg,an"], InputError, "no column 'file', only 'path', 'subject'"),
        ("file,subjct", ["a.jpg,an"], InputError, "'subjct' is unknown. If you mean 'subject'"),
        ("file,subject,subject", ["a.jpg,an,bo"], InputError, "comes twice"),
        ("", [], InputError, "no column 'file', only nothing"),
        (HEADER, [], InputError, "no rows"),
        (HEADER, [ROWS[0] + ",7"], CorruptArchive, r"m\.csv:2: row has 9 cells, the header 8"),
        (HEADER, [ROWS[0], "a.jpg,an"], CorruptArchive, r"m\.csv:3: row has 2 cells"),
        ("file,min_side", ["a.jpg,wide"], InputError, r"m\.csv:2: min_side is 'wide'"),
        ("file,min_side", ["a.jpg,nan"], InputError, "min_side is 'nan'"),
        ("file,detector_score", ["a.jpg,-1"], InputError, "detector_score is '-1'"),
        ("file,enrolled", ["a.jpg,maybe"], InputError, "enrolled is 'maybe', not 0 or 1"),
        ("file,label", ["a.jpg,-1"], LabelError, "label is '-1'"),
        ("file,label", ["a.jpg,1.0"], LabelError, r"label is '1\.0'"),
        ("file,label", ["a.jpg,99999999999"], LabelError, "999999999"),
        ("file,landmarks", ["a.jpg,1 2 3"], InputError, "ten numbers"),
        ("file", ["../../etc/passwd.jpg"], HostileFile, "leaves the folder"),
        ("file", ["/etc/a.jpg"], HostileFile, "leaves the folder"),
        ("file,subject", ['"a.jpg,an'], CorruptArchive, "no CSV"),
    ],
)
def test_faults_are_named_with_their_line(
    tmp_path: Path, header: str, rows: list[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        read_manifest(manifest_file(tmp_path, *rows, header=header))


def test_missing_and_binary_manifests(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_manifest(tmp_path / "none.csv")
    (tmp_path / "m.csv").write_bytes(b"file\n\xff\xfe\x00\n")
    with pytest.raises(InputError, match="no UTF-8"):
        read_manifest(tmp_path / "m.csv")


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    faces = open_faces(write_tar(tmp_path / "x.tar", [("a/1.jpg", jpeg(1))]))
    with pytest.raises(InputError, match=r"3 of 4 files are not in .*x\.tar: 'bo/m/1\.jpg'"):
        ManifestSource(read_manifest(manifest_file(tmp_path, *ROWS)), faces)
    with pytest.raises(InputError, match=r"'bo/m/1\.jpg' is not in the folder"):
        open_faces(tmp_path / "m.csv")


def test_one_person_only_is_refused_where_several_are_needed(tmp_path: Path) -> None:
    one = open_faces(write_folder(tmp_path / "one", {"an/1.jpg": jpeg(1), "an/2.jpg": jpeg(2)}))
    with pytest.raises(LabelError, match="one person only, at least 2"):
        require_people(one)
    loose = open_faces(write_folder(tmp_path / "loose", {"1.jpg": jpeg(1)}))
    with pytest.raises(LabelError, match="no person is known"):
        require_people(loose)
    two = open_faces(write_folder(tmp_path / "two", {"an/1.jpg": jpeg(1), "bo/2.jpg": jpeg(2), "3.jpg": jpeg(3)}))
    assert require_people(two).tolist() == [-1, 0, 1]
    with pytest.raises(LabelError, match="2 people only"):
        require_people(two, 3)


def test_label_out_of_range_names_the_first_face() -> None:
    check_labels(np.array([0, -1, 4]), 5)
    with pytest.raises(LabelError, match=r"face 2 has label 5, expected 0 to 4 \(and 1 more\)"):
        check_labels(np.array([0, 4, 5, -2]), 5)


def test_people_in_both_sets_are_found(tmp_path: Path) -> None:
    first = open_faces(write_folder(tmp_path / "a", {n + "/1.jpg": jpeg(1) for n in ("Bo Li", "An", "Cy")}))
    second = open_faces(write_folder(tmp_path / "b", {n + "/1.jpg": jpeg(1) for n in ("Cy", "Bo_Li", "Di")}))
    loose = open_faces(write_folder(tmp_path / "c", {"1.jpg": jpeg(1)}))
    assert shared_subjects(first, second) == ["Bo_Li", "Cy"]
    assert shared_subjects(loose, loose) == []


def test_real_manifest_fits_its_images(data_dir: Path) -> None:
    source = open_faces(data_dir / "imfdb_test112.tar", manifest=data_dir / "imfdb_test.csv")
    assert isinstance(source, ManifestSource)
    probes = [row for row in source.manifest.rows if row.role == "probe"]
    assert (len(probes), sum(row.file is None for row in probes)) == (2050, 81)
    assert shared_subjects(source, open_faces(data_dir / "imfdb_tune112.tar")) == []
