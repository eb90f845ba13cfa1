"""One picture of one made-up person, with everything about it known."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from wildstyle.errors import SettingError
from wildstyle.faces.record import Face, FaceRecord, Pixels
from wildstyle.madeup.basis import Floats, head_basis
from wildstyle.madeup.camera import CLEAN, EVERYDAY, CameraProfile, CameraSettings, degrade
from wildstyle.madeup.conditions import Conditions, draw_conditions
from wildstyle.madeup.person import MadeUpPerson, subject_name
from wildstyle.madeup.render import render, to_pixels
from wildstyle.randomness import item_rng

_OVERSAMPLING = 1.4


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One picture.

    Attributes:
        image: (side, side, 3) uint8 RGB, not aligned.
        landmarks: (5, 2) float32 true points in pixels, in the order of `FaceRecord.landmarks`.
        person: seed of the person. seed: seed of the shot.
        conditions: pose, light, expression and the rest. camera: what the camera did.
        face_side: smaller side in px of the box around the face (chin to brow, ear to ear).
    """

    image: Pixels
    landmarks: Floats
    person: int
    seed: int
    conditions: Conditions
    camera: CameraSettings
    face_side: float

    def attributes(self) -> dict[str, str]:
        """Everything known of the picture, as text columns."""
        seen, pose, light = self.conditions, self.conditions.pose, self.conditions.light
        names = head_basis().expression_names
        shown = [f"{names[i]}={seen.expression[i]:.2f}" for i in np.flatnonzero(seen.expression)]
        return {
            "yaw": f"{np.rad2deg(pose.yaw):.2f}",
            "pitch": f"{np.rad2deg(pose.pitch):.2f}",
            "roll": f"{np.rad2deg(pose.roll):.2f}",
            "light_direction": " ".join(f"{v:.3f}" for v in light.direction),
            "light_key": f"{light.key:.3f}",
            "light_ambient": f"{light.ambient:.3f}",
            "light_exposure": f"{light.exposure:.3f}",
            "expression": " ".join(shown),
            "glasses": "yes" if seen.glasses is not None else "no",
            **self.camera.attributes(),
        }

    def face(self, *, id: str, source: str) -> Face:
        """The picture as a face record; the subject is the person's neutral id."""
        eyes = self.landmarks[1] - self.landmarks[0]
        record = FaceRecord(
            id=id,
            source=source,
            subject=subject_name(self.person),
            landmarks=self.landmarks,
            size_before=self.face_side,
            eye_distance_before=float(np.hypot(*eyes)),
            attributes=MappingProxyType(self.attributes()),
        )
        return Face(self.image, record)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotOptions:
    """How pictures are taken.

    Attributes:
        difficulty: factor in [0, 3] on pose, drift, stubble and change of glasses.
        side: picture's side in pixels, at least 32.
        camera: from which the picture's degradations are drawn. strength: factor in [0, 1] on them.
    """

    difficulty: float = 1.0
    side: int = 160
    camera: CameraProfile = EVERYDAY
    strength: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.difficulty <= 3.0:
            raise SettingError(f"difficulty is {self.difficulty}, expected 0 to 3", where="ShotOptions")
        if not 32 <= self.side <= 1024:
            raise SettingError(f"side is {self.side}, expected 32 to 1024", where="ShotOptions")
        if not 0.0 <= self.strength <= 1.0:
            raise SettingError(f"strength is {self.strength}, expected 0 to 1", where="ShotOptions")


DEFAULT = ShotOptions()


def shot(who: MadeUpPerson, seed: int, options: ShotOptions = DEFAULT) -> Shot:
    """Take one picture.

    The scene depends on (person, seed, difficulty) alone, the camera's draw on (person, seed): the same seed with
    another camera shows the same moment.

    Args:
        who: the person.
        seed: integer >= 0.
        options: difficulty, size and camera.

    Raises:
        SettingError: the seed is negative.
    """
    if seed < 0:
        raise SettingError(f"seed is {seed}, expected an integer >= 0", where="shot")
    seen = draw_conditions(who, item_rng(who.seed, "shot", seed), options.difficulty)
    inner = round(_OVERSAMPLING * options.side)
    rendering = render(who, seen, inner)
    image = to_pixels(rendering, seen.light.exposure, options.side)
    # The renderer counts from the picture's corner, everybody else from the middle of its first pixel.
    landmarks = rendering.landmarks * np.float32(options.side / inner) - np.float32(0.5)
    rng = item_rng(who.seed, "camera", seed)
    camera = options.camera.draw(rng, options.strength).for_side(options.side)
    if camera != CLEAN:
        image = degrade(image, camera, rng)
    side = rendering.face_side * options.side / inner
    return Shot(image, landmarks, who.seed, seed, seen, camera, side)
