"""Score boxes and names that a system gave to faces in clips."""

from __future__ import annotations

from pathlib import Path

from wildstyle.evaluation import Bootstrap, Result
from wildstyle.evaluation.video_score import evaluate_video
from wildstyle.faces.layouts import read_video_boxes


def score_video(truth: Path, found: Path, *, seed: int = 0) -> Result:
    """Detection and identity together, with intervals over clips.

    Args:
        truth: CSV or JSON of the true boxes.
        found: the same of a system's.
        seed: of the intervals.

    Raises:
        InputError: a file can't be read or lacks a column.
    """
    outcome = evaluate_video(read_video_boxes(truth), read_video_boxes(found), data=truth.stem)
    return outcome.result(Bootstrap(seed=seed))
