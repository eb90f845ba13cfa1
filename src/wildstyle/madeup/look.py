"""What a made-up person looks like apart from shape: skin, brows, eyes, hair, beard, glasses.

All lengths are in units of the mean head (face RMS radius 1), all colours linear RGB in [0, 1].
What is drawn depends on the person's macro numbers, so that skin, hair and shape go together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skin:
    """Colour and marks of the skin; shares in [0, 1] unless said.

    Attributes:
        base: albedo of the cheek.
        red: how red cheeks, nose and lips are.
        lip: lip albedo.
        lip_width: extra width of the painted lips beyond the mask, about -0.5..0.5.
        lid: lid make-up albedo; ``lid_strength`` how much of it.
        under_eye, folds, lines, freckles, mottle: strength of shadows under the eyes, nose-to-mouth folds,
            forehead and crow's-feet lines, freckles, and unevenness.
        shine: specular strength.
        moles: (x, y, radius) each.
    """

    base: Colour
    red: float
    lip: Colour
    lip_width: float
    lid: Colour
    lid_strength: float
    under_eye: float
    folds: float
    lines: float
    freckles: float
    mottle: float
    shine: float
    moles: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brows:
    """Shape of the eyebrows.

    Attributes:
        y: height of the inner end; tilt: rise to the outer end; arch: height of the parabola.
        thickness: half thickness at the inner end; taper: share lost at the outer end.
        inner, outer: |x| of the ends. density: opacity. colour: albedo.
    """

    y: float
    tilt: float
    arch: float
    thickness: float
    taper: float
    inner: float
    outer: float
    density: float
    colour: Colour


@dataclass(frozen=True, slots=True, kw_only=True)
class Eyes:
    """Iris colour, iris half angle in radians, lash line strength, redness of the white."""

    iris: Colour
    iris_angle: float
    lashes: float
    veins: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Beard:
    """Opacities of moustache, chin beard, full beard and all-over stubble, and the colour."""

    moustache: float
    chin: float
    full: float
    stubble: float
    colour: Colour


@dataclass(frozen=True, slots=True, kw_only=True)
class Hair:
    """The hair.

    Attributes:
        length: "bald", "cropped", "short", "full", "chin" or "long".
        colour, tip: albedo at the roots and of lighter strands.
        front: height of the hairline; recession: how far temples go back; peak: widow's peak.
        fringe: how far hair falls over the forehead, 0 for none; part: x of the parting.
        sideburn: y to which sideburns reach. volume: push of the scalp outwards.
        curl: 0 straight to 1 frizzy. opening: half width of the face in long hair. thin: baldness of the crown.
    """

    length: str
    colour: Colour
    tip: Colour
    front: float
    recession: float
    peak: float
    fringe: float
    part: float
    sideburn: float
    volume: float
    curl: float
    opening: float
    thin: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Glasses:
    """Frame: half width, half height, superellipse power, line width in head units, colour, lens tint."""

    width: float
    height: float
    power: float
    line: float
    colour: Colour
    tint: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Everything of a person but the shape; ``texture`` seeds the skin and hair textures."""

    skin: Skin
    brows: Brows
    eyes: Eyes
    beard: Beard
    hair: Hair
    glasses: Glasses | None
    texture: int


def _mix(a: Colour, b: Colour, t: float) -> Colour:
    t = float(np.clip(t, 0.0, 1.0))
    return (a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]), a[2] + t * (b[2] - a[2]))


def _scaled(a: Colour, gain: float) -> Colour:
    return (min(1.0, a[0] * gain), min(1.0, a[1] * gain), min(1.0, a[2] * gain))


_TONES: tuple[Colour, ...] = (
    (0.84, 0.62, 0.52),
    (0.72, 0.47, 0.345),
    (0.56, 0.335, 0.215),
    (0.37, 0.195, 0.115),
    (0.185, 0.088, 0.052),
    (0.085, 0.042, 0.028),
)
_HAIR: tuple[Colour, ...] = (
    (0.010, 0.009, 0.009),
    (0.030, 0.018, 0.012),
    (0.075, 0.038, 0.020),
    (0.16, 0.085, 0.040),
    (0.36, 0.235, 0.105),
    (0.58, 0.45, 0.25),
)
_RED_HAIR: Colour = (0.26, 0.075, 0.022)
_GREY: Colour = (0.36, 0.36, 0.375)
_IRIS: tuple[Colour, ...] = (
    (0.030, 0.016, 0.008),
    (0.085, 0.042, 0.016),
    (0.16, 0.105, 0.035),
    (0.12, 0.16, 0.07),
    (0.14, 0.22, 0.24),
    (0.14, 0.25, 0.42),
)


def _along(stops: tuple[Colour, ...], t: float) -> Colour:
    place = float(np.clip(t, 0.0, 1.0)) * (len(stops) - 1)
    low = min(int(place), len(stops) - 2)
    return _mix(stops[low], stops[low + 1], place - low)


