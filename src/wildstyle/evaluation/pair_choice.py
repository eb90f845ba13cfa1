"""Verification pairs out of a set of faces, shared out evenly over people.

A mated pair never lies inside one group of media: two frames of one film say nothing of another day. Impostor pairs
come in two kinds that must not be mixed: inside a medium, where two people share light and camera, which is the
harder and the more honest kind, and across media.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from wildstyle.faces.row import ManifestRow
from wildstyle.randomness import item_rng

FOLDS = 10
_MOST_FACES = 1500  # whose pairs are all looked at: a million


@dataclass(frozen=True, slots=True)
class ProtocolPair:
    """Two faces to compare.

    Attributes:
        first, second: rows.
        kind: one of ``KINDS``.
        fold: 0 to 9; all kinds are shared out evenly.
    """

    KINDS: ClassVar[tuple[str, ...]] = ("mated", "impostor-same-media", "impostor-cross-media")

    first: ManifestRow
    second: ManifestRow
    kind: str
    fold: int

    @property
    def same(self) -> bool:
        """Whether both show one person."""
        return self.kind == "mated"


def choose_pairs(
    rows: Sequence[ManifestRow], groups: Sequence[int], most: int, seed: int, part: str
) -> list[ProtocolPair]:
    """At most ``most`` pairs of each kind, by turns over people (mated) and over pairs of people (impostors).

    Args:
        rows: faces with a subject and a file each.
        groups: group of media of each face.
        most: see above.
        seed: of the choice.
        part: name of the part, so that parts draw apart.
    """
    rng = item_rng(seed, "pairs", part)
    _, people = np.unique([row.subject or "" for row in rows], return_inverse=True)
    used = _by_turns(people, rng)[:_MOST_FACES]
    used.sort()
    people, media = people[used], np.asarray(groups, np.int64)[used]
    i, j = np.triu_indices(len(used), 1)
    same, inside = people[i] == people[j], media[i] == media[j]
    kinds = dict(zip(ProtocolPair.KINDS, (same & ~inside, ~same & inside, ~same & ~inside), strict=True))
    out = []
    for kind, mask in kinds.items():
        places = np.flatnonzero(mask)
        a, b = people[i[places]], people[j[places]]
        both = np.minimum(a, b).astype(np.int64) * (int(people.max(initial=0)) + 1) + np.maximum(a, b)
        chosen = places[_by_turns(both, rng)[:most]]
        ends = zip(used[i[chosen]].tolist(), used[j[chosen]].tolist(), strict=True)
        out += [ProtocolPair(rows[x], rows[y], kind, n % FOLDS) for n, (x, y) in enumerate(ends)]
    return out


def _by_turns(owner: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Order that takes one item of each owner, then a second of each, ...; at random inside and among owners."""
    luck = rng.random(len(owner))
    order = np.lexsort((luck, owner))
    turn = np.empty(len(owner), np.int64)
    turn[order] = np.arange(len(owner)) - np.searchsorted(owner[order], owner[order])
    return np.lexsort((luck, turn))
