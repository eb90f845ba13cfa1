"""What answers of "same person" and "different people" imply, and where they contradict each other.

Same is transitive: a = b and b = c give a = c, and a = b with b != c gives a != c. So tracks form families (union-find,
Tarjan 1975) and pairs of families are known to be apart.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Answer = Literal["yes", "no", "unsure"]
Relation = Literal["same", "apart"]


@dataclass(frozen=True, slots=True)
class Told:
    """One answer: whether tracks ``first`` and ``second`` show the same person."""

    first: int
    second: int
    same: bool


@dataclass(frozen=True, slots=True)
class Contradiction:
    """An answer that can't be true together with earlier ones.

    Attributes:
        answer: the one that came last.
        against: earlier answers that imply the opposite, fewest first; two of them for a triangle.
    """

    answer: Told
    against: tuple[Told, ...]

    @property
    def pairs(self) -> tuple[Told, ...]:
        """All answers of which one must be wrong."""
        return (*self.against, self.answer)


class Families:
    """N tracks in families, with pairs of families that are apart.

    Args:
        count: number of tracks; each starts as a family of its own.
    """

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))
        self._members: dict[int, list[int]] = {i: [i] for i in range(count)}
        self._apart: dict[int, set[int]] = {}
        self._yes: dict[int, list[int]] = {}
        self._no: list[tuple[int, int]] = []

    def root(self, track: int) -> int:
        """The track that stands for the family of ``track``."""
        while self._parent[track] != track:
            self._parent[track] = self._parent[self._parent[track]]
            track = self._parent[track]
        return track

    def members(self, track: int) -> list[int]:
        """All tracks of the family of ``track``."""
        return self._members[self.root(track)]

    def roots(self) -> Iterator[int]:
        """One track of each family."""
        return iter(self._members)

    def apart_from(self, track: int) -> set[int]:
        """Roots of the families that are known to be apart from that of ``track``."""
        return self._apart.get(self.root(track), set())

    def relation(self, first: int, second: int) -> Relation | None:
        """What is known of two tracks, told or implied; None where nothing is."""
        a, b = self.root(first), self.root(second)
        if a == b:
            return "same"
        return "apart" if b in self.apart_from(a) else None

    def tell(self, first: int, second: int, same: bool) -> Contradiction | None:
        """Take in one answer; one that contradicts what is known changes nothing and is returned with its reasons."""
        known = self.relation(first, second)
        if known is not None and (known == "same") != same:
            return Contradiction(Told(first, second, same), self._reasons(first, second))
        if same:
            self._yes.setdefault(first, []).append(second)
            self._yes.setdefault(second, []).append(first)
            self._join(self.root(first), self.root(second))
        else:
            self._no.append((first, second))
            a, b = self.root(first), self.root(second)
            self._apart.setdefault(a, set()).add(b)
            self._apart.setdefault(b, set()).add(a)
        return None

    def _join(self, a: int, b: int) -> None:
        if a == b:
            return
        if len(self._members[a]) < len(self._members[b]):
            a, b = b, a
        self._parent[b] = a
        self._members[a] += self._members.pop(b)
        for other in self._apart.pop(b, set()):
            self._apart[other].discard(b)
            self._apart[other].add(a)
            self._apart.setdefault(a, set()).add(other)

    def _reasons(self, first: int, second: int) -> tuple[Told, ...]:
        """The fewest answers that imply what is known of two tracks."""
        if self.root(first) == self.root(second):
            return self._path(first, second)
        chains = []
        for x, y in self._no:
            if self.root(x) == self.root(second):
                x, y = y, x
            if self.root(x) == self.root(first) and self.root(y) == self.root(second):
                chains.append((*self._path(first, x), Told(x, y, False), *self._path(y, second)))
        return min(chains, key=len)

    def _path(self, start: int, end: int) -> tuple[Told, ...]:
        """The shortest chain of "same" answers from one track to another of its family."""
        came: dict[int, int] = {start: start}
        waiting = deque([start])
        while waiting and end not in came:
            track = waiting.popleft()
            for other in self._yes.get(track, ()):
                if other not in came:
                    came[other] = track
                    waiting.append(other)
        chain = []
        while end != start:
            chain.append(Told(came[end], end, True))
            end = came[end]
        return tuple(reversed(chain))
