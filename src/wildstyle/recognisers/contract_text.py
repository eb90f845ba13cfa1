"""Contracts as text: what a user types, and the strings kept in a model file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from wildstyle.errors import ContractError
from wildstyle.recognisers.contract import CONTRACT_VERSION, RecogniserContract

Triple = tuple[float, float, float]

SCALES: dict[str, tuple[Triple, Triple]] = {
    "pm1": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "s128": ((0.5, 0.5, 0.5), (128 / 255, 128 / 255, 128 / 255)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "raw": ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),
}
"""Mean and std in RGB order: pm1 (x - 127.5)/127.5, s128 (x - 127.5)/128, unit 0..1, raw 0..255."""

_PREFIX = "wildstyle."


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """The part of a contract a user must know: channel order and scale.

    Attributes:
        order: "RGB" or "BGR".
        scale: a key of ``SCALES``.
    """

    order: str
    scale: str

    def __str__(self) -> str:
        return f"{self.order.lower()},{self.scale}"

    def contract(self, *, model_id: str, embedding_size: int, input_size: int = 112) -> RecogniserContract:
        """The full contract for a network with these sizes.

        Raises:
            ContractError: a size is impossible.
        """
        mean, std = SCALES[self.scale]
        if self.order == "BGR":
            mean, std = mean[::-1], std[::-1]
        return RecogniserContract(
            model_id=model_id,
            channel_order=self.order,
            mean=mean,
            std=std,
            embedding_size=embedding_size,
            input_size=input_size,
        )


def parse_contract(text: str) -> Preprocessing:
    """Read ``"rgb,imagenet"`` and the like: order (rgb, bgr) and scale (a key of ``SCALES``), either first.

    Raises:
        ContractError: a word is missing or unknown; the message lists what is allowed.
    """
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    orders = [word for word in words if word in ("rgb", "bgr")]
    scales = [word for word in words if word in SCALES]
    if len(words) != 2 or len(orders) != 1 or len(scales) != 1:
        raise ContractError(
            f"a contract is written as order,scale with order rgb or bgr and scale {', '.join(SCALES)}; got {text!r}",
            remedy="write for example rgb,pm1",
        )
    return Preprocessing(orders[0].upper(), scales[0])


def to_metadata(contract: RecogniserContract) -> dict[str, str]:
    """The contract as string pairs for safetensors and ONNX metadata, keys prefixed with ``wildstyle.``."""
    values = {"contract_version": CONTRACT_VERSION, **asdict(contract)}
    return {_PREFIX + name: json.dumps(value) for name, value in values.items()}


def from_metadata(metadata: Mapping[str, str], *, where: object) -> RecogniserContract | None:
    """Read back what ``to_metadata`` wrote; None where there is no contract.

    Fields this version doesn't know are ignored inside a known contract version; missing optional
    fields take their defaults, so that old files keep loading.

    Raises:
        ContractError: another contract version, a required field missing, or a value out of range.
    """
    stored = {k.removeprefix(_PREFIX): v for k, v in metadata.items() if k.startswith(_PREFIX)}
    if "contract_version" not in stored:
        return None
    if stored["contract_version"] != str(CONTRACT_VERSION):
        raise ContractError(
            f"the file has contract version {stored['contract_version']}, this program reads {CONTRACT_VERSION}",
            where=where,
            remedy="update wildstyle, or state the contract by hand",
        )
    known = {field.name for field in fields(RecogniserContract)}
    try:
        values = {name: json.loads(text) for name, text in stored.items() if name in known}
        for name in ("mean", "std"):
            values[name] = tuple(float(v) for v in values[name])
        return RecogniserContract(**values)
    except (ValueError, TypeError, KeyError) as error:
        raise ContractError(f"the stored contract is damaged ({error})", where=where) from error
