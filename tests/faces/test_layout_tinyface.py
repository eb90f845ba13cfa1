from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from face_files import jpeg
from scipy.io import savemat

from wildstyle.errors import HostileFile, InputError, LabelError, UnreadableFace
from wildstyle.faces.layouts import looks_like_tinyface, open_tinyface_faces, read_tinyface
from wildstyle.faces.layouts.id_lists import NOBODY


def cells(names: list[str]) -> np.ndarray:
    """A column of MATLAB cells, one text each."""
    out = np.empty((len(names), 1), object)
    out[:, 0] = names
    return out


def write_lists(base: Path, probes: dict[str, int], gallery: dict[str, int]) -> None:
    for stem, kind, part in (("probe", "probe", probes), ("gallery_match", "gallery", gallery)):
        numbers = np.array(list(part.values()), np.uint16)[:, None]
        savemat(base / f"{stem}_img_ID_pairs.mat", {f"{kind}_set": cells(list(part)), f"{kind}_ids": numbers})


@pytest.fixture
def testing_set(tmp_path: Path) -> Path:
    base = tmp_path / "Testing_Set"
    parts = {
        "Probe": ["11_2.jpg", "7_1.jpg"],
        "Gallery_Match": ["11_1.jpg", "11_3.jpg", "7_4.jpg"],
        "Gallery_Distractor": ["11_9.jpg", "d.jpg"],
    }
    for folder, names in parts.items():
        (base / folder).mkdir(parents=True)
        for number, name in enumerate(names):
            (base / folder / name).write_bytes(jpeg(number))
    return base


def test_by_file_names(testing_set: Path) -> None:
    layout = read_tinyface(testing_set.parent)
    assert layout.files[:3] == ("Probe/11_2.jpg", "Probe/7_1.jpg", "Gallery_Match/11_1.jpg")
    # A distractor is nobody, even where its name starts like a person's.
    assert layout.people.tolist() == [11, 7, 11, 11, 7, NOBODY, NOBODY]
    assert (layout.probes, layout.gallery, layout.distractors, layout.listed) == (2, 3, 2, False)


def test_lists_give_order_and_numbers(testing_set: Path) -> None:
    write_lists(testing_set, {"7_1.jpg": 1, "11_2.jpg": 2}, {"7_4.jpg": 1, "11_1.jpg": 2, "11_3.jpg": 2})
    layout = read_tinyface(testing_set)
    assert layout.listed
    assert layout.files[:2] == ("Probe/7_1.jpg", "Probe/11_2.jpg")
    assert layout.people.tolist() == [1, 2, 1, 2, 2, NOBODY, NOBODY]


def test_faces_are_resized_and_a_missing_one_fails(testing_set: Path) -> None:
    write_lists(testing_set, {"7_1.jpg": 7, "11_8.jpg": 11}, {"7_4.jpg": 7, "11_1.jpg": 11})
    with open_tinyface_faces(read_tinyface(testing_set), 24) as faces:
        assert len(faces) == 6
        assert faces.read(0).image.shape == (24, 24, 3)
        assert faces.record(0).id == "Probe/7_1.jpg"
        with pytest.raises(UnreadableFace, match="missing"):
            faces.read(1)


def test_without_distractors(testing_set: Path) -> None:
    for file in (testing_set / "Gallery_Distractor").iterdir():
        file.unlink()
    (testing_set / "Gallery_Distractor").rmdir()
    assert read_tinyface(testing_set).distractors == 0


def test_no_tinyface(tmp_path: Path) -> None:
    assert not looks_like_tinyface(tmp_path)
    with pytest.raises(InputError, match="no TinyFace folder"):
        read_tinyface(tmp_path)


def test_a_name_without_a_number(testing_set: Path) -> None:
    (testing_set / "Probe" / "anna.jpg").write_bytes(jpeg(1))
    with pytest.raises(InputError, match=r"anna\.jpg.*list of numbers"):
        read_tinyface(testing_set)


def test_one_list_alone(testing_set: Path) -> None:
    write_lists(testing_set, {"7_1.jpg": 1}, {"7_4.jpg": 1})
    (testing_set / "probe_img_ID_pairs.mat").unlink()
    with pytest.raises(InputError, match="one of the two lists"):
        read_tinyface(testing_set)


@pytest.mark.parametrize(
    ("probes", "fault"),
    [({"7_1.jpg": 1, "11_2.jpg": 1}, "numbers say one person"), ({"7_1.jpg": 1, "7_2.jpg": 2}, "names say one person")],
)
def test_lists_that_contradict_the_names(testing_set: Path, probes: dict[str, int], fault: str) -> None:
    write_lists(testing_set, probes, {"7_4.jpg": 1})
    with pytest.raises(LabelError, match=fault):
        read_tinyface(testing_set)


def test_bad_lists(testing_set: Path) -> None:
    path = testing_set / "probe_img_ID_pairs.mat"
    write_lists(testing_set, {"../x_1.jpg": 1}, {"7_4.jpg": 1})
    with pytest.raises(HostileFile):
        read_tinyface(testing_set)
    savemat(path, {"probe_set": cells(["7_1.jpg"]), "probe_ids": np.array([[1.5]])})
    with pytest.raises(InputError, match="integers"):
        read_tinyface(testing_set)
    savemat(path, {"probe_set": cells(["7_1.jpg"]), "probe_ids": np.array([[1], [2]])})
    with pytest.raises(InputError, match="1 names and 2 numbers"):
        read_tinyface(testing_set)
    savemat(path, {"probe_set": cells(["7_1.jpg"])})
    with pytest.raises(InputError, match="holds no 'probe_ids', only probe_set"):
        read_tinyface(testing_set)
    path.write_bytes(b"no matrix at all")
    with pytest.raises(InputError, match="MATLAB"):
        read_tinyface(testing_set)
