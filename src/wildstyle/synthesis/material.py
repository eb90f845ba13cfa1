"""The faces of a fit: read, counted, checked, and dealt out step by step."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wildstyle.errors import InputError, NotMeasurable, UnreadableFace
from wildstyle.faces.record import Pixels
from wildstyle.faces.source import FaceSource
from wildstyle.randomness import item_rng
from wildstyle.synthesis.codes import sample_codes, sample_seeds
from wildstyle.synthesis.settings import FitSettings
from wildstyle.synthesis.task import FitBatch
from wildstyle.training import Draws, processes

_SHIFT = 6
_TRIES = 20


@dataclass(frozen=True)
class TargetFaces:
    """Target faces in memory.

    Attributes:
        fit: (N, S, S, 3) uint8, those that are fitted.
        held: (M, S, S, 3) uint8, those that are only measured on.
        failures: (id, reason) of faces that could not be used.
    """

    fit: Pixels
    held: Pixels
    failures: tuple[tuple[str, str], ...]


def read_target(target: FaceSource, settings: FitSettings) -> TargetFaces:
    """Read the target's faces and put about a quarter aside, by film or person where known.

    Raises:
        NotMeasurable: fewer usable faces than ``settings.fewest_faces``.
        InputError: more than half of the faces can't be read, or they are of several sizes.
    """
    order = item_rng(settings.seed, "target").permutation(len(target))[: settings.most_faces]
    faces, groups, failures = [], [], []
    for index in sorted(int(i) for i in order):
        try:
            face = target.read(index)
        except UnreadableFace as error:
            failures.append((target.record(index).id, str(error)))
            continue
        faces.append(face.image)
        groups.append(face.record.media or face.record.subject or face.record.id)
    refuse_unreadable(len(order), failures, target.location, "target")
    if len(faces) < settings.fewest_faces:
        raise NotMeasurable(
            f"{len(faces)} usable target faces are too few to learn a camera from ({len(failures)} can't be used)",
            where=target.location,
            remedy=f"give at least {settings.fewest_faces}, better 500",
        )
    one_size(faces, target.location)
    aside = _put_aside(groups)
    pixels = np.stack(faces)
    return TargetFaces(pixels[~aside], pixels[aside], tuple(failures))


def refuse_unreadable(looked_at: int, failures: Sequence[tuple[str, str]], location: str, side: str) -> None:
    """Refuse a set most of which can't be read: what is left would not stand for it.

    Args:
        looked_at: faces that were tried.
        failures: (id, reason) of those that failed.
        location: where the set lies.
        side: "source" or "target", for the message.

    Raises:
        InputError: more than half failed.
    """
    if 2 * len(failures) > looked_at:
        told = "; ".join(f"{name}: {reason}" for name, reason in failures[:3])
        raise InputError(
            f"{len(failures):,} of {looked_at:,} {side} faces can't be read ({told})",
            where=location,
            remedy="make the files readable or take them out; up to half may fail and are listed in the report",
        )


def one_size(faces: Sequence[Pixels], location: str) -> int:
    """The one side length of square faces.

    Raises:
        InputError: they are not square, or of several sizes.
    """
    shapes = sorted({face.shape for face in faces})
    if len(shapes) != 1 or shapes[0][0] != shapes[0][1]:
        raise InputError(
            f"faces are {' and '.join(f'{w}x{h}' for h, w, _ in shapes[:3])} px, expected one square size",
            where=location,
            remedy="align the faces first",
        )
    return int(shapes[0][0])


def _put_aside(groups: Sequence[str]) -> NDArray[np.bool_]:
    """About a quarter, whole groups where that works out, else every fourth face."""
    aside = np.array([zlib.crc32(group.encode()) % 4 == 0 for group in groups])
    if not 0.12 <= aside.mean() <= 0.45:
        aside = np.arange(len(groups)) % 4 == 3
    return aside


def refuse_equal(source: FaceSource, target: FaceSource) -> None:
    """Refuse a target that is the source.

    Raises:
        InputError: nine of ten target faces looked at are, byte for byte, source faces of the same name.
    """
    if len(source) == 0:
        raise InputError("there are no source faces", where=source.location)
    looked = np.unique(np.linspace(0, len(target) - 1, min(len(target), 40)).astype(int))
    wanted = {target.record(int(i)).id: int(i) for i in looked}
    found = {source.record(i).id: i for i in range(len(source)) if source.record(i).id in wanted}
    same = sum(_digest(source, place) == _digest(target, wanted[name]) for name, place in found.items())
    if len(looked) and same >= 0.9 * len(looked):
        raise InputError(
            "the target holds the same faces as the source, there is no camera to learn",
            where=target.location,
            remedy="give footage of the camera as target and clean faces as source",
        )


def _digest(source: FaceSource, index: int) -> bytes:
    return hashlib.blake2b(source.encoded(index), digest_size=16).digest()


def to_images(pixels: Pixels) -> Tensor:
    """(N, S, S, 3) uint8 to working images (N, 3, S, S) float32 in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).float() / 255.0


class FitBatches:
    """Batch of a step, a pure function of the step.

    Args:
        source: clean faces; an unreadable one is replaced by the next readable one.
        target: target faces in memory.
        settings: batch size, seed, codes.
        mirror: show every other target face mirrored.
    """

    def __init__(self, source: FaceSource, target: Pixels, settings: FitSettings, *, mirror: bool = True) -> None:
        rank, world = processes()
        self.mirror = mirror
        self.source, self.target, self.settings = source, target, settings
        self.size = target.shape[1]
        self.rank = rank
        self.from_source = Draws(len(source), settings.batch, settings.seed, rank, world)
        self.from_target = Draws(len(target), settings.batch, settings.seed + 1, rank, world)

    def __call__(self, step: int) -> FitBatch:
        """The batch of 0-based ``step`` for this process."""
        faces = [self._readable(draw.index) for draw in self.from_source(step)]
        images, target = self._images(faces), self.target[[draw.index for draw in self.from_target(step)]]
        if self.mirror:
            mirrored = item_rng(self.settings.seed, "mirror", step, self.rank).random(len(target)) < 0.5
            target = np.where(mirrored[:, None, None, None], target[:, :, ::-1], target)
        rng = item_rng(self.settings.seed, "code", step, self.rank)
        config = self.settings.generator
        # The zero code gives the input whatever the weights: nothing to learn from it.
        code = sample_codes(rng, len(faces), config.axes, config.max_magnitude, zero_share=0.0)
        shift = item_rng(self.settings.seed, "shift", step).integers(-_SHIFT, _SHIFT + 1, 2)
        return FitBatch(
            to_images(np.stack(images)),
            to_images(target),
            torch.from_numpy(code),
            torch.from_numpy(sample_seeds(rng, len(faces))),
            torch.tensor([index for index, _ in faces]),
            torch.from_numpy(shift),
        )

    def _images(self, faces: Sequence[tuple[int, Pixels]]) -> list[Pixels]:
        images = [image for _, image in faces]
        if one_size(images, self.source.location) != self.size:
            raise InputError(
                f"source faces are {images[0].shape[0]} px, target faces {self.size} px",
                where=self.source.location,
                remedy="align both to one size",
            )
        return images

    def _readable(self, index: int) -> tuple[int, Pixels]:
        for ahead in range(_TRIES):
            place = (index + ahead) % len(self.source)
            try:
                return place, self.source.read(place).image
            except UnreadableFace:
                continue
        raise InputError(f"{_TRIES} source faces in a row can't be read", where=self.source.location)
