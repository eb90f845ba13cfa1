"""The wall between storage formats and everything else.

A source is map-style: ``len`` and ``read(i)``. So any order, any number of workers and any resume
point give the same faces. A format is a small class with three facts: how many, what is known of
face i, and where its bytes are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError
from wildstyle.faces.decode import decode_image, decode_images
from wildstyle.faces.record import Face, FaceRecord


class FaceSource(ABC):
    """Faces that can be read by index.

    Reading is thread-safe. Nothing is decoded before ``read``.

    Attributes:
        name: short name, unique in a run (file stem by default).
        location: what the user gave, for messages.
        repeats: ids of pictures that are stored once more with the same bytes; they count once.
    """

    name: str
    location: str
    repeats: tuple[str, ...] = ()
    _positions: dict[str, int] | None = None

    @abstractmethod
    def __len__(self) -> int:
        """Number of faces."""

    @abstractmethod
    def record(self, index: int) -> FaceRecord:
        """What is known of face ``index``; cheap, decodes nothing."""

    @abstractmethod
    def encoded(self, index: int) -> bytes:
        """Stored bytes of image ``index`` (JPEG, PNG, ...).

        Raises:
            CorruptArchive: the bytes can't be read in full.
        """

    def encoded_together(self, indices: Sequence[int]) -> list[bytes]:
        """Stored bytes of several images; a format that can fetch neighbours at once says how.

        Raises:
            CorruptArchive: the bytes of one can't be read in full.
        """
        return [self.encoded(index) for index in indices]

    def read(self, index: int) -> Face:
        """Decode face ``index``.

        Raises:
            UnreadableFace: the image is corrupt or too large to decode safely.
        """
        record = self.record(index)
        return Face(decode_image(self.encoded(index), where=f"{self.location}:{record.id}"), record)

    def read_together(self, indices: Sequence[int]) -> list[Face] | None:
        """All faces at ``indices`` where the source has a faster way than ``read`` by ``read``, else None.

        None also if any of them can't be read; then ``read`` says which and why.
        """
        return None

    def labels(self) -> NDArray[np.int64]:
        """Class index of every face, (N,) int64, -1 where the person is unknown."""
        records = (self.record(i) for i in range(len(self)))
        return np.fromiter((-1 if r.label is None else r.label for r in records), np.int64, len(self))

    def subjects(self) -> list[str | None]:
        """Name of the person in every face, None where unknown."""
        return [self.record(i).subject for i in range(len(self))]

    def index_of(self, face_id: str) -> int | None:
        """Where the face with this id is, or None."""
        if self._positions is None:
            self._positions = {self.record(i).id: i for i in range(len(self))}
        return self._positions.get(face_id)

    def close(self) -> None:  # noqa: B027 - most sources hold nothing open
        """Release open files. Safe to call twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def decode_together(source: FaceSource, indices: Sequence[int]) -> list[Face] | None:
    """``read_together`` of sources that hold encoded images: first all records and bytes, then all pixels."""
    try:
        records = [source.record(index) for index in indices]
        images = decode_images(source.encoded_together(indices))
    except InputError:
        return None
    return list(map(Face, images, records))


class Subset(FaceSource):
    """Some faces of another source, in a given order; closing it leaves the other open.

    Args:
        base: where the faces are.
        indices: (M,) positions in ``base``; their order is kept, repeats are allowed.
        name: short name; that of ``base`` by default.

    Raises:
        InputError: an index lies outside ``base``.
    """

    def __init__(
        self, base: FaceSource, indices: Sequence[int] | NDArray[np.int64], *, name: str | None = None
    ) -> None:
        self.base = base
        self.indices: NDArray[np.int64] = np.asarray(indices, dtype=np.int64)
        self.name = name or base.name
        self.location = base.location
        wrong = self.indices[(self.indices < 0) | (self.indices >= len(base))]
        if len(wrong):
            raise InputError(f"there is no face {wrong[0]}, only 0 to {len(base) - 1}", where=base.location)

    def __len__(self) -> int:
        return len(self.indices)

    def record(self, index: int) -> FaceRecord:
        return self.base.record(int(self.indices[index]))

    def encoded(self, index: int) -> bytes:
        return self.base.encoded(int(self.indices[index]))

    def read(self, index: int) -> Face:
        return self.base.read(int(self.indices[index]))

    def read_together(self, indices: Sequence[int]) -> list[Face] | None:
        return self.base.read_together(self.indices[indices].tolist())

    def labels(self) -> NDArray[np.int64]:
        return self.base.labels()[self.indices]

    def subjects(self) -> list[str | None]:
        known = self.base.subjects()
        return [known[i] for i in self.indices]
