"""What an interview has settled: people, how sure they are, and how much more would answer the question.

Only tracks that an answer joined to another are people; nothing else gets an identity. People between whom likely
pairs are still unasked may be one person under two names, so only one of them is taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.evaluation.alarms import exact_interval
from wildstyle.evaluation.asking import AUDITS, Interview, Kind
from wildstyle.evaluation.power import Assumptions, people_needed

_CLASH = 0.25
"""Likelihood from which two people who were never told apart are not both taken."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of audited pairs with its exact 95 % interval (Clopper and Pearson 1934).

    Attributes:
        hits: pairs that held.
        trials: pairs that could be judged.
        low, high: ends of the interval; 0 and 1 without a trial.
    """

    hits: int
    trials: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        """The share, or None without a trial."""
        return self.hits / self.trials if self.trials else None


@dataclass(frozen=True)
class Confirmed:
    """What may be used as labels.

    Attributes:
        people: tracks of each person, by first track; two or more tracks that answers joined.
        strangers: single tracks that answers told apart from somebody and that are like nobody else.
        unsettled: families left out because they may be one person with another that is taken.
        disputed: tracks left out because answers about them contradict each other or an audit found them mixed.
        complete: how many of ``people`` have no family left that may be theirs and wasn't asked about.
        sampled: tracks that had their turn at random.
        unplaced: those of them that could not be placed, so that figures are too good by up to that share.
    """

    people: tuple[tuple[int, ...], ...]
    strangers: tuple[int, ...]
    unsettled: tuple[tuple[int, ...], ...]
    disputed: tuple[int, ...]
    complete: int
    sampled: int
    unplaced: int


@dataclass(frozen=True, slots=True)
class Outlook:
    """How far labelling is, and how much more it takes. Rates rest on one unit a person.

    Attributes:
        gain: the smallest gain worth knowing, a share.
        people: confirmed people who were seen in two media or more: the only ones with mated comparisons.
        half_width: half of the 95 % interval to be expected of a gain over these people; None below two.
        people_needed: people that would tell the gain from zero.
        answers: answers so far.
        answers_needed: further answers if people keep costing what they cost so far; None before the first person.
        enough_footage: whether the unlabelled tracks could hold the missing people at all.
    """

    gain: float
    people: int
    half_width: float | None
    people_needed: int
    answers: int
    answers_needed: int | None
    enough_footage: bool

    @property
    def sentence(self) -> str:
        """All of it in words."""
        width = "" if self.half_width is None else f", a gain would be known to ±{100 * self.half_width:.1f} points"
        now = f"{self.answers} answers, {self.people} people in two media or more{width}"
        wanted = f"about {self.people_needed} people would settle a gain of {100 * self.gain:g} points"
        if self.people >= self.people_needed:
            return f"{now}: enough to settle a gain of {100 * self.gain:g} points."
        if not self.enough_footage:
            return f"{now}; {wanted}, more than this footage can hold: add footage of other people or days."
        if self.answers_needed is None:
            return f"{now}; {wanted}; how many answers that takes shows once the first person is there."
        return f"{now}; {wanted}: about {self.answers_needed} more answers at the pace so far."


def confirmed(interview: Interview) -> Confirmed:
    """People, strangers and what is left out, from the answers of an interview."""
    families, disputed = interview.families, _disputed(interview)
    likely = interview.chances.score_at(_CLASH)
    groups = [sorted(set(families.members(root)) - disputed) for root in families.roots()]
    candidates = sorted((g for g in groups if len(g) > 1), key=lambda g: (-_faces(interview, g), g))
    taken: list[list[int]] = []
    unsettled: list[tuple[int, ...]] = []
    for group in candidates:
        open_roots = set(interview.open_to(group[0], likely).tolist())
        clash = any(families.root(other[0]) in open_roots for other in taken)
        (unsettled.append(tuple(group)) if clash else taken.append(group))
    alone = [group[0] for group in groups if len(group) == 1 and len(families.members(group[0])) == 1]
    told = {track for pair, answer in interview.answers.items() if answer == "no" for track in pair}
    strangers = [track for track in alone if track in told and not len(interview.open_to(track))]
    return Confirmed(
        people=tuple(sorted(tuple(group) for group in taken)),
        strangers=tuple(sorted(strangers)),
        unsettled=tuple(unsettled),
        disputed=tuple(sorted(disputed)),
        complete=sum(not len(interview.open_to(group[0])) for group in taken),
        sampled=len(interview.sampled),
        unplaced=len(interview.unplaced()),
    )


def purity(interview: Interview, kind: Kind = "same") -> Share:
    """Share of audited pairs in which what was implied or assumed held.

    Args:
        kind: ``same``: faces of one labelled person; ``different``: labelled people never told apart.
    """
    wanted = "yes" if kind == "same" else "no"
    judged = [answer for ask, answer in interview.audits if ask.kind == kind and answer != "unsure"]
    hits = judged.count(wanted)  # type: ignore[arg-type]
    low, high = exact_interval(hits / max(1, len(judged)), len(judged))
    return Share(hits, len(judged), low, high)


def outlook(interview: Interview, found: Confirmed, gain: float, assumptions: Assumptions | None = None) -> Outlook:
    """How much more would settle whether a gain is above zero, by ``power``."""
    assumed = assumptions or Assumptions()
    media = interview.tracks.media
    mated = sum(len(np.unique(media[list(person)])) > 1 for person in found.people)
    needed = people_needed(gain, assumed.spread, power=assumed.power)
    asked = len(interview.answers) + sum(ask.kind in AUDITS for ask, _ in interview.audits)
    missing = max(0, needed - mated)
    used = sum(len(person) for person in found.people)
    return Outlook(
        gain=gain,
        people=mated,
        half_width=1.96 * assumed.spread / math.sqrt(mated) if mated > 1 else None,
        people_needed=needed,
        answers=asked,
        answers_needed=math.ceil(missing * asked / mated) if mated else None,
        enough_footage=missing * 2 <= len(media) - used,
    )


def person_names(people: Sequence[Sequence[int]]) -> list[str]:
    """A name for each person that stays the same while the person's first track does."""
    return [f"person-{min(person) + 1:05d}" for person in people]


def _faces(interview: Interview, group: Sequence[int]) -> int:
    faces: NDArray[np.int64] = interview.tracks.faces[list(group)]
    return int(faces.sum())


def _disputed(interview: Interview) -> set[int]:
    """Tracks of unresolved contradictions, with all that hangs on them, and tracks that an audit found wrong."""
    roots = {
        interview.families.root(track)
        for found in interview.contradictions
        for told in found.pairs
        for track in (told.first, told.second)
    }
    # A failed check of two tracks that are apart by now has been mended; of one track, or of one family, it hasn't.
    wrong = {
        track
        for ask, answer in interview.audits
        if ask.kind == "same" and answer == "no" and interview.families.relation(ask.first, ask.second) == "same"
        for track in (ask.first, ask.second)
    }
    return wrong | {track for root in roots for track in interview.families.members(root)}
