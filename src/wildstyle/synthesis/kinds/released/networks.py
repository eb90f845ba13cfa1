"""The published generator, layer by layer, as a yardstick.

CFSM (Liu, Kim, Jain, Liu, ECCV 2022, arXiv 2207.10180): the image translation network of MUNIT (Huang et al.,
ECCV 2018) with a linear style subspace in front of its AdaIN layers. Kept as published, with what is odd about it:
gains start near zero, biases stand in front of norms that remove them, and the zero code only learns to return
the input. 9,669,891 parameters, 11.75 GMAC a face of 112 px.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from wildstyle.errors import InputError
from wildstyle.synthesis.basis import orthonormal_rows
from wildstyle.synthesis.interface import StyleGenerator, check_images

AXES = 10
STYLE_SIZE = 128
MAX_MAGNITUDE = 6.0
CONTENT = 256

_START = 123  # every published run starts from the same seed


class AdaptiveNorm(nn.Module):
    """AdaIN: the style's gain and shift after an instance norm; without style it is an error to call it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, features: Tensor, shift: Tensor, gain: Tensor) -> Tensor:
        """Features (N, C, H, W); shift and gain (N, C), the gain as it is, without "1 +"."""
        normal = functional.instance_norm(features, eps=1e-5)
        return normal * gain[:, :, None, None] + shift[:, :, None, None]


class SampleNorm(nn.Module):
    """MUNIT's "layer norm": over all of a sample, by the unbiased deviation, then gain and bias a channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.rand(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Tensor) -> Tensor:
        flat = features.flatten(1)
        mean, deviation = flat.mean(1), flat.std(1)
        normal = (features - mean[:, None, None, None]) / (deviation[:, None, None, None] + 1e-5)
        return normal * self.gain[:, None, None] + self.bias[:, None, None]


class PlainBlock(nn.Module):
    """Residual block of the encoder."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")
        self.second = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")

    def forward(self, features: Tensor) -> Tensor:
        hidden = functional.relu(functional.instance_norm(self.first(features)))
        return features + functional.instance_norm(self.second(hidden))


class StyledBlock(nn.Module):
    """Residual block of the decoder: 4C numbers of style."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")
        self.second = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")
        self.norms = nn.ModuleList([AdaptiveNorm(channels), AdaptiveNorm(channels)])

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        shift_1, gain_1, shift_2, gain_2 = style.chunk(4, dim=1)
        hidden = functional.relu(self.norms[0](self.first(features), shift_1, gain_1))
        change: Tensor = self.norms[1](self.second(hidden), shift_2, gain_2)
        return features + change


class Encoder(nn.Module):
    """Content: (N, 3, S, S) in [-1, 1] to (N, 256, S/4, S/4)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 7, padding=3, padding_mode="reflect")
        self.down = nn.ModuleList(
            [nn.Conv2d(64, 128, 4, stride=2, padding=1), nn.Conv2d(128, CONTENT, 4, stride=2, padding=1)]
        )
        self.blocks = nn.Sequential(*(PlainBlock(CONTENT) for _ in range(3)))

    def forward(self, images: Tensor) -> Tensor:
        features = functional.relu(functional.instance_norm(self.stem(images)))
        for down in self.down:
            features = functional.relu(functional.instance_norm(down(features)))
        content: Tensor = self.blocks(features)
        return content


