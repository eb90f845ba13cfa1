from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wildstyle.errors import InputError, MissingExtra, SettingError
from wildstyle.faces.video import Fault, Frame, FrameStep, is_video, read_frames

av = pytest.importorskip("av")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty frames at 10 a second; frame i is grey of value 8 i."""
    path = tmp_path_factory.mktemp("video") / "clip.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for i in range(30):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 8 * i, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def frames(path: Path, step: FrameStep | None = None, skip: int = 0) -> list[Frame]:
    things = list(read_frames(path, step, skip=skip))
    assert all(isinstance(thing, Frame) for thing in things)
    return [thing for thing in things if isinstance(thing, Frame)]


def test_all_frames_in_order(clip: Path) -> None:
    found = frames(clip)
    assert [f.number for f in found] == list(range(30))
    assert found[0].image is not None
    assert found[0].image.shape == (48, 64, 3)
    assert all(f.image is not None and abs(float(f.image.mean()) - 8 * f.number) < 3 for f in found)
    assert np.allclose([f.seconds for f in found], np.arange(30) / 10)


@pytest.mark.parametrize(
    ("step", "numbers"),
    [
        (FrameStep(every=7), [0, 7, 14, 21, 28]),
        (FrameStep(every=7, at_most=2), [0, 7]),
        (FrameStep(per_second=2), [0, 5, 10, 15, 20, 25]),
        (FrameStep(per_second=4), [0, 3, 5, 8, 10, 13, 15, 18, 20, 23, 25, 28]),
        (FrameStep(per_second=100), list(range(30))),
        (FrameStep(per_second=0.5), [0, 20]),
    ],
)
def test_steps(clip: Path, step: FrameStep, numbers: list[int]) -> None:
    assert [f.number for f in frames(clip, step)] == numbers


def test_skipped_frames_keep_their_place_without_pixels(clip: Path) -> None:
    found = frames(clip, FrameStep(every=10), skip=2)
    assert [(f.number, f.image is None) for f in found] == [(0, True), (10, True), (20, False)]


def test_a_cut_off_video_keeps_what_was_decoded(clip: Path, tmp_path: Path) -> None:
    data = clip.read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(data[: len(data) // 2])
    things = list(read_frames(cut))
    good = [t for t in things if isinstance(t, Frame) and t.image is not None]
    assert 3 < len(good) < 30
    assert any(isinstance(t, Fault) for t in things) or len(good) < len(things)


def test_unreadable_and_missing_videos(tmp_path: Path) -> None:
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 20)
    with pytest.raises(InputError, match="not a video"):
        list(read_frames(tmp_path / "noise.mp4"))
    with pytest.raises(InputError, match="no such video"):
        list(read_frames(tmp_path / "none.mp4"))


def test_a_sound_file_has_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(InputError, match="no video stream"):
        list(read_frames(path))


def test_huge_frames_are_refused_before_decoding(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wildstyle.faces.video.MAX_PIXELS", 1000)
    with pytest.raises(InputError, match="larger than"):
        list(read_frames(clip))


def test_the_missing_library_names_the_extra(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without_av(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "av":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_av)
    with pytest.raises(MissingExtra, match=r"wildstyle\[video\]"):
        list(read_frames(clip))


@pytest.mark.parametrize("wrong", [{"every": 0}, {"per_second": 0.0}, {"per_second": float("nan")}, {"at_most": 0}])
def test_steps_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        FrameStep(**wrong)


def test_video_names() -> None:
    assert is_video("a/b.MP4")
    assert not is_video("a/b.jpg")
