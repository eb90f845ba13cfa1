"""What computes embeddings when no gradient is wanted.

PyTorch always can. onnxruntime is faster on a CPU, and any network that can be written as a flat
list of steps (every imported one and every backbone of the registry) is handed to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wildstyle.errors import SettingError
from wildstyle.recognisers.recogniser import Recogniser

ENGINES = ("auto", "torch", "onnxruntime")


class Embedder(Protocol):
    """Embeds working images."""

    def __call__(self, images: NDArray[np.float32], sizes: NDArray[np.float32] | None = None, /) -> NDArray[np.float32]:
        """Working images (N, 3, H, W) float32 in [0, 1] to raw embeddings (N, D) float32.

        Args:
            images: the faces.
            sizes: (N, 1) float32 smaller side of each face in px before alignment, or None; recognisers without a gate
                don't look at it.
        """


@contextmanager
def embedder(recogniser: Recogniser, engine: str = "auto") -> Iterator[tuple[Embedder, str]]:
    """Yield a function that embeds, and the engine it runs on.

    The network is put into evaluation mode inside the block and left as it was found.

    Args:
        engine: "torch", "onnxruntime", or "auto": onnxruntime for a network on the CPU that can be
            written as steps, else torch.

    Raises:
        SettingError: an unknown engine, or onnxruntime for a network that can't be written as steps.
    """
    if engine not in ENGINES:
        raise SettingError(f"engine is one of {', '.join(ENGINES)}, not {engine!r}")
    training = [module for module in recogniser.network.modules() if module.training]
    recogniser.network.eval()
    try:
        yield _chosen(recogniser, engine)
    finally:
        for module in training:
            module.training = True


def _chosen(recogniser: Recogniser, engine: str) -> tuple[Embedder, str]:
    from wildstyle.recognisers.writing import Unwritable, session_for

    device = _device(recogniser.network)
    if engine == "onnxruntime" or (engine == "auto" and device.type == "cpu"):
        try:
            session = session_for(recogniser.network, recogniser.contract.input_size)
        except Unwritable as error:
            if engine == "onnxruntime":
                raise SettingError(f"onnxruntime can't run this network: {error.what}", remedy="use torch") from error
        else:
            return _by_onnxruntime(recogniser, session), "onnxruntime"
    return _by_torch(recogniser, device), "torch"


def _by_torch(recogniser: Recogniser, device: torch.device) -> Embedder:
    def embed(images: NDArray[np.float32], sizes: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        with torch.inference_mode():
            known = None if sizes is None else torch.from_numpy(sizes).to(device)
            raw = recogniser.raw(torch.from_numpy(images).to(device), known)
            found: NDArray[np.float32] = raw.float().cpu().numpy()
            return found

    return embed


def _by_onnxruntime(recogniser: Recogniser, session: Embedder) -> Embedder:
    def embed(images: NDArray[np.float32], sizes: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        recogniser.contract.check_images(images.shape)
        return session(recogniser.contract.normalise(torch.from_numpy(images)).contiguous().numpy(), sizes)

    return embed


def _device(network: nn.Module) -> torch.device:
    tensor: Tensor | None = next(iter(network.parameters()), None)
    return torch.device("cpu") if tensor is None else tensor.device
