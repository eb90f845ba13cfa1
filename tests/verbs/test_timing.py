from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from wildstyle.errors import InputError, SettingError
from wildstyle.faces.decode import encode_jpeg
from wildstyle.faces.detect import Detection
from wildstyle.madeup import demo_recogniser_path
from wildstyle.verbs import timing
from wildstyle.verbs.timing import STAGES, TimingOptions, class_met, time_pipeline

POINTS = np.array([[58, 62], [93, 62], [76, 82], [62, 103], [90, 103]], np.float32)


class SeesEverySecond:
    name = "every second picture"

    def __init__(self, none: bool = False) -> None:
        self._calls, self._none = 0, none

    def detect(self, image: np.ndarray) -> list[Detection]:
        self._calls += 1
        if self._none or image[image.shape[0] // 2, image.shape[1] // 2, 0] > 128:
            return []
        return [Detection(np.array([45, 40, 105, 120], np.float32), POINTS, 0.9)]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    for number in range(4):
        image = np.full((160, 200, 3), 200 if number % 2 else 40, np.uint8)
        (folder / f"{number}.jpg").write_bytes(encode_jpeg(image))
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


def test_the_smallest_budget_kept_by_95_of_100_pictures_is_the_class() -> None:
    assert class_met(np.full(100, 0.09)) == 100
    assert class_met(np.r_[np.full(90, 0.09), np.full(10, 0.4)]) == 500
    assert class_met(np.full(100, 0.9)) == 1000
    assert class_met(np.full(100, 1.1)) is None


def test_stages_add_up_to_the_whole_and_threads_are_given_back(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "open_detector", lambda *_, **__: SeesEverySecond())
    before = torch.get_num_threads(), cv2.getNumThreads()
    report = time_pipeline(demo_recogniser_path(), pictures, options=TimingOptions(runs=20, warm_up=2, gallery=10))
    assert [stage.name for stage in report.stages] == [*STAGES, "whole"]
    parts = sum(stage.median_ms for stage in report.stages[:-1])
    # Medians don't add up to the bit, least of all on a busy machine.
    assert 0.4 * report.stages[-1].median_ms < parts < 1.6 * report.stages[-1].median_ms
    assert report.runs == 20
    assert report.pictures == 4
    assert report.without_face > 0
    assert report.largest == (200, 160)
    assert "one core" in report.sentence
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before


def test_pictures_without_faces_end_in_a_sentence(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "open_detector", lambda *_, **__: SeesEverySecond(none=True))
    with pytest.raises(InputError, match="no face was found"):
        time_pipeline(demo_recogniser_path(), pictures, options=TimingOptions(runs=20))


def test_too_few_runs_are_refused() -> None:
    with pytest.raises(SettingError, match="at least 20"):
        TimingOptions(runs=3)


def test_a_folder_of_nothing_readable_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError):
        time_pipeline(demo_recogniser_path(), tmp_path, options=TimingOptions(runs=20))
