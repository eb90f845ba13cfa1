from __future__ import annotations

import csv
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wildstyle.errors import InputError, Interrupted, SettingError, StorageError
from wildstyle.faces.align import TEMPLATES, transform
from wildstyle.faces.aligned import alignment_error, looks_aligned
from wildstyle.faces.cutting import IngestOptions
from wildstyle.faces.decode import encode_jpeg, encode_png
from wildstyle.faces.detect.detection import Detection
from wildstyle.faces.ingest import IngestReport, ingest
from wildstyle.faces.manifest import read_manifest
from wildstyle.faces.opening import open_faces
from wildstyle.faces.video import FrameStep

POINTS = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.55], [0.35, 0.8], [0.65, 0.8]])


class MarkDetector:
    """Sees a face wherever five marks of one blue tone were painted; a mark's green value is its place."""

    def __init__(self, name: str = "marks") -> None:
        self.name = name
        self.looks = 0

    def detect(self, image: np.ndarray) -> list[Detection]:
        self.looks += 1
        found = []
        rows, columns = np.nonzero(image[:, :, 0] == 255)
        colours = image[rows, columns]
        for blue in np.unique(colours[:, 2]):
            marks = [(colours[:, 2] == blue) & (colours[:, 1] == 40 * i + 20) for i in range(5)]
            if all(mark.any() for mark in marks):
                points = np.array([[columns[m].mean(), rows[m].mean()] for m in marks], np.float32)
                side = np.abs(points[1] - points[0])[0] / 0.4
                corner = points[:2].mean(0) - np.array([0.5, 0.35], np.float32) * side
                found.append(Detection(np.r_[corner, corner + side].astype(np.float32), points, float(blue) / 200))
        return sorted(found, key=lambda f: -f.score)


def paint(*faces: tuple[float, float, float], order: tuple[int, ...] = (0, 1, 2, 3, 4), size: int = 160) -> np.ndarray:
    """A grey picture with faces (left, top, side)."""
    image = np.full((size, size, 3), 60, np.uint8)
    for k, (x, y, side) in enumerate(faces):
        for i, place in enumerate(order):
            column, row = (POINTS[place] * side + [x, y]).round().astype(int)
            image[row, column] = (255, 40 * i + 20, 100 + 20 * k)
    return image


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    """Eight pictures: three usable, one each that is corrupt, truncated, empty, too small, mirrored."""
    folder = tmp_path / "footage"
    pictures = {
        "ann/film/a.png": encode_png(paint((20, 20, 100))),
        "ann/film/b.png": encode_png(paint((10, 90, 40), (40, 10, 80))),
        "ann/film/c.png": b"\x89PNG\r\n\x1a\nnothing",
        "bob/d.png": encode_png(paint()),
        "bob/e.png": encode_png(paint((50, 50, 10))),
        "bob/f.png": encode_png(paint((20, 20, 100), order=(1, 0, 2, 4, 3))),
        "bob/g.jpg": encode_jpeg(paint((20, 20, 100)))[:-400],
        "loose.png": encode_png(paint((20, 20, 100))),
    }
    for name, data in pictures.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def rejected(report: IngestReport) -> dict[str, tuple[str, str]]:
    with open(report.rejected_csv, newline="") as file:
        return {row["id"]: (row["kind"], row["reason"]) for row in csv.DictReader(file)}


def test_everything_seen_is_accounted_for(footage: Path, tmp_path: Path) -> None:
    report = ingest(footage, tmp_path / "out", MarkDetector())
    assert report.seen == 8
    assert report.used == report.faces == 3
    assert report.rejected == {"implausible landmarks": 1, "no face": 1, "too small": 1, "unreadable": 2}
    assert report.seen == report.used + sum(report.rejected.values())
    assert report.left_out == {"not the largest face": 1}
    assert rejected(report) == {
        "ann/film/b.png#1": ("face", "not the largest face"),
        "ann/film/c.png": ("picture", "unreadable"),
        "bob/d.png": ("picture", "no face"),
        "bob/e.png": ("picture", "too small"),
        "bob/f.png": ("picture", "implausible landmarks"),
        "bob/g.jpg": ("picture", "unreadable"),
    }


def test_the_result_opens_as_faces_with_what_is_known(footage: Path, tmp_path: Path) -> None:
    report = ingest(footage, tmp_path / "out", MarkDetector())
    source = open_faces(report.faces_tar, manifest=report.manifest)
    assert [source.record(i).id for i in range(len(source))] == ["ann/film/a.jpg", "ann/film/b.jpg", "loose.jpg"]
    face = source.read(1)
    assert face.image.shape == (112, 112, 3)
    assert (face.record.subject, face.record.media) == ("ann", "film")
    assert source.record(2).subject is None
    # The largest of the two faces, 80 px, with its points moved along.
    assert face.record.size_before == pytest.approx(80, abs=2)
    assert face.record.eye_distance_before == pytest.approx(32, abs=1)
    assert face.record.landmarks is not None
    assert np.abs(face.record.landmarks - TEMPLATES["arcface-112"]).mean() < 8
    assert face.record.attributes["picture"] == "ann/film/b.png"


