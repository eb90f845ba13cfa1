"""What a recogniser expects of a face and promises of an embedding, as data.

Every reader and exporter consumes this record; preprocessing lives nowhere else. It is stored with
the weights (safetensors metadata) and in the ONNX metadata, one string a field.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

CONTRACT_VERSION = 1


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
        licence: licence of the weights as stated, "unknown" if nobody said.
        origin: where the weights come from.
        base_model_hash: sha256 of the weights this one was adapted from, "" for an original.
        compat_group: embeddings may be compared only inside one group.
    """

    model_id: str
    channel_order: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    embedding_size: int
    input_size: int = 112
    landmark_template: str = "arcface-112"
    norm_is_quality: bool = False
    licence: str = "unknown"
    origin: str = "unknown"
    base_model_hash: str = ""
    compat_group: str = ""

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
