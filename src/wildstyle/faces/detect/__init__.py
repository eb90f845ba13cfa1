"""Finding faces and their five landmarks."""

from wildstyle.faces.detect.detection import Detection, Detector
from wildstyle.faces.detect.opening import open_detector
from wildstyle.faces.detect.search import find_faces

__all__ = ["Detection", "Detector", "find_faces", "open_detector"]
