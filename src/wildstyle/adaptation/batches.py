"""Batches of clean faces, some of them to be seen as their twins; each a pure function of the step."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wildstyle.adaptation.drawing import Order
from wildstyle.adaptation.variation import Variation
from wildstyle.errors import InputError, UnreadableFace
from wildstyle.faces.record import Face
from wildstyle.faces.source import FaceSource
from wildstyle.faces.stream import working_batch
from wildstyle.randomness import item_rng
from wildstyle.training import Draw

_log = logging.getLogger(__name__)
_GOLDEN = (math.sqrt(5) - 1) / 2
_SILVER = math.sqrt(2) - 1
_TRIES = 64


class AdaptBatch(NamedTuple):
    """One process's share of a step; each image is used once.

    Attributes:
        images: (B, 3, S, S) float32 in [0, 1]; the first B - M stay clean, the last M are seen as their twins.
        codes: (M, K) float32.
        seeds: (M,) int64.
        labels: (B,) int64, -1 where the person is unknown.
        items: (B,) int64, which faces of the source they are.
    """

    images: Tensor
    codes: Tensor
    seeds: Tensor
    labels: Tensor
    items: Tensor


@dataclass(frozen=True, slots=True)
class StyleRange:
    """Styles to draw: K axes, magnitudes in [0, longest].

    Attributes:
        axes: K.
        longest: end of the range.
        parts: (share, first axis, last axis + 1): that share of the twins gets directions within these axes alone, the
            rest within all.
    """

    axes: int
    longest: float
    parts: tuple[tuple[float, int, int], ...] = ()

    def part(self, level: float) -> slice:
        """The axes at a level in [0, 1) of the shares."""
        for share, first, last in self.parts:
            if level < share:
                return slice(first, last)
            level -= share
        return slice(0, self.axes)


@dataclass(frozen=True)
class SourceBatches:
    """Makes the batch of a step.

    Which slots of the global batch become twins is fixed and spread evenly, so that processes share the work;
    which face falls into a slot is shuffled anew each epoch. Directions are uniform on the sphere, per (epoch,
    item). Magnitudes walk through the range by the golden ratio, so that any few neighbours already cover it.

    Attributes:
        source: clean faces of one size.
        draws: who comes when.
        share: synthetic share of the global batch; ``round((1 - share) * batch)`` stay clean.
        styles: what to draw.
        labels: (len(source),) int64, -1 = unknown.
        variation: what is done to each face before anybody sees it, by seeds drawn per (epoch, item).
        unreadable: id to reason of faces that could not be read; the next readable one took their place.
    """

    source: FaceSource
    draws: Order
    share: float
    styles: StyleRange
    labels: NDArray[np.int64]
    variation: Variation = field(default_factory=Variation)
    unreadable: dict[str, str] = field(default_factory=dict)

    @property
    def twins(self) -> int:
        """Twins in a global batch."""
        return self.draws.batch - round((1.0 - self.share) * self.draws.batch)

    def __call__(self, step: int) -> AdaptBatch:
        """The batch of 0-based ``step`` for this process.

        Raises:
            InputError: faces differ in size, or none can be read.
        """
        first = self.draws.rank * (self.draws.batch // self.draws.world)
        clean: list[Draw] = []
        twins: list[tuple[Draw, int]] = []
        for slot, draw in enumerate(self.draws(step), first):
            ordinal = slot * self.twins // self.draws.batch
            if (slot + 1) * self.twins // self.draws.batch > ordinal:
                twins.append((draw, step * self.twins + ordinal))
            else:
                clean.append(draw)
        return self._assemble(clean, twins)

    def _assemble(self, clean: list[Draw], twins: list[tuple[Draw, int]]) -> AdaptBatch:
        faces, items = zip(*(self._read(d.index) for d in [*clean, *(d for d, _ in twins)]), strict=True)
        codes = np.zeros((len(twins), self.styles.axes), np.float32)
        seeds = np.zeros(len(twins), np.int64)
        for row, (draw, ordinal) in enumerate(twins):
            codes[row], seeds[row] = self._style(draw, ordinal)
        images = torch.from_numpy(working_batch(faces))
        if self.variation.varies:
            images = self.variation(images, [self._look(d) for d in (*clean, *(d for d, _ in twins))])
        parts = (codes, seeds, self.labels[list(items)], np.array(items, np.int64))
        return AdaptBatch(images, *(torch.from_numpy(part) for part in parts))

    def _look(self, draw: Draw) -> int:
        """Seed of the variation of a face."""
        return int(item_rng(self.draws.seed, "look", draw.epoch, draw.index).integers(0, 2**62))

    def _style(self, draw: Draw, ordinal: int) -> tuple[NDArray[np.float32], int]:
        rng = item_rng(self.draws.seed, "style", draw.epoch, draw.index)
        seed = int(rng.integers(0, 2**62))
        # Neighbours take turns among the parts, whatever their magnitudes do.
        part = self.styles.part((item_rng(self.draws.seed, "part").random() + ordinal * _SILVER) % 1.0)
        direction = np.zeros(self.styles.axes)
        direction[part] = rng.standard_normal(self.styles.axes)[part]
        start = item_rng(self.draws.seed, "magnitude").random()
        level = (start + ordinal * _GOLDEN) % 1.0
        length = max(float(np.linalg.norm(direction)), 1e-12)
        return (direction * (level * self.styles.longest / length)).astype(np.float32), seed

    def _read(self, item: int) -> tuple[Face, int]:
        """Face ``item``, or the next one that can be read, and which it was."""
        for candidate in range(item, item + min(_TRIES, len(self.source))):
            index = candidate % len(self.source)
            try:
                return self.source.read(index), index
            except UnreadableFace as error:
                self._note(self.source.record(index).id, error)
        raise InputError(
            f"{_TRIES} faces in a row can't be read", where=self.source.location, remedy="check the files of the source"
        )

    def _note(self, face: str, error: UnreadableFace) -> None:
        if face not in self.unreadable:
            self.unreadable[face] = error.what
            _log.warning("%s: %s can't be used (%s); the next face takes its place", self.source.name, face, error.what)
