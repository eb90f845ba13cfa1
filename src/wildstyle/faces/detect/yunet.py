"""YuNet (Wu et al., MIR 2023) from an ONNX file, run by OpenCV's FaceDetectorYN."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from wildstyle.errors import InputError
from wildstyle.faces.detect.detection import Detection
from wildstyle.faces.detect.scaling import scaled
from wildstyle.faces.record import Pixels

_SHORTEST = 160


def recognises(outputs: dict[str, Any]) -> bool:
    """Whether these are YuNet's outputs: cls, obj, bbox and kps at strides 8, 16 and 32."""
    return set(outputs) == {f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)}


class Yunet:
    """YuNet. Small and quick; its points are less exact than SCRFD's."""

    def __init__(self, path: str | Path, *, longest: int = 640, score: float = 0.6) -> None:
        """Open the file.

        Args:
            path: ONNX file.
            longest: larger pictures are shrunk until their longer side has this many px; it has at least 160.
            score: detections below are dropped.

        Raises:
            InputError: OpenCV can't open the file; older files need an older OpenCV.
        """
        path = Path(path)
        self.longest = longest
        self.name = f"{path.stem}@{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"
        self._lock = threading.Lock()  # the input size is state of the net
        try:
            self._net = cv2.FaceDetectorYN.create(str(path), "", (320, 320), score, 0.3, 5000)
        except cv2.error as error:
            raise InputError(
                f"OpenCV {cv2.__version__} can't open it",
                where=path,
                remedy="use the YuNet file made for this OpenCV, or an SCRFD file",
            ) from error

    def detect(self, image: Pixels) -> list[Detection]:
        """Faces in ``image``, (H, W, 3) uint8 RGB, best score first."""
        longer = max(image.shape[:2])
        scale = min(self.longest / longer, max(1.0, _SHORTEST / longer))
        bgr = np.ascontiguousarray(scaled(image, scale)[:, :, ::-1])
        with self._lock:
            self._net.setInputSize((bgr.shape[1], bgr.shape[0]))
            _, rows = self._net.detect(bgr)
        found = [_detection(row).unscaled(scale) for row in ([] if rows is None else rows)]
        return sorted(found, key=lambda face: -face.score)


def _detection(row: Any) -> Detection:
    # x, y, width, height; then right eye of the person (image left), left eye, nose, right and left corner.
    values = np.asarray(row, np.float32)
    box = np.concatenate([values[:2], values[:2] + values[2:4]])
    return Detection(box, values[4:14].reshape(5, 2), float(np.clip(values[14], 0, 1)))
