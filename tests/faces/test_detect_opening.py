from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from wildstyle.errors import InputError, SettingError
from wildstyle.faces.detect import Detector, open_detector
from wildstyle.faces.detect.scrfd import Scrfd, letterbox


def constant_model(path: Path, outputs: dict[str, np.ndarray]) -> Path:
    """A model that ignores its input and answers what it is told."""
    image = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [1, 3, "h", "w"])
    made = [helper.make_tensor_value_info(n, TensorProto.FLOAT, list(v.shape)) for n, v in outputs.items()]
    nodes = [
        helper.make_node("Constant", [], [n], value=numpy_helper.from_array(v.astype(np.float32)))
        for n, v in outputs.items()
    ]
    graph = helper.make_graph(nodes, "constant", [image], made)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def scrfd_like(path: Path, score: float = 0.9) -> Path:
    """One face at stride 16, row 4, column 6, second anchor, of a 320x320 canvas."""
    answers: dict[str, np.ndarray] = {}
    for values in (1, 4, 10):
        for stride in (8, 16, 32):
            answers[f"{values}{stride}"] = np.zeros(((320 // stride) ** 2 * 2, values))
    anchor = (4 * 20 + 6) * 2 + 1
    answers["116"][anchor] = score
    answers["416"][anchor] = [1, 2, 3, 2.5]
    answers["1016"][anchor] = [-1, -1, 1, -1, 0, 0, -1, 1, 1, 1]
    return constant_model(path, answers)


def test_scrfd_decodes_strides_anchors_and_scale(tmp_path: Path) -> None:
    detector = open_detector(scrfd_like(tmp_path / "some_bnkps.onnx"), threads=1)
    assert isinstance(detector, Detector)
    assert detector.name.startswith("some_bnkps@")
    # 64 px are enlarged five times to 320; the anchor's middle lies at (96, 64) of the canvas.
    (face,) = detector.detect(np.zeros((64, 64, 3), np.uint8))
    half = 0.5 / 5 - 0.5
    assert np.isclose(face.score, 0.9)
    assert np.allclose(face.box, np.array([80, 32, 144, 104]) / 5 + half, atol=1e-5)
    points = np.array([[80, 48], [112, 48], [96, 64], [80, 80], [112, 80]])
    assert np.allclose(face.landmarks, points / 5 + half, atol=1e-5)


def test_scrfd_drops_low_scores(tmp_path: Path) -> None:
    path = scrfd_like(tmp_path / "low.onnx", score=0.45)
    assert Scrfd(path, threads=1).detect(np.zeros((64, 64, 3), np.uint8)) == []
    assert len(Scrfd(path, threads=1, score=0.4).detect(np.zeros((64, 64, 3), np.uint8))) == 1


@pytest.mark.parametrize("size", [0, 33, -64])
def test_scrfd_refuses_odd_sizes(tmp_path: Path, size: int) -> None:
    with pytest.raises(SettingError, match="multiple of 32"):
        Scrfd(scrfd_like(tmp_path / "a.onnx"), size=size)


@pytest.mark.parametrize(
    ("shape", "canvas", "scale"),
    [
        ((480, 640), (480, 640), 1.0),
        ((1000, 2000), (320, 640), 0.32),
        ((240, 320), (480, 640), 2.0),
        ((100, 50), (320, 160), 3.2),
        ((1, 1), (320, 320), 320.0),
        ((3, 3000), (32, 640), 640 / 3000),
    ],
)
def test_letterbox(shape: tuple[int, int], canvas: tuple[int, int], scale: float) -> None:
    picture, factor = letterbox(np.full((*shape, 3), 7, np.uint8), 640)
    assert picture.shape == (*canvas, 3)
    assert np.isclose(factor, scale)
    assert (picture[0, 0] == 7).all()


def test_other_models_are_refused_with_their_outputs(tmp_path: Path) -> None:
    path = constant_model(tmp_path / "recogniser.onnx", {"embedding": np.zeros((1, 128))})
    with pytest.raises(InputError, match="outputs are embedding"):
        open_detector(path)


def test_scrfd_without_points_is_refused(tmp_path: Path) -> None:
    answers = {f"{v}{s}": np.zeros((8, v)) for v in (1, 4) for s in (8, 16, 32)}
    with pytest.raises(InputError, match="bnkps"):
        open_detector(constant_model(tmp_path / "no_points.onnx", answers))


def test_missing_and_broken_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such detector"):
        open_detector(tmp_path / "none.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"not a model")
    with pytest.raises(InputError, match="not a model"):
        open_detector(tmp_path / "broken.onnx")
