from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from wildstyle.errors import InputError, UnreadableFace
from wildstyle.faces.align import template_points
from wildstyle.faces.decode import encode_png
from wildstyle.faces.layouts import ijb_kind, open_ijb_faces, read_ijb
from wildstyle.faces.layouts.ijb import five_of_68

sys.path.insert(0, str(Path(__file__).parents[1] / "evaluation"))
from ijb_miniature import write_miniature


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_miniature(tmp_path / "IJBC")


def test_lists_are_read(root: Path) -> None:
    layout = read_ijb(root)
    assert ijb_kind(root) == layout.kind == "ijbc"
    assert ijb_kind(root / "meta") is None
    assert layout.files[:2] == ("1.jpg", "2.jpg")
    assert layout.landmarks.shape == (11, 5, 2)
    assert layout.landmarks[0, 2].tolist() == [56, 72]
    assert layout.detector[0] == np.float32(0.9)
    assert layout.template.tolist()[:4] == [10, 10, 10, 11]
    assert layout.media.tolist()[:4] == [1, 1, 2, 3]
    assert layout.pairs[0].tolist() == [10, 20]
    assert layout.same.sum() == 3
    assert [g.name for g in layout.galleries] == ["G1", "G2"]
    assert layout.probes is not None
    assert layout.probes.subjects.tolist() == [1, 2, 3, 4, 1]


def test_68_points_become_five() -> None:
    points = np.zeros((1, 68, 2), np.float32)
    points[0, 36], points[0, 39], points[0, 42], points[0, 45] = (10, 10), (20, 12), (40, 10), (50, 14)
    points[0, 30], points[0, 48], points[0, 54] = (30, 30), (15, 45), (45, 46)
    assert five_of_68(points)[0].tolist() == [[15, 11], [45, 12], [30, 30], [15, 45], [45, 46]]


def test_faces_are_aligned_when_they_are_read(root: Path) -> None:
    crops = root / "loose_crop"
    crops.mkdir()
    picture = np.zeros((112, 112, 3), np.uint8)
    picture[40:70, 30:80] = (200, 10, 10)
    (crops / "1.jpg").write_bytes(encode_png(picture))
    with open_ijb_faces(read_ijb(root)) as faces:
        assert len(faces) == 11
        face = faces.read(0)
        assert face.image.shape == (112, 112, 3)
        assert face.record.detector_score == pytest.approx(0.9)
        # The listed points are all but the template's own: hardly anything moves.
        assert np.abs(face.image.astype(int) - picture).mean() < 6
        assert np.abs(template_points()[0] - read_ijb(root).landmarks[0, 0]).max() < 1
        with pytest.raises(UnreadableFace, match="missing"):
            faces.read(1)


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("template_pair_label.txt", "10 20 1\n10 21\n", "line 2"),
        ("template_pair_label.txt", "10 20 1\n10 x 0\n", "line 2"),
        ("template_pair_label.txt", "10 20 1\n10 21 7\n", "line 2"),
        ("template_pair_label.txt", "10 20 1\n10 99 0\n", "line 2"),
        ("template_pair_label.txt", "", "line 1"),
        ("face_tid_mid.txt", "1.jpg 10\n", "2 columns"),
        ("face_tid_mid.txt", "1.jpg ten 1\n", "number"),
        ("face_tid_mid.txt", "1.jpg 10 1\n", "different ways from line 2"),
        ("1N_gallery_G1.csv", "T,S\n10,one\n", "template,subject"),
        ("1N_gallery_G1.csv", "T,S\n10,1\n10,2\n", "two people"),
    ],
)
def test_torn_lists_are_refused_with_their_line(root: Path, file: str, text: str, says: str) -> None:
    (root / "meta" / f"ijbc_{file}").write_text(text)
    with pytest.raises(InputError, match=says):
        read_ijb(root)


def test_a_folder_without_lists_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no IJB"):
        read_ijb(tmp_path)
