"""Detectors on real faces: skipped without them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wildstyle.faces.aligned import looks_aligned
from wildstyle.faces.cutting import IngestOptions
from wildstyle.faces.detect import Detector, find_faces, open_detector
from wildstyle.faces.ingest import ingest
from wildstyle.faces.opening import open_faces
from wildstyle.faces.source import Subset
from wildstyle.faces.video import Frame, FrameStep, read_frames

CLIPS = ("000001M_FBN.mp4", "000002M_FTN.avi", "000010M_FBN.avi")


@pytest.fixture(scope="module")
def scrfd(data_dir: Path) -> Detector:
    return open_detector(data_dir / "models" / "scrfd_2.5g_bnkps.onnx", threads=1)


@pytest.fixture(scope="module")
def mtcnn() -> Detector:
    return open_detector(threads=1)


@pytest.fixture(scope="module")
def pictures(data_dir: Path) -> list[np.ndarray]:
    pytest.importorskip("av")
    things = [f for name in CLIPS for f in read_frames(data_dir / "video" / name, FrameStep(every=40, at_most=2))]
    return [f.image for f in things if isinstance(f, Frame) and f.image is not None]


def test_detectors_agree_on_webcam_frames(
    data_dir: Path, scrfd: Detector, mtcnn: Detector, pictures: list[np.ndarray]
) -> None:
    yunet = open_detector(data_dir / "models" / "face_detection_yunet_2026may.onnx")
    assert len(pictures) == 6
    for image in pictures:
        (reference,) = scrfd.detect(image)
        for detector, share in ((mtcnn, 0.05), (yunet, 0.15)):
            apart = np.linalg.norm(detector.detect(image)[0].landmarks - reference.landmarks, axis=1).mean()
            assert apart < share * reference.eye_distance, detector.name


def test_small_faces_are_not_displaced(scrfd: Detector, mtcnn: Detector, pictures: list[np.ndarray]) -> None:
    """Half a pixel lost in resizing would show here as a shift of several px."""
    for detector in (scrfd, mtcnn):
        shifts = []
        for image in pictures:
            small = image.reshape(60, 4, 80, 4, 3).mean((1, 3)).round().astype(np.uint8)
            expected = (scrfd.detect(image)[0].landmarks + 0.5) / 4 - 0.5
            shifts.append((detector.detect(small)[0].landmarks - expected).mean(0))
        assert np.abs(np.mean(shifts, axis=0)).max() < 0.3


def test_most_tight_crops_are_found(data_dir: Path, scrfd: Detector, mtcnn: Detector) -> None:
    raw = open_faces(data_dir / "imfdb_raw.tar")
    crops = [raw.read(i).image for i in range(0, 470, 20)]
    for detector, least in ((scrfd, 0.85), (mtcnn, 0.7)):
        assert np.mean([bool(find_faces(detector, image)) for image in crops]) >= least, detector.name


def test_aligned_sets_look_aligned(data_dir: Path, mtcnn: Detector) -> None:
    aligned, raw = open_faces(data_dir / "source112.tar"), open_faces(data_dir / "imfdb_raw.tar")
    assert sum(looks_aligned(aligned.read(i).image, mtcnn) for i in range(0, 2000, 200)) >= 8
    assert sum(looks_aligned(raw.read(i).image, mtcnn) for i in range(0, 400, 40)) <= 1


def test_raw_crops_and_videos_become_faces(data_dir: Path, tmp_path: Path, mtcnn: Detector) -> None:
    pytest.importorskip("av")
    raw = open_faces(data_dir / "imfdb_raw.tar")
    few = Subset(raw, [*range(0, 40, 4), len(raw) - 1])
    report = ingest(few, tmp_path / "raw", mtcnn)
    assert report.seen == 11 == report.used + sum(report.rejected.values())
    assert report.used >= 6
    options = IngestOptions(step=FrameStep(every=40), several="all")
    report = ingest(data_dir / "video", tmp_path / "video", mtcnn, options)
    assert report.seen == report.used == 10
    source = open_faces(report.faces_tar, manifest=report.manifest)
    assert {source.record(i).media for i in range(len(source))} == {Path(name).stem for name in CLIPS}
