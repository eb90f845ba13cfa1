"""The recogniser and the sub-sample that causes are tried on, and how one change is judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import NotMeasurable
from wildstyle.evaluation.outcome import Vectors
from wildstyle.faces import Pixels
from wildstyle.recognisers import EmbeddingCache, Embeddings, Recogniser, RecogniserContract, embed_source
from wildstyle.verbs.doctoring.finding import Finding, Verdict
from wildstyle.verbs.doctoring.sample import Altered, Sample
from wildstyle.verbs.doctoring.separation import Gain, draws_of, gains

MATERIAL = 0.03
"""Least gain of d', as a share of d' as given, that counts as a cause rather than a nicety."""

CERTAIN = 0.01
"""The same where one way is right and the others are wrong: colour order and value range."""

FIGURE = "separation d'"

SCREENS = ((60, 0.10), (120, 0.0))
"""Faces on which changes are sorted out before the rest is tried on all: those surely worse by a share of d'.

A few people can mislead, so on the fewest only changes go that do much harm; most do (a wrong range, a turn).
"""

Places = NDArray[np.int64]
Way = tuple[str, str, Callable[[Places], Vectors]]
"""Name and remedy of a change, and the embeddings it gives to some faces of the sample."""


@dataclass(frozen=True)
class Change:
    """One way in which the faces or their preparation could have been wrong, undone.

    Attributes:
        name: in a few words, "faces mirrored".
        vectors: (N, D) unit embeddings after the change, NaN where there is none.
        remedy: the exact flag or command that makes the change for good.
    """

    name: str
    vectors: Vectors
    remedy: str


@dataclass(frozen=True)
class Tried:
    """A change, what it gains, and the share of mated scores above the threshold at FMR 1e-2 with it."""

    change: Change
    gain: Gain
    hits: float


class Patient:
    """A recogniser on a sub-sample of one labelled set.

    Args:
        recogniser: under the contract as given.
        sample: the faces.
        cache: where embeddings are remembered.
        workers: reading threads.
        seed: of the draws of people.
        stored: whether the model file itself states the contract, so that the command line can't state another.

    Raises:
        NotMeasurable: no face of the sample has an embedding under the contract as given.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        sample: Sample,
        *,
        cache: EmbeddingCache | None,
        workers: int,
        seed: int,
        stored: bool = False,
    ) -> None:
        self.recogniser = recogniser
        self.stored = stored
        self.sample = sample
        self.cache = cache
        self.workers = workers
        self.draws = draws_of(sample.comparisons.count, seed)
        self.given = self.embed(sample.images, self.everything)
        if not self.given.ok.any():
            raise NotMeasurable("no face of the sub-sample has an embedding", remedy="check the model file")
        self.comparisons = sample.comparisons.among(self.given.ok)
        self.scores = self.comparisons.scores(self.given.vectors)
        self.before = self.comparisons.separations(self.scores, self.draws)

    def embed(self, images: Sequence[Pixels], places: Places, contract: RecogniserContract | None = None) -> Embeddings:
        """Embeddings of changed ``images`` of the sample's faces at ``places``, under another contract if given."""
        recogniser = Recogniser(self.recogniser.network, contract or self.recogniser.contract)
        source = Altered(images, [self.sample.records[i] for i in places])
        return embed_source(recogniser, source, cache=self.cache, workers=self.workers)

    @property
    def everything(self) -> Places:
        """(N,) all places in the sample."""
        return np.arange(len(self.sample), dtype=np.int64)

    def pictures(self, places: Places) -> list[Pixels]:
        """The pictures at ``places``."""
        return [self.sample.images[i] for i in places]

    def try_ways(self, ways: Sequence[Way]) -> list[Tried]:
        """What each way gains on all faces, best first; ways that are clearly worse on some faces are left out."""
        return self.try_out([Change(n, make(self.everything), remedy) for n, remedy, make in self._screened(ways)])

    def _screened(self, ways: Sequence[Way]) -> list[Way]:
        """Ways that may help as far as the faces of some people say, or the best one."""
        left = list(ways)
        for faces, harm in SCREENS:
            if len(self.sample) >= 2 * faces and len(left) > 1:
                left = self._without_harmful(left, faces, harm)
        return left

    def _without_harmful(self, ways: Sequence[Way], faces: int, harm: float) -> list[Way]:
        """Ways that are not surely worse by a share of d' above ``harm``, on about ``faces`` faces; or the best."""
        counted = np.cumsum(np.bincount(self.sample.comparisons.people))
        inside = (self.sample.comparisons.people <= int(np.searchsorted(counted, faces))) & self.given.ok
        part, places = self.comparisons.among(inside), np.flatnonzero(inside)
        before = part.separations(part.scores(self.given.vectors), self.draws)
        found: list[tuple[Gain, Way]] = []
        for way in ways:
            vectors = np.zeros_like(self.given.vectors)
            vectors[places] = way[2](places)
            if np.isfinite(vectors).all():
                found.append((gains(before, [part.separations(part.scores(vectors), self.draws)])[0], way))
        promising = [way for gain, way in found if gain.high >= 0 or gain.share >= -harm]
        return promising or [way for _, way in sorted(found, key=lambda pair: -pair[0].gain)[:1]]

    @property
    def hits(self) -> float:
        """Share of mated scores above the strict threshold at FMR 1e-2, as given."""
        return self.comparisons.hits(self.scores)

    def try_out(self, changes: Sequence[Change]) -> list[Tried]:
        """What each change gains, best first; changes under which faces have no embedding are left out."""
        ok = self.given.ok
        usable = [change for change in changes if bool(np.isfinite(change.vectors[ok]).all())]
        if not usable:
            return []
        scores = [self.comparisons.scores(change.vectors) for change in usable]
        found = gains(self.before, [self.comparisons.separations(values, self.draws) for values in scores])
        tried = [
            Tried(change, gain, self.comparisons.hits(values))
            for change, gain, values in zip(usable, found, scores, strict=True)
        ]
        return sorted(tried, key=lambda t: -t.gain.gain)

    def judged(
        self,
        cause: str,
        tried: Sequence[Tried],
        *,
        ways: int = 1,
        most: Verdict = "this is it",
        least: float = MATERIAL,
    ) -> Finding:
        """``judged_by`` the figures as given."""
        return judged_by(self.hits, cause, tried, ways=ways, most=most, least=least)


