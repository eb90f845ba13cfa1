"""The generator: a differentiable camera steered by the style, plus a narrow network for what no camera does.

Interface after CFSM (Liu et al., ECCV 2022, arXiv 2207.10180): image and style code in, image out, direction =
which kind, magnitude = how much. It departs in the output, which is the input plus changes that all vanish with
the magnitude, so the zero code returns the input by construction; and in drawing noise, which channel
statistics alone can't make.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from wildstyle.errors import InputError, SettingError
from wildstyle.synthesis.basis import StyleBasis
from wildstyle.synthesis.camera import (
    CAMERA_PARAMETERS,
    CameraStrengths,
    change_to_rgb,
    photograph,
    strengths_of,
    to_ycc,
)
from wildstyle.synthesis.chance import Chance, draw_chance
from wildstyle.synthesis.codes import magnitude_of
from wildstyle.synthesis.interface import StyleGenerator, check_images
from wildstyle.synthesis.residual import ContentEncoder, ResidualDecoder
from wildstyle.synthesis.window import black_outside

_HIDDEN = 128


class Ingredients(NamedTuple):
    """What will be done to N images.

    Attributes:
        strengths: of the camera.
        added: (N, 3, S, S) the learned change of luma and colour differences, in front of the sensor.
        chance: noise and block grids.
    """

    strengths: CameraStrengths
    added: Tensor
    chance: Chance


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorConfig:
    """Size of a generator.

    Attributes:
        axes: K, style axes of a target.
        style_size: D, dimensions of the style space.
        width: channels of encoder and decoder at a quarter of the image size.
        max_magnitude: end of the range of magnitudes that is trained.
        targets: names of the targets it has a basis for; the first is the default.
        camera: whether the style steers a camera; without, there is only the learned change.
        faint: most that the learned change adds to a pixel beside a camera, share of the range, > 0; None: no bound.
            Without a bound it paints glints and scratches over eyes and mouth, sharp detail that footage has and a
            blurred face has lost: no camera does that.
    """

    axes: int = 10
    style_size: int = 128
    width: int = 32
    max_magnitude: float = 6.0
    targets: tuple[str, ...] = ("target",)
    camera: bool = True
    faint: float | None = 0.03

    def __post_init__(self) -> None:
        if self.width < 4 or self.width % 4 or self.max_magnitude <= 0:
            raise SettingError(
                f"a generator can't have width {self.width} and magnitudes up to {self.max_magnitude}",
                remedy="use a multiple of 4 and a positive magnitude",
            )
        if self.faint is not None and not self.faint > 0:
            raise SettingError(
                f"a learned change of at most {self.faint} is none", remedy="use a share above 0, or None"
            )


class Generator(StyleGenerator):
    """Turns good faces into bad-camera faces of the same people.

    Everything is differentiable in images and codes. The zero code returns the input, bit for bit, for input in
    [0, 1] (there the gradient to the code is 0, as no direction is better than another).

    Args:
        config: its size.
    """

    kind = "default"

    def __init__(self, config: GeneratorConfig | None = None) -> None:
        super().__init__()
        self.config = config or GeneratorConfig()
        width = self.config.width
        self.basis = StyleBasis(self.config.axes, self.config.style_size, self.config.targets)
        self.encoder = ContentEncoder(width)
        self.trunk = nn.Sequential(
            nn.Linear(self.config.style_size + 1, _HIDDEN), nn.SiLU(), nn.Linear(_HIDDEN, _HIDDEN), nn.SiLU()
        )
        self.camera = nn.Linear(_HIDDEN, CAMERA_PARAMETERS)
        self.decoder = ResidualDecoder(width, _HIDDEN)
        last = nn.Linear(32, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.response = nn.Sequential(nn.Linear(_HIDDEN + width, 32), nn.SiLU(), last)

    @property
    def axes(self) -> int:
        """K, the number of style axes."""
        return self.config.axes

    @property
    def max_magnitude(self) -> float:
        """End of the range of magnitudes that is trained."""
        return self.config.max_magnitude

    def describe(self) -> dict[str, Any]:
        """Its configuration."""
        described = asdict(self.config)
        # So that files from before there was a choice keep their hash.
        if self.config.camera:
            del described["camera"]
        if self.config.faint is None:
            del described["faint"]
        return described

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Self:
        """A fresh generator of a stored configuration."""
        return cls(GeneratorConfig(**{"faint": None, **description, "targets": tuple(description["targets"])}))

    def encode(self, images: Tensor) -> Tensor:
        """Content of images, (N, width, S/4, S/4); needs no code, so it can be kept while codes are tried.

        Raises:
            InputError: images are not (N, 3, S, S) with S a multiple of 4.
        """
        check_images(images)
        content: Tensor = self.encoder(images)
        return content

    def decode(
        self, images: Tensor, content: Tensor, code: Tensor, seed: Tensor, *, target: str | None = None
    ) -> Tensor:
        """The images as the camera of ``target`` would show them.

        Args:
            images: (N, 3, S, S) in [0, 1].
            content: what ``encode(images)`` gave.
            code: (N, K).
            seed: (N,) int64.
            target: whose basis to use, None for the first.

        Returns:
            (N, 3, S, S) in [0, 1].

        Raises:
            InputError: shapes don't fit each other.
            SettingError: the target is unknown.
        """
        return self.render(images, self.ingredients(images, content, code, seed, target=target))

    def ingredients(
        self, images: Tensor, content: Tensor, code: Tensor, seed: Tensor, *, target: str | None = None
    ) -> Ingredients:
        """All that ``decode`` does to the images, before it is done; same arguments."""
        self._check_code(images, code, seed)
        hidden, gate = self._style(content, code, target)
        chance = draw_chance(seed, images)
        added = gate.view(-1, 1, 1, 1) * self.decoder(content, hidden, chance.texture)
        if self.config.camera and self.config.faint is not None:
            added = self.config.faint * torch.tanh(added / self.config.faint)
        opened = gate if self.config.camera else torch.zeros_like(gate)
        return Ingredients(strengths_of(self.camera(hidden), opened), added, chance)

    def parts_for_fit(self, images: Tensor, code: Tensor, seed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Images, learned change, and the images without a gradient to that change.

        Identity may be lost to the camera, not to patterns made up to fool a recogniser; and the direction is to be
        read off what the camera does, not off a watermark.
        """
        planned = self.ingredients(images, self.encode(images), code, seed)
        made = self.render(images, planned)
        if not self.config.camera:
            return made, planned.added, made
        return made, planned.added, self.render(images, planned._replace(added=planned.added.detach()))

    @torch.no_grad()
    def with_targets(self, targets: Sequence[str]) -> Generator:
        """A copy with these targets in this order; new ones begin as the first one is.

        Everything but the bases is shared: a target takes K x D + D numbers.
        """
        copy = Generator(replace(self.config, targets=tuple(targets)))
        shared = {name: value for name, value in self.state_dict().items() if not name.startswith("basis.")}
        copy.load_state_dict(shared, strict=False)
        for place, name in enumerate(targets):
            known = self.basis.targets.index(name) if name in self.basis.targets else 0
            copy.basis.free[place].copy_(self.basis.free[known])
            copy.basis.mean[place].copy_(self.basis.mean[known])
        return copy.train(self.training)

    @staticmethod
    def render(images: Tensor, ingredients: Ingredients) -> Tensor:
        """Do it: (N, 3, S, S) in [0, 1]."""
        ycc = to_ycc(images)
        change = photograph(ycc, ingredients.strengths, ingredients.added, ingredients.chance) - ycc
        # Alignment adds the black outside a picture after the camera took it.
        change = change * (1.0 - black_outside(images))
        return (images + change_to_rgb(change)).clamp(0.0, 1.0)

    def _style(self, content: Tensor, code: Tensor, target: str | None) -> tuple[Tensor, Tensor]:
        """Hidden style (N, 128) and overall strength (N, 1), 0 for the zero code."""
        level = (magnitude_of(code) / self.config.max_magnitude).unsqueeze(1)
        # Components of a code spread over D dimensions; the factor brings them back to order 1.
        style = self.basis(code, target) * (self.config.style_size / self.config.axes) ** 0.5
        hidden = self.trunk(torch.cat([style, level], dim=1))
        # Some faces lose their identity sooner than others; the same code may act harder on tougher ones.
        pooled = torch.cat([hidden, content.mean(dim=(2, 3))], dim=1)
        # Identity falls slowly at first and fast later; a steeper start evens that out.
        rise = 3.0 * level / (1.0 + 2.0 * level)
        return hidden, rise * torch.exp(0.7 * torch.tanh(self.response(pooled)))

    def _check_code(self, images: Tensor, code: Tensor, seed: Tensor) -> None:
        check_images(images)
        count = len(images)
        if code.shape != (count, self.config.axes):
            raise InputError(f"codes are {tuple(code.shape)}, expected ({count}, {self.config.axes})")
        if seed.shape != (count,) or seed.dtype != torch.int64:
            raise InputError(f"seeds are {tuple(seed.shape)} {seed.dtype}, expected ({count},) torch.int64")
