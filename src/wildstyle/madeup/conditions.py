"""What changes from picture to picture of one person: pose, expression, light, drift, clothes, background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wildstyle.madeup.basis import Floats, head_basis
from wildstyle.madeup.look import Colour, Glasses, draw_glasses
from wildstyle.madeup.person import MadeUpPerson

_DRIFT = 0.16


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """Head pose and framing.

    Attributes:
        yaw, pitch, roll: radians; yaw > 0 turns to the image right, pitch > 0 looks up, roll > 0 tilts clockwise.
        distance: camera distance in head units.
        eye_distance: eyes' distance in pixels of a frontal head, as a share of the picture's side.
        shift: (x, y) of the face's centre off its usual place, as shares of the side.
        gaze: (x, y) radians by which the eyes miss the camera.
    """

    yaw: float
    pitch: float
    roll: float
    distance: float
    eye_distance: float
    shift: tuple[float, float]
    gaze: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """One key light and a soft surrounding.

    Attributes:
        direction: unit vector towards the key light (x right, y up, z to the viewer).
        key: brightness of the key; ambient: of the surrounding.
        tilt: (x, y) share by which the surrounding is brighter from one side.
        warmth: warm (> 0) or cool cast of the key, about -1..1.
        exposure: stops.
    """

    direction: tuple[float, float, float]
    key: float
    ambient: float
    tilt: tuple[float, float]
    warmth: float
    exposure: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Clothes and background.

    Attributes:
        cloth: albedo; collar: how deep the neckline is.
        backdrop: "plain", "gradient" or "blotches"; colours: its two colours; texture: its seed.
    """

    cloth: Colour
    collar: float
    backdrop: str
    colours: tuple[Colour, Colour]
    texture: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """All of one picture that isn't the person.

    Attributes:
        expression: (E,) float32 values in [0, 1].
        drift: (K,) float32 added to the shape coefficients.
        stubble: added to the person's stubble. brightness: factor on the skin albedo.
        glasses: what is worn in this picture.
    """

    pose: Pose
    light: Light
    setting: Setting
    expression: Floats
    drift: Floats
    stubble: float
    brightness: float
    glasses: Glasses | None


def draw_conditions(who: MadeUpPerson, rng: np.random.Generator, difficulty: float) -> Conditions:
    """Draw one picture's conditions.

    Args:
        who: the person.
        rng: the picture's own generator.
        difficulty: factor >= 0 on pose, drift, stubble and change of glasses; 0 is frontal, light and expression
            still vary.
    """
    return Conditions(
        pose=_draw_pose(rng, difficulty),
        light=_draw_light(rng),
        setting=_draw_setting(rng),
        expression=_draw_expression(rng),
        drift=(_DRIFT * difficulty * rng.standard_normal(len(who.coefficients))).astype(np.float32),
        stubble=float(rng.uniform(-0.12, 0.12)) * difficulty,
        brightness=float(np.exp(rng.normal(0.0, 0.06) * difficulty)),
        glasses=_choose_glasses(who, rng, difficulty),
    )


def _draw_pose(rng: np.random.Generator, difficulty: float) -> Pose:
    limit = np.deg2rad(35.0) * max(1.0, difficulty)
    yaw, pitch, roll = rng.normal(0.0, 1.0, 3)
    shift = rng.normal(0.0, 0.018, 2)
    gaze = rng.normal(0.0, [0.09, 0.05])
    return Pose(
        yaw=float(np.clip(0.30 * difficulty * yaw, -limit, limit)),
        pitch=float(np.clip(0.12 * difficulty * pitch, -0.45, 0.45)),
        roll=float(0.07 * roll),
        distance=float(rng.uniform(7.0, 16.0)),
        eye_distance=float(rng.uniform(0.195, 0.225)),
        shift=(float(shift[0]), float(shift[1])),
        gaze=(float(gaze[0]), float(gaze[1])),
    )


def _draw_light(rng: np.random.Generator) -> Light:
    azimuth = float(np.clip(rng.normal(0.0, 0.75), -1.5, 1.5))
    height = float(rng.uniform(0.1, 0.95))
    key = float(rng.uniform(0.45, 1.05))
    tilt = rng.normal([0.0, 0.25], 0.15)
    return Light(
        direction=(
            float(np.sin(azimuth) * np.cos(height)),
            float(np.sin(height)),
            float(np.cos(azimuth) * np.cos(height)),
        ),
        key=key,
        ambient=float(rng.uniform(0.30, 0.62)),
        tilt=(float(tilt[0]), float(tilt[1])),
        warmth=float(np.clip(rng.normal(0.0, 0.35), -0.9, 0.9)),
        exposure=float(rng.normal(0.05, 0.22)),
    )


def _muted(rng: np.random.Generator, low: float, high: float) -> Colour:
    """A colour of little saturation."""
    value = rng.uniform(low, high) ** 1.5
    tint = rng.dirichlet([28.0, 28.0, 28.0]) * 3.0
    r, g, b = np.clip(value * tint, 0.004, 0.95)
    return (float(r), float(g), float(b))


def _draw_setting(rng: np.random.Generator) -> Setting:
    return Setting(
        cloth=_muted(rng, 0.08, 0.75),
        collar=float(rng.normal(0.0, 0.12)),
        backdrop=str(rng.choice(["plain", "gradient", "blotches"], p=[0.3, 0.35, 0.35])),
        colours=(_muted(rng, 0.08, 0.85), _muted(rng, 0.08, 0.85)),
        texture=int(rng.integers(2**31)),
    )


_SMILE = {"mouth-corner-puller": 0.45, "mouth-upward-retraction": 0.65, "mouth-retraction": 0.35, "eye-slit": 0.3}
_OPEN = {"mouth-open": 0.75, "eyebrows-up": 0.25}
_LOOSE = (
    "eye-closure", "eye-opened-up", "eye-slit", "eyebrows-down", "eyebrows-extern-up", "eyebrows-inner-up",
    "eyebrows-up", "mouth-compression", "mouth-corner-puller", "mouth-elevation", "mouth-eversion", "mouth-open",
    "mouth-parling", "mouth-protusion", "mouth-retraction", "mouth-upward-retraction", "nose-dilatation",
)  # fmt: skip


def _draw_expression(rng: np.random.Generator) -> Floats:
    """35 % smiles, 15 % open mouths, and three loose units up to 0.35."""
    names = head_basis().expression_names
    values = np.zeros(len(names), np.float32)
    kind, amount = rng.random(), float(rng.uniform(0.3, 1.0))
    for name, share in (_SMILE if kind < 0.35 else _OPEN if kind < 0.5 else {}).items():
        values[names.index(name)] += amount * share
    for name in rng.choice(_LOOSE, 3, replace=False):
        values[names.index(str(name))] += float(rng.uniform(0.0, 0.35))
    return np.clip(values, 0.0, 1.0)


def _choose_glasses(who: MadeUpPerson, rng: np.random.Generator, difficulty: float) -> Glasses | None:
    chance, other = rng.random(), draw_glasses(rng)
    if who.look.glasses is not None:
        return None if chance < 0.20 * difficulty else who.look.glasses
    return other if chance < 0.05 * difficulty else None
