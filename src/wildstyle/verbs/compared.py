"""What a comparison of sets by style found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wildstyle.report.likeness_page import AxisFaces
from wildstyle.synthesis.likeness_draws import Halves, PairLikeness
from wildstyle.synthesis.likeness_words import AxisWords, Verdict
from wildstyle.verbs.style_sets import StyleSet

_VERSION = 1


@dataclass(frozen=True)
class ComparedPair:
    """Two of the sets.

    Attributes:
        first, second: their places among the sets.
        likeness: similarity, distance, axes.
        overlap: of the leading subspaces, in [0, 1].
        kernel: kernel distance of style statistics, an independent measure.
        seen: what the pictures' statistics say of the second set against the first, in words; the reader has no part.
        verdict: in words.
    """

    first: int
    second: int
    likeness: PairLikeness
    overlap: float
    kernel: float
    seen: str
    verdict: Verdict

    @property
    def way(self) -> float:
        """Root of the corrected squared distance: in the units of magnitudes, so between 0 and the generator's most."""
        return float(np.sqrt(self.likeness.distance))


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes:
        sets: what was read.
        groups: groups of each set that draws keep whole.
        halves: what two halves of each set reach.
        pairs: all pairs, in order.
        words: what each axis does.
        subspace: dimensions of the subspaces that overlaps are of.
        agreement: rank correlation of unlikeness with the kernel distance, None for too few pairs.
        about: generator, reader and settings, for the record.
        pictures: faces at the ends of the axes that differ most; empty where they were not asked for.
    """

    sets: tuple[StyleSet, ...]
    groups: tuple[int, ...]
    halves: tuple[Halves, ...]
    pairs: tuple[ComparedPair, ...]
    words: tuple[AxisWords, ...]
    subspace: int
    agreement: float | None
    about: dict[str, Any]
    pictures: tuple[AxisFaces, ...] = ()

    def similarity(self) -> NDArray[np.float64]:
        """All similarities, (n, n); the diagonal holds what halves of a set reach at least."""
        matrix = np.diag([one.low for one in self.halves])
        for pair in self.pairs:
            matrix[pair.first, pair.second] = matrix[pair.second, pair.first] = pair.likeness.similarity
        return matrix

    def as_record(self) -> dict[str, Any]:
        """Plain JSON values, without faces."""
        return {
            "version": _VERSION,
            **self.about,
            "axes": [{"axis": k + 1, **asdict(words)} for k, words in enumerate(self.words)],
            "sets": [
                {
                    "name": one.name,
                    "path": str(one.path),
                    "faces": len(one.codes),
                    "unreadable": one.unreadable,
                    "grouping": one.grouping,
                    "groups": groups,
                    "mean": _rounded(one.codes.mean(axis=0)),
                    "deviation": _rounded(one.codes.std(axis=0, ddof=1)),
                    "halves": asdict(halves),
                }
                for one, groups, halves in zip(self.sets, self.groups, self.halves, strict=True)
            ],
            "pairs": [_pair_record(pair) for pair in self.pairs],
            "subspace": self.subspace,
            "agreement": self.agreement,
        }


def _pair_record(pair: ComparedPair) -> dict[str, Any]:
    likeness = asdict(pair.likeness)
    return {
        "first": pair.first,
        "second": pair.second,
        **likeness,
        "way": round(pair.way, 4),
        "overlap": round(pair.overlap, 4),
        "kernel_distance": pair.kernel,
        "seen": pair.seen,
        "state": pair.verdict.state,
        "verdict": pair.verdict.text,
    }


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 4) for value in values]
