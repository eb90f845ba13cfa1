"""Another alignment than the recogniser was trained on, tried by warping the crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wildstyle.evaluation.outcome import Vectors
from wildstyle.faces import Pixels
from wildstyle.verbs.doctoring.finding import Finding
from wildstyle.verbs.doctoring.patient import Patient, Places, Tried, Way, verdict_on

CAUSE = "alignment"
_REMEDY = "align the original pictures again: wildstyle faces align PICTURES --out FOLDER"


@dataclass(frozen=True, slots=True)
class Warp:
    """How a crop is moved; shifts are px of a 112 px crop, right and down positive.

    Attributes:
        right, down: shift.
        zoom: about the middle, above 1 makes the face larger.
        widen: horizontal factor on top: 96 x 112 crops that were stretched to a square have 112/96 too much.
        turn: degrees, anticlockwise.
    """

    right: float = 0.0
    down: float = 0.0
    zoom: float = 1.0
    widen: float = 1.0
    turn: float = 0.0

    @property
    def name(self) -> str:
        """In a few words."""
        parts = [
            (self.right, f"{abs(self.right):g} px to the {'right' if self.right > 0 else 'left'}"),
            (self.down, f"{abs(self.down):g} px {'down' if self.down > 0 else 'up'}"),
            (self.zoom - 1, f"zoomed x{self.zoom:.2f}"),
            (self.widen - 1, f"{'widened' if self.widen > 1 else 'narrowed'} x{self.widen:.2f}"),
            (self.turn, f"turned by {self.turn:g}°"),
        ]
        return "crops moved " + ", ".join(text for value, text in parts if abs(value) > 1e-9)

    def matrix(self, side: int) -> NDArray[np.float64]:
        """(2, 3) for ``cv2.warpAffine`` of a crop of ``side`` px."""
        middle = (side - 1) / 2
        matrix = cv2.getRotationMatrix2D((middle, middle), self.turn, self.zoom)
        wide = np.array([[self.widen, 0, middle * (1 - self.widen)], [0, 1, 0], [0, 0, 1]])
        out = (wide @ np.vstack([matrix, [0, 0, 1]]))[:2]
        out[:, 2] += np.array([self.right, self.down]) * side / 112
        return np.asarray(out, np.float64)

    def apply(self, image: Pixels) -> Pixels:
        """The moved crop; black outside, as everywhere."""
        side = image.shape[0]
        return np.asarray(cv2.warpAffine(image, self.matrix(side), (side, side), flags=cv2.INTER_LINEAR), np.uint8)


TRIED = (
    *(Warp(right=x) for x in (-5, 5)),
    *(Warp(down=y) for y in (-5, 5, 10)),
    *(Warp(zoom=z) for z in (0.8, 0.9, 1.12, 1.25)),
    *(Warp(widen=w) for w in (96 / 112, 112 / 96)),
    *(Warp(turn=a) for a in (-10, 10, 90, 180, 270)),
)
"""The usual slips: shifts, boxes with more or less margin, 96 x 112 templates, tilted or turned pictures."""


def alignment_findings(patient: Patient) -> list[Finding]:
    """All usual slips, then, where one of them seems to help, its neighbours."""
    tried = _try(patient, TRIED)
    helpful = [t for t in tried if t.gain.gain > 0 and verdict_on(t.gain) != "ruled out"]
    if helpful:
        finer = _neighbours([_WARPS[t.change.name] for t in helpful])
        tried = sorted([*tried, *_try(patient, finer)], key=lambda t: -t.gain.gain)
    return [patient.judged(CAUSE, tried, ways=len(TRIED))]


_WARPS = {warp.name: warp for warp in TRIED}


def _neighbours(warps: Sequence[Warp]) -> list[Warp]:
    """Half and one and a half of the best one, and it together with the next of another kind."""
    best = warps[0]
    found = [_scaled(best, 0.5), _scaled(best, 1.5)]
    for other in warps[1:]:
        if _kind(other) != _kind(best):
            found += [_joined(best, other), _joined(best, _scaled(other, 0.5))]
            break
    return [warp for warp in found if warp not in TRIED]


def _scaled(warp: Warp, by: float) -> Warp:
    return Warp(
        right=warp.right * by,
        down=warp.down * by,
        zoom=warp.zoom**by,
        widen=warp.widen**by,
        turn=warp.turn * by if abs(warp.turn) < 45 else warp.turn,
    )


def _joined(one: Warp, other: Warp) -> Warp:
    return Warp(
        right=one.right + other.right,
        down=one.down + other.down,
        zoom=one.zoom * other.zoom,
        widen=one.widen * other.widen,
        turn=one.turn + other.turn,
    )


def _kind(warp: Warp) -> str:
    plain = Warp()
    return next(f for f in ("right", "down", "zoom", "widen", "turn") if getattr(warp, f) != getattr(plain, f))


def _try(patient: Patient, warps: Sequence[Warp]) -> list[Tried]:
    return patient.try_ways([_way(patient, warp) for warp in warps])


def _way(patient: Patient, warp: Warp) -> Way:
    def embed(places: Places) -> Vectors:
        return patient.embed([warp.apply(image) for image in patient.pictures(places)], places).vectors

    return warp.name, f"{_REMEDY} ({warp.name} fit better)", embed
