from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from wildstyle.errors import HostileFile, MissingExtra
from wildstyle.faces.detect import Detector, open_detector
from wildstyle.faces.detect import mtcnn_networks as networks
from wildstyle.faces.detect.mtcnn import Mtcnn, _cells, _patches, _squared
from wildstyle.faces.detect.onnx_session import open_session

SIDES = {"pnet": (37, 52), "rnet": (24, 24), "onet": (48, 48)}


def plain_network(name: str, image: torch.Tensor) -> list[torch.Tensor]:
    """The networks as the paper draws them, layer by layer."""
    weights = [torch.from_numpy(np.asarray(w)) for w in networks.read_weights(name)]
    pools = {"pnet": [2, 0, 0], "rnet": [3, 3, 0], "onet": [3, 3, 2, 0]}[name]
    flow = image
    for place, pool in enumerate(pools):
        kernel, bias, slope = weights[0], weights[1], weights[2].reshape(-1)
        weights = weights[3:]
        flow = functional.prelu(functional.conv2d(flow, kernel.permute(3, 2, 0, 1), bias), slope)
        if pool:
            flow = functional.max_pool2d(flow, pool, 2, ceil_mode=place != 1)
    if name == "pnet":
        heads = [functional.conv2d(flow, weights[i].permute(3, 2, 0, 1), weights[i + 1]) for i in (0, 2)]
    else:
        flat = flow.permute(0, 3, 2, 1).flatten(1)
        flow = functional.prelu(flat @ weights[0] + weights[1], weights[2])
        heads = [flow @ weights[i] + weights[i + 1] for i in range(3, len(weights), 2)]
    return [*heads[:-1], heads[-1].softmax(1)]


@pytest.mark.parametrize("name", ["pnet", "rnet", "onet"])
def test_graphs_agree_with_the_plain_networks(name: str) -> None:
    image = np.random.default_rng(1).normal(0, 0.6, (2, 3, *SIDES[name])).astype(np.float32)
    session = open_session(networks.build_graph(name, networks.read_weights(name)), threads=1)
    ours = session.run(list(networks.LAYOUTS[name].heads), {"image": image})
    for mine, plain in zip(ours, plain_network(name, torch.from_numpy(image)), strict=True):
        assert np.allclose(mine, plain.numpy(), atol=2e-5)


def test_altered_weights_are_not_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    altered = tmp_path / "pnet.lz4"
    altered.write_bytes(networks._weights_file("pnet").read_bytes() + b"\0")
    monkeypatch.setattr(networks, "_weights_file", lambda network: altered)
    monkeypatch.setattr("joblib.load", lambda file: pytest.fail("it was unpickled"))
    with pytest.raises(HostileFile, match="not unpickled"):
        networks.read_weights("pnet")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(networks, "distribution", absent)
    with pytest.raises(MissingExtra, match="pip install mtcnn"):
        networks.read_weights("onet")


def test_the_default_detector_loads_neither_torch_nor_tensorflow() -> None:
    code = (
        "import sys; from wildstyle.faces.detect import open_detector; open_detector(threads=1);"
        "print([m for m in ('torch', 'tensorflow', 'mtcnn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_it_is_a_detector_with_a_name_that_tells_the_weights() -> None:
    detector = open_detector(threads=1)
    assert isinstance(detector, Detector)
    assert detector.name.startswith("mtcnn-1.0.0@")


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 2), (12, 12), (200, 300)])
def test_pictures_without_a_face(shape: tuple[int, int]) -> None:
    assert Mtcnn(threads=1).detect(np.full((*shape, 3), 90, np.uint8)) == []


def test_cells_give_boxes_in_level_pixels() -> None:
    face = np.zeros((4, 5), np.float32)
    face[2, 3] = 0.9
    offsets = np.zeros((4, 4, 5), np.float32)
    offsets[:, 2, 3] = [0.5, 0, 0, -0.25]
    boxes, scores = _cells(offsets, face, 0.6)
    assert boxes.tolist() == [[12.0, 4.0, 18.0, 13.0]]
    assert np.allclose(scores, 0.9)


def test_patches_outside_the_picture_are_grey() -> None:
    picture = np.ones((30, 30, 3), np.float32)
    patch = _patches(picture, np.array([[-12, 0, 12, 24], [50, 50, 74, 74]], np.float32), 24)
    assert patch.shape == (2, 3, 24, 24)
    assert (patch[0, :, :, :12] == 0).all()
    assert (patch[0, :, :, 12:] == 1).all()
    assert (patch[1] == 0).all()


def test_squared_keeps_the_middle() -> None:
    assert _squared(np.array([[0, 0, 10, 20]], np.float32)).tolist() == [[-5.0, 0.0, 15.0, 20.0]]
    assert _squared(np.zeros((0, 4), np.float32)).shape == (0, 4)