def draw_look(rng: np.random.Generator, shares: np.ndarray) -> Look:
    """Draw a look.

    Args:
        rng: the person's own generator.
        shares: (5,) macro numbers as shares in [0, 1]: relief, outline, frame, years, fullness.
    """
    relief, outline, frame, years, _ = (float(s) for s in shares)
    rest = max(0.0, 1.0 - relief - outline)
    tone = float(np.clip(0.82 * relief + 0.27 * outline + 0.14 * rest + rng.normal(0.0, 0.10), 0.0, 1.0))
    light_share = rest * float(rng.beta(1.3, 1.0))
    hair_colour, grey = _draw_hair_colour(rng, light_share, years)
    masculine = frame > 0.5
    skin = _draw_skin(rng, tone, years, masculine)
    hair = _draw_hair(rng, hair_colour, grey, (masculine, years, relief))
    brow_colour = _mix(_scaled(hair_colour, float(rng.uniform(0.45, 1.0))), _GREY, 0.6 * grey)
    beard_colour = _mix(_scaled(hair_colour, float(rng.uniform(0.7, 1.2))), _GREY, grey)
    return Look(
        skin=skin,
        brows=_draw_brows(rng, masculine, brow_colour),
        eyes=_draw_eyes(rng, light_share, masculine),
        beard=_draw_beard(rng, masculine, outline, beard_colour),
        hair=hair,
        glasses=draw_glasses(rng) if rng.random() < 0.16 + 0.14 * years else None,
        texture=int(rng.integers(2**31)),
    )


def _draw_hair_colour(rng: np.random.Generator, light_share: float, years: float) -> tuple[Colour, float]:
    shade = float(np.clip(rng.normal(0.06, 0.10) + 0.75 * light_share * rng.random() ** 0.7, 0.0, 1.0))
    colour = _along(_HAIR, shade)
    if light_share > 0.35 and rng.random() < 0.10:
        colour = _scaled(_RED_HAIR, float(rng.uniform(0.7, 1.5)))
    grey = float(np.clip(rng.normal(2.0 * (years - 0.6), 0.25), 0.0, 1.0)) if years > 0.35 else 0.0
    return colour, grey


def _draw_skin(rng: np.random.Generator, tone: float, years: float, masculine: bool) -> Skin:
    base = _along(_TONES, tone)
    warm = float(rng.normal(0.0, 0.05))
    base = (base[0] * (1 + 0.4 * warm), base[1], base[2] * (1 - 1.2 * warm))
    red = float(np.clip(rng.normal(0.5, 0.22), 0.05, 1.0))
    natural = _mix(base, (0.42 * base[0] + 0.13, 0.20 * base[1] + 0.03, 0.24 * base[2] + 0.04), 0.35 + 0.5 * red)
    painted = not masculine and rng.random() < 0.45
    rouge = (float(rng.uniform(0.25, 0.55)), float(rng.uniform(0.01, 0.08)), float(rng.uniform(0.02, 0.14)))
    lid = (float(rng.uniform(0.05, 0.35)), float(rng.uniform(0.05, 0.22)), float(rng.uniform(0.05, 0.35)))
    moles = tuple(
        (float(rng.uniform(-0.95, 0.95)), float(rng.uniform(-1.0, 1.15)), float(rng.uniform(0.018, 0.045)))
        for _ in range(int(rng.choice([0, 0, 0, 1, 1, 2, 3, 4])))
    )
    return Skin(
        base=base,
        red=red,
        lip=_mix(natural, rouge, float(rng.uniform(0.4, 0.85)) if painted else 0.0),
        lip_width=float(rng.normal(0.0, 0.3)),
        lid=lid,
        lid_strength=float(rng.uniform(0.2, 0.6)) if painted else 0.0,
        under_eye=float(np.clip(rng.normal(0.25 + 0.4 * years, 0.2), 0.0, 1.0)),
        folds=float(np.clip(rng.normal(0.15 + 0.6 * years, 0.15), 0.0, 1.0)),
        lines=float(np.clip(rng.normal(1.5 * (years - 0.35), 0.15), 0.0, 1.0)),
        freckles=float(rng.uniform(0.3, 1.0)) if tone < 0.4 and rng.random() < 0.22 else 0.0,
        mottle=float(rng.uniform(0.25, 1.0)),
        shine=float(rng.uniform(0.25, 1.0)),
        moles=moles,
    )