def judged_by(
    hits: float,
    cause: str,
    tried: Sequence[Tried],
    *,
    ways: int = 1,
    most: Verdict = "this is it",
    least: float = MATERIAL,
) -> Finding:
    """The finding on a cause from its best change.

    Args:
        hits: share of mated scores above the threshold at FMR 1e-2, as given.
        tried: what was tried, best first.
        ways: how many were tried, those sorted out early included.
        most: the strongest verdict allowed.
        least: gain as a share of d' that makes a cause.
    """
    if not tried:
        return Finding(cause=cause, verdict="couldn't be tested", evidence="No change gave finite embeddings.")
    best = tried[0]
    gain, verdict = best.gain, verdict_on(best.gain, least)
    if verdict == "this is it":
        verdict = most
    why = ""
    if verdict == "ruled out" and gain.share >= CERTAIN and gain.high >= MATERIAL * abs(gain.before):
        verdict, why = "couldn't be tested", " These faces and people are too few to settle it; raise --faces."
    others = f" Best of {ways} tried." if ways > 1 else ""
    return Finding(
        cause=cause,
        verdict=verdict,
        evidence=f"{_sentence(best, hits)}{others}{why}",
        remedy=best.change.remedy if verdict != "ruled out" else "",
        figure=FIGURE,
        before=gain.before,
        after=gain.after,
        gain=gain.gain,
        low=gain.low,
        high=gain.high,
        weight=gain.share,
    )


def verdict_on(gain: Gain, least: float = MATERIAL) -> Verdict:
    """Surely and materially better, perhaps better, or not.

    "This is it" needs an interval above zero that allows for all changes tried, and a gain of ``least`` times d'. A
    sure but smaller gain, or one that may be chance among so many changes, is "maybe" from 1 % of d' on.
    """
    if gain.sure > 0 and gain.share >= least:
        return "this is it"
    return "maybe" if gain.share >= CERTAIN and gain.low > 0 else "ruled out"


def _sentence(tried: Tried, hits: float) -> str:
    gain = tried.gain
    text = (
        f"{tried.change.name}: d' {gain.before:.2f} → {gain.after:.2f}"
        f" ({gain.gain:+.2f}, 95 % {gain.low:+.2f} to {gain.high:+.2f})"
    )
    if np.isfinite(hits) and np.isfinite(tried.hits):
        text += f", TAR at FMR 1e-2 {100 * hits:.1f} → {100 * tried.hits:.1f} %"
    return f"{text}."
