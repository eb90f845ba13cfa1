"""safetensors files that are equal where their content is equal."""

from __future__ import annotations

import json
from collections.abc import Mapping

from torch import Tensor


def tensor_bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """Tensors and text as a safetensors file; the same content gives the same bytes.

    The library writes the metadata in an order that differs from call to call, so the header is written
    anew with sorted keys, padded by spaces to its old length (which the format allows).
    """
    from safetensors.torch import save

    data = save(dict(tensors), dict(metadata))
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    ordered = {"__metadata__": dict(sorted(header.pop("__metadata__", {}).items())), **dict(sorted(header.items()))}
    text = json.dumps(ordered, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    if len(text) > length:
        length = -(-len(text) // 8) * 8
    return length.to_bytes(8, "little") + text.ljust(length) + data[8 + int.from_bytes(data[:8], "little") :]
