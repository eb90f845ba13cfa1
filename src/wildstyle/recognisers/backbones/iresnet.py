"""The improved residual network of ArcFace (Deng et al., CVPR 2019; blocks after Duta et al., 2020).

Module names are those of insightface's arcface_torch, so that its published weights load unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

EPS = 1e-5


def iresnet(blocks: Sequence[int], *, embedding_size: int = 512, dropout: float = 0.0) -> IResNet:
    """An iResNet with ``blocks`` units in its four stages (64, 128, 256, 512 channels), for 112 px input."""
    return IResNet(blocks, embedding_size, dropout)


class Unit(nn.Module):
    """BN, conv 3x3, BN, PReLU, conv 3x3 (stride), BN; added to the input or to its strided 1x1 projection."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs, eps=EPS)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs, eps=EPS)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs, eps=EPS)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            projection = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(outputs, eps=EPS))

    def forward(self, images: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        hidden: Tensor = self.prelu(self.bn2(self.conv1(self.bn1(images))))
        shortcut: Tensor = self.downsample(images)
        hidden = self.bn3(self.conv2(hidden))
        return shortcut + hidden


class IResNet(nn.Module):
    """Stem, four stages of units, BN, dropout, linear, BN whose gain stays 1."""

    def __init__(self, blocks: Sequence[int], embedding_size: int, dropout: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64, eps=EPS)
        self.prelu = nn.PReLU(64)
        self.layer1 = _stage(64, 64, blocks[0])
        self.layer2 = _stage(64, 128, blocks[1])
        self.layer3 = _stage(128, 256, blocks[2])
        self.layer4 = _stage(256, 512, blocks[3])
        self.bn2 = nn.BatchNorm2d(512, eps=EPS)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(512 * 7 * 7, embedding_size)
        self.features = nn.BatchNorm1d(embedding_size, eps=EPS)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0.0, 0.1)
        # As published: the last norm's gain is fixed, so that the embedding's scale is the data's.
        nn.init.constant_(self.features.weight, 1.0)
        self.features.weight.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, 112, 112) normalised to raw embeddings (N, D)."""
        hidden = self.prelu(self.bn1(self.conv1(images)))
        hidden = self.layer4(self.layer3(self.layer2(self.layer1(hidden))))
        hidden = self.dropout(self.bn2(hidden))
        embedded: Tensor = self.features(self.fc(torch.flatten(hidden, 1)))
        return embedded


def _stage(inputs: int, outputs: int, count: int) -> nn.Sequential:
    first = Unit(inputs, outputs, stride=2)
    return nn.Sequential(first, *(Unit(outputs, outputs, stride=1) for _ in range(count - 1)))