def test_all_faces_of_a_picture(footage: Path, tmp_path: Path) -> None:
    report = ingest(footage, tmp_path / "out", MarkDetector(), IngestOptions(several="all", size=128))
    assert (report.used, report.faces, report.left_out) == (3, 4, {})
    source = open_faces(report.faces_tar)
    assert [source.record(i).id for i in range(4)] == [
        "ann/film/a#0.jpg",
        "ann/film/b#0.jpg",
        "ann/film/b#1.jpg",
        "loose#0.jpg",
    ]
    assert source.read(0).image.shape == (128, 128, 3)


def test_failures_can_stay_as_rows(footage: Path, tmp_path: Path) -> None:
    report = ingest(footage, tmp_path / "out", MarkDetector(), IngestOptions(failures=True))
    rows = read_manifest(report.manifest).rows
    lost = [row for row in rows if row.file is None]
    assert len(lost) == 5
    assert [row.subject for row in lost].count("bob") == 4
    assert {row.attributes["failure"] for row in lost} == set(report.rejected)


def test_same_stems_do_not_clash(tmp_path: Path) -> None:
    folder = tmp_path / "twins"
    folder.mkdir()
    (folder / "a.bmp").write_bytes(b"BM")
    (folder / "a.png").write_bytes(encode_png(paint((20, 20, 100))))
    report = ingest(folder, tmp_path / "out", MarkDetector())
    source = open_faces(report.faces_tar)
    assert source.record(0).id == "a_png.jpg"


def many(folder: Path, count: int) -> Path:
    folder.mkdir()
    for i in range(count):
        good = i % 5 != 3
        (folder / f"{i:03d}.png").write_bytes(
            encode_png(paint((5 + i % 30, 10, 30 - i % 9), size=70) if good else paint(size=70))
        )
    return folder


class Stopping(MarkDetector):
    """Ctrl-C after so many looks."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def detect(self, image: np.ndarray) -> list[Detection]:
        if self.looks >= self.after:
            raise KeyboardInterrupt
        return super().detect(image)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.is_file()}


def test_stopped_and_resumed_gives_the_same_files(tmp_path: Path) -> None:
    footage = many(tmp_path / "many", 150)
    whole = ingest(footage, tmp_path / "whole", MarkDetector())
    assert whole.seen == 150
    out = tmp_path / "out"
    for after in (5, 130, 130):
        with pytest.raises(Interrupted, match="Run the same command again"):
            ingest(footage, out, Stopping(after))
        assert not out.exists() or contents(out) == {}, "no result file may appear before all is done"
    detector = MarkDetector()
    steps: list[tuple[int, int | None]] = []
    ingest(footage, out, detector, on_progress=lambda done, total: steps.append((done, total)))
    assert contents(out) == contents(tmp_path / "whole")
    assert steps == [(150, 150)], "two parts of 64 were kept"
    assert not (out / ".ingest-parts").exists()


def test_done_work_is_not_done_again(footage: Path, tmp_path: Path) -> None:
    first = ingest(footage, tmp_path / "out", MarkDetector())
    detector = MarkDetector()
    assert ingest(footage, tmp_path / "out", detector) == first
    assert detector.looks == 0


@pytest.mark.parametrize("change", ["options", "detector", "footage"])
def test_a_folder_of_other_work_is_refused(footage: Path, tmp_path: Path, change: str) -> None:
    ingest(footage, tmp_path / "out", MarkDetector())
    if change == "footage":
        (footage / "new.png").write_bytes(encode_png(paint((20, 20, 100))))
    options = IngestOptions(size=224) if change == "options" else None
    with pytest.raises(InputError, match="holds faces of other footage"):
        ingest(footage, tmp_path / "out", MarkDetector("other" if change == "detector" else "marks"), options)


def test_parts_of_other_work_are_discarded(tmp_path: Path) -> None:
    footage = many(tmp_path / "many", 70)
    with pytest.raises(Interrupted):
        ingest(footage, tmp_path / "out", Stopping(108), IngestOptions(quality=50))
    report = ingest(footage, tmp_path / "out", MarkDetector())
    assert report.seen == 70
    assert contents(report.folder) == contents(ingest(footage, tmp_path / "b", MarkDetector()).folder)


def test_a_full_disk_keeps_the_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    footage = many(tmp_path / "many", 70)
    whole = ingest(footage, tmp_path / "whole", MarkDetector())

    def full(first: object, second: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("wildstyle.faces.parts.shutil.copyfileobj", full)
        with pytest.raises(StorageError, match="disk is full"):
            ingest(footage, tmp_path / "out", MarkDetector())
    assert set(contents(tmp_path / "out")) <= {"rejected.csv"}
    detector = MarkDetector()
    ingest(footage, tmp_path / "out", detector)
    assert detector.looks == 0
    assert contents(tmp_path / "out") == contents(whole.folder)


def test_nothing_usable_is_an_error_that_counts(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "a.png").write_bytes(encode_png(paint()))
    with pytest.raises(InputError, match=r"not one usable face in 1 pictures \(1 no face\)"):
        ingest(folder, tmp_path / "out", MarkDetector())
    assert "a.png" in (tmp_path / "out" / "rejected.csv").read_text()


@pytest.mark.parametrize(
    "make",
    [
        lambda: IngestOptions(several="best"),  # type: ignore[arg-type]
        lambda: IngestOptions(quality=0),
        lambda: IngestOptions(size=3),
        lambda: IngestOptions(template="mine"),
    ],
)
def test_options_are_checked(make: Callable[[], IngestOptions]) -> None:
    with pytest.raises(SettingError):
        make()


def test_missing_and_empty_footage(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        ingest(tmp_path / "none", tmp_path / "out", MarkDetector())
    (tmp_path / "hollow").mkdir()
    with pytest.raises(InputError):
        ingest(tmp_path / "hollow", tmp_path / "out", MarkDetector())


def test_a_tar_of_pictures_and_a_reproducible_archive(footage: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "raw.tar", "w") as archive:
        archive.add(footage / "ann/film/a.png", "ann/film/a.png")
    report = ingest(tmp_path / "raw.tar", tmp_path / "out", MarkDetector())
    with tarfile.open(report.faces_tar) as made:
        (member,) = made.getmembers()
    assert (member.name, member.mtime, member.uid) == ("ann/film/a.jpg", 0, 0)


def write_clip(path: Path) -> None:
    """Twelve lossless frames at 10 a second; the fifth has no face."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width = stream.height = 160
        stream.pix_fmt = "bgr0"
        for i in range(12):
            image = paint((20 + i, 20, 80)) if i != 4 else paint()
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


