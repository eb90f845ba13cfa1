"""Which made-up people and pictures a set holds, from integers alone.

Every kind of set has its own range of people, so that no person is ever in two of them:
person seed = 1,000,000 · set seed + start of the kind + number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wildstyle.errors import SettingError
from wildstyle.madeup.person import subject_name

Kind = Literal["clean", "footage", "held-back", "recogniser"]

STARTS: dict[Kind, int] = {"clean": 0, "footage": 200_000, "held-back": 400_000, "recogniser": 600_000}
_ROOM = 200_000
_SET_STRIDE = 1_000_000

Camera = Literal["everyday", "bad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One picture of a set.

    Attributes:
        file: member path in the tar.
        person, shot: seeds.
        camera: which camera takes it.
        subject: neutral id, or None in an unlabelled set.
        media, template, role, enrolled: as in a manifest.
    """

    file: str
    person: int
    shot: int
    camera: Camera
    subject: str | None
    media: str
    template: str | None = None
    role: str | None = None
    enrolled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeUpSet:
    """A set of made-up people.

    Attributes:
        kind: "clean": labelled, everyday camera. "footage": unlabelled, bad camera. "held-back": for each person
            ``gallery`` clean pictures, ``probes`` clean ones, and the same moments through the bad camera.
            "recogniser": like clean, people apart, for training the demo's recogniser.
        people: number of people, 2 to 200,000.
        shots: pictures a person ("clean", "footage", "recogniser").
        gallery, probes: pictures a person ("held-back").
        seed: of the set, 0 to 1,000; another seed gives other people.
        difficulty: see `ShotOptions`. strength: of the bad camera, in [0, 1].
        aligned: 112 px crops by the true landmarks, else the raw pictures.
        side: side in px of the raw pictures.
    """

    kind: Kind
    people: int
    shots: int = 8
    gallery: int = 3
    probes: int = 5
    seed: int = 0
    difficulty: float = 1.0
    strength: float = 1.0
    aligned: bool = True
    side: int = 160

    def __post_init__(self) -> None:
        limits = {
            "people": (2, _ROOM), "shots": (1, 10_000), "gallery": (1, 1_000), "probes": (1, 1_000), "seed": (0, 1_000),
        }  # fmt: skip
        if self.kind not in STARTS:
            raise SettingError(f"unknown kind of set {self.kind!r}", remedy=f"choose one of {', '.join(STARTS)}")
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise SettingError(f"{name} is {getattr(self, name)}, expected {low} to {high}", where="MadeUpSet")

    def person_seeds(self) -> range:
        """Seeds of the people, disjoint between kinds and between set seeds."""
        start = _SET_STRIDE * self.seed + STARTS[self.kind]
        return range(start, start + self.people)

    def items(self) -> tuple[Item, ...]:
        """All pictures, in order."""
        if self.kind == "held-back":
            return tuple(item for n, seed in enumerate(self.person_seeds()) for item in self._held_back(n, seed))
        if self.kind == "footage":
            return tuple(
                self._footage(n, seed, shot) for n, seed in enumerate(self.person_seeds()) for shot in range(self.shots)
            )
        return tuple(self._clean(seed, shot) for seed in self.person_seeds() for shot in range(self.shots))

    def _clean(self, seed: int, shot: int) -> Item:
        name = subject_name(seed)
        return Item(
            file=f"{name}/{shot:04d}.jpg", person=seed, shot=shot, camera="everyday", subject=name, media="everyday"
        )

    def _footage(self, number: int, seed: int, shot: int) -> Item:
        file = f"footage/{number * self.shots + shot:06d}.jpg"
        return Item(file=file, person=seed, shot=shot, camera="bad", subject=None, media="footage")

    def _held_back(self, number: int, seed: int) -> list[Item]:
        name, enrolled = subject_name(seed), number % 2 == 0
        items = []
        for shot in range(self.gallery + self.probes):
            is_probe = shot >= self.gallery
            media = "clean" if is_probe else "portrait"
            file = f"{name}/{media}/{shot:04d}.jpg"
            items.append(
                Item(
                    file=file,
                    person=seed,
                    shot=shot,
                    camera="everyday",
                    subject=name,
                    media=media,
                    template=file if is_probe else f"{name}:gallery",
                    role="probe" if is_probe else "gallery",
                    enrolled=enrolled,
                )
            )
        for shot in range(self.gallery, self.gallery + self.probes):
            file = f"{name}/camera/{shot:04d}.jpg"
            items.append(
                Item(
                    file=file,
                    person=seed,
                    shot=shot,
                    camera="bad",
                    subject=name,
                    media="camera",
                    template=file,
                    role="probe",
                    enrolled=enrolled,
                )
            )
        return items
