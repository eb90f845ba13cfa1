"""Which style each synthetic picture gets: any, one axis, or that of given frames. A matter of seed and place alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wildstyle.errors import InputError, UnreadableFace
from wildstyle.faces import open_faces, stream
from wildstyle.faces.decode import decode_image
from wildstyle.randomness import item_rng
from wildstyle.synthesis.material import one_size, refuse_unreadable, to_images
from wildstyle.synthesis.style_reader import StyleEstimate

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
_MOST_FRAMES = 2000


@dataclass(frozen=True, slots=True)
class DrawnStyle:
    """The style of one picture.

    Attributes:
        code: (K,) float32.
        seed: of its noise.
        note: what is to be kept of where it comes from.
    """

    code: NDArray[np.float32]
    seed: int
    note: dict[str, Any]


class Styles(Protocol):
    """Gives each picture its style."""

    def draw(self, row: int, copy: int) -> DrawnStyle:
        """The style of the ``copy``-th picture of source face ``row``."""


@dataclass(frozen=True)
class AnyStyles:
    """Random directions, or one axis, at magnitudes drawn evenly.

    Attributes:
        axes: K.
        axis: 0 for a random direction, else the number of an axis from 1, negative for its other end.
        magnitudes: least and most.
        seed: of all draws.
    """

    axes: int
    axis: int
    magnitudes: tuple[float, float]
    seed: int

    def draw(self, row: int, copy: int) -> DrawnStyle:
        """Code and noise seed of nothing but the seed and the place."""
        rng = item_rng(self.seed, "synthesise", row, copy)
        direction = rng.standard_normal(self.axes)
        if self.axis:
            direction[:] = 0
            direction[abs(self.axis) - 1] = np.sign(self.axis)
        length = rng.uniform(*self.magnitudes)
        code = direction / max(float(np.linalg.norm(direction)), 1e-12) * length
        return DrawnStyle(code.astype(np.float32), int(rng.integers(0, 2**62)), {})


@dataclass(frozen=True)
class StylesOfFrames:
    """The styles of given frames, each with what the reader of styles can't tell.

    Attributes:
        estimate: codes of the frames.
        names: of the frames.
        max_magnitude: codes are shortened to this.
        seed: of all draws.
    """

    estimate: StyleEstimate
    names: tuple[str, ...]
    max_magnitude: float
    seed: int

    def draw(self, row: int, copy: int) -> DrawnStyle:
        """The style of a frame drawn at random."""
        rng = item_rng(self.seed, "synthesise like", row, copy)
        codes, frames = self.estimate.draw(rng, 1, self.max_magnitude)
        return DrawnStyle(codes[0], int(rng.integers(0, 2**62)), {"like": self.names[int(frames[0])]})


@dataclass(frozen=True)
class Frames:
    """Frames of footage.

    Attributes:
        images: (N, 3, S, S) in [0, 1].
        names: N ids.
    """

    images: Tensor
    names: tuple[str, ...]


def frames_of(path: Path, seed: int) -> Frames:
    """Aligned frames: one picture, or at most 2,000 of a set, chosen by the seed.

    Raises:
        InputError: nothing is there, most can't be read, or they are not of one square size.
    """
    if path.is_file() and path.suffix.lower() in PICTURES:
        pixels = [decode_image(path.read_bytes(), where=str(path))]
        names = [path.name]
    else:
        pixels, names, failures = [], [], []
        with open_faces(path) as source:
            chosen = np.sort(item_rng(seed, "frames").permutation(len(source))[:_MOST_FRAMES])
            for index, face in zip(chosen, stream(source, chosen), strict=True):
                if isinstance(face, UnreadableFace):
                    failures.append((str(face.where), face.what))
                    continue
                pixels.append(face.image)
                names.append(source.record(int(index)).id)
        if not pixels:
            raise InputError("no frame can be read", where=path)
        refuse_unreadable(len(chosen), failures, str(path), "frames")
    one_size(pixels, str(path))
    return Frames(to_images(np.stack(pixels)), tuple(names))


def closest_frames(styles: StylesOfFrames, frames: Frames, drawn: list[DrawnStyle]) -> Tensor:
    """The frames that drawn styles came from, (N, 3, S, S)."""
    places = [styles.names.index(one.note["like"]) for one in drawn]
    return frames.images[torch.tensor(places)]
