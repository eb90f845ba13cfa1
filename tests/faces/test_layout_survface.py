from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from face_files import jpeg
from scipy.io import savemat

from wildstyle.errors import InputError, LabelError, UnreadableFace
from wildstyle.faces.layouts import (
    has_survface_pairs,
    looks_like_survface,
    open_survface_faces,
    open_survface_pair_faces,
    read_survface,
    read_survface_pairs,
)
from wildstyle.faces.layouts.id_lists import NOBODY

PARTS = {
    "gallery": ["3_cam1_1.jpg", "3_cam2_5.jpg", "8_cam1_1.jpg"],
    "mated_probe": ["3_cam1_9.jpg", "8_cam4_2.jpg"],
    "unmated_probe": ["21_cam1_1.jpg", "distractors_0004.jpg"],
}


def cells(names: list[list[str]]) -> np.ndarray:
    out = np.empty((len(names), len(names[0])), object)
    for i, row in enumerate(names):
        out[i] = row
    return out


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder, names in PARTS.items():
        home = tmp_path / "Face_Identification_Test_Set" / folder
        home.mkdir(parents=True)
        for number, name in enumerate(names):
            (home / name).write_bytes(jpeg(number))
    return tmp_path


@pytest.fixture
def pair_root(tmp_path: Path) -> Path:
    home = tmp_path / "Face_Verification_Test_Set"
    (home / "verification_images").mkdir(parents=True)
    for number, name in enumerate(("3_a.jpg", "3_b.jpg", "8_a.jpg", "8_b.jpg")):
        (home / "verification_images" / name).write_bytes(jpeg(number))
    write_pairs(
        home, [["3_a.jpg", "3_b.jpg"], ["8_a.jpg", "8_b.jpg"]], [["3_a.jpg", "8_a.jpg"], ["8_b.jpg", "9_x.jpg"]]
    )
    return tmp_path


def write_pairs(home: Path, positive: list[list[str]], negative: list[list[str]]) -> None:
    for kind, pairs in (("positive", positive), ("negative", negative)):
        savemat(home / f"{kind}_pairs_names.mat", {f"{kind}_pairs_names": cells(pairs)})


def test_by_file_names(root: Path) -> None:
    assert looks_like_survface(root)
    layout = read_survface(root)
    assert layout.people.tolist() == [3, 3, 8, 3, 8, 21, NOBODY]
    assert (layout.gallery, layout.mated, layout.unmated) == (3, 2, 2)
    assert layout.files[-1] == "unmated_probe/distractors_0004.jpg"


@pytest.mark.parametrize("home", ["Face_Identification_Test_Set", "Face_Identification_Evaluation"])
def test_lists_number_people_anew(root: Path, home: str) -> None:
    (root / home).mkdir(exist_ok=True)
    names = cells([["8_cam1_1.jpg"], ["3_cam1_1.jpg"]])
    savemat(root / home / "gallery_img_ID_pairs.mat", {"gallery_set": names, "gallery_ids": np.array([[1], [2]])})
    (root / "Face_Identification_Test_Set" / "mated_probe_img_ID_pairs.txt").write_text(
        "8_cam4_2.jpg 1\n3_cam1_9.jpg, 2\n\n8_gone.jpg 1\n"
    )
    layout = read_survface(root)
    assert layout.people.tolist() == [8, 3, 8, 3, 8, 21, NOBODY]
    with open_survface_faces(layout, 20) as faces:
        assert faces.read(3).image.shape == (20, 20, 3)
        with pytest.raises(UnreadableFace):
            faces.read(4)


def test_lists_that_contradict_the_names(root: Path) -> None:
    base = root / "Face_Identification_Test_Set"
    (base / "gallery_img_ID_pairs.txt").write_text("8_cam1_1.jpg 1\n3_cam1_1.jpg 1\n")
    with pytest.raises(LabelError, match="numbers say one person, 1, where the names say"):
        read_survface(base)


def test_bad_folders(root: Path) -> None:
    base = root / "Face_Identification_Test_Set"
    (base / "gallery" / "anna.jpg").write_bytes(jpeg(0))
    with pytest.raises(InputError, match="anna"):
        read_survface(root)
    (base / "gallery_img_ID_pairs.txt").write_text("8_cam1_1.jpg one\n")
    with pytest.raises(InputError, match="line 1"):
        read_survface(root)
    for file in (base / "unmated_probe").iterdir():
        file.unlink()
    with pytest.raises(InputError):
        read_survface(root)
    with pytest.raises(InputError, match="no QMUL-SurvFace folder"):
        read_survface(root / "elsewhere")


def test_pairs(pair_root: Path) -> None:
    assert has_survface_pairs(pair_root)
    layout = read_survface_pairs(pair_root)
    assert layout.files == ("3_a.jpg", "3_b.jpg", "8_a.jpg", "8_b.jpg", "9_x.jpg")
    assert layout.people == ("3", "3", "8", "8", "9")
    pairs = layout.pairs
    ends = zip(pairs.first.tolist(), pairs.second.tolist(), pairs.same.tolist(), strict=True)
    assert list(ends) == [(0, 1, True), (2, 3, True), (0, 2, False), (3, 4, False)]
    assert pairs.fold.tolist() == [0, 5, 0, 5]
    with open_survface_pair_faces(layout, 16) as faces:
        assert faces.read(0).image.shape == (16, 16, 3)
        with pytest.raises(UnreadableFace):
            faces.read(4)


def test_bad_pairs(pair_root: Path) -> None:
    home = pair_root / "Face_Verification_Test_Set"
    write_pairs(home, [["3_a.jpg", "8_a.jpg"]], [["3_a.jpg", "8_b.jpg"]])
    with pytest.raises(LabelError, match="listed as one person"):
        read_survface_pairs(home)
    savemat(home / "positive_pairs_names.mat", {"positive_pairs_names": cells([["3_a.jpg"]])})
    with pytest.raises(InputError, match=r"\(1, 1\)"):
        read_survface_pairs(home)
    (home / "positive_pairs_names.mat").unlink()
    with pytest.raises(InputError, match="missing"):
        read_survface_pairs(home)
    with pytest.raises(InputError, match="no verification part"):
        read_survface_pairs(home / "verification_images")