class Decoder(nn.Module):
    """Content and style (N, 128) to an image in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.style = nn.Sequential(
            nn.Linear(STYLE_SIZE, 256),
            nn.ReLU(),
            nn.Linear(256, 256),
            nn.ReLU(),
            nn.Linear(256, 3 * 4 * CONTENT),
        )
        self.blocks = nn.ModuleList(StyledBlock(CONTENT) for _ in range(3))
        self.up = nn.ModuleList([nn.Conv2d(CONTENT, 128, 5, padding=2), nn.Conv2d(128, 64, 5, padding=2)])
        self.norms = nn.ModuleList([SampleNorm(128), SampleNorm(64)])
        self.last = nn.Conv2d(64, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        features = content
        for block, part in zip(self.blocks, self.style(style).chunk(3, dim=1), strict=True):
            features = block(features, part)
        for up, norm in zip(self.up, self.norms, strict=True):
            features = functional.relu(norm(up(functional.interpolate(features, scale_factor=2.0))))
        return torch.tanh(self.last(features))


class ReleasedGenerator(StyleGenerator):
    """The published generator behind this library's interface.

    Images are (N, 3, S, S) float32, RGB, in [0, 1], S a multiple of 4; codes (N, 10). Seeds are taken and not used:
    it draws no noise. Unlike the default generator's, its basis drifts from orthonormal and magnitudes are only
    nearly distances.
    """

    kind = "released"

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder()
        start = torch.randn(AXES, STYLE_SIZE, generator=torch.Generator().manual_seed(_START))
        self.basis = nn.Parameter(orthonormal_rows(start))
        self.mean = nn.Parameter(torch.zeros(STYLE_SIZE))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0.0, 0.02)

    @property
    def axes(self) -> int:
        """K, the number of style axes."""
        return AXES

    @property
    def max_magnitude(self) -> float:
        """End of the range that users are offered; training hardly ever reaches it."""
        return MAX_MAGNITUDE

    def describe(self) -> dict[str, Any]:
        """Nothing: there is one size."""
        return {}

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Self:
        """A fresh generator."""
        return cls()

    def encode(self, images: Tensor) -> Tensor:
        """Content of images, (N, 256, S/4, S/4).

        Raises:
            InputError: images are not (N, 3, S, S) with S a multiple of 4.
        """
        check_images(images)
        content: Tensor = self.encoder(2.0 * images - 1.0)
        return content

    def decode(
        self, images: Tensor, content: Tensor, code: Tensor, seed: Tensor, *, target: str | None = None
    ) -> Tensor:
        """Images (N, 3, S, S) in [0, 1] of ``content`` in the styles ``code``; the rest is not used.

        Raises:
            InputError: codes are not (N, 10).
        """
        if code.shape != (len(images), AXES):
            raise InputError(f"codes are {tuple(code.shape)}, expected ({len(images)}, {AXES})")
        made: Tensor = self.decoder(content, code @ self.basis + self.mean)
        return 0.5 * (made + 1.0)

    def orthonormality(self) -> Tensor:
        """Mean over the entries of (U Uᵀ - I)², 0-d: the published penalty, weak as it is."""
        identity = torch.eye(AXES, device=self.basis.device)
        return (self.basis @ self.basis.T - identity).square().mean()


class ReleasedDiscriminator(nn.Module):
    """Three equal nets on the image at full, half and quarter size.

    Repair: the third reaches maps of 1x1, which an instance norm turns into zeros (or, in current PyTorch, refuses);
    there the norm is left out.
    """

    def __init__(self, scales: int = 3) -> None:
        super().__init__()
        self.nets = nn.ModuleList(_PatchNet() for _ in range(scales))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0.0, 0.02)

    def forward(self, images: Tensor) -> list[Tensor]:
        """One map of scores a scale for images (N, 3, S, S) in [-1, 1]."""
        return list(self._scores(images))

    def _scores(self, images: Tensor) -> Iterator[Tensor]:
        for net in self.nets:
            yield net(images)
            images = functional.avg_pool2d(images, 3, stride=2, padding=1, count_include_pad=False)


class _PatchNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        widths = (3, 64, 128, 256, 512)
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(widths))
        self.last = nn.Conv2d(512, 1, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        features = functional.leaky_relu(self.layers[0](images), 0.2)
        for layer in self.layers[1:]:
            features = layer(features)
            if features.shape[2] > 1:
                features = functional.instance_norm(features)
            features = functional.leaky_relu(features, 0.2)
        scores: Tensor = self.last(features)
        return scores
