"""Which pair of tracks to show next, so that few answers put faces under the right people, without choosing easy faces.

Questions are of four kinds, and the person who answers isn't told which:

* ``join``: whether a track belongs to a person. In ``fair`` order tracks come at random, each is compared with the
  people found so far in falling likelihood, until it is placed or ``patience`` is used up: what gets labelled does not
  depend on how well the recogniser does on it, up to the share of tracks that could not be placed, which is told. In
  ``likely`` order the likeliest pair of all comes next; that needs nearly the fewest questions (Vesdapunt, Bellare and
  Dalvi 2014 on crowdsourced entity resolution), and labels easy faces first: figures on a part are then far too good.
* ``doubt``: two people who may be one: the most alike ones never told apart. These are also the hardest impostors.
* ``same`` (audit): two faces drawn at random among those of one labelled person. Their share of "no" is the error of
  what was implied: that a track holds one person, and that answers are right.
* ``different`` (audit): two labelled people drawn at random who were never told apart but pass for different ones.

Pairs are chosen by their score, so rates over *asked* pairs are biased and are not told anywhere. Answers only make
people; error rates come from all faces of confirmed people.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, SettingError
from wildstyle.evaluation.chances import Chances
from wildstyle.evaluation.implied import Answer, Contradiction, Families
from wildstyle.randomness import item_rng

Kind = Literal["join", "doubt", "same", "different"]
AUDITS: tuple[Kind, ...] = ("same", "different")

_NEVER = np.float32(-2)  # below any cosine: not to be asked
_INSIDE = np.float32(0.05)  # a pair inside one medium makes no mated comparison; it comes as late as this much less
_NOTHING = np.zeros(1, np.float32)
_COMPARED = 40  # tracks of a family that are looked at for the pair to show
_TRIES = 30
_DIFFERENT = 0.25  # of the audits ask about two people; most such pairs are plain


@dataclass(frozen=True, slots=True, kw_only=True)
class AskingOptions:
    """How questions are chosen.

    Attributes:
        audit: share of questions that check at random what was implied.
        doubt: share of questions about likelihoods near one half.
        least: pairs of families below this likelihood are taken as different without a question.
        patience: people that a track is compared with before it stays unplaced; used in ``fair`` order.
        order: ``"fair"``, ``"likely"`` or, to compare with, ``"random"`` pairs of tracks.
        seed: of all random choices.
    """

    audit: float = 0.2
    doubt: float = 0.2
    least: float = 0.02
    patience: int = 8
    order: Literal["fair", "likely", "random"] = "fair"
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.audit >= 0 and self.doubt >= 0 and self.audit + self.doubt < 1):
            raise SettingError(f"shares audit={self.audit:g} and doubt={self.doubt:g} must add up to less than 1")
        if self.patience < 1:
            raise SettingError(f"patience={self.patience}: a track is compared with one person at least")
        if not 0 < self.least < 0.5:
            raise SettingError(f"least={self.least:g} is no likelihood above 0 and below 0.5")


@dataclass(frozen=True, slots=True)
class Ask:
    """Whether tracks ``first`` and ``second`` show the same person; one track twice asks about its own faces."""

    first: int
    second: int
    kind: Kind


@dataclass(frozen=True)
class Tracks:
    """T tracks as seen by whoever asks.

    Attributes:
        vectors: (T, D) float32 unit.
        faces: (T,) int64 faces of each track.
        media: (T,) int64 medium of each.
        together: (K, 2) int64 tracks that were seen in one picture: taken as different people.
    """

    vectors: NDArray[np.float32]
    faces: NDArray[np.int64]
    media: NDArray[np.int64]
    together: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))

    def __post_init__(self) -> None:
        count = len(self.vectors)
        if count < 2 or len(self.faces) != count or len(self.media) != count:
            raise InputError(f"{count} tracks, {len(self.faces)} face counts, {len(self.media)} media: nothing to ask")

    def __len__(self) -> int:
        return len(self.vectors)


class Interview:
    """Answers so far, and the next question.

    Args:
        tracks: what is asked about.
        options: see there.
        chances: likelihood by score before any answer.
    """

    def __init__(self, tracks: Tracks, options: AskingOptions | None = None, chances: Chances | None = None) -> None:
        self.tracks, self.options = tracks, options or AskingOptions()
        self.prior = chances or Chances()
        self.answers: dict[tuple[int, int], Answer] = {}
        self.audits: list[tuple[Ask, Answer]] = []
        self.contradictions: list[Contradiction] = []
        self._again: set[tuple[int, int]] = set()
        self._doubted: set[tuple[int, int]] = set()
        self._drawn = 0
        queue = item_rng(self.options.seed, "queue").permutation(len(tracks))
        self._turn: NDArray[np.int64] = np.argsort(queue)
        self._queue: list[int] = queue.tolist()
        self._build()

    def tell(self, ask: Ask, answer: Answer) -> Contradiction | None:
        """Take in an answer; a pair that was asked before has its answer replaced.

        A check that fails is an answer, too: the two tracks are different people, which contradicts what was implied.
        So the answers behind it are asked again, the least likely first, and one that was wrong comes to light.

        Returns:
            The contradiction it makes, if it does. Its pairs are asked again before anything else.
        """
        self._drawn += 1
        if ask.kind in AUDITS:
            self.audits.append((ask, answer))
            if answer == "unsure" or ask.first == ask.second or (ask.kind == "same" and answer == "yes"):
                return None
        pair = _ordered(ask.first, ask.second)
        if ask.kind == "same" and self.answers.get(pair) == "yes":
            self._doubted.add(pair)
            return None
        before = self.answers.get(pair)
        self.answers[pair] = answer
        if ask.kind not in AUDITS:
            self._again |= {pair} & (self._disputed_pairs() | self._doubted)
        # Only a replaced answer can undo what followed; a new one adds to it.
        if before is not None:
            known = {c.answer for c in self.contradictions}
            self._build()
            return next((c for c in self.contradictions if c.answer not in known), None)
        return self._apply(pair, answer)

    def next(self, confirmed: Families | None = None) -> Ask | None:
        """The next question, or None where all pairs are known, told to be undecidable, or too unlikely.

        Args:
            confirmed: families that audits are drawn from; those of the answers by default.
        """
        again = self._ask_again()
        if again is not None:
            return again
        if self.options.order == "random":
            return self._random()
        draw = float(item_rng(self.options.seed, "kind", self._drawn).random())
        found = None
        if draw < self.options.audit:
            found = self._audit(confirmed or self.families, draw < self.options.audit * _DIFFERENT)
        elif draw >= 1 - self.options.doubt:
            found = self._doubt()
        place = self._place if self.options.order == "fair" else self._likeliest
        return found or place() or self._doubt() or self._likeliest()

    @property
    def chances(self) -> Chances:
        """Likelihood by score, from the prior and all answers."""
        return self.prior.after(self._scores, self._same)

    @property
    def floor(self) -> float:
        """Score below which two families are taken as different."""
        return self._floor

    def open_to(self, track: int, score: float | None = None) -> NDArray[np.int64]:
        """Roots of families that may be the same person as that of ``track``: not asked, and at least so alike.

        Args:
            track: any of the family.
            score: cosine; that of the least likelihood by default.
        """
        return np.flatnonzero(self._alike[self.families.root(track)] >= (self._floor if score is None else score))

    def alike(self, first: int, second: int) -> float:
        """Cosine of the centres of two families."""
        a, b = (self._centres[self.families.root(track)] for track in (first, second))
        return float(a @ b / np.sqrt((a @ a) * (b @ b)))

    def _build(self) -> None:
        """All that is derived, anew from the answers."""
        count = len(self.tracks)
        self.families = Families(count)
        self.contradictions = []
        self._unsure: dict[int, set[int]] = {}
        self._centres: NDArray[np.float32] = self.tracks.vectors.astype(np.float32)
        self._lengths: NDArray[np.float32] = np.ones(count, np.float32)
        self._alike: NDArray[np.float32] = self._centres @ self._centres.T
        self._alike -= np.where(self.tracks.media[:, None] == self.tracks.media, _INSIDE, np.float32(0))
        np.fill_diagonal(self._alike, _NEVER)
        self._scores: list[float] = []
        self._same: list[bool] = []
        self._floor = self.chances.score_at(self.options.least)
        self._front = self._turn.copy()
        self._refused: NDArray[np.int64] = np.zeros(count, np.int64)
        self._at = 0
        for first, second in self.tracks.together.tolist():
            if self.families.tell(first, second, False) is None:
                self._alike[first, second] = self._alike[second, first] = _NEVER
        for pair, answer in self.answers.items():
            self._apply(pair, answer)

    def _apply(self, pair: tuple[int, int], answer: Answer) -> Contradiction | None:
        first, second = pair
        a, b = self.families.root(first), self.families.root(second)
        if answer != "yes":
            self._refused[[first, second]] += 1
        if answer == "unsure":
            self._unsure.setdefault(a, set()).add(b)
            self._unsure.setdefault(b, set()).add(a)
            self._alike[a, b] = self._alike[b, a] = _NEVER
            return None
        score = self.alike(a, b) if a != b else None
        found = self.families.tell(first, second, answer == "yes")
        if found is not None:
            self.contradictions.append(found)
            return found
        if score is not None:
            self._scores.append(score)
            self._same.append(answer == "yes")
            if len(self._scores) % 10 == 0:
                self._floor = self.chances.score_at(self.options.least)
        if answer == "no":
            self._alike[a, b] = self._alike[b, a] = _NEVER
        elif a != b:
            self._joined(a, b)
        return None

    def _joined(self, a: int, b: int) -> None:
        """Scores after two families became one."""
        root = self.families.root(a)
        gone = b if root == a else a
        self._front[root] = min(self._front[a], self._front[b])
        self._centres[root] = self._centres[a] + self._centres[b]
        for other in self._unsure.pop(gone, set()):
            self._unsure[other].discard(gone)
            self._unsure[other].add(root)
            self._unsure.setdefault(root, set()).add(other)
        self._lengths[root] = np.linalg.norm(self._centres[root])
        row = self._centres @ self._centres[root] / (self._lengths * self._lengths[root])
        row -= self._late(root)
        dead = np.ones(len(self.tracks), bool)
        dead[list(self.families.roots())] = False
        row[dead] = row[root] = _NEVER
        for other in self.families.apart_from(root) | self._unsure.get(root, set()):
            row[other] = _NEVER
        self._alike[gone] = self._alike[:, gone] = _NEVER
        self._alike[root] = self._alike[:, root] = row

    def _late(self, root: int) -> NDArray[np.float32]:
        """(T,) by how much pairs that lie in one medium come later."""
        media = {int(self.tracks.media[track]) for track in self.families.members(root)}
        return np.where(self.tracks.media == media.pop(), _INSIDE, np.float32(0)) if len(media) == 1 else _NOTHING

    def _disputed_pairs(self) -> set[tuple[int, int]]:
        return {_ordered(t.first, t.second) for found in self.contradictions for t in found.pairs}

    def _ask_again(self) -> Ask | None:
        """A pair of a contradiction, the least likely answer first; each once."""
        for found in self.contradictions:
            told = [t for t in found.pairs if _ordered(t.first, t.second) not in self._again]
            told = [t for t in told if _ordered(t.first, t.second) in self.answers]
            if told:
                vectors = self.tracks.vectors
                worst = min(told, key=lambda t: (1 if t.same else -1) * float(vectors[t.first] @ vectors[t.second]))
                return Ask(worst.first, worst.second, "doubt")
        doubted = min(self._doubted - self._again, default=None)
        return None if doubted is None else Ask(*doubted, "doubt")

    @property
    def sampled(self) -> list[int]:
        """Tracks that had their turn in ``fair`` order; none in other orders."""
        if self.options.order != "fair":
            return []
        self._place()  # passes over all that are placed; after a resume nobody has asked yet
        return self._queue[: self._at]

    def unplaced(self) -> list[int]:
        """Tracks that had their turn, belong to nobody known, and may still be somebody's."""
        return [t for t in self.sampled if len(self.families.members(t)) == 1 and len(self.open_to(t))]

    def _place(self) -> Ask | None:
        """The track whose turn it is, with the most alike person among those that had theirs."""
        while self._at < len(self._queue):
            track = self._queue[self._at]
            if len(self.families.members(track)) == 1 and self._refused[track] < self.options.patience:
                row = np.where(self._front < self._turn[track], self._alike[track], _NEVER)
                other = int(row.argmax())
                if row[other] >= self._floor:
                    return self._shown(track, other, "join")
            self._at += 1
        return None

    def _likeliest(self) -> Ask | None:
        place = int(self._alike.argmax())
        a, b = divmod(place, len(self.tracks))
        return self._shown(a, b, "join") if self._alike[a, b] >= self._floor else None

    def _doubt(self) -> Ask | None:
        people = [root for root in self.families.roots() if len(self.families.members(root)) > 1]
        if not people:
            return None
        among = self._alike[np.ix_(people, people)]
        row, column = divmod(int(among.argmax()), len(people))
        return self._shown(people[row], people[column], "doubt") if among[row, column] >= self._floor else None

    def _shown(self, a: int, b: int, kind: Kind) -> Ask:
        """The pair of tracks, one of each family, that are most alike and were not shown yet."""
        left, right = (self.families.members(root)[:_COMPARED] for root in (a, b))
        scores = self.tracks.vectors[left] @ self.tracks.vectors[right].T
        for place in np.argsort(-scores, axis=None, kind="stable"):
            i, j = divmod(int(place), len(right))
            if _ordered(left[i], right[j]) not in self.answers:
                break
        return Ask(left[i], right[j], kind)

    def _audit(self, families: Families, different: bool) -> Ask | None:
        rng = item_rng(self.options.seed, "audit", self._drawn)
        people = [families.members(r) for r in families.roots() if len(families.members(r)) > 1]
        if not people:
            return None
        inside = np.concatenate([np.asarray(members) for members in people])
        owner = np.repeat(np.arange(len(people)), [len(members) for members in people])
        weights = self.tracks.faces[inside] / self.tracks.faces[inside].sum()
        for _ in range(_TRIES):
            x, y = (int(rng.choice(len(inside), p=weights)) for _ in range(2))
            if not different:
                mine = people[owner[x]]
                own = self.tracks.faces[mine] / self.tracks.faces[mine].sum()
                first, second = int(inside[x]), int(mine[rng.choice(len(mine), p=own)])
                if first != second or self.tracks.faces[first] > 1:
                    return Ask(first, second, "same")
            elif owner[x] != owner[y] and families.relation(int(inside[x]), int(inside[y])) is None:
                return Ask(int(inside[x]), int(inside[y]), "different")
        return None

    def _random(self) -> Ask | None:
        """Any pair of which nothing is known: what to compare the order with."""
        rng = item_rng(self.options.seed, "random", self._drawn)
        for _ in range(1000):
            first, second = (int(i) for i in rng.integers(0, len(self.tracks), 2))
            known = first == second or self.families.relation(first, second) is not None
            if not known and _ordered(first, second) not in self.answers:
                return Ask(first, second, "join")
        return None


def plan(interview: Interview, count: int) -> list[Ask]:
    """Questions for a page that can't be changed after each answer.

    Likely pairs are taken as "yes" and the others as "no" for what comes after them, so that few questions of the
    page are implied by others; the interview itself is left as it is.
    """
    trial = Interview(interview.tracks, interview.options, interview.prior)
    trial.answers, trial.audits = dict(interview.answers), list(interview.audits)
    trial._again, trial._doubted = set(interview._again), set(interview._doubted)
    trial._drawn = interview._drawn
    trial._build()
    middle = interview.chances.score_at(0.5)
    asks: list[Ask] = []
    while len(asks) < count and (ask := trial.next(interview.families)) is not None:
        asks.append(ask)
        likely = trial.alike(ask.first, ask.second) >= middle
        pair = _ordered(ask.first, ask.second)
        if ask.kind in AUDITS or trial.contradictions or pair in trial._doubted:
            trial._again.add(pair)
            trial._drawn += 1
        else:
            trial.tell(ask, "yes" if likely else "no")
    return asks


def _ordered(first: int, second: int) -> tuple[int, int]:
    return (first, second) if first < second else (second, first)
