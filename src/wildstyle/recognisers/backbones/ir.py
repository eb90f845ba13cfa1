"""IR and IR-SE: ArcFace's improved residual network as written in face.evoLVe, CurricularFace, AdaFace and CVLface.

Deng et al., ArcFace, CVPR 2019; squeeze and excitation after Hu et al., CVPR 2018. Module names are those of AdaFace's
code, so that weights trained with it load unchanged. That code also gives the embedding's length beside a unit
embedding; here the embedding is raw, and its length is that length.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wildstyle.errors import SettingError

MAP = 7
"""Height and width of the last map: 112 px halved by each of four stages."""

UNITS = ("plain", "normed", "bottleneck")


def ir(
    *,
    embedding_size: int = 512,
    blocks: Sequence[int] = (3, 4, 14, 3),
    widths: Sequence[int] = (64, 128, 256, 512),
    stem: int = 64,
    unit: str = "normed",
    reduction: int = 0,
    affine: bool = False,
) -> IR:
    """An IR network for 112 px input; the defaults are AdaFace's IR-50.

    Args:
        embedding_size: D.
        blocks: units in each of the four stages: (2, 2, 2, 2) is 18, (3, 4, 6, 3) 34, (3, 4, 14, 3) 50,
            (3, 13, 30, 3) 100 (also called 101), (3, 8, 36, 3) 152 and (3, 24, 36, 3) 200.
        widths: channels of the stages; AdaFace's 152 and 200 have (256, 512, 1024, 2048).
        stem: channels of the first convolution.
        unit: "plain" (face.evoLVe, CurricularFace), "normed" (AdaFace, CVLface: a norm between first convolution and
            PReLU) or "bottleneck" (their 152 and 200).
        reduction: channels of a unit for each one in its squeeze; 0: no squeeze and excitation, published: 16.
        affine: whether the norm of the embedding has a gain and a shift (face.evoLVe).

    Raises:
        SettingError: not four stages, or an unknown unit.
    """
    if len(blocks) != 4 or len(widths) != 4:
        raise SettingError(f"an IR network has 4 stages, not {len(blocks)} depths and {len(widths)} widths")
    if unit not in UNITS:
        raise SettingError(f"a unit is one of {', '.join(UNITS)}, not {unit!r}")
    units: list[nn.Module] = []
    channels = stem
    for count, width in zip(blocks, widths, strict=True):
        for index in range(count):
            units.append(Unit((channels, width), unit, stride=1 if index else 2, reduction=reduction))
            channels = width
    return IR(stem, units, channels, embedding_size, affine)


class SqueezeExcitation(nn.Module):
    """Channels weighted by what their means say of the picture."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, H, W) to the same shape."""
        squeezed = torch.relu(self.fc1(torch.mean(images, (2, 3), True)))
        return images * torch.sigmoid(self.fc2(squeezed))


class Subsample(nn.Module):
    """Every second pixel: a shortcut that changes the size but no channels."""

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H / 2, W / 2)."""
        return images[:, :, ::2, ::2]


class Unit(nn.Module):
    """Norms and convolutions, the last one strided; added to the input, thinned out or projected where need be."""

    def __init__(self, shape: tuple[int, int], kind: str, *, stride: int, reduction: int) -> None:
        super().__init__()
        inputs, outputs = shape
        self.shortcut_layer: nn.Module = nn.Identity() if stride == 1 else Subsample()
        if inputs != outputs:
            self.shortcut_layer = nn.Sequential(_conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
        self.res_layer = nn.Sequential(nn.BatchNorm2d(inputs), *_convolutions(kind, inputs, outputs, stride))
        if reduction:
            self.res_layer.add_module("se_block", SqueezeExcitation(outputs, reduction))

    def forward(self, images: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        hidden: Tensor = self.res_layer(images)
        shortcut: Tensor = self.shortcut_layer(images)
        return hidden + shortcut


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


def _convolutions(kind: str, inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    """What follows a unit's first norm."""
    if kind == "bottleneck":
        inner = outputs // 4
        layers = [_conv(inputs, inner, 1), nn.BatchNorm2d(inner), nn.PReLU(inner)]
        layers += [_conv(inner, inner, 3), nn.BatchNorm2d(inner), nn.PReLU(inner), _conv(inner, outputs, 1, stride)]
    else:
        norm = [nn.BatchNorm2d(outputs)] if kind == "normed" else []
        layers = [_conv(inputs, outputs, 3), *norm, nn.PReLU(outputs), _conv(outputs, outputs, 3, stride)]
    return [*layers, nn.BatchNorm2d(outputs)]


class IR(nn.Module):
    """Stem, units, then BN, linear, BN to the embedding."""

    def __init__(self, stem: int, units: list[nn.Module], channels: int, embedding_size: int, affine: bool) -> None:
        super().__init__()
        self.input_layer = nn.Sequential(_conv(3, stem, 3), nn.BatchNorm2d(stem), nn.PReLU(stem))
        self.body = nn.Sequential(*units)
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.Identity(),  # where the published code has its dropout: the numbers of the layers are its
            nn.Flatten(),
            nn.Linear(channels * MAP * MAP, embedding_size),
            nn.BatchNorm1d(embedding_size, affine=affine),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, 112, 112) normalised to raw embeddings (N, D)."""
        embedded: Tensor = self.output_layer(self.body(self.input_layer(images)))
        return embedded
