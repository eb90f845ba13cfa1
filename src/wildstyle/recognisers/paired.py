"""A network whose layers have a pair of low-rank adapters, mixed face by face by the quality of the face.

After PETALface (Narayan et al., WACV 2025, arXiv 2412.07771): with a in [0, 1] of each face,
``y = W x + strength * (U1 D1 ((1 - a) x) + U2 D2 (a x))``. Where the published code departs from its own idea this one
follows the idea: adapters start at nothing, so that the first step starts from the untouched recogniser; a is clipped;
statistics of batch norms stay; one orientation of quality (high is good), by median and spread that are stored with the
network. A pair that is mixed face by face can't be merged into the weights.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from wildstyle.recognisers.architecture import ARCHITECTURE, describe
from wildstyle.recognisers.layers import Layer, weighted_layers
from wildstyle.recognisers.quality import QualityNetwork


class Mixture:
    """The shares (N,) of the second adapter for the faces that are passing through the network now."""

    def __init__(self) -> None:
        self.share: Tensor | None = None


class PairedLayer(nn.Module):
    """A layer with two adapters beside it.

    Args:
        layer: convolution or linear layer; it does not learn.
        rank: of each adapter in each group, at most what the layer can have.
        strength: factor on what they add.
        mixture: where the shares of the faces lie.
    """

    def __init__(self, layer: Layer, rank: int, strength: float, mixture: Mixture) -> None:
        super().__init__()
        self.layer, self.strength, self._mixture = layer, strength, mixture
        groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
        out, within = layer.weight.shape[0] // groups, math.prod(layer.weight.shape[1:])
        rank = min(rank, out, within)
        self._groups, self._rank = groups, rank
        # One product for both: the first ``rank`` rows of a group belong to the first adapter.
        self.down = nn.Parameter(torch.randn(groups * 2 * rank, *layer.weight.shape[1:]) / math.sqrt(within))
        up = (out * groups, 2 * rank, 1, 1) if isinstance(layer, nn.Conv2d) else (out, 2 * rank)
        self.up = nn.Parameter(torch.zeros(up))

    def forward(self, x: Tensor) -> Tensor:
        """The layer's own output plus what the adapters add to each face."""
        plain: Tensor = self.layer(x)
        share = self._mixture.share
        if share is None:
            return plain
        if isinstance(self.layer, nn.Linear):
            weights = torch.stack([1.0 - share, share], dim=1).repeat_interleave(self._rank, dim=1)
            inner = nn.functional.linear(x, self.down)
            extra = weights.reshape(share.shape[0], *(1,) * (inner.ndim - 2), -1) * inner
            return plain + self.strength * nn.functional.linear(extra, self.up)
        layer = self.layer
        inner = nn.functional.conv2d(x, self.down, None, layer.stride, layer.padding, layer.dilation, layer.groups)
        weights = torch.stack([1.0 - share, share], dim=1).repeat_interleave(self._rank, dim=1).repeat(1, self._groups)
        return plain + self.strength * nn.functional.conv2d(
            weights[:, :, None, None] * inner, self.up, groups=self._groups
        )


class PairedNetwork(nn.Module):
    """A network whose layers have paired adapters, and the quality that mixes them.

    Args:
        network: its convolutions and linear layers are wrapped in place.
        quality: it does not learn. A face at its ``middle`` gets a share of one half, one that is two ``spread``
            better gets the second adapter alone. None: every face gets one half.
        rank, strength: of the adapters.
    """

    def __init__(self, network: nn.Module, quality: QualityNetwork | None, *, rank: int, strength: float = 1.0) -> None:
        super().__init__()
        described = describe(network)
        if described["kind"] != "foreign":
            settings = {"rank": rank, "strength": strength, "gated": quality is not None}
            setattr(self, ARCHITECTURE, {"kind": "paired", "network": described, **settings})
        mixture = Mixture()
        for name, layer in list(weighted_layers(network)):
            owner, _, leaf = name.rpartition(".")
            setattr(network.get_submodule(owner), leaf, PairedLayer(layer, rank, strength, mixture))
        self.network, self.quality, self._mixture = network, quality, mixture

    def share(self, images: Tensor) -> Tensor:
        """Share (N,) in [0, 1] of the second adapter for normalised pictures (N, 3, H, W)."""
        if self.quality is None:
            return images.new_full((images.shape[0],), 0.5)
        better: Tensor = self.quality(images)[:, 0] - self.quality.middle
        return (0.5 + better / (4.0 * self.quality.spread)).clamp(0.0, 1.0)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalised to raw embeddings (N, D)."""
        self._mixture.share = self.share(images)
        try:
            found: Tensor = self.network(images)
        finally:
            self._mixture.share = None
        return found
