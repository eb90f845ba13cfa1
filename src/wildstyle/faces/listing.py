"""What paths say of faces, kept without one Python object a face.

``<subject>/<media>/<file>`` or ``<subject>/<file>``; a file on the top level has neither. Names lie in
one block of bytes, people and media in integer codes, so a listing of millions stays small.
"""

from __future__ import annotations

import io
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import HostileFile
from wildstyle.faces.record import Face, FaceRecord, brief_record
from wildstyle.faces.source import FaceSource, decode_together

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
_DRIVE = re.compile(r"[A-Za-z]:")
_SEPARATORS = re.compile(r"[/\\]")


def is_image(path: str) -> bool:
    """Whether the path ends like an image that can be decoded here."""
    return path.lower().endswith(IMAGE_SUFFIXES)


def is_hidden(path: str) -> bool:
    """Whether any part of a relative path starts with a dot (also macOS' ``._name`` twins)."""
    return path.startswith(".") or "/." in path or path.startswith("__MACOSX/")


def refuse_escape(path: str, *, where: object) -> None:
    """Let only paths pass that stay below the folder or archive they are in.

    Raises:
        HostileFile: the path is absolute, climbs with ``..`` or holds a NUL.
    """
    if (
        path.startswith(("/", "\\"))
        or "\0" in path
        or _DRIVE.match(path)
        or (".." in path and ".." in _SEPARATORS.split(path))
    ):
        raise HostileFile(
            f"name {path!r} leaves the folder",
            where=where,
            remedy="don't use this file unless you know who made it; repack it with relative names",
        )


class PathFacts(NamedTuple):
    """Who and where from, as the folders of a path say."""

    subject: str | None
    media: str | None


def facts_of(path: str) -> PathFacts:
    """Subject and media of ``<subject>/<media>/<file>`` or ``<subject>/<file>``; None where absent."""
    folders = path.split("/")[:-1]
    if not folders:
        return PathFacts(None, None)
    return PathFacts(folders[0], "/".join(folders[1:]) or None)


class Names:
    """Names by position and positions by name, in about 32 bytes a name plus the text."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._pieces = io.StringIO()
        self._ends = array("q", [0])
        self._hashes = array("q")
        for name in names:
            self.append(name)
        self.seal()

    def append(self, name: str) -> None:
        """Add one name; it can be found after ``seal``."""
        self._pieces.write(name)
        self._ends.append(self._ends[-1] + len(name))
        self._hashes.append(hash(name))

    def seal(self) -> Names:
        """Make all names findable."""
        self._text = self._pieces.getvalue()
        hashes = np.array(self._hashes, np.int64)
        self._order = np.argsort(hashes, kind="stable")
        self._sorted = hashes[self._order]
        return self

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> str:
        if index < 0:
            raise IndexError(index)
        ends = self._ends
        return self._text[ends[index] : ends[index + 1]]

    def __iter__(self) -> Iterator[str]:
        return (self[i] for i in range(len(self)))

    def find(self, name: str) -> int | None:
        """Position of ``name``, or None."""
        return next((i for i in self._with_hash(hash(name)) if self[i] == name), None)

    def _with_hash(self, value: int) -> Iterator[int]:
        place = int(np.searchsorted(self._sorted, value))
        while place < len(self._sorted) and self._sorted[place] == value:
            yield int(self._order[place])
            place += 1

    def repeats(self) -> list[tuple[int, int]]:
        """Every name that was there before: its position and that of its first occurrence."""
        later = self._order[np.flatnonzero(self._sorted[1:] == self._sorted[:-1]) + 1].tolist()
        pairs = [(place, self.find(self[place])) for place in sorted(later)]
        return [(place, first) for place, first in pairs if first is not None and first != place]


class Coded:
    """A column of texts, most of them repeated: (N,) int32 codes into sorted unique values, -1 for None."""

    def __init__(self, values: Iterable[str | None] = ()) -> None:
        self._seen: dict[str, int] = {}
        self._raw = array("i")
        self.values: list[str] = []
        self.codes: NDArray[np.int32] = np.zeros(0, np.int32)
        for value in values:
            self.append(value)
        self.seal()

    def append(self, value: str | None) -> None:
        """Add one value; it can be read after ``seal``."""
        self._raw.append(-1 if value is None else self._seen.setdefault(value, len(self._seen)))

    def seal(self) -> Coded:
        """Sort the unique values and settle the codes of all that was appended."""
        self.values = sorted(self._seen)
        rank = {value: place for place, value in enumerate(self.values)}
        moved = np.array([*(rank[v] for v in self._seen), -1], np.int32)
        self.codes = moved[np.array(self._raw, np.int32)]
        return self

    def kept(self, keep: NDArray[np.bool_]) -> Coded:
        """Only the rows where (N,) ``keep`` is true; the unique values stay."""
        self.codes = self.codes[keep]
        return self

    def __getitem__(self, index: int) -> str | None:
        code = self.codes[index]
        return None if code < 0 else self.values[code]

    def __len__(self) -> int:
        return len(self.codes)

    def texts(self) -> list[str | None]:
        """All values in order; equal texts are one object."""
        known: list[str | None] = [*self.values, None]
        return [known[code] for code in self.codes]


class Listing:
    """Names of all faces of a source with what their paths say.

    Args:
        names: unique relative paths.
        subjects, media: where something better than the path is known.
        labels: class index of every face, (N,) int64, -1 for none; by default the rank of the subject
            among the sorted subjects.
    """

    def __init__(
        self,
        names: Names,
        *,
        subjects: Coded | None = None,
        media: Coded | None = None,
        labels: NDArray[np.int64] | None = None,
    ) -> None:
        self.names = names
        self.subjects = subjects or Coded(facts_of(name).subject for name in self.names)
        self.media = media or Coded(facts_of(name).media for name in self.names)
        self.labels = self.subjects.codes.astype(np.int64) if labels is None else labels
        # Plain arrays give single items faster than numpy; code -1 finds the None at the end.
        self._label_of = array("q", self.labels.tobytes())
        self._subject_of, self._media_of = (
            array("i", column.codes.tobytes()) for column in (self.subjects, self.media)
        )
        self._people, self._medias = [*self.subjects.values, None], [*self.media.values, None]

    def __len__(self) -> int:
        return len(self.names)

    def record(self, index: int, source: str) -> FaceRecord:
        """What the listing knows of face ``index`` of the source with this name."""
        label = self._label_of[index]
        return brief_record(
            self.names[index],
            source,
            label if label >= 0 else None,
            self._people[self._subject_of[index]],
            self._medias[self._media_of[index]],
        )


class ListedSource(FaceSource):
    """A source whose faces have paths; a format adds only where the bytes are."""

    listing: Listing

    def __len__(self) -> int:
        return len(self.listing)

    def record(self, index: int) -> FaceRecord:
        return self.listing.record(index, self.name)

    def read_together(self, indices: Sequence[int]) -> list[Face] | None:
        return decode_together(self, indices)

    def labels(self) -> NDArray[np.int64]:
        return self.listing.labels.copy()

    def subjects(self) -> list[str | None]:
        return self.listing.subjects.texts()

    def index_of(self, face_id: str) -> int | None:
        return self.listing.names.find(face_id)
