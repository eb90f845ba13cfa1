"""Sets of faces read for a comparison of their style: codes, statistics, and whose frames belong together."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wildstyle.errors import InputError, NotMeasurable, UnreadableFace
from wildstyle.faces import Face, FaceSource, open_faces, stream
from wildstyle.faces.decode import encode_jpeg
from wildstyle.faces.record import FaceRecord
from wildstyle.randomness import item_rng
from wildstyle.synthesis.likeness_draws import FEWEST_GROUPS
from wildstyle.synthesis.material import one_size, refuse_unreadable, to_images
from wildstyle.synthesis.statistics import style_statistics
from wildstyle.verbs.progress import Progress

Read = Callable[[Tensor], NDArray[np.float32]]
"""Working images (N, 3, S, S) to style codes (N, K)."""

FEWEST_FACES = 20
_BLOCK = 64
_RECORDING, _PERSON = "recording ", "person "
_SMALLEST = 48  # px: below, style statistics have no inside
_QUALITY = 85


@dataclass(frozen=True)
class StyleSet:
    """What was read of one set.

    Attributes:
        name: short and unique among the sets compared.
        path: what the user gave.
        side: of its faces, px.
        places: (N,) of its readable faces in the source.
        codes: (N, K) style codes.
        statistics: (N, F) style statistics.
        owners: N names of recording, else person, None where neither is known.
        unreadable: faces that could not be read.
    """

    name: str
    path: Path
    side: int
    places: NDArray[np.int64]
    codes: NDArray[np.float64]
    statistics: NDArray[np.float64]
    owners: tuple[str | None, ...]
    unreadable: int

    @property
    def grouping(self) -> str:
        """What is drawn together, in words.

        E.g. "97 recordings", "335 people", "1,000 single faces".
        """
        known = {owner for owner in self.owners if owner is not None}
        recordings = sum(owner.startswith(_RECORDING) for owner in known)
        single = self.owners.count(None)
        counts = ((recordings, "recordings"), (len(known) - recordings, "people"), (single, "single faces"))
        told = " and ".join(f"{count:,} {word}" for count, word in counts if count)
        if len(known) + single < FEWEST_GROUPS:
            return f"single faces; there are {told} only, so intervals are too narrow"
        return told


def unique_names(paths: Sequence[Path]) -> list[str]:
    """Short names of sets; a name that occurs again is numbered.

    >>> unique_names([Path("a/x.tar"), Path("b/x.tar"), Path("y")])
    ['x', 'x (2)', 'y']
    """
    seen: dict[str, int] = {}
    names = []
    for path in paths:
        stem = path.stem or str(path)
        seen[stem] = seen.get(stem, 0) + 1
        names.append(stem if seen[stem] == 1 else f"{stem} ({seen[stem]})")
    return names


def read_set(
    path: Path, name: str, read: Read, progress: Progress, *, most: int = 1000, seed: int = 0, workers: int = 2
) -> StyleSet:
    """Read codes and statistics of at most ``most`` faces, chosen by the seed.

    Raises:
        InputError: the set can't be opened, most of it can't be read, or its faces are not of one square size.
        NotMeasurable: fewer than ``FEWEST_FACES`` usable faces.
    """
    with open_faces(path) as source:
        progress.stage("read style", f"{min(most, len(source)):,} of {len(source):,} faces of {name}")
        chosen = np.sort(item_rng(seed, "compare").permutation(len(source))[:most])
        reading = _Reading(read, progress, len(chosen))
        for place, face in zip(chosen.tolist(), stream(source, chosen, workers=workers), strict=True):
            reading.see(place, face)
        reading.finish()
        refuse_unreadable(len(chosen), reading.failures, str(path), "chosen")
        if len(reading.places) < FEWEST_FACES:
            raise NotMeasurable(
                f"{len(reading.places)} usable faces are too few to tell a style by",
                where=path,
                remedy=f"give at least {FEWEST_FACES}, better 200",
            )
        return StyleSet(
            name=name,
            path=path,
            side=reading.side,
            places=np.array(reading.places, np.int64),
            codes=np.concatenate(reading.codes).astype(np.float64),
            statistics=np.concatenate(reading.statistics).astype(np.float64),
            owners=tuple(reading.owners),
            unreadable=len(reading.failures),
        )


def owner_of(record: FaceRecord) -> str | None:
    """The film, video or take of a face, else its person, with the kind in front; None where neither is known."""
    if record.media is not None:
        return _RECORDING + record.media
    return None if record.subject is None else _PERSON + record.subject


class _Reading:
    """Collects faces into blocks and reads each block at once."""

    def __init__(self, read: Read, progress: Progress, total: int) -> None:
        self.read, self.progress, self.total = read, progress, total
        self.side, self.seen = 0, 0
        self.places: list[int] = []
        self.owners: list[str | None] = []
        self.failures: list[tuple[str, str]] = []
        self.codes: list[NDArray[np.float32]] = []
        self.statistics: list[NDArray[np.float32]] = []
        self._waiting: list[Face] = []

    def see(self, place: int, face: Face | UnreadableFace) -> None:
        self.seen += 1
        if isinstance(face, UnreadableFace):
            self.failures.append((str(face.where), face.what))
            return
        self.places.append(place)
        self.owners.append(owner_of(face.record))
        self._waiting.append(face)
        if len(self._waiting) == _BLOCK:
            self.finish()

    @torch.no_grad()
    def finish(self) -> None:
        if not self._waiting:
            return
        source = self._waiting[0].record.source
        side = one_size([face.image for face in self._waiting], source)
        if side < _SMALLEST or side % 4 or self.side not in (0, side):
            raise InputError(
                f"faces are {side} px a side" + (f" and {self.side} px" if self.side not in (0, side) else ""),
                where=source,
                remedy="align all faces to one size, a multiple of 4 and at least 48 px, with `wildstyle faces align`",
            )
        self.side = side
        images = to_images(np.stack([face.image for face in self._waiting]))
        self.codes.append(self.read(images))
        self.statistics.append(style_statistics(images).numpy())
        self._waiting = []
        self.progress.step(self.seen, self.total)


def extremes(one: StyleSet, axis: int, count: int) -> tuple[list[int], list[int]]:
    """Rows of the faces with the lowest and the highest codes of a 0-based axis, outermost first, one of each group.

    Frames of one film would otherwise fill the row with one scene.
    """
    order = np.argsort(one.codes[:, axis], kind="stable").tolist()
    return _apart(one, order, count), _apart(one, order[::-1], count)


def _apart(one: StyleSet, order: Sequence[int], count: int) -> list[int]:
    chosen: list[int] = []
    taken: set[str] = set()
    for row in order:
        owner = one.owners[row]
        if owner is None or owner not in taken:
            chosen.append(row)
            if owner is not None:
                taken.add(owner)
    rest = [row for row in order if row not in set(chosen)]
    return (chosen + rest)[:count]


def picture_links(one: StyleSet, rows: Sequence[int]) -> list[str]:
    """Faces of some rows as ``data:`` links to JPEGs."""
    with open_faces(one.path) as source:
        return [_link(source, int(one.places[row])) for row in rows]


def _link(source: FaceSource, place: int) -> str:
    jpeg = encode_jpeg(source.read(place).image, _QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"
