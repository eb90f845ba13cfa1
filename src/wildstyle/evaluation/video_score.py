"""Faces in clips, found and named: FaceRecBox, the score of FANVIDv2.

FaceRecBox = right / (matched + missed + false positives). Boxes are matched frame by frame, one to one, by falling
overlap (intersection over union) of at least one half; a match is right where the name is. A face of nobody who is
looked for (a distractor) can be matched too, and is then a false positive, but nobody misses it. One number mixes the
detector with the recogniser, so the share of right names among matched faces stands beside it, with the detector's
own recall and precision. Frames of a clip are alike: intervals draw clips.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, NotMeasurable
from wildstyle.evaluation.bootstrap import Bootstrap
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.outcome import Key, Outcome
from wildstyle.evaluation.ratios import RatioQuestion
from wildstyle.evaluation.result import Result
from wildstyle.faces.layouts.fanvid import VideoBoxes

VERSION = "1"
LEAST_OVERLAP = 0.5

RULES = {
    "score_rule": "FaceRecBox = right / (matched + missed + false positives)",
    "matching": f"in each frame one to one by falling IoU, at least {LEAST_OVERLAP:g}; distractors take part",
    "distractors": "a box on one is a false positive; one that is not found costs nothing",
    "failures": "a face that was not found is missed; a found face without a name is matched and not right",
    "units": "clips: n counts clips",
}

_TALLIES = ("people", "found", "matched", "right", "on distractors")


@dataclass(frozen=True, kw_only=True)
class ClipOutcome(Outcome):
    """An outcome whose intervals draw clips: ``people`` holds their names."""

    def summary(self, bootstrap: Bootstrap, draws: Mapping[Key, NDArray[np.float64]]) -> Result:
        """As for people, in words that say clips."""
        found = super().summary(bootstrap, draws)
        measures = tuple(
            replace(measure, note=measure.note.replace("few people", "few clips")) if measure.note else measure
            for measure in found.measures
        )
        interval = found.rules["interval"].replace("over people", "over clips")
        return replace(found, measures=measures, rules={**found.rules, "interval": interval})


def evaluate_video(truth: VideoBoxes, found: VideoBoxes, *, data: str = "video") -> ClipOutcome:
    """Score what a system found in clips.

    Args:
        truth: boxes with identities; without one: distractors.
        found: boxes with the names the system gave; without one: not named.
        data: name for the result.

    Raises:
        InputError: a found box lies in a clip that the truth doesn't know.
        NotMeasurable: the truth holds no face of anybody who is looked for.
    """
    if unknown := sorted(set(found.clips) - set(truth.clips)):
        raise InputError(
            f"clip {unknown[0]!r} is not in the truth, nor are {len(unknown) - 1} more",
            remedy="name clips alike; a clip without faces is a row of the truth with the clip alone",
        )
    if not any(name is not None for name in truth.identity):
        raise NotMeasurable("the truth names nobody", remedy="fill the column identity")
    place = {name: i for i, name in enumerate(truth.clips)}
    moved = replace(found, clip=np.array([place[name] for name in found.clips], np.int64)[found.clip])
    tallies = _tallies(truth, moved)
    people, hits, matched, right, on_distractors = tallies.T
    ratios = {
        "facerecbox": (right, people + hits - matched),
        "identity-accuracy": (right, matched),
        "detection-recall": (matched, people),
        "detection-precision": (matched, hits),
    }
    units, everyone = np.arange(len(truth.clips)), {"all": np.ones(len(truth.clips), bool)}
    return ClipOutcome(
        protocol="video score",
        version=VERSION,
        data=data,
        rules=RULES,
        counts={
            "clips": len(truth.clips),
            "faces of people": int(people.sum()),
            "distractor faces": sum(name is None for name in truth.identity),
            "found boxes": int(hits.sum()),
            "matched": int(matched.sum()),
            "right": int(right.sum()),
            "missed": int((people - matched).sum()),
            "false positives": int((hits - matched).sum()),
            "false positives on distractors": int(on_distractors.sum()),
        },
        people=truth.clips,
        questions=tuple(
            RatioQuestion(name, Items(above.astype(np.float32), units), everyone, denominators=below.astype(float))
            for name, (above, below) in ratios.items()
        ),
    )


def match_boxes(
    truth: NDArray[np.float64], found: NDArray[np.float64], least: float = LEAST_OVERLAP
) -> list[tuple[int, int]]:
    """Pairs (row of ``truth``, row of ``found``) of one frame, one to one, by falling overlap.

    Args:
        truth: (n, 4) x1 y1 x2 y2.
        found: (m, 4).
        least: smallest overlap of a pair.
    """
    overlap = overlaps(truth, found)
    rows, columns = np.nonzero(overlap >= least)
    out: list[tuple[int, int]] = []
    free = np.ones(len(truth), bool), np.ones(len(found), bool)
    for i in np.argsort(-overlap[rows, columns], kind="stable"):
        row, column = int(rows[i]), int(columns[i])
        if free[0][row] and free[1][column]:
            free[0][row] = free[1][column] = False
            out.append((row, column))
    return out


def overlaps(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, m) intersection over union of (n, 4) and (m, 4) boxes x1 y1 x2 y2, in [0, 1]."""
    corner = np.maximum(first[:, None, :2], second[None, :, :2]), np.minimum(first[:, None, 2:], second[None, :, 2:])
    inside = np.prod(np.maximum(corner[1] - corner[0], 0), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)]
    return np.asarray(inside / (areas[0][:, None] + areas[1][None] - inside), np.float64)


def _tallies(truth: VideoBoxes, found: VideoBoxes) -> NDArray[np.int64]:
    """(C, 5) counts of each clip: faces of people, found boxes, matched, right, found on distractors."""
    out = np.zeros((len(truth.clips), len(_TALLIES)), np.int64)
    named = np.array([name is not None for name in truth.identity], bool)
    np.add.at(out[:, 0], truth.clip[named], 1)
    np.add.at(out[:, 1], found.clip, 1)
    theirs = _by_frame(found)
    for frame, rows in _by_frame(truth).items():
        columns = theirs.get(frame)
        if columns is None:
            continue
        for i, j in match_boxes(truth.boxes[rows], found.boxes[columns]):
            who = truth.identity[rows[i]]
            out[frame[0], 2:] += (who is not None, who is not None and who == found.identity[columns[j]], who is None)
    return out


def _by_frame(boxes: VideoBoxes) -> dict[tuple[int, int], NDArray[np.int64]]:
    """Rows of each (clip, frame)."""
    rows: dict[tuple[int, int], list[int]] = {}
    for row, key in enumerate(zip(boxes.clip.tolist(), boxes.frame.tolist(), strict=True)):
        rows.setdefault(key, []).append(row)
    return {key: np.array(found, np.int64) for key, found in rows.items()}
