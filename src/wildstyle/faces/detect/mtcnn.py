"""The embedded default detector: MTCNN (Zhang et al., IEEE SPL 2016), three networks in a cascade.

P-Net looks at every place of an image pyramid, R-Net throws most of its candidates away, O-Net refines
the rest and places five points. Departures from the reference code: patches are cut with area
sampling, so that large faces don't alias, and pictures are brought to a working size first.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.faces.detect.detection import Detection, suppress
from wildstyle.faces.detect.mtcnn_networks import SHA256, VERSION, build_graph, read_weights
from wildstyle.faces.detect.onnx_session import Session, open_session
from wildstyle.faces.detect.scaling import resized, scaled
from wildstyle.faces.record import Pixels

Floats = NDArray[np.float32]

_CELL, _STRIDE = 12, 2
"""P-Net sees squares of 12 px, two px apart."""


@dataclass(frozen=True, kw_only=True)
class MtcnnSettings:
    """Where the cascade stops.

    Attributes:
        smallest: smallest face in px of the working picture.
        step: ratio of neighbouring pyramid levels.
        scores: thresholds of P-Net, R-Net and O-Net.
        longest: pictures are shrunk until their longer side is at most this.
        shortest: ... and enlarged until their longer side is at least this.
        candidates: at most so many of the best P-Net boxes go on.
    """

    smallest: int = 20
    step: float = 0.709
    scores: tuple[float, float, float] = (0.6, 0.7, 0.8)
    longest: int = 640
    shortest: int = 160
    candidates: int = 300


class Mtcnn:
    """MTCNN on ONNX Runtime, with the weights of the ``mtcnn`` wheel."""

    def __init__(self, settings: MtcnnSettings | None = None, *, threads: int = 0) -> None:
        self.settings = settings or MtcnnSettings()
        digest = hashlib.sha256("".join(SHA256[k] for k in sorted(SHA256)).encode()).hexdigest()
        self.name = f"mtcnn-{VERSION}@{digest[:8]}"
        self._nets: dict[str, Session] = {
            kind: open_session(build_graph(kind, read_weights(kind)), threads=threads) for kind in SHA256
        }

    def detect(self, image: Pixels) -> list[Detection]:
        """Faces in ``image``, (H, W, 3) uint8 RGB, best score first."""
        longer = max(image.shape[:2])
        scale = min(self.settings.longest / longer, max(1.0, self.settings.shortest / longer))
        picture = (scaled(image, scale).astype(np.float32) - np.float32(127.5)) / np.float32(128)
        boxes = self._propose(picture)
        boxes = self._refine(picture, boxes)
        return [found.unscaled(scale) for found in self._finish(picture, boxes)]

    def _propose(self, picture: Floats) -> Floats:
        """Square candidate boxes (N, 4) from the pyramid."""
        boxes, scores = [np.zeros((0, 4), np.float32)], [np.zeros(0, np.float32)]
        for scale in self._pyramid(picture.shape[:2]):
            level = scaled(picture, scale)
            offsets, face = self._nets["pnet"].run(["box", "face"], {"image": _nchw(level[None])})
            found, score = _cells(offsets[0], face[0, 1], self.settings.scores[0])
            kept = suppress(found, score, 0.5)
            boxes.append(found[kept] / np.float32(scale))
            scores.append(score[kept])
        every, score = np.concatenate(boxes), np.concatenate(scores)
        kept = suppress(every, score, 0.7)[: self.settings.candidates]
        return _squared(every[kept])

    def _pyramid(self, shape: tuple[int, ...]) -> list[float]:
        scale, scales = _CELL / self.settings.smallest, []
        while min(shape) * scale >= _CELL:
            scales.append(scale)
            scale *= self.settings.step
        return scales

    def _refine(self, picture: Floats, boxes: Floats) -> Floats:
        """Square boxes that R-Net takes for faces."""
        if not len(boxes):
            return boxes
        offsets, face = self._nets["rnet"].run(["box", "face"], {"image": _patches(picture, boxes, 24)})
        sure = face[:, 1] > self.settings.scores[1]
        boxes, score = _moved(boxes[sure], offsets[sure]), face[sure, 1]
        return _squared(boxes[suppress(boxes, score, 0.7)])

    def _finish(self, picture: Floats, boxes: Floats) -> list[Detection]:
        """O-Net's verdict, with points, in px of the working picture."""
        if not len(boxes):
            return []
        offsets, points, face = self._nets["onet"].run(
            ["box", "points", "face"], {"image": _patches(picture, boxes, 48)}
        )
        sure = face[:, 1] > self.settings.scores[2]
        boxes, offsets, points, score = boxes[sure], offsets[sure], points[sure], face[sure, 1]
        # O-Net gives five x, then five y, as shares of the box.
        shares = np.stack([points[:, :5], points[:, 5:]], axis=2)
        corner, extent = boxes[:, None, :2], (boxes[:, None, 2:] - boxes[:, None, :2])
        landmarks = corner + shares * extent - 0.5  # from edges to pixel centres
        final = _moved(boxes, offsets)
        kept = suppress(final, score, 0.7, of_smaller=True)
        return [Detection(final[i], landmarks[i], float(score[i])) for i in kept]


def _nchw(pictures: Floats) -> Floats:
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), np.float32)


def _cells(offsets: Floats, face: Floats, threshold: float) -> tuple[Floats, Floats]:
    """Boxes (N, 4) and scores (N,) of the P-Net cells above the threshold, px of the level."""
    rows, columns = np.nonzero(face > threshold)
    corner = np.stack([columns, rows], axis=1) * _STRIDE
    boxes = np.hstack([corner, corner + _CELL]).astype(np.float32)
    return boxes + offsets[:, rows, columns].T * np.float32(_CELL), face[rows, columns]


def _moved(boxes: Floats, offsets: Floats) -> Floats:
    extent = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(boxes + offsets * np.hstack([extent, extent]), np.float32)


def _squared(boxes: Floats) -> Floats:
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0, keepdims=True) / 2
    return np.hstack([middle - half, middle + half]).astype(np.float32)


def _patches(picture: Floats, boxes: Floats, size: int) -> Floats:
    """Boxes cut out as (N, 3, size, size); what lies outside the picture is 0, a middle grey."""
    return _nchw(np.stack([_patch(picture, box, size) for box in boxes]))


def _patch(picture: Floats, box: Floats, size: int) -> Floats:
    height, width = picture.shape[:2]
    left, top = np.floor(box[:2] + 0.5).astype(int)
    side = max(1, round(float(box[2] - box[0])))
    inside = picture[max(top, 0) : max(min(top + side, height), 0), max(left, 0) : max(min(left + side, width), 0)]
    patch = np.zeros((side, side, 3), np.float32)
    y, x = max(-top, 0), max(-left, 0)
    patch[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return resized(patch, size, size)
