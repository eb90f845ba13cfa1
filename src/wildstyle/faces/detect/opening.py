"""From a file, or none, to a detector."""

from __future__ import annotations

from pathlib import Path

from wildstyle.errors import InputError
from wildstyle.faces.detect.detection import Detector


def open_detector(path: str | Path | None = None, *, threads: int = 0) -> Detector:
    """Open a detector.

    Args:
        path: ONNX file of an SCRFD with landmarks or of a YuNet; which one is told from its outputs.
            None takes the embedded MTCNN: it needs no file, but finds fewer small and turned faces.
        threads: CPU threads of the networks; 0 lets the runtime choose.

    Raises:
        InputError: no such file, or not a detector that is known here.
        HostileFile: the embedded weights were altered.
    """
    # Each kind stands on a heavy library of its own, so that only the one in use is loaded.
    if path is None:
        from wildstyle.faces.detect.mtcnn import Mtcnn

        return Mtcnn(threads=threads)
    path = Path(path)
    if not path.is_file():
        raise InputError("no such detector file", where=path, remedy="give the path of an SCRFD or YuNet ONNX file")
    from wildstyle.faces.detect import scrfd, yunet

    outputs = scrfd.outputs_of(path)
    if scrfd.recognises(outputs):
        return scrfd.Scrfd(path, threads=threads)
    if yunet.recognises(outputs):
        return yunet.Yunet(path)
    raise InputError(
        f"neither an SCRFD with landmarks (nine outputs ending in 1, 4 and 10) nor a YuNet (cls_8 ... kps_32); "
        f"its outputs are {', '.join(outputs) or 'none'}",
        where=path,
        remedy="choose an SCRFD file with five points (its name often ends in bnkps) or leave the detector out",
    )
