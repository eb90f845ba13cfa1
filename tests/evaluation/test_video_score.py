from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from wildstyle.errors import CorruptArchive, InputError, NotMeasurable
from wildstyle.evaluation import Bootstrap, compare
from wildstyle.evaluation.video_score import evaluate_video, match_boxes, overlaps
from wildstyle.faces.layouts import VideoBoxes, read_video_boxes

HEADER = "clip,frame,x1,y1,x2,y2,identity\n"


def line(clip: str, frame: int, left: float, identity: str = "", shift: float = 0.0) -> str:
    """A box of 10 x 10 px at 20 * left."""
    x = 20 * left + shift
    return f"{clip},{frame},{x},0,{x + 10},10,{identity}\n"


def boxes(path: Path, *lines: str) -> VideoBoxes:
    path.write_text(HEADER + "".join(lines))
    return read_video_boxes(path)


@pytest.fixture
def worked(tmp_path: Path) -> tuple[VideoBoxes, VideoBoxes]:
    """Ten faces and a distractor; eight matched, six right, three false positives, one of them on the distractor."""
    truth = [line("a" if n < 5 else "b", n % 5, n, f"p{n}") for n in range(10)] + [line("a", 0, 30)]
    found = [line("a" if n < 5 else "b", n % 5, n, f"p{n}", 2) for n in range(6)]
    found += [line("b", 1, 6, "p1", 1), line("b", 2, 7)]  # a wrong name, and no name
    found += [line("a", 0, 30, "p3"), line("a", 0, 40, "p0"), line("b", 9, 0, "p0")]
    return boxes(tmp_path / "truth.csv", *truth), boxes(tmp_path / "found.csv", *found)


def test_worked_number(worked: tuple[VideoBoxes, VideoBoxes]) -> None:
    outcome = evaluate_video(*worked)
    values = outcome.points()
    assert values["facerecbox", "all"] == pytest.approx(6 / 13)
    assert values["identity-accuracy", "all"] == pytest.approx(6 / 8)
    assert values["detection-recall", "all"] == pytest.approx(8 / 10)
    assert values["detection-precision", "all"] == pytest.approx(8 / 11)
    counts = {name: outcome.counts[name] for name in ("matched", "right", "missed", "false positives")}
    assert counts == {"matched": 8, "right": 6, "missed": 2, "false positives": 3}
    assert outcome.counts["false positives on distractors"] == 1


def test_intervals_draw_clips(worked: tuple[VideoBoxes, VideoBoxes]) -> None:
    result = evaluate_video(*worked).result(Bootstrap(draws=500))
    measure = result.measure("facerecbox")
    # Clip a: 5 right of 5 + 0 + 2; clip b: 1 right of 3 + 2 + 1. Draws are aa, ab, bb.
    assert measure.low == pytest.approx(1 / 6)
    assert measure.high == pytest.approx(5 / 7)
    assert measure.note == "few clips (2): the interval is rough"
    assert "over clips" in result.rules["interval"]


def test_paired_comparison_of_systems_that_find_other_boxes(
    worked: tuple[VideoBoxes, VideoBoxes], tmp_path: Path
) -> None:
    truth, found = worked
    worse = boxes(tmp_path / "worse.csv", line("a", 0, 0, "p0"))
    difference = compare(evaluate_video(truth, worse), evaluate_video(truth, found), Bootstrap(draws=200)).difference(
        "facerecbox"
    )
    assert difference.before == pytest.approx(1 / 10)
    assert difference.gain == pytest.approx(6 / 13 - 1 / 10)


def test_overlap() -> None:
    first = np.array([[0, 0, 10, 10.0]])
    second = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [0, 0, 10, 5.0]])
    assert overlaps(first, second)[0] == pytest.approx([1, 1 / 3, 0, 0.5])


def test_matching_is_greedy_by_overlap_and_one_to_one() -> None:
    truth = np.array([[0, 0, 10, 10], [2, 0, 12, 10.0]])
    found = np.array([[1, 0, 11, 10], [0, 0, 10, 10.0]])
    # The best pair of all goes first; the second found box is then gone for both.
    assert match_boxes(truth, found) == [(0, 1), (1, 0)]
    assert match_boxes(truth, found[:1]) == [(0, 0)]
    assert match_boxes(truth[:1], np.array([[0, 0, 10, 5.0]])) == [(0, 0)]
    assert match_boxes(truth[:1], np.array([[0, 0, 10, 4.9]])) == []
    assert match_boxes(truth, np.zeros((0, 4))) == []


def test_json_reads_like_csv(worked: tuple[VideoBoxes, VideoBoxes], tmp_path: Path) -> None:
    truth = worked[0]
    rows = [
        {"clip": truth.clips[c], "frame": f, "box": b, "identity": who, "score": 1}
        for c, f, b, who in zip(
            truth.clip.tolist(), truth.frame.tolist(), truth.boxes.tolist(), truth.identity, strict=True
        )
    ]
    (tmp_path / "truth.json").write_text(json.dumps(rows))
    found = read_video_boxes(tmp_path / "truth.json")
    assert found.clips == truth.clips
    assert found.identity == truth.identity
    assert np.array_equal(found.boxes, truth.boxes)


def test_a_clip_without_faces_takes_false_positives(tmp_path: Path) -> None:
    truth = boxes(tmp_path / "t.csv", line("a", 0, 0, "p"), "empty,,,,,,\n")
    found = boxes(tmp_path / "f.csv", line("a", 0, 0, "p"), line("empty", 3, 0, "p"))
    assert evaluate_video(truth, found).points()["facerecbox", "all"] == 0.5
    nothing = boxes(tmp_path / "n.csv")
    outcome = evaluate_video(truth, nothing)
    assert outcome.points()["facerecbox", "all"] == 0
    assert outcome.result(Bootstrap(draws=100)).measure("identity-accuracy").value is None


def test_bad_input(tmp_path: Path, worked: tuple[VideoBoxes, VideoBoxes]) -> None:
    path = tmp_path / "bad.csv"
    with pytest.raises(InputError, match="clip 'z' is not in the truth"):
        evaluate_video(worked[0], boxes(path, line("z", 0, 0)))
    with pytest.raises(NotMeasurable, match="names nobody"):
        evaluate_video(boxes(path, line("a", 0, 0), line("b", 0, 0)), worked[1])
    for text, kind, fault in (
        ("clip,frame\na,1\n", InputError, "no column 'x1'"),
        (HEADER + "a,1,0,0\n", CorruptArchive, "4 cells"),
        (HEADER + "a,1,5,0,5,9,p\n", InputError, "no area"),
        (HEADER + "a,1,x,0,5,9,p\n", InputError, "no number"),
        (HEADER + "a,-1,0,0,5,9,p\n", InputError, "frame"),
        (HEADER + ",1,0,0,5,9,p\n", InputError, "no clip"),
    ):
        path.write_text(text)
        with pytest.raises(kind, match=fault):
            read_video_boxes(path)
    other = tmp_path / "bad.json"
    for text, fault in (
        ("{", "no JSON"),
        ("{}", "no list"),
        ('[{"clip": "a", "frame": 1, "box": [1]}]', "four numbers"),
    ):
        other.write_text(text)
        with pytest.raises(InputError, match=fault):
            read_video_boxes(other)
    with pytest.raises(InputError, match=r"\.csv or \.json"):
        read_video_boxes(tmp_path / "boxes.txt")
