"""Other people's networks, written again in the shortest way, with their key names: what our own must agree with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

N = TypeVar("N", bound=nn.Module)


class SE(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(width, width // 4, 1, bias=False)
        self.fc2 = nn.Conv2d(width // 4, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.fc1(self.pool(x)).clamp_min(0)).sigmoid() * x


class IRUnit(nn.Module):
    """``form``: the letters n (norm), p (PReLU), 1 and 3 (convolution of that size), in order."""

    def __init__(self, ins: int, outs: int, stride: int, form: str, squeeze: str) -> None:
        super().__init__()
        if ins == outs:
            self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        else:
            self.shortcut_layer = nn.Sequential(nn.Conv2d(ins, outs, 1, stride, bias=False), nn.BatchNorm2d(outs))
        self.res_layer = nn.Sequential()
        inner, now, convolutions = (outs // 4 if "1" in form else outs), ins, form.count("1") + form.count("3")
        for letter in form:
            if letter in "13":
                convolutions -= 1
                size, wanted = int(letter), inner if convolutions else outs
                step = 1 if convolutions else stride
                self.res_layer.append(nn.Conv2d(now, wanted, size, step, size // 2, bias=False))
                now = wanted
            else:
                self.res_layer.append(nn.BatchNorm2d(now) if letter == "n" else nn.PReLU(now))
        if squeeze:
            self.res_layer.add_module(squeeze, SE(outs))

    def forward(self, x: Tensor) -> Tensor:
        return self.res_layer(x) + self.shortcut_layer(x)


class ForeignIR(nn.Module):
    """Gives unit embeddings and their lengths, as AdaFace's code does."""

    def __init__(
        self,
        form: str,
        *,
        squeeze: str = "",
        affine: bool = False,
        widths: Sequence[int] = (8, 16, 24, 32),
        blocks: Sequence[int] = (2, 1, 3, 1),
        side: int = 7,
    ) -> None:
        super().__init__()
        self.input_layer = nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.PReLU(8))
        self.body = nn.Sequential()
        now = 8
        for width, count in zip(widths, blocks, strict=True):
            for index in range(count):
                self.body.append(IRUnit(now, width, 1 if index else 2, form, squeeze))
                now = width
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(now),
            nn.Dropout(0.4),
            nn.Flatten(),
            nn.Linear(now * side * side, 12),
            nn.BatchNorm1d(12, affine=affine),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.output_layer(self.body(self.input_layer(x)))
        return F.normalize(x), x.norm(dim=1, keepdim=True)


class ViTBlock(nn.Module):
    def __init__(self, width: int, hidden: int, heads: int, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width, bias=bias), "proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, hidden), "fc2": nn.Linear(hidden, width)})
        nn.init.normal_(self.mlp["fc1"].weight, std=4 / width**0.5)  # large enough for the upper end of ReLU6

    def forward(self, x: Tensor) -> Tensor:
        three = self.attn["qkv"](self.norm1(x)).unflatten(2, (3, self.heads, -1))
        q, k, v = three.transpose(1, 3).unbind(2)
        x = x + self.attn["proj"](F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + self.mlp["fc2"](F.relu6(self.mlp["fc1"](self.norm2(x))))


class ForeignViT(nn.Module):
    def __init__(
        self, width: int, depth: int, patch: int, hidden: int, heads: int, *, bias: bool = False, mask: bool = True
    ) -> None:
        super().__init__()
        tokens = (112 // patch) ** 2
        self.pos_embed = nn.Parameter(torch.randn(1, tokens, width))
        if mask:
            self.mask_token = nn.Parameter(torch.randn(1, 1, width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, patch, patch)})
        self.blocks = nn.Sequential(*(ViTBlock(width, hidden, heads, bias) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.feature = nn.Sequential(
            nn.Linear(width * tokens, width, bias=False),
            nn.BatchNorm1d(width, eps=2e-5),
            nn.Linear(width, 12, bias=False),
            nn.BatchNorm1d(12, eps=2e-5),
        )

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch_embed["proj"](x).flatten(2).mT + self.pos_embed
        return self.feature(self.norm(self.blocks(tokens)).flatten(1))


def lived_in(network: N, seed: int = 0) -> N:
    """The network with gains, shifts, slopes and statistics that are not those of a fresh one, in evaluation mode."""
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn(parameter.shape, generator=chance) * 0.2)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.momentum = 0.7
        network.train()(torch.randn(4, 3, 112, 112, generator=chance))
    return network.eval()
