"""MobileFaceNet built from MobileNetV2's inverted residuals with ReLU6, 128-d, 1.0 M parameters.

Module names follow the widely copied "conv1, dw_conv, features, conv2, gdconv, conv3, bn" code, so
that weights trained with it load unchanged.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Expansion, channels, repeats, stride of the first (MobileFaceNet, table 1).
SETTINGS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))


def mobilefacenet(*, embedding_size: int = 128) -> InvertedMobileFaceNet:
    """The inverted-residual MobileFaceNet for 112 px input."""
    return InvertedMobileFaceNet(embedding_size)


def _conv_bn_relu6(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU6())


class InvertedResidual(nn.Module):
    """1x1 out, depthwise 3x3 (stride), 1x1 linear back; added to the input where shapes agree."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            _conv_bn_relu6(inputs, inner, kernel=1),
            _conv_bn_relu6(inner, inner, stride=stride, groups=inner),
            nn.Conv2d(inner, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        hidden: Tensor = self.conv(images)
        return images + hidden if self.residual else hidden


class _Separable(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, images: Tensor) -> Tensor:
        hidden = torch.relu(self.bn1(self.depthwise(images)))
        return torch.relu(self.bn2(self.pointwise(hidden)))


class _GlobalDepthwise(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, images: Tensor) -> Tensor:
        hidden: Tensor = self.bn(self.depthwise(images))
        return hidden


class InvertedMobileFaceNet(nn.Module):
    """Stem, inverted residuals, 1x1 expansion, global depthwise convolution, 1x1 to the embedding, BN."""

    def __init__(self, embedding_size: int) -> None:
        super().__init__()
        self.conv1 = _conv_bn_relu6(3, 64, stride=2)
        self.dw_conv = _Separable(64, 64)
        channels, units = 64, []
        for expansion, outputs, repeats, stride in SETTINGS:
            for index in range(repeats):
                units.append(InvertedResidual(channels, outputs, stride if index == 0 else 1, expansion))
                channels = outputs
        self.features = nn.Sequential(*units)
        self.conv2 = _conv_bn_relu6(channels, 512, kernel=1)
        self.gdconv = _GlobalDepthwise(512)
        self.conv3 = nn.Conv2d(512, embedding_size, 1, bias=False)
        self.bn = nn.BatchNorm2d(embedding_size)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, 112, 112) normalised to raw embeddings (N, D)."""
        hidden = self.features(self.dw_conv(self.conv1(images)))
        hidden = self.bn(self.conv3(self.gdconv(self.conv2(hidden))))
        return torch.flatten(hidden, 1)
