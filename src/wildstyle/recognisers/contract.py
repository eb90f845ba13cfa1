"""What a recogniser expects of a face and promises of an embedding, as data.

Every reader and exporter consumes this record; preprocessing lives nowhere else. It is stored with
the weights (safetensors metadata) and in the ONNX metadata, one string a field.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from wildstyle.errors import ContractError

CONTRACT_VERSION = 1
FLIP_RULES = ("none", "sum", "mean", "concat")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecogniserContract:
    """Fields of the contract.

    A face reaches the network as ``(x - mean) / std`` per channel, where x is the 8-bit value
    divided by 255 (so mean and std are in units of the full range) in ``channel_order``, NCHW float32.
    ``(x - 127.5) / 127.5`` is mean 0.5, std 0.5; 0..255 input is mean 0, std 1/255.

    Attributes:
        model_id: human name of the recogniser.
        input_size: height and width in px (faces are square).
        channel_order: "RGB" or "BGR", as the network wants it.
        mean: three values, in ``channel_order``, in [0, 1].
        std: three positive values, in ``channel_order``.
        landmark_template: name of the five-point template faces are aligned to.
        embedding_size: length of an embedding.
        norm_is_quality: whether the length of the raw embedding carries image quality.
        flip_rule: how the owner combines a face with its mirror image: none, sum, mean or concat.
        licence: licence of the weights as stated, "unknown" if nobody said.
        origin: where the weights come from.
        base_model_hash: sha256 of the weights this one was adapted from, "" for an original.
        compat_group: embeddings may be compared only inside one group.
        thresholds: by wanted FMR ("1e-3"): ``threshold``, ``low`` and ``high`` of its 95 % interval, ``reached``,
            ``impostors``, ``people``, ``pooling``, ``data``; found by calibration, valid for these weights and this
            pooling only.
        likelihood: map from score to natural log-likelihood ratio, ``slope * score + offset``, with ``cllr_bits``,
            ``cllr_min_bits`` and ``data``; or empty.

    Raises:
        ContractError: a value is outside what is listed above.
    """

    model_id: str
    channel_order: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    embedding_size: int
    input_size: int = 112
    landmark_template: str = "arcface-112"
    norm_is_quality: bool = False
    flip_rule: str = "none"
    licence: str = "unknown"
    origin: str = "unknown"
    base_model_hash: str = ""
    compat_group: str = ""
    thresholds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    likelihood: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        faults = list(_faults(self))
        if faults:
            raise ContractError("; ".join(faults), where=f"contract of {self.model_id or 'a nameless recogniser'}")

    def normalise(self, images: Tensor) -> Tensor:
        """Working images to network input; differentiable.

        Args:
            images: (N, 3, H, W) float32, RGB, in [0, 1].

        Returns:
            (N, 3, H, W) float32 as the network wants it.
        """
        if self.channel_order == "BGR":
            images = images.flip(1)
        mean = torch.tensor(self.mean, dtype=images.dtype, device=images.device).view(1, 3, 1, 1)
        std = torch.tensor(self.std, dtype=images.dtype, device=images.device).view(1, 3, 1, 1)
        return (images - mean) / std

    def check_images(self, shape: Sequence[int]) -> None:
        """Refuse a batch this recogniser can't take.

        Raises:
            ContractError: ``shape`` is not (N, 3, input_size, input_size).
        """
        wanted = (3, self.input_size, self.input_size)
        if len(shape) != 4 or tuple(shape[1:]) != wanted:
            raise ContractError(
                f"the recogniser takes images of shape (N, {wanted[0]}, {wanted[1]}, {wanted[2]}), got {tuple(shape)}",
                where=self.model_id,
                remedy=f"align the faces to {self.input_size}x{self.input_size} px (wildstyle faces align)",
            )

    def check_landmark_template(self, template: str, *, where: object) -> None:
        """Refuse faces aligned to another template than the recogniser was trained on.

        Raises:
            ContractError: naming both templates.
        """
        if template != self.landmark_template:
            raise ContractError(
                f"faces are aligned to {template!r}, the recogniser {self.model_id!r} wants {self.landmark_template!r}",
                where=where,
                remedy="align the original pictures to the recogniser's template",
            )

    def check_comparable(self, other: RecogniserContract) -> None:
        """Refuse to compare embeddings of two spaces.

        Raises:
            ContractError: embedding sizes or compatibility groups differ; both are named.
        """
        ours = (self.embedding_size, self.compat_group)
        theirs = (other.embedding_size, other.compat_group)
        if ours != theirs:
            raise ContractError(
                f"{self.model_id!r} gives {ours[0]}-d embeddings of group {ours[1]!r},"
                f" {other.model_id!r} gives {theirs[0]}-d embeddings of group {theirs[1]!r}",
                remedy="embed both sides with one recogniser",
            )

    def preprocessing(self) -> dict[str, object]:
        """The fields that change what the network sees, JSON-able."""
        return {
            "channel_order": self.channel_order,
            "mean": list(self.mean),
            "std": list(self.std),
            "input_size": self.input_size,
        }

    def threshold(self, target: str) -> float:
        """The calibrated threshold for an FMR such as ``"1e-3"``.

        Raises:
            ContractError: it was not calibrated.
        """
        for name, found in self.thresholds.items():
            if float(name) == float(target):
                return float(found["threshold"])
        known = ", ".join(self.thresholds) or "none"
        raise ContractError(
            f"no threshold for FMR {target} was calibrated, there is {known}",
            where=self.model_id,
            remedy="run `wildstyle calibrate` first, or give the threshold as a number",
        )

    def with_(self, **changes: object) -> RecogniserContract:
        """A copy with some fields changed, checked again."""
        return replace(self, **changes)  # type: ignore[arg-type]


def _faults(contract: RecogniserContract) -> list[str]:
    """Everything that is wrong with the values, in one list."""
    faults: list[str] = []
    if contract.channel_order not in ("RGB", "BGR"):
        faults.append(f"channel order is RGB or BGR, not {contract.channel_order!r}")
    if len(contract.mean) != 3 or not all(0.0 <= value <= 1.0 for value in contract.mean):
        faults.append(f"mean is three values in [0, 1] (units of the full range), not {contract.mean}")
    if len(contract.std) != 3 or not all(0.0 < value <= 10.0 for value in contract.std):
        faults.append(f"std is three positive values (units of the full range), not {contract.std}")
    if contract.embedding_size < 1:
        faults.append(f"embedding size is at least 1, not {contract.embedding_size}")
    if contract.input_size < 16:
        faults.append(f"input size is at least 16 px, not {contract.input_size}")
    if not all(_is_share(rate) and _is_number(found.get("threshold")) for rate, found in contract.thresholds.items()):
        faults.append("each calibrated threshold belongs to a rate in (0, 1] and has a number 'threshold'")
    if contract.likelihood and not all(_is_number(contract.likelihood.get(key)) for key in ("slope", "offset")):
        faults.append("a likelihood map has the numbers 'slope' and 'offset'")
    if contract.flip_rule not in FLIP_RULES:
        faults.append(f"flip rule is one of {', '.join(FLIP_RULES)}, not {contract.flip_rule!r}")
    return faults


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _is_share(text: str) -> bool:
    try:
        return 0 < float(text) <= 1
    except ValueError:
        return False
