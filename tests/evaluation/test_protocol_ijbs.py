from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wildstyle.errors import InputError, SettingError
from wildstyle.evaluation import ijbs
from wildstyle.evaluation.ijb import FaceEmbeddings
from wildstyle.evaluation.ijbs import evaluate_ijbs
from wildstyle.faces.decode import encode_png
from wildstyle.faces.layouts import IjbsLayout, looks_like_ijbs, open_ijbs_faces, read_ijbs

# Four people; 1 and 2 are enrolled in the first gallery, 3 and 4 in the second. Angles in degrees, lengths.
CROPS = {
    "1/img_10.jpg": (0, 10),
    "2/img_20.jpg": (90, 10),
    "3/img_30.jpg": (180, 10),
    "4/img_40.jpg": (270, 10),
    "1/videos_7_1.jpg": (10, 20),
    "1/videos_7_2.jpg": (100, 1),
    "2/videos_7_1.jpg": (40, 10),
    "3/videos_8_1.jpg": (170, 10),
    "1/videos_8_1.jpg": (60, 10),
    "4/videos_9_1.jpg": (270, 10),
}
GALLERY = "{head}\n{a},img/{x}.jpg,1\n{b},img/{y}.jpg,2\n"
PROBES = "FILENAME,SIGHTING_ID\nvideos/7.mp4,1\nvideos/8.mp4,2\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    lists = tmp_path / "protocols"
    lists.mkdir()
    for kind in ("single", "booking"):
        first = GALLERY.format(head="Subject_ID,FileName,N", a=1, b=2, x=10, y=20)
        second = GALLERY.format(head="Subject_ID,FileName,N", a=3, b=4, x=30, y=40)
        (lists / f"cs6_surveillance_to_{kind}_g1.csv").write_text(first)
        (lists / f"cs6_surveillance_to_{kind}_g2.csv").write_text(second)
    (lists / "cs6_surveillance_to_single-booking_probe.csv").write_text(PROBES)
    for name in CROPS:
        path = tmp_path / "crops" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(np.full((40, 30, 3), 90, np.uint8)))
    return tmp_path


@pytest.fixture
def layout(root: Path) -> IjbsLayout:
    return read_ijbs(root)


@pytest.fixture
def faces(layout: IjbsLayout) -> FaceEmbeddings:
    known = [CROPS[name.removeprefix("crops/")] for name in layout.files]
    angle = np.radians([a for a, _ in known])
    vectors = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    return FaceEmbeddings(vectors, np.ones(len(known), bool), np.array([n for _, n in known], np.float32))


def test_lists_and_crops_are_read(root: Path, layout: IjbsLayout) -> None:
    assert looks_like_ijbs(root)
    assert not looks_like_ijbs(root / "crops")
    assert len(layout.files) == 10
    assert layout.clips[0] == "img/10"
    assert layout.protocols == (
        "surveillance to single",
        "surveillance to booking",
        "multi-view surveillance to booking",
    )
    assert open_ijbs_faces(layout).read(0).image.shape == (112, 112, 3)


def test_single_by_hand(layout: IjbsLayout, faces: FaceEmbeddings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ijbs, "FPIR_TARGETS", (0.5,))
    outcome = evaluate_ijbs(faces, layout, "surveillance to single", rounding="at least")
    points = outcome.points()
    # Probes: 1 in video 7 (20 parts at 10, one at 100: about 12.9 degrees), 2 in 7 (40: nearer to person 1's 0),
    # 3 in 8 (170), 1 in 8 (60: nearer to person 2's 90). Person 4 is in no listed video.
    assert outcome.counts["probes"] == 4
    assert points["rank-1 joined-gallery", "all"] == pytest.approx(2 / 4)
    assert points["rank-1", "gallery=G1"] == pytest.approx(1 / 3)
    assert points["rank-5", "gallery=G1"] == 1.0
    # G1: the stranger is 3 at 170, best 80 to person 2. One of one may not pass at .5: not measurable strictly.
    assert ("tpir@fpir=5e-1 G1", "all") not in points
    # By counting k = int(1 x .5) = 0: the threshold lies above the only maximum; probe 1 in 7 passes in G1, 3 in G2.
    (counted,) = outcome.fixed
    assert counted.value == pytest.approx((1 / 3 + 1) / 2)


def test_frames_weigh_by_their_length(layout: IjbsLayout, faces: FaceEmbeddings) -> None:
    weighted = evaluate_ijbs(faces, layout, "surveillance to single")
    plain = evaluate_ijbs(faces, layout, "surveillance to single", rule=ijbs.PoolingRule(media_first=False))
    assert "norm" in weighted.rules["pooling"]
    # Person 1 in video 7: 12.9 degrees weighted, 55 degrees where both frames count alike, which is nearer to person 2.
    assert weighted.points()["rank-1", "gallery=G1"] == pytest.approx(1 / 3)
    assert plain.points()["rank-1", "gallery=G1"] == 0.0


def test_multi_view_joins_all_videos_of_a_person(layout: IjbsLayout, faces: FaceEmbeddings) -> None:
    outcome = evaluate_ijbs(faces, layout, "multi-view surveillance to booking")
    assert outcome.counts["probes"] == 3


def test_a_probe_without_usable_frames_is_a_miss(layout: IjbsLayout, faces: FaceEmbeddings) -> None:
    ok = faces.ok.copy()
    ok[[i for i, name in enumerate(layout.files) if "3/videos_8" in name]] = False
    outcome = evaluate_ijbs(FaceEmbeddings(faces.vectors, ok, faces.norms), layout, "surveillance to single")
    assert outcome.counts["probe failures"] == 1
    assert outcome.points()["rank-1", "gallery=G2"] == 0.0


def test_what_is_missing_is_said(root: Path, layout: IjbsLayout, faces: FaceEmbeddings) -> None:
    with pytest.raises(InputError, match="uav"):
        evaluate_ijbs(faces, layout, "uav to booking")
    with pytest.raises(SettingError, match="Choose"):
        evaluate_ijbs(faces, layout, "everything")
    (root / "protocols" / "cs6_surveillance_to_single_g1.csv").write_text("NAME\n1\n")
    with pytest.raises(InputError, match="SUBJECT_ID"):
        read_ijbs(root)
    with pytest.raises(InputError, match="no lists"):
        read_ijbs(root / "crops")
