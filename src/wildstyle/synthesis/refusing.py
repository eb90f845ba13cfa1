"""Is there a camera to learn at all? Looked at before a fit, which would otherwise learn noise for half an hour.

Two sets leave nothing to learn: footage that is the clean faces under other names, and footage that looks as clean as
the clean faces do. Both are refused, with reasons; whatever can't be told apart for want of faces is let through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wildstyle.errors import InputError, UnreadableFace
from wildstyle.faces.perceptual import dhash, look_alike, near_across, thumbnail
from wildstyle.faces.record import Pixels
from wildstyle.faces.source import FaceSource
from wildstyle.randomness import item_rng
from wildstyle.synthesis.distances import halves_distances, jackknifed_distance
from wildstyle.synthesis.material import TargetFaces, refuse_unreadable, to_images
from wildstyle.synthesis.statistics import style_statistics

_SOURCE_LOOKED_AT = 2000
_TARGET_LOOKED_AT = 500
_STYLED = 400  # faces a side whose style is compared
_ENOUGH = 100  # faces a side below which styles can't be called equal
_PEOPLE = 20  # people from which halves of the source are halves of its people
_COPIES = 0.5  # estimated share of the target from which it is the source again
_HITS = 5  # pairs below which a share is an accident
_SAME_LOOK = 0.45  # deviations between source faces: saving real faces again as JPEG 75 moves them less


@dataclass(frozen=True, slots=True)
class Sides:
    """How source and target look beside each other.

    Attributes:
        copies: estimated share of target faces that are source faces in the same look.
        distance: kernel distance of the style statistics of both sides; None: too few faces.
        upper: upper end of its one-sided 97.5 % interval.
        alike: 97.5 % point of the same distance between two halves of the source.
        unreadable: (id, reason) of source faces that were looked at and can't be used.
    """

    copies: float
    distance: float | None = None
    upper: float | None = None
    alike: float | None = None
    unreadable: tuple[tuple[str, str], ...] = ()

    @property
    def indistinguishable(self) -> bool:
        """Whether the sides differ no more than two halves of the source do, with the doubt counted in."""
        return self.upper is not None and self.alike is not None and self.upper <= self.alike

    def as_record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def refuse_no_camera(source: FaceSource, target: TargetFaces, location: str, *, seed: int = 0) -> Sides:
    """Look at both sides and refuse a pair of sets between which there is no camera.

    Reads at most 2,000 source faces.

    Args:
        source: clean aligned faces.
        target: the target's faces, read.
        location: where the target lies, for the message.
        seed: chooses which faces are looked at.

    Raises:
        InputError: there are no source faces, or most of those looked at can't be read; half of the target or more
            are source faces renamed or saved again; or the target's style differs from the source's no more than two
            halves of the source do.
    """
    clean, people, unreadable = _read(source, seed)
    pixels = np.concatenate([target.fit, target.held])
    pixels = pixels[np.sort(item_rng(seed, "sides").permutation(len(pixels))[:_TARGET_LOOKED_AT])]
    if clean.shape[1:] != pixels.shape[1:]:
        return Sides(0.0, unreadable=unreadable)  # the fit says what is wrong with that
    copies = copied_share(clean, pixels, len(source))
    if copies >= _COPIES:
        raise InputError(
            f"about {min(copies, 1.0):.0%} of the target are the source's faces again, renamed or saved anew: there is "
            "no camera to learn",
            where=location,
            remedy="give footage of the camera as target and clean faces as source",
        )
    sides = Sides(copies, *_styles(clean, people, pixels, seed), unreadable=unreadable)
    if sides.indistinguishable:
        raise InputError(
            f"the footage looks like the clean faces: its style differs from theirs by at most "
            f"{sides.upper:.3f}, and two halves of the clean faces differ by up to {sides.alike:.3f} themselves",
            where=location,
            remedy="check that this is the footage that is recognised badly; if it is, the cause isn't the camera, and "
            "no learnt camera will help",
        )
    return sides


def copied_share(source: Pixels, target: Pixels, population: int) -> float:
    """Estimated share of target faces that are source faces in the same look, whatever they are called.

    Args:
        source: (N, S, S, 3) uint8, a random part of the source.
        target: (M, S, S, 3) uint8.
        population: source faces in all, >= N; a twin is found only if it is among the N.

    Returns:
        0 or more; may pass 1 by chance where N is a small part.
    """
    pairs = _twins(source, target)
    if len(pairs) < _HITS:
        return 0.0
    before, after = _statistics(source), _statistics(target[[j for _, j in pairs]])
    unit = np.maximum(before.std(0), 1e-3)
    moved = np.sqrt(np.square((after - before[[i for i, _ in pairs]]) / unit).mean(1))
    same = int((moved <= _SAME_LOOK).sum())
    return same / len(target) * population / len(source) if same >= _HITS else 0.0


def _twins(source: Pixels, target: Pixels) -> list[tuple[int, int]]:
    """(source, target) pairs of one picture, at most one a target face."""
    one, other = (np.array([dhash(face) for face in side], np.uint64) for side in (source, target))
    thumbs = np.stack([thumbnail(face) for side in (source, target) for face in side])
    found: dict[int, int] = {}
    for first, second in near_across(one, other):
        alike = look_alike(thumbs, first, second + len(source))
        found |= dict(zip(second[alike].tolist(), first[alike].tolist(), strict=True))
    return [(place, twin) for twin, place in sorted(found.items())]


def _styles(
    clean: Pixels, people: Sequence[str], target: Pixels, seed: int
) -> tuple[float | None, float | None, float | None]:
    """Distance of the two sides' styles, its upper end, and what two halves of the source differ by."""
    clean, people, target = clean[:_STYLED], people[:_STYLED], target[:_STYLED]
    if min(len(clean), len(target)) < _ENOUGH:
        return None, None, None
    one, other = _statistics(clean), _statistics(target)
    both = np.concatenate([one, other])
    mean, unit = both.mean(0), np.maximum(both.std(0), 1e-3)
    one, other = (one - mean) / unit, (other - mean) / unit
    distance, error = jackknifed_distance(one, other)
    # Where hardly anybody is named, faces are dealt out one by one.
    owners = people if len(set(people)) >= _PEOPLE else [str(place) for place in range(len(one))]
    halves = halves_distances(one, owners, item_rng(seed, "halves"))
    return distance, distance + 1.96 * error, float(np.quantile(halves, 0.975))


def _read(source: FaceSource, seed: int) -> tuple[Pixels, list[str], tuple[tuple[str, str], ...]]:
    """Some source faces in random order, whose they are, and what could not be read."""
    faces: list[Pixels] = []
    people: list[str] = []
    failures: list[tuple[str, str]] = []
    chosen = item_rng(seed, "sides").permutation(len(source))[:_SOURCE_LOOKED_AT]
    for index in chosen:
        try:
            face = source.read(int(index))
        except UnreadableFace as error:
            failures.append((source.record(int(index)).id, str(error)))
            continue
        if not faces or face.image.shape == faces[0].shape:
            faces.append(face.image)
            people.append(face.record.subject or face.record.id)
    refuse_unreadable(len(chosen), failures, source.location, "source")
    if not faces:
        raise InputError("there are no source faces", where=source.location)
    return np.stack(faces), people, tuple(failures)


@torch.no_grad()
def _statistics(pixels: Pixels) -> NDArray[np.float64]:
    parts = [style_statistics(to_images(pixels[i : i + 64])) for i in range(0, len(pixels), 64)]
    return torch.cat(parts).double().numpy()