@pytest.mark.parametrize("after", [2, 5, 9])
def test_a_stopped_video_goes_on_at_the_same_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    write_clip(tmp_path / "clip.mkv")
    monkeypatch.setattr("wildstyle.faces.ingest._PART", 3)
    ingest(tmp_path / "clip.mkv", tmp_path / "whole", MarkDetector())
    with pytest.raises(Interrupted):
        ingest(tmp_path / "clip.mkv", tmp_path / "out", Stopping(after))
    detector = MarkDetector()
    ingest(tmp_path / "clip.mkv", tmp_path / "out", detector)
    assert detector.looks == 12 - after // 3 * 3
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_video_in_a_folder_with_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    (folder / "cam").mkdir(parents=True)
    (folder / "cam" / "still.png").write_bytes(encode_png(paint((20, 20, 100))))
    (folder / "cam" / "broken.mp4").write_bytes(b"no video")
    write_clip(folder / "cam" / "clip.mkv")
    options = IngestOptions(step=FrameStep(every=4))
    report = ingest(folder, tmp_path / "out", MarkDetector(), options)
    source = open_faces(report.faces_tar, manifest=report.manifest)
    assert [source.record(i).id for i in range(len(source))] == [
        "cam/still.jpg",
        "cam/clip#000000#0.jpg",
        "cam/clip#000008#0.jpg",
    ]
    assert source.record(2).media == "clip"
    assert source.record(2).attributes["frame"] == "8"
    assert source.record(2).attributes["seconds"] == "0.800"
    assert report.rejected == {"no face": 1, "unreadable": 1}
    assert set(rejected(report)) == {"cam/broken#damage#0", "cam/clip#000004"}


def test_aligned_faces_are_told_from_others() -> None:
    face = np.full((112, 112, 3), 60, np.uint8)
    for i, (x, y) in enumerate(TEMPLATES["arcface-112"].round().astype(int)):
        face[y, x] = (255, 40 * i + 20, 100)
    detector = MarkDetector()
    assert looks_aligned(face, detector)
    assert alignment_error(face, detector) == pytest.approx(0.4, abs=0.4)
    assert not looks_aligned(np.roll(face, 12, axis=1), detector)
    assert not looks_aligned(face[:100], detector)
    assert not looks_aligned(paint(size=112), detector)
    turned = transform(TEMPLATES["arcface-112"], np.array([[0.5, 0, 30], [0, 0.5, 30]]))
    small = np.full((112, 112, 3), 60, np.uint8)
    for i, (x, y) in enumerate(turned.round().astype(int)):
        small[y, x] = (255, 40 * i + 20, 100)
    assert not looks_aligned(small, detector)
