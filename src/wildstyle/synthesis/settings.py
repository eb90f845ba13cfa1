"""What a fit of the generator is asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from wildstyle.errors import SettingError
from wildstyle.synthesis.generator import GeneratorConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """Weights of the terms of the generator's loss; each >= 0.

    Attributes:
        statistics: energy distance of style statistics to the target's.
        support: distance of single pictures to the nearest pictures of the target, in style statistics.
        adversarial: hinge loss against the discriminator.
        identity: squared deviation from the wanted identity distance, relative to it.
        direction: how badly the direction of the code can be read off the picture.
        residual: mean size of the learned change, so that the camera explains what it can.
    """

    statistics: float = 1.5
    support: float = 0.25
    adversarial: float = 0.3
    identity: float = 20.0
    direction: float = 0.25
    residual: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """Settings of ``fit_generator``; the defaults work.

    Attributes:
        kind: of generator, e.g. ``default``, ``camera``, ``network`` or ``released``.
        generator: size of the generator, where the kind has sizes; its ``targets`` are replaced by the target's name.
        weights: weights of the loss terms.
        seed: seed of everything random, >= 0.
        batch: source faces a step (all processes together), >= 4.
        identity_share: share of the batch whose identity is measured, in (0, 1]; the recogniser is the dearest part.
        identity_at_max: wanted identity distance 1 - cosine at full magnitude, in (0, 1]; it falls linearly to 0 at 0.
        like_target: magnitudes between which a picture begins to be asked to look like the target. Below the first
            it should rather look like its source.
        learning_rate: peak rate of the generator (Adam).
        critic_rate: peak rate of the discriminator (Adam).
        average: decay of the running average of the generator's weights, in [0, 1).
        most_faces: target faces that are kept in memory at most.
        fewest_faces: target faces below which a fit is refused.
    """

    kind: str = "default"
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    weights: LossWeights = field(default_factory=LossWeights)
    seed: int = 0
    batch: int = 32
    identity_share: float = 0.25
    identity_at_max: float = 0.65
    like_target: tuple[float, float] = (1.0, 3.0)
    learning_rate: float = 2e-3
    critic_rate: float = 1e-3
    average: float = 0.99
    most_faces: int = 6000
    fewest_faces: int = 50

    def __post_init__(self) -> None:
        low, high = self.like_target
        faults = {
            "seed": self.seed < 0,
            "batch": self.batch < 4,
            "identity_share": not 0 < self.identity_share <= 1,
            "identity_at_max": not 0 < self.identity_at_max <= 1,
            "like_target": not 0 <= low < high <= self.generator.max_magnitude,
            "learning_rate": self.learning_rate <= 0,
            "critic_rate": self.critic_rate <= 0,
            "average": not 0 <= self.average < 1,
            "most_faces": self.most_faces < self.fewest_faces,
            "fewest_faces": self.fewest_faces < 4,
        }
        for name in (n for n, wrong in faults.items() if wrong):
            raise SettingError(f"{name} is {getattr(self, name)}, out of its range")

    def as_record(self) -> dict[str, Any]:
        """Plain JSON values of all settings."""
        return asdict(self)
