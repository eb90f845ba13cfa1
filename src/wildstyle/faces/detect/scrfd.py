"""SCRFD with five points (Guo et al., ICLR 2022) from an ONNX file, run by ONNX Runtime."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import SettingError
from wildstyle.faces.detect.detection import Detection, suppress
from wildstyle.faces.detect.onnx_session import Session, open_session
from wildstyle.faces.detect.scaling import scaled
from wildstyle.faces.record import Pixels

Floats = NDArray[np.float32]

_STRIDES = (8, 16, 32)
_ANCHORS = 2
_SHORTEST = 320


def outputs_of(path: Path) -> dict[str, Any]:
    """Name and shape of the outputs of an ONNX file, in order.

    Raises:
        InputError: not an ONNX model.
    """
    return {o.name: o.shape for o in open_session(path, threads=1).get_outputs()}


def recognises(outputs: dict[str, Any]) -> bool:
    """Whether these are the nine outputs of an SCRFD with landmarks: three each of 1, 4 and 10 values."""
    return sorted(_last(shape) for shape in outputs.values()) == [1, 1, 1, 4, 4, 4, 10, 10, 10] and all(
        "_" not in name for name in outputs
    )


def _last(shape: Any) -> int:
    return shape[-1] if shape and isinstance(shape[-1], int) else -1


class Scrfd:
    """SCRFD: three strides, two anchors a place, each with a score, a box and five points."""

    def __init__(self, path: str | Path, *, size: int = 640, score: float = 0.5, threads: int = 0) -> None:
        """Open the file.

        Args:
            path: ONNX file.
            size: longer side in px to which pictures are scaled, a multiple of 32.
            score: detections below are dropped.
            threads: CPU threads; 0 lets the runtime choose.

        Raises:
            SettingError: size is no multiple of 32.
            InputError: not an ONNX model.
        """
        if size < 32 or size % 32:
            raise SettingError(f"a detector size of {size} px", remedy="use a multiple of 32, usually 640")
        path = Path(path)
        self.size, self.score = size, score
        self.name = f"{path.stem}@{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"
        self._session: Session = open_session(path, threads=threads)
        self._input: str = self._session.get_inputs()[0].name

    def detect(self, image: Pixels) -> list[Detection]:
        """Faces in ``image``, (H, W, 3) uint8 RGB, best score first."""
        canvas, scale = letterbox(image, self.size)
        feed = (canvas.astype(np.float32) - 127.5) / 128
        outputs = self._session.run(None, {self._input: np.ascontiguousarray(feed.transpose(2, 0, 1)[None])})
        scores, boxes, points = _decode([o.reshape(-1, o.shape[-1]) for o in outputs], canvas.shape[1], self.score)
        kept = suppress(boxes, scores, 0.4)
        return [Detection(boxes[i], points[i], float(scores[i])).unscaled(scale) for i in kept]


def letterbox(image: Pixels, longest: int) -> tuple[Pixels, float]:
    """The picture scaled for the network, at the top left of a black canvas, and the factor.

    The longer side becomes ``longest``, but pictures are never more than doubled except to reach
    320 px: a small crop gains nothing from more and would cost as much as a photograph.
    The canvas is the next multiple of 32 px in each direction.
    """
    longer = max(image.shape[:2])
    scale = min(longest / longer, max(2.0, _SHORTEST / longer))
    fitted = scaled(image, scale)
    canvas = np.zeros((_up(fitted.shape[0]), _up(fitted.shape[1]), 3), np.uint8)
    canvas[: fitted.shape[0], : fitted.shape[1]] = fitted
    return canvas, scale


def _up(side: int) -> int:
    return -(-side // _STRIDES[-1]) * _STRIDES[-1]


def _decode(outputs: list[Floats], width: int, threshold: float) -> tuple[Floats, Floats, Floats]:
    """Scores (N,), boxes (N, 4) and points (N, 5, 2) in px of the canvas, above the threshold."""
    kinds = {count: [o for o in outputs if o.shape[1] == count] for count in (1, 4, 10)}
    found: list[tuple[Floats, Floats, Floats]] = []
    for stride, score, box, point in zip(_STRIDES, kinds[1], kinds[4], kinds[10], strict=True):
        sure = np.flatnonzero(score[:, 0] >= threshold)
        place = sure // _ANCHORS
        across = width // stride
        centre = np.stack([place % across, place // across], axis=1).astype(np.float32) * stride
        # A box is four distances from the anchor, a point an offset, both in strides.
        reach = box[sure] * stride
        corners = np.hstack([centre - reach[:, :2], centre + reach[:, 2:]])
        offsets = point[sure].reshape(-1, 5, 2) * stride
        found.append((score[sure, 0], corners, centre[:, None] + offsets))
    scores, boxes, points = zip(*found, strict=True)
    return np.concatenate(scores), np.concatenate(boxes), np.concatenate(points)
