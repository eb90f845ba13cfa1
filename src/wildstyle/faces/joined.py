"""Several sources as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wildstyle.faces.record import Face, FaceRecord
from wildstyle.faces.source import FaceSource


class Joined(FaceSource):
    """The faces of several sources, one source after the other.

    Ids are prefixed by the number of the part, so that they stay unique. Labels are dropped, because class 3 of
    one source is not class 3 of another; subjects stay.
    """

    def __init__(self, parts: Sequence[FaceSource], *, name: str) -> None:
        self.parts = list(parts)
        self.name = name
        self.location = ", ".join(part.location for part in parts)
        self._starts = np.cumsum([0, *(len(part) for part in parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def record(self, index: int) -> FaceRecord:
        number, inner = self._find(index)
        record = self.parts[number].record(inner)
        return record.with_(id=f"{number}/{record.id}", source=self.name, label=None)

    def encoded(self, index: int) -> bytes:
        number, inner = self._find(index)
        return self.parts[number].encoded(inner)

    def read(self, index: int) -> Face:
        number, inner = self._find(index)
        return Face(self.parts[number].read(inner).image, self.record(index))

    def close(self) -> None:
        for part in self.parts:
            part.close()

    def _find(self, index: int) -> tuple[int, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"face {index} of {len(self)} in {self.location}")
        number = int(np.searchsorted(self._starts, index, side="right")) - 1
        return number, index - int(self._starts[number])
