from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from wildstyle.errors import ImportRefused, InputError
from wildstyle.recognisers import Recogniser, build_backbone, export_onnx, import_onnx
from wildstyle.recognisers.architecture import describe
from wildstyle.recognisers.importing import GraphNetwork

RNG = np.random.default_rng(1)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(0, 0.3, shape).astype(np.float32)


@pytest.fixture
def tiny_file(tiny: Recogniser, tmp_path: Path) -> Path:
    export_onnx(tiny, tmp_path / "tiny.onnx")
    return tmp_path / "tiny.onnx"


def fixed_batch_copy(path: Path) -> Path:
    """The file as exporters of one picture write it: batch 1 in the input and in a reshape."""
    model = onnx.load(str(path))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    for node in model.graph.node:
        if node.op_type == "Flatten":
            node.op_type = "Reshape"
            node.input.append("one_row")
            del node.attribute[:]
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1, -1]), "one_row"))
    fixed = path.with_name("fixed.onnx")
    onnx.save(model, str(fixed))
    return fixed


def test_norms_stay_norms_and_are_counted(tiny_file: Path, tiny: Recogniser) -> None:
    imported = import_onnx(tiny_file)
    own = [m for m in tiny.network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    found = [m for m in imported.network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert len(found) == len(own) == imported.report.norms
    assert isinstance(found[-1], nn.BatchNorm1d)
    assert imported.report.folded_norms == 0
    assert imported.report.parameters == sum(p.numel() for p in tiny.network.parameters())


def test_a_fixed_batch_becomes_free(tiny_file: Path, tiny: Recogniser) -> None:
    imported = import_onnx(fixed_batch_copy(tiny_file))
    assert imported.report.fixed_batch
    images = torch.randn(5, 3, 112, 112)
    with torch.no_grad():
        torch.testing.assert_close(imported.network(images), tiny.network(images), rtol=1e-4, atol=1e-5)


def test_gradient_reaches_every_parameter_and_the_picture(tiny_file: Path) -> None:
    network = import_onnx(tiny_file).network
    images = torch.randn(3, 3, 112, 112, requires_grad=True)
    (network(images) * torch.randn(3, 16)).sum().backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_fine_tuning_in_evaluation_mode_leaves_statistics_alone(tiny_file: Path) -> None:
    network = import_onnx(tiny_file).network
    assert not any(m.training for m in network.modules())
    before = {n: b.clone() for n, b in network.named_buffers()}
    weights = {n: p.detach().clone() for n, p in network.named_parameters()}
    optimiser = torch.optim.SGD(network.parameters(), 0.01)
    network(torch.randn(4, 3, 112, 112)).square().sum().backward()
    optimiser.step()
    assert all(torch.equal(b, before[n]) for n, b in network.named_buffers())
    assert any(not torch.equal(p, weights[n]) for n, p in network.named_parameters())


def test_copies_are_independent_and_states_travel(tiny_file: Path) -> None:
    network = import_onnx(tiny_file).network
    images = torch.randn(2, 3, 112, 112)
    twin = copy.deepcopy(network)
    rebuilt = GraphNetwork(describe(network))
    rebuilt.load_state_dict(network.state_dict())
    with torch.no_grad():
        wanted = network(images)
        for parameter in network.parameters():
            parameter.add_(0.1)
        assert torch.equal(twin(images), wanted)
        assert torch.equal(rebuilt.eval()(images), wanted)
        assert not torch.equal(network(images), wanted)


def test_a_replaced_layer_is_used(tiny_file: Path) -> None:
    network = import_onnx(tiny_file).network
    assert isinstance(network, GraphNetwork)
    key = next(k for k, m in network.layers.items() if isinstance(m, nn.Linear))
    linear = network.layers[key]
    assert isinstance(linear, nn.Linear)
    network.layers[key] = nn.Linear(linear.in_features, linear.out_features)
    with torch.no_grad():
        network.layers[key].weight.zero_()
        network.layers[key].bias.zero_()
        assert network(torch.randn(2, 3, 112, 112)).std(dim=0).max() == 0


def test_channels_last_gives_the_same(tiny_file: Path) -> None:
    network = import_onnx(tiny_file).network
    images = torch.randn(2, 3, 112, 112)
    with torch.no_grad():
        plain = network(images)
        last = network.to(memory_format=torch.channels_last)(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(plain, last, rtol=1e-4, atol=1e-5)


def folded(onnx_file: Callable[..., Path]) -> Path:
    nodes: list[Any] = [
        ("Conv", ["x", "w", "b"], ["h"], {"strides": [2, 2]}),
        ("Relu", ["h"], ["r"], {}),
        ("Conv", ["r", "v", "c"], ["k"], {}),
        ("GlobalAveragePool", ["k"], ["g"], {}),
        ("Flatten", ["g"], ["y"], {}),
    ]
    return onnx_file(nodes, {"w": floats(6, 3, 3, 3), "b": floats(6), "v": floats(8, 6, 3, 3), "c": floats(8)})


def test_folded_norms_are_reported_and_can_be_given_a_fresh_affine(onnx_file: Callable[..., Path]) -> None:
    path = folded(onnx_file)
    plain, fresh = import_onnx(path), import_onnx(path, fresh_affine=True)
    assert plain.report.folded_norms == 2
    assert plain.report.fresh_affines == 0
    assert fresh.report.fresh_affines == 2
    assert fresh.report.parameters - plain.report.parameters == 2 * (6 + 8)
    assert fresh.report.difference < 1e-6
    names = [n for n, _ in fresh.network.named_parameters() if "channelaffine" in n]
    fresh.network(torch.randn(2, 3, 16, 16)).square().sum().backward()
    assert len(names) == 4
    assert all(fresh.network.get_parameter(n).grad is not None for n in names)


def test_weights_are_parameters_and_written_in_numbers_are_not(onnx_file: Callable[..., Path]) -> None:
    # (x - mean) * scale is preprocessing inside the file; gain belongs to the network.
    nodes: list[Any] = [
        ("Sub", ["x", "mean"], ["m"], {}),
        ("Mul", ["m", "scale"], ["s"], {}),
        ("Conv", ["s", "w"], ["h"], {}),
        ("Mul", ["h", "gain"], ["g"], {}),
        ("Constant", [], ["half"], {"value_float": 0.5}),
        ("Mul", ["g", "half"], ["y"], {}),
    ]
    tensors = {"mean": floats(3, 1, 1), "scale": floats(1), "w": floats(4, 3, 3, 3), "gain": floats(4, 1, 1)}
    network = import_onnx(onnx_file(nodes, tensors)).network
    assert sorted(p.numel() for p in network.parameters()) == [4, 4 * 27]


def test_split_up_gelu_silu_and_linear_become_one(onnx_file: Callable[..., Path]) -> None:
    nodes: list[Any] = [
        ("Flatten", ["x"], ["f"], {}),
        ("MatMul", ["f", "w"], ["m"], {}),
        ("Add", ["b", "m"], ["h"], {}),
        ("Div", ["h", "root"], ["d"], {}),
        ("Erf", ["d"], ["e"], {}),
        ("Add", ["e", "one"], ["p"], {}),
        ("Mul", ["h", "p"], ["q"], {}),
        ("Mul", ["q", "half"], ["g"], {}),
        ("Sigmoid", ["g"], ["s"], {}),
        ("Mul", ["g", "s"], ["y"], {}),
    ]
    constants = {"root": np.float32(np.sqrt(2)), "one": np.float32(1), "half": np.float32(0.5)}
    written = [("Constant", [], [k], {"value_float": float(v)}) for k, v in constants.items()]
    report = import_onnx(onnx_file([*written, *nodes], {"w": floats(768, 5), "b": floats(5)})).report
    assert report.operators == {"Linear": 1, "gelu": 1, "reshape": 1, "silu": 1}
    assert report.difference < 2e-5


def test_tied_weights_stay_tied(onnx_file: Callable[..., Path]) -> None:
    nodes: list[Any] = [("Conv", ["x", "w"], ["h"], {}), ("Relu", ["h"], ["r"], {}), ("Conv", ["r", "w"], ["y"], {})]
    network = import_onnx(onnx_file(nodes, {"w": floats(3, 3, 3, 3)})).network
    assert sum(p.numel() for p in network.parameters()) == 81
    first, second = (m for m in copy.deepcopy(network).modules() if isinstance(m, nn.Conv2d))
    assert first.weight is second.weight


def test_class_token_is_repeated_to_the_batch(onnx_file: Callable[..., Path]) -> None:
    nodes: list[Any] = [
        ("Conv", ["x", "w"], ["h"], {"strides": [4, 4]}),
        ("Reshape", ["h", "shape"], ["t"], {}),
        ("Transpose", ["t"], ["u"], {"perm": [0, 2, 1]}),
        ("Concat", ["token", "u"], ["c"], {"axis": 1}),
        ("Softmax", ["c"], ["d"], {"axis": 1}),
        ("ReduceMean", ["d"], ["e"], {"axes": [2], "keepdims": 0}),
        ("Reshape", ["e", "flat"], ["y"], {}),
    ]
    tensors = {
        "w": floats(5, 3, 4, 4),
        "shape": np.array([1, 5, 16]),
        "token": floats(1, 1, 5),
        "flat": np.array([1, -1]),
    }
    imported = import_onnx(onnx_file(nodes, tensors, batch=1))
    assert imported.network(torch.randn(4, 3, 16, 16)).shape == (4, 17)
    assert imported.report.parameters == 5 * 48 + 5


def test_all_unknown_operators_are_listed_at_once(onnx_file: Callable[..., Path]) -> None:
    nodes: list[Any] = [
        ("LRN", ["x"], ["a"], {"size": 3}),
        ("LRN", ["a"], ["b"], {"size": 3}),
        ("Selu", ["b"], ["c"], {}),
        ("Odd", ["c"], ["y"], {}),
    ]
    with pytest.raises(ImportRefused) as caught:
        import_onnx(onnx_file(nodes, {}, domain="com.example"))
    for name in ("LRN (2x)", "Selu (1x)", "com.example.Odd (1x)"):
        assert name in caught.value.what
    assert caught.value.remedy is not None


REFUSED: dict[str, tuple[list[Any], dict[str, np.ndarray]]] = {
    "batch is lost": ([("ReduceMean", ["x"], ["y"], {"axes": [0]})], {}),
    "depends on the picture": (
        [
            ("ReduceMax", ["x"], ["m"], {"axes": [1, 2, 3], "keepdims": 0}),
            ("Cast", ["m"], ["i"], {"to": 7}),
            ("Slice", ["x", "zero", "i", "two"], ["y"], {}),
        ],
        {"zero": np.array([0]), "two": np.array([2])},
    ),
    "not depend on the picture": ([("Identity", ["w"], ["y"], {})], {"w": floats(1, 4)}),
}


@pytest.mark.parametrize("reason", sorted(REFUSED))
def test_what_can_not_be_settled_is_refused(onnx_file: Callable[..., Path], reason: str) -> None:
    nodes, tensors = REFUSED[reason]
    with pytest.raises(ImportRefused, match=reason):
        import_onnx(onnx_file(nodes, tensors))


def test_a_difference_to_onnxruntime_is_refused(
    onnx_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from wildstyle.recognisers.importing import kernels

    path = onnx_file([("Conv", ["x", "w"], ["h"], {}), ("Sigmoid", ["h"], ["y"], {})], {"w": floats(4, 3, 3, 3)})
    monkeypatch.setitem(kernels.KERNELS, "sigmoid", torch.tanh)
    with pytest.raises(ImportRefused, match="differs from onnxruntime"):
        import_onnx(path)


def test_files_that_are_none(tmp_path: Path, tiny_file: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        import_onnx(tmp_path / "nowhere.onnx")
    for name, data in {"empty": b"", "text": b"hello" * 9, "cut": tiny_file.read_bytes()[:-700]}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match="not a readable ONNX file"):
            import_onnx(tmp_path / name)


def test_an_export_by_torch_itself_is_read(tmp_path: Path) -> None:
    network = build_backbone("tiny").eval()
    path = tmp_path / "legacy.onnx"
    torch.onnx.export(network, (torch.zeros(1, 3, 112, 112),), str(path), opset_version=11, dynamo=False)
    imported = import_onnx(path)
    assert imported.report.fixed_batch
    assert imported.report.folded_norms > 0
    images = torch.randn(3, 3, 112, 112)
    with torch.no_grad():
        torch.testing.assert_close(imported.network(images), network(images), rtol=1e-3, atol=1e-4)
