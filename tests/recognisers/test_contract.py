from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wildstyle.errors import ContractError
from wildstyle.recognisers import RecogniserContract, parse_contract
from wildstyle.recognisers.contract_text import SCALES, from_metadata, to_metadata

# What 8-bit values 0, 51 and 255 become, worked out from the published formulas.
BY_HAND = {
    "pm1": (-1.0, (51 - 127.5) / 127.5, 1.0),
    "s128": (-127.5 / 128, (51 - 127.5) / 128, 127.5 / 128),
    "unit": (0.0, 0.2, 1.0),
    "raw": (0.0, 51.0, 255.0),
}


@pytest.mark.parametrize("scale", sorted(BY_HAND))
def test_scales_by_hand(scale: str) -> None:
    contract = parse_contract(f"rgb,{scale}").contract(model_id="m", embedding_size=4)
    image = torch.tensor([0.0, 51.0, 255.0]).div(255).view(1, 1, 1, 3).expand(1, 3, 1, 3)
    np.testing.assert_allclose(contract.normalise(image)[0, 1, 0].numpy(), BY_HAND[scale], rtol=1e-5, atol=1e-4)


def test_imagenet_statistics_follow_the_channel_order() -> None:
    image = torch.tensor([0.2, 0.4, 0.6]).view(1, 3, 1, 1)
    rgb = parse_contract("imagenet,rgb").contract(model_id="m", embedding_size=4).normalise(image).flatten()
    bgr = parse_contract("bgr,imagenet").contract(model_id="m", embedding_size=4).normalise(image).flatten()
    expected = [(0.2 - 0.485) / 0.229, (0.4 - 0.456) / 0.224, (0.6 - 0.406) / 0.225]
    np.testing.assert_allclose(rgb.numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(bgr.numpy(), expected[::-1], rtol=1e-5)


def test_normalising_passes_gradients() -> None:
    image = torch.rand(2, 3, 4, 4, requires_grad=True)
    parse_contract("bgr,pm1").contract(model_id="m", embedding_size=4).normalise(image).sum().backward()
    assert image.grad is not None
    torch.testing.assert_close(image.grad, torch.full_like(image, 2.0))


@pytest.mark.parametrize("text", ["", "rgb", "imagenet", "rgb,bgr", "rgb,pm2", "rgb,pm1,unit", "rgb pm1"])
def test_unclear_texts_are_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ContractError, match="rgb or bgr and scale pm1, s128, imagenet, unit, raw"):
        parse_contract(text)


@given(st.sampled_from(["rgb", "bgr"]), st.sampled_from(sorted(SCALES)))
def test_text_round_trip(order: str, scale: str) -> None:
    assert str(parse_contract(f"{order},{scale}")) == f"{order},{scale}"
    assert parse_contract(f" {scale.upper()} , {order} ") == parse_contract(f"{order},{scale}")


@given(
    st.tuples(*[st.floats(0, 1)] * 3),
    st.tuples(*[st.floats(1e-3, 2)] * 3),
    st.integers(1, 2048),
    st.text(max_size=20),
    st.booleans(),
)
def test_metadata_round_trip_is_exact(
    mean: tuple[float, float, float], std: tuple[float, float, float], size: int, text: str, flag: bool
) -> None:
    contract = RecogniserContract(
        model_id=text, channel_order="BGR", mean=mean, std=std, embedding_size=size, norm_is_quality=flag, licence=text
    )
    assert from_metadata(to_metadata(contract), where="x") == contract


def test_other_metadata_is_no_contract() -> None:
    assert from_metadata({"author": "someone"}, where="x") is None


def test_unknown_version_is_refused(contract: RecogniserContract) -> None:
    stored = {**to_metadata(contract), "wildstyle.contract_version": "7"}
    with pytest.raises(ContractError, match=r"contract version 7, this program reads 1"):
        from_metadata(stored, where="x.onnx")


@pytest.mark.parametrize("fault", ["missing", "broken", "range"])
def test_damaged_contract_is_refused(contract: RecogniserContract, fault: str) -> None:
    stored = to_metadata(contract)
    if fault == "missing":
        del stored["wildstyle.mean"]
    elif fault == "broken":
        stored["wildstyle.mean"] = "[0.5,"
    else:
        stored["wildstyle.std"] = "[0.0, 1.0, 1.0]"
    with pytest.raises(ContractError):
        from_metadata(stored, where="x.onnx")


def test_old_files_without_newer_fields_still_load(contract: RecogniserContract) -> None:
    stored = to_metadata(contract)
    del stored["wildstyle.flip_rule"], stored["wildstyle.compat_group"]
    stored["wildstyle.of_the_future"] = "1"
    assert from_metadata(stored, where="x") == contract


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(ContractError) as caught:
        RecogniserContract(
            model_id="m", channel_order="GBR", mean=(127.5,) * 3, std=(0.5, 0.5, -1), embedding_size=0, input_size=4
        )
    for word in ("channel order", "mean", "std", "embedding size", "input size"):
        assert word in caught.value.what


@pytest.mark.parametrize("shape", [(3, 112, 112), (1, 1, 112, 112), (1, 3, 96, 112), (1, 112, 112, 3)])
def test_wrong_images_name_both_sides(contract: RecogniserContract, shape: tuple[int, ...]) -> None:
    with pytest.raises(ContractError) as caught:
        contract.check_images(shape)
    assert "(N, 3, 112, 112)" in caught.value.what
    assert str(shape) in caught.value.what


def test_other_template_and_other_space_name_both_sides(contract: RecogniserContract) -> None:
    with pytest.raises(ContractError, match=r"'mine'.*'arcface-112'"):
        contract.check_landmark_template("mine", where="faces.tar")
    other = contract.with_(model_id="other", embedding_size=32)
    with pytest.raises(ContractError, match=r"'tiny' gives 16-d.*'other' gives 32-d"):
        contract.check_comparable(other)
    contract.check_comparable(contract.with_(model_id="adapted"))
