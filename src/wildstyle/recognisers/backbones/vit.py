"""The vision transformer (Dosovitskiy et al., ICLR 2021) of insightface's arcface_torch, which has no class token.

Module names are those of arcface_torch, so that its published weights load unchanged. What only its training uses
(masked tokens, stochastic depth) is left out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wildstyle.errors import SettingError

INPUT = 112
EPS = 2e-5
"""Of the norms of the head; the others have torch's."""


def vit(
    *,
    embedding_size: int = 512,
    width: int = 512,
    depth: int = 12,
    heads: int = 8,
    patch: int = 9,
    hidden: int = 2048,
    qkv_bias: bool = False,
) -> ViT:
    """A ViT for 112 px input; the defaults are arcface_torch's ViT-S.

    Args:
        embedding_size: D.
        width: channels of a token: 256 is ViT-T, 512 ViT-S and ViT-B, 768 ViT-L.
        depth: blocks: 12 in ViT-T and ViT-S, 24 in ViT-B and ViT-L.
        heads: of the attention; 8 in all four.
        patch: side of a token in px; what is left at the right and lower edge is not looked at.
        hidden: channels inside a block's two linear layers.
        qkv_bias: whether queries, keys and values have a bias.

    Raises:
        SettingError: the width is no multiple of the heads.
    """
    if width % heads:
        raise SettingError(f"{width} channels can't be shared by {heads} heads")
    return ViT(embedding_size, (width, hidden), depth, heads, patch, qkv_bias)


class Attention(nn.Module):
    """Every token looks at all tokens."""

    def __init__(self, width: int, heads: int, tokens: int, bias: bool) -> None:
        super().__init__()
        self.width, self.heads, self.tokens = width, heads, tokens
        self.scale = (width // heads) ** -0.5
        self.qkv = nn.Linear(width, 3 * width, bias=bias)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, T, width) to the same shape."""
        # Sizes are numbers, not read off the tensors: the graph stays one of known steps for any batch.
        mixed, width = self.qkv(tokens), self.width
        split = (-1, self.tokens, self.heads, width // self.heads)
        queries = torch.permute(torch.reshape(mixed[:, :, :width], split), (0, 2, 1, 3))
        keys = torch.permute(torch.reshape(mixed[:, :, width : 2 * width], split), (0, 2, 3, 1))
        values = torch.permute(torch.reshape(mixed[:, :, 2 * width :], split), (0, 2, 1, 3))
        weights = torch.softmax(torch.matmul(queries, keys) * self.scale, -1)
        seen = torch.permute(torch.matmul(weights, values), (0, 2, 1, 3))
        found: Tensor = self.proj(torch.reshape(seen, (-1, self.tokens, width)))
        return found


class Mlp(nn.Module):
    """Two linear layers with ReLU6 between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.act = nn.ReLU6()
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, T, width) to the same shape."""
        found: Tensor = self.fc2(self.act(self.fc1(tokens)))
        return found


class Block(nn.Module):
    """Attention, then two linear layers, each after a norm and added to its input."""

    def __init__(self, sizes: tuple[int, int], heads: int, tokens: int, bias: bool) -> None:
        super().__init__()
        width, hidden = sizes
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads, tokens, bias)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, hidden)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, T, width) to the same shape."""
        tokens = tokens + self.attn(self.norm1(tokens))
        found: Tensor = tokens + self.mlp(self.norm2(tokens))
        return found


class Patches(nn.Module):
    """A picture cut into tokens."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) to tokens (N, T, width), row by row."""
        return torch.permute(torch.flatten(self.proj(images), 2), (0, 2, 1))


class ViT(nn.Module):
    """Tokens with places, blocks, a norm, and a head that takes all tokens at once: linear, BN, linear, BN."""

    def __init__(
        self, embedding_size: int, sizes: tuple[int, int], depth: int, heads: int, patch: int, bias: bool
    ) -> None:
        super().__init__()
        width, tokens = sizes[0], (INPUT // patch) ** 2
        self.patch_embed = Patches(width, patch)
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens, width))
        self.blocks = nn.ModuleList(Block(sizes, heads, tokens, bias) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.feature = nn.Sequential(
            nn.Linear(width * tokens, width, bias=False),
            nn.BatchNorm1d(width, eps=EPS),
            nn.Linear(width, embedding_size, bias=False),
            nn.BatchNorm1d(embedding_size, eps=EPS),
        )
        self._initialise()

    def _initialise(self) -> None:
        nn.init.normal_(self.pos_embed, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, 112, 112) normalised to raw embeddings (N, D)."""
        tokens = self.patch_embed(images) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        embedded: Tensor = self.feature(torch.flatten(self.norm(tokens), 1))
        return embedded
