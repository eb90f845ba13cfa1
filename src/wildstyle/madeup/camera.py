"""What a bad camera does to a picture, each step with a known strength.

The chain follows the light: motion and lens blur, exposure and tone, few pixels, sensor noise, JPEG.
Strength 0 of every step is the identity, to the bit.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace

import cv2
import numpy as np

from wildstyle.errors import SettingError
from wildstyle.faces.record import Pixels
from wildstyle.madeup.basis import Floats

REFERENCE_SIDE = 160
"""Side in px of the pictures that the profiles are made for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSettings:
    """Strengths of one picture's degradations.

    Attributes:
        motion: length in px of the straight motion blur, >= 0.
        motion_angle: its direction in degrees, counter-clockwise from the x axis.
        blur: standard deviation in px of the lens blur, >= 0.
        exposure: change in stops of the linear light, 0 = none.
        gamma: exponent of the tone curve in [0.3, 3], 1 = none; above 1 darkens the middle.
        cast: warm (> 0) or cool (< 0) colour cast in [-1, 1].
        shrink: factor >= 1 by which the picture is made smaller and enlarged again.
        noise: standard deviation of the sensor noise in 8-bit steps, >= 0.
        jpeg: JPEG quality 1..100, or 0 for no JPEG.
    """

    motion: float = 0.0
    motion_angle: float = 0.0
    blur: float = 0.0
    exposure: float = 0.0
    gamma: float = 1.0
    cast: float = 0.0
    shrink: float = 1.0
    noise: float = 0.0
    jpeg: int = 0

    def __post_init__(self) -> None:
        limits = {
            "motion": (0.0, 100.0),
            "blur": (0.0, 50.0),
            "exposure": (-8.0, 8.0),
            "gamma": (0.3, 3.0),
            "cast": (-1.0, 1.0),
            "shrink": (1.0, 64.0),
            "noise": (0.0, 128.0),
            "jpeg": (0, 100),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingError(
                    f"{name} is {value}, expected {low} to {high}",
                    where="CameraSettings",
                    remedy=f"choose a {name} inside these limits",
                )

    def attributes(self) -> dict[str, str]:
        """The strengths as text columns ``camera_<name>``."""
        return {f"camera_{name}": f"{value:.4g}" for name, value in asdict(self).items()}

    def for_side(self, side: int) -> CameraSettings:
        """The same look on a picture of another size: settings are meant for `REFERENCE_SIDE` pixels a side.

        Motion, blur and shrink are lengths and scale with the side; the rest stays.
        """
        if side == REFERENCE_SIDE:
            return self
        factor = side / REFERENCE_SIDE
        return replace(
            self, motion=self.motion * factor, blur=self.blur * factor, shrink=max(1.0, self.shrink * factor)
        )

    @property
    def is_clean(self) -> bool:
        """Whether these settings leave every picture as it is."""
        return all(getattr(self, f.name) == f.default for f in fields(self) if f.name != "motion_angle")


CLEAN = CameraSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraProfile:
    """A kind of camera: from which ranges its pictures' settings are drawn, uniformly.

    All ranges are (low, high) in the units of `CameraSettings`; ``shrink`` is drawn on a log scale.
    """

    motion: tuple[float, float] = (0.0, 0.0)
    blur: tuple[float, float] = (0.0, 0.0)
    exposure: tuple[float, float] = (0.0, 0.0)
    gamma: tuple[float, float] = (1.0, 1.0)
    cast: tuple[float, float] = (0.0, 0.0)
    shrink: tuple[float, float] = (1.0, 1.0)
    noise: tuple[float, float] = (0.0, 0.0)
    jpeg: tuple[int, int] = (0, 0)

    def draw(self, rng: np.random.Generator, strength: float = 1.0) -> CameraSettings:
        """Draw one picture's settings.

        Args:
            rng: the picture's own generator.
            strength: in [0, 1]; 0 gives `CLEAN`, 1 the profile; in between all strengths shrink
                towards none (JPEG quality towards 100).
        """
        if not 0.0 <= strength <= 1.0:
            raise SettingError(f"strength is {strength}, expected 0 to 1", where="CameraProfile.draw")
        u = rng.random(10)
        if strength == 0.0:
            return CLEAN

        def of(span: tuple[float, float], i: int, none: float = 0.0) -> float:
            value = span[0] + (span[1] - span[0]) * float(u[i])
            return none + strength * (value - none)

        shrink = float(np.exp(of((np.log(self.shrink[0]), np.log(self.shrink[1])), 5)))
        jpeg = 0 if self.jpeg == (0, 0) else round(of(self.jpeg, 7, 100.0))
        return CameraSettings(
            motion=of(self.motion, 0),
            motion_angle=180.0 * float(u[8]),
            blur=of(self.blur, 1),
            exposure=of(self.exposure, 2),
            gamma=of(self.gamma, 3, 1.0),
            cast=of(self.cast, 4),
            shrink=max(1.0, shrink),
            noise=of(self.noise, 6),
            jpeg=jpeg,
        )


EVERYDAY = CameraProfile(blur=(0.0, 0.5), noise=(0.0, 2.5), jpeg=(80, 96))
"""A decent camera: what counts as clean."""

BAD_CAMERA = CameraProfile(
    motion=(0.0, 5.5),
    blur=(0.3, 1.5),
    exposure=(-1.3, 0.5),
    gamma=(0.9, 1.3),
    cast=(-0.6, 0.6),
    shrink=(2.2, 5.0),
    noise=(4.0, 15.0),
    jpeg=(18, 50),
)
"""A cheap camera across the room: few pixels, dim, shaky, noisy, hard JPEG."""


def degrade(image: Pixels, settings: CameraSettings, rng: np.random.Generator) -> Pixels:
    """Take ``image`` with a camera of the given settings.

    Args:
        image: (H, W, 3) uint8 RGB.
        settings: strengths.
        rng: generator for the sensor noise.

    Returns:
        (H, W, 3) uint8 RGB, the same size; ``image`` itself (a copy) where settings are clean.
    """
    if settings.is_clean:
        return image.copy()
    height, width = image.shape[:2]
    x = image.astype(np.float32)
    x = _blurred(x, settings)
    x = _toned(x, settings)
    small = x
    if settings.shrink > 1.0:
        size = (max(2, round(width / settings.shrink)), max(2, round(height / settings.shrink)))
        small = np.asarray(cv2.resize(x, size, interpolation=cv2.INTER_AREA), np.float32)
    if settings.noise > 0.0:
        small = small + _sensor_noise(small, settings.noise, rng)
    out = np.clip(np.rint(small), 0, 255).astype(np.uint8)
    if settings.jpeg > 0:
        out = _through_jpeg(out, settings.jpeg)
    if out.shape[:2] != (height, width):
        out = np.asarray(cv2.resize(out, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    return out


def _blurred(x: Floats, settings: CameraSettings) -> Floats:
    if settings.motion > 0.0:
        kernel = _motion_kernel(settings.motion, settings.motion_angle)
        x = np.asarray(cv2.filter2D(x, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.float32)
    if settings.blur > 0.0:
        x = np.asarray(cv2.GaussianBlur(x, (0, 0), settings.blur, borderType=cv2.BORDER_REPLICATE), np.float32)
    return x


def _motion_kernel(length: float, angle: float) -> Floats:
    """A line of ``length`` + 1 px through the centre, sampled finely; sums to 1, the delta for length 0."""
    half = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    t = np.linspace(-length / 2, length / 2, 8 * half + 1)
    px, py = half + t * np.cos(np.deg2rad(angle)), half - t * np.sin(np.deg2rad(angle))
    x0, y0 = np.floor(px).astype(int), np.floor(py).astype(int)
    fx, fy = px - x0, py - y0
    for dx, dy, w in ((0, 0, (1 - fx) * (1 - fy)), (1, 0, fx * (1 - fy)), (0, 1, (1 - fx) * fy), (1, 1, fx * fy)):
        np.add.at(kernel, (np.minimum(y0 + dy, 2 * half), np.minimum(x0 + dx, 2 * half)), w)
    return np.asarray(kernel / kernel.sum(), np.float32)


def _toned(x: Floats, settings: CameraSettings) -> Floats:
    if settings.exposure == 0.0 and settings.gamma == 1.0 and settings.cast == 0.0:
        return x
    linear = np.power(np.clip(x, 0, 255) / 255.0, 2.2) * 2.0**settings.exposure
    gain = 2.0 ** (settings.cast * np.array([0.3, 0.0, -0.3], np.float32))
    toned = np.power(np.clip(linear * gain, 0.0, 1.0), settings.gamma / 2.2)
    return np.asarray(toned, np.float32) * np.float32(255.0)


def _sensor_noise(x: Floats, sd: float, rng: np.random.Generator) -> Floats:
    """Mostly grey (luma) grain with some colour, as after a cheap demosaic."""
    grey = rng.standard_normal(x.shape[:2], dtype=np.float32)[..., None]
    colour = rng.standard_normal(x.shape, dtype=np.float32)
    return np.asarray(sd * (0.85 * grey + 0.53 * colour), np.float32)


def _through_jpeg(image: Pixels, quality: int) -> Pixels:
    done, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise SettingError(f"OpenCV could not write JPEG quality {quality}", where="degrade")
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])
