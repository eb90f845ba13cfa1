"""MobileFaceNet (Chen et al., CCBR 2018) in the layout of insightface's arcface_torch, and two narrower ones.

Module names are those of arcface_torch, so that its published weights load unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Widths:
    """Channels and depths of one MobileFaceNet.

    Attributes:
        stem: channels of the first two convolutions and of stage 1.
        stages: channels of stages 2 and 3.
        first: channels inside the four kinds of bottleneck: entry 1, stage 1, entry 2 and stage 2, entry 3.
        depths: bottlenecks in the stages after the stem: 1 means one depthwise convolution in stage 0.
        separate: channels before the global depthwise convolution.
        stem_groups: groups of the stem's depthwise convolution.
        prelu: PReLU, else ReLU (cheaper on a CPU).
    """

    stem: int
    stages: int
    inner: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    separate: int
    stem_groups: int
    prelu: bool = True


def mobilefacenet_wide(
    *, embedding_size: int = 512, scale: int = 2, blocks: Sequence[int] = (1, 4, 6, 2)
) -> MobileFaceNet:
    """The MobileFaceNet of arcface_torch: ``scale=2``, blocks (1, 4, 6, 2) is its ``mbf``; scale 1 the paper's."""
    depths = (blocks[0], blocks[1], blocks[2], blocks[3])
    widths = Widths(64 * scale, 128 * scale, (128, 128, 256, 512), depths, 512, 64)
    return MobileFaceNet(widths, embedding_size)


def demo(*, embedding_size: int = 128) -> MobileFaceNet:
    """A narrow MobileFaceNet for the embedded demo: 0.28 M parameters at 128-d, trains from scratch on a CPU."""
    return MobileFaceNet(Widths(32, 64, (64, 96, 128, 256), (1, 3, 4, 2), 256, 32, prelu=False), embedding_size)


def tiny(*, embedding_size: int = 16) -> MobileFaceNet:
    """The smallest network of this shape, for tests."""
    return MobileFaceNet(Widths(8, 8, (8, 8, 8, 8), (1, 1, 1, 1), 16, 8), embedding_size)


class ConvBlock(nn.Module):
    """Convolution without bias, BN and, unless linear, an activation."""

    def __init__(self, shape: tuple[int, int], kernel: int, *, stride: int = 1, groups: int = 1, act: str) -> None:
        super().__init__()
        inputs, outputs = shape
        padding = kernel // 2 if kernel < 7 else 0  # the 7x7 one is the global depthwise convolution
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.layers = nn.Sequential(convolution, nn.BatchNorm2d(outputs))
        if act == "prelu":
            self.layers.append(nn.PReLU(outputs))
        elif act == "relu":
            self.layers.append(nn.ReLU(inplace=False))

    def forward(self, images: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H', W')."""
        hidden: Tensor = self.layers(images)
        return hidden


class Bottleneck(nn.Module):
    """1x1 out, depthwise 3x3 (stride), 1x1 linear back; with a shortcut where ``residual``."""

    def __init__(self, shape: tuple[int, int], inner: int, *, stride: int, residual: bool, act: str) -> None:
        super().__init__()
        self.residual = residual
        self.layers = nn.Sequential(
            ConvBlock((shape[0], inner), 1, act=act),
            ConvBlock((inner, inner), 3, stride=stride, groups=inner, act=act),
            ConvBlock((inner, shape[1]), 1, act="none"),
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        hidden: Tensor = self.layers(images)
        return images + hidden if self.residual else hidden


class Stage(nn.Module):
    """Residual bottlenecks at one size."""

    def __init__(self, channels: int, count: int, inner: int, act: str) -> None:
        super().__init__()
        units = (Bottleneck((channels, channels), inner, stride=1, residual=True, act=act) for _ in range(count))
        self.layers = nn.Sequential(*units)

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, H, W) to the same shape."""
        hidden: Tensor = self.layers(images)
        return hidden


class GlobalDepthwise(nn.Module):
    """7x7 depthwise convolution over the whole map, linear layer without bias, BN."""

    def __init__(self, channels: int, embedding_size: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ConvBlock((channels, channels), 7, groups=channels, act="none"),
            nn.Flatten(),
            nn.Linear(channels, embedding_size, bias=False),
            nn.BatchNorm1d(embedding_size),
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, 7, 7) to (N, D)."""
        hidden: Tensor = self.layers(images)
        return hidden


class MobileFaceNet(nn.Module):
    """Stem, three strided entries each followed by a stage, 1x1 expansion, global depthwise convolution."""

    def __init__(self, widths: Widths, embedding_size: int) -> None:
        super().__init__()
        act = "prelu" if widths.prelu else "relu"
        stem, wide, inner = widths.stem, widths.stages, widths.inner
        second: nn.Module = ConvBlock((stem, stem), 3, groups=widths.stem_groups, act=act)
        if widths.depths[0] > 1:
            second = Stage(stem, widths.depths[0], inner[1], act)
        self.layers = nn.ModuleList(
            [
                ConvBlock((3, stem), 3, stride=2, act=act),
                second,
                Bottleneck((stem, stem), inner[0], stride=2, residual=False, act=act),
                Stage(stem, widths.depths[1], inner[1], act),
                Bottleneck((stem, wide), inner[2], stride=2, residual=False, act=act),
                Stage(wide, widths.depths[2], inner[2], act),
                Bottleneck((wide, wide), inner[3], stride=2, residual=False, act=act),
                Stage(wide, widths.depths[3], inner[2], act),
            ]
        )
        self.conv_sep = ConvBlock((wide, widths.separate), 1, act=act)
        self.features = GlobalDepthwise(widths.separate, embedding_size)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, 112, 112) normalised to raw embeddings (N, D)."""
        for layer in self.layers:
            images = layer(images)
        embedded: Tensor = self.features(self.conv_sep(images))
        return embedded
