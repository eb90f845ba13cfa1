"""A recogniser: a network and the contract it was trained under, never one without the other."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from wildstyle.errors import ContractError
from wildstyle.recognisers.architecture import describe
from wildstyle.recognisers.contract import RecogniserContract

NORM_FLOOR = 1e-6
"""Raw embeddings shorter than this are divided by it: the gradient stays finite, the vector is not unit."""


def unit(raw: Tensor) -> Tensor:
    """Raw embeddings (N, D) divided by their length, (N, D); differentiable, finite for zero vectors."""
    length: Tensor = torch.linalg.vector_norm(raw, dim=1, keepdim=True)
    return raw / length.clamp_min(NORM_FLOOR)


@dataclass(frozen=True)
class Recogniser:
    """A network with its contract.

    Attributes:
        network: maps (N, 3, H, W) float32, normalised by the contract, to raw embeddings (N, D) float32.
        contract: how faces become network input and what the embedding promises.
        known_sizes: tell a network with a gate the size of each face before alignment, where its record has it.
    """

    network: nn.Module
    contract: RecogniserContract
    known_sizes: bool = True

    def raw(self, images: Tensor, sizes: Tensor | None = None) -> Tensor:
        """Embeddings before normalisation, whose length may carry quality.

        Args:
            images: working images, (N, 3, H, W) float32 RGB in [0, 1], H = W = the contract's input size.
            sizes: (N, 1) smaller side of each face in px before alignment, for a recogniser with a gate that can use
                it; others don't look at it.

        Returns:
            (N, D) float32; differentiable in images and weights.

        Raises:
            ContractError: the images have another size, or the network another embedding size.
        """
        self.contract.check_images(images.shape)
        # Channels last is a fifth faster on a CPU, forwards and backwards; the numbers are the same.
        given = self.contract.normalise(images).contiguous(memory_format=torch.channels_last)
        embedded: Tensor = self.network(given, sizes) if sizes is not None and self.takes_sizes else self.network(given)
        if embedded.ndim != 2 or embedded.shape[1] != self.contract.embedding_size:
            raise ContractError(
                f"the network gives embeddings of shape {tuple(embedded.shape)},"
                f" the contract says (N, {self.contract.embedding_size})",
                where=self.contract.model_id,
                remedy="state the right embedding size in the contract",
            )
        return embedded

    def embed(self, images: Tensor) -> Tensor:
        """Unit embeddings, (N, D) float32, of working images (N, 3, H, W) in [0, 1]; differentiable."""
        return unit(self.raw(images))

    @property
    def takes_sizes(self) -> bool:
        """Whether the network has use for the size of a face before alignment."""
        return bool(describe(self.network)["kind"] == "branched")

    @property
    def hash(self) -> str:
        """sha256 of architecture, weights and preprocessing as 64 hex digits; equal hash, equal embeddings."""
        digest = hashlib.sha256(json.dumps(describe(self.network), sort_keys=True).encode())
        digest.update(json.dumps(self.contract.preprocessing(), sort_keys=True).encode())
        if self.takes_sizes and not self.known_sizes:
            digest.update(b"sizes not told")
        for name, tensor in sorted(self.network.state_dict().items()):
            stored = tensor.detach().cpu().contiguous()
            digest.update(f"{name}|{stored.dtype}|{tuple(stored.shape)}|".encode())
            digest.update(stored.reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def frozen_copy(self) -> Recogniser:
        """An independent copy in evaluation mode whose weights take no gradient; images still do."""
        network = copy.deepcopy(self.network).eval()
        return replace(self, network=network.requires_grad_(False))

    def trainable_copy(self) -> Recogniser:
        """An independent copy in evaluation mode (frozen statistics) whose every weight takes a gradient."""
        network = copy.deepcopy(self.network).eval()
        return replace(self, network=network.requires_grad_(True))

    def to(self, device: torch.device | str) -> Recogniser:
        """This recogniser with its network moved (in place) to ``device``."""
        return replace(self, network=self.network.to(device))
