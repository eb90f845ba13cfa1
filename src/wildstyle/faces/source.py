"""The wall between storage formats and everything else.

A source is map-style: ``len`` and ``read(i)``. So any order, any number of workers and any resume
point give the same faces. A format is a small class with three facts: how many, what is known of
face i, and where its bytes are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from wildstyle.faces.decode import decode_image
from wildstyle.faces.record import Face, FaceRecord


class FaceSource(ABC):
    """Faces that can be read by index.

    Reading is thread-safe. Nothing is decoded before ``read``.

    Attributes:
        name: short name, unique in a run (file stem by default).
        location: what the user gave, for messages.
    """

    name: str
    location: str

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

    def read(self, index: int) -> Face:
        """Decode face ``index``.

        Raises:
            UnreadableFace: the image is corrupt or too large to decode safely.
        """
        record = self.record(index)
        return Face(decode_image(self.encoded(index), where=f"{self.location}:{record.id}"), record)

    def close(self) -> None:
        """Release open files. Safe to call twice."""


class Subset(FaceSource):
    """Some faces of another source, in a given order."""

    def __init__(self, base: FaceSource, indices: Sequence[int], *, name: str | None = None) -> None:
        self.base = base
        self.indices = [int(i) for i in indices]
        self.name = name or base.name
        self.location = base.location

    def __len__(self) -> int:
        return len(self.indices)

    def record(self, index: int) -> FaceRecord:
        return self.base.record(self.indices[index])

    def encoded(self, index: int) -> bytes:
        return self.base.encoded(self.indices[index])

    def read(self, index: int) -> Face:
        return self.base.read(self.indices[index])