def _draw_brows(rng: np.random.Generator, masculine: bool, colour: Colour) -> Brows:
    return Brows(
        y=float(rng.normal(0.725, 0.045)),
        tilt=float(rng.normal(0.02, 0.05)),
        arch=float(np.clip(rng.normal(0.05 if masculine else 0.085, 0.03), 0.0, 0.16)),
        thickness=float(np.clip(rng.normal(0.085 if masculine else 0.058, 0.018), 0.03, 0.14)),
        taper=float(rng.uniform(0.25, 0.75)),
        inner=float(np.clip(rng.normal(0.175, 0.045), 0.05, 0.28)),
        outer=float(rng.normal(0.82, 0.05)),
        density=float(np.clip(rng.normal(0.78 if masculine else 0.7, 0.15), 0.25, 0.97)),
        colour=colour,
    )


def _draw_eyes(rng: np.random.Generator, light_share: float, masculine: bool) -> Eyes:
    shade = float(np.clip(rng.normal(0.12, 0.10) + 0.9 * light_share * rng.random(), 0.0, 1.0))
    return Eyes(
        iris=_scaled(_along(_IRIS, shade), float(rng.uniform(0.75, 1.3))),
        iris_angle=float(rng.normal(0.47, 0.02)),
        lashes=float(rng.uniform(0.25, 0.6) if masculine else rng.uniform(0.5, 1.0)),
        veins=float(rng.uniform(0.0, 0.5)),
    )


def _draw_beard(rng: np.random.Generator, masculine: bool, outline: float, colour: Colour) -> Beard:
    kind = str(rng.choice(["none", "stubble", "moustache", "goatee", "full"], p=[0.46, 0.24, 0.08, 0.10, 0.12]))
    opacity = float(rng.uniform(0.55, 0.95))
    some = 1.0 if masculine and not (outline > 0.6 and rng.random() < 0.5) else 0.0
    return Beard(
        moustache=some * opacity * (kind in ("moustache", "goatee", "full")),
        chin=some * opacity * (kind in ("goatee", "full")),
        full=some * opacity * (kind == "full"),
        stubble=some * (float(rng.uniform(0.3, 0.7)) if kind == "stubble" else float(rng.uniform(0.0, 0.25))),
        colour=colour,
    )


def _draw_hair(rng: np.random.Generator, colour: Colour, grey: float, person: tuple[bool, float, float]) -> Hair:
    masculine, years, relief = person
    lengths = ("bald", "cropped", "short", "full", "chin", "long")
    chances = [0.11, 0.22, 0.36, 0.23, 0.04, 0.04] if masculine else [0.01, 0.04, 0.13, 0.22, 0.28, 0.32]
    length = str(rng.choice(lengths, p=chances))
    root = _mix(colour, _GREY, grey)
    receding = float(np.clip(rng.normal(0.25 + 0.45 * years, 0.22), 0.0, 1.0)) if masculine else 0.1
    curl = float(np.clip(rng.normal(0.75 if relief > 0.5 else 0.2, 0.2), 0.0, 1.0))
    volumes = {"bald": 0.0, "cropped": 0.03, "short": 0.10, "full": 0.19, "chin": 0.14, "long": 0.12}
    fringed = length in ("short", "full", "chin", "long") and receding < 0.5 and rng.random() < 0.38
    return Hair(
        length=length,
        colour=root,
        tip=_mix(_scaled(root, float(rng.uniform(1.5, 2.4))), (0.9, 0.8, 0.6), 0.02),
        front=float(rng.normal(1.42, 0.085)),
        recession=receding,
        peak=float(np.clip(rng.normal(0.05, 0.06), -0.05, 0.2)),
        fringe=float(rng.uniform(0.15, 0.48)) if fringed else 0.0,
        part=float(rng.choice([-0.45, -0.2, 0.0, 0.2, 0.45])),
        sideburn=float(rng.uniform(-0.35, 0.35)) if masculine else 0.2,
        volume=volumes[length] * float(rng.uniform(0.7, 1.45)) * (1.0 + 0.5 * curl),
        curl=curl,
        opening=float(rng.normal(0.90, 0.06)),
        thin=float(np.clip(rng.normal(years - 0.35, 0.3), 0.0, 1.0)) if masculine and length != "long" else 0.0,
    )


def draw_glasses(rng: np.random.Generator) -> Glasses:
    """Draw a pair of glasses."""
    dark = float(rng.uniform(0.01, 0.06))
    colours: tuple[Colour, ...] = (
        (dark, dark, dark),
        (0.22, 0.09, 0.03),
        (0.45, 0.36, 0.16),
        (0.40, 0.41, 0.43),
        (0.20, 0.02, 0.03),
        (0.03, 0.06, 0.22),
    )
    return Glasses(
        width=float(rng.uniform(0.34, 0.43)),
        height=float(rng.uniform(0.22, 0.36)),
        power=float(rng.choice([2.0, 2.4, 3.2, 5.0])),
        line=float(rng.choice([0.022, 0.035, 0.06, 0.08])),
        colour=colours[int(rng.integers(len(colours)))],
        tint=float(rng.choice([0.0, 0.0, 0.0, 0.12, 0.3])),
    )
