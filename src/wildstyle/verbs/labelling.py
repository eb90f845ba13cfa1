"""Labels for footage that has none: questions whether two tracks show one person, and a manifest out of the answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, Interrupted
from wildstyle.evaluation.asking import AUDITS, Ask, AskingOptions, Interview, Tracks, plan
from wildstyle.evaluation.building import BuildOptions, build_protocol
from wildstyle.evaluation.confirmed import Confirmed, Outlook, confirmed, outlook, person_names, purity
from wildstyle.evaluation.implied import Contradiction, Families
from wildstyle.evaluation.pooling import PoolingRule, pool
from wildstyle.faces import ManifestRow, encode_jpeg, write_manifest
from wildstyle.faces.tracks import seen_together
from wildstyle.randomness import item_rng
from wildstyle.recognisers import Recogniser, load_recogniser
from wildstyle.report.asking_page import AskedPair, asking_page
from wildstyle.runs.atomic import write_text
from wildstyle.verbs.answers import GivenAnswer, append_answers, blank_answers, read_answers
from wildstyle.verbs.label_job import Asker, LabelJob, LabelReport, ShownPair
from wildstyle.verbs.progress import Progress, Silent
from wildstyle.verbs.tracked import TRACK, Seen, embedded, open_seen, track_names, tracks_of

MOST_TRACKS = 4000
"""Tracks that are asked about: likelihoods of all pairs are kept, 64 MB for so many."""

SHOWN = 4
"""Faces of a track on the page."""


def label(
    job: LabelJob,
    *,
    asker: Asker | None = None,
    recogniser: Recogniser | None = None,
    progress: Progress | None = None,
) -> LabelReport:
    """Take in the answers there are, ask more, and write what they settle.

    Args:
        job: see there.
        asker: asks one question at a time; without it a page with the next questions is written instead.
        recogniser: a loaded one, instead of the file.
        progress: hears of the stages.

    Raises:
        InputError: footage or answers can't be read, or ``out`` is a file of something else.
        Interrupted: Ctrl-C; every answer given so far is kept, and the manifest is written from them.
    """
    if job.out.exists() and not job.ledger.exists():
        raise InputError("is there already and was not made by labelling", where=job.out, remedy="choose another name")
    progress = progress or Silent()
    sitting = _Sitting.begin(job, recogniser or load_recogniser(job.recogniser, contract=job.contract), progress)
    sitting.resume()
    progress.stage("ask", f"{len(sitting.interview.tracks):,} tracks")
    if asker is None:
        asks = plan(sitting.interview, job.questions)
        if asks:
            write_text(job.page, sitting.page(asks))
            write_text(job.blank, sitting.blank(asks))
        return sitting.write(len(asks))
    try:
        sitting.ask(asker)
    except KeyboardInterrupt as stop:
        sitting.write(0)
        raise Interrupted(
            f"stopped after {sitting.given} answers, which are kept",
            where=job.ledger,
            remedy="run the same command again to go on",
        ) from stop
    return sitting.write(0)


@dataclass
class _Sitting:
    """One run of the verb."""

    job: LabelJob
    seen: Seen
    track: NDArray[np.int64]
    members: list[NDArray[np.int64]]
    ok: NDArray[np.bool_]
    interview: Interview
    left_out: int
    place_of: dict[str, int]
    given: int = 0

    @classmethod
    def begin(cls, job: LabelJob, recogniser: Recogniser, progress: Progress) -> _Sitting:
        seen = open_seen(job.footage, progress)
        found = embedded(seen, recogniser, job.footage, progress)
        whole = tracks_of(seen, found, alike=job.alike)
        sizes = np.bincount(whole[whole >= 0])
        kept = np.sort(np.argsort(-sizes, kind="stable")[:MOST_TRACKS])
        track = np.where(np.isin(whole, kept), np.searchsorted(kept, whole), -1)
        if len(kept) < 2:
            raise InputError(f"{len(kept)} tracks of faces are there: nothing to ask", where=job.footage.footage)
        members = [np.flatnonzero(track == t) for t in range(len(kept))]
        counts = np.bincount(track[(track >= 0) & found.ok], minlength=len(kept))
        inside = (track >= 0) & found.ok
        pooled = pool(found.vectors[inside], track[inside], rule=PoolingRule(media_first=False))
        tracks = Tracks(
            pooled.vectors,
            counts.astype(np.int64),
            np.array([seen.media[m[0]] for m in members], np.int64),
            seen_together(seen.picture, track),
        )
        place_of = {row.file: place for place, row in enumerate(seen.rows) if row.file and inside[place]}
        interview = Interview(tracks, job.asking)
        return cls(job, seen, track, members, found.ok, interview, len(sizes) - len(kept), place_of)

    def resume(self) -> None:
        """Answers of the ledger, then those of further files, which are added to it."""
        before = read_answers(self.job.ledger, self.place_of) if self.job.ledger.exists() else []
        for answer in before:
            self.interview.tell(self._ask_of(answer), answer.answer)
        more = [a for path in self.job.answers for a in read_answers(path, self.place_of)]
        last = {(a.kind, a.first, a.second): a.answer for a in before}
        new = []
        for answer in more:
            key = answer.kind, answer.first, answer.second
            if last.get(key) != answer.answer:
                new.append(answer)
                last[key] = answer.answer
        append_answers(self.job.ledger, new)
        for answer in new:
            self.interview.tell(self._ask_of(answer), answer.answer)

    def ask(self, asker: Asker) -> None:
        """Questions until there are none, the person stops, or as many as wanted were asked."""
        while self.given < self.job.questions and (ask := self.interview.next()) is not None:
            shown = self._shown(ask, self.given + 1)
            answer = asker(shown)
            if answer is None:
                return
            append_answers(self.job.ledger, [GivenAnswer(ask.kind, shown.first, shown.second, answer)])
            self.interview.tell(ask, answer)
            self.given += 1

    def page(self, asks: Iterable[Ask]) -> str:
        """The page with questions."""
        shown = [self._shown(ask, number, number) for number, ask in enumerate(asks, 1)]
        pairs = [
            AskedPair(
                kind=one.ask.kind,
                first=one.first,
                second=one.second,
                groups=(str(one.ask.first), str(one.ask.second)),
                audit=one.ask.kind in AUDITS,
                left=tuple(self._jpeg(face) for face in one.left),
                right=tuple(self._jpeg(face) for face in one.right),
                captions=(self._caption(one.left[0]), self._caption(one.right[0])),
            )
            for one in shown
        ]
        joined = self.interview.families
        relations = [
            (str(a), str(b), "yes" if relation == "same" else "no")
            for a, b, relation in _known(joined, {t for ask in (s.ask for s in shown) for t in (ask.first, ask.second)})
        ]
        return asking_page(pairs, relations, title=self.job.out.stem, outlook=self._outlook(self._confirmed()).sentence)

    def blank(self, asks: Iterable[Ask]) -> str:
        """Rows to be filled by hand, numbered as on the page."""
        shown = [self._shown(ask, number, number) for number, ask in enumerate(asks, 1)]
        return blank_answers([(one.ask.kind, one.first, one.second) for one in shown])

    def write(self, questions: int) -> LabelReport:
        """Write labels and, where it can be built, the protocol."""
        found = self._confirmed()
        rows = self._rows(found)
        files = {"answers": self.job.ledger}
        why_not = None
        if rows:
            write_manifest(self.job.labels, rows)
            files["labels"] = self.job.labels
        else:
            self.job.labels.unlink(missing_ok=True)
        try:
            built = build_protocol(rows, BuildOptions(dev_share=0.0, seed=self.job.asking.seed))
            write_manifest(self.job.out, built.test.rows)
            files["protocol"] = self.job.out
        except InputError as error:
            why_not = error.what
            # What earlier answers made must not outlive their correction.
            self.job.out.unlink(missing_ok=True)
        if questions:
            files |= {"page": self.job.page, "questions": self.job.blank}
        known = f"{self.job.out.stem}={self.job.out},faces={self.seen.location}"
        return LabelReport(
            faces=int((self.track >= 0).sum()),
            tracks=len(self.members),
            left_out=self.left_out,
            labelled=sum(row.attributes.get("confirmed") == "1" for row in rows),
            confirmed=found,
            contradictions=tuple(self._told(c) for c in self.interview.contradictions),
            same=purity(self.interview),
            different=purity(self.interview, "different"),
            bias=_bias(self.job.asking, found),
            outlook=self._outlook(found),
            questions=questions,
            files=files,
            evaluate=None if why_not else known,
            why_not=why_not,
        )

    def _confirmed(self) -> Confirmed:
        return confirmed(self.interview)

    def _outlook(self, found: Confirmed) -> Outlook:
        return outlook(self.interview, found, self.job.gain)

    def _rows(self, found: Confirmed) -> list[ManifestRow]:
        names = track_names(self.seen, self.track)
        people = [*zip(person_names(found.people), found.people, strict=True)]
        alone = [(f"stranger-{track + 1:05d}", (track,)) for track in found.strangers]
        rows = []
        for name, tracks in (*people, *alone):
            said = "0" if name.startswith("stranger") else "1"
            for track in tracks:
                for place in self.members[track]:
                    row = self.seen.rows[place]
                    attributes = {**row.attributes, TRACK: names[track], "confirmed": said}
                    rows.append(replace(row, subject=name, attributes=attributes))
        return rows

    def _ask_of(self, answer: GivenAnswer) -> Ask:
        first, second = (int(self.track[self.place_of[face]]) for face in (answer.first, answer.second))
        return Ask(first, second, answer.kind)

    def _shown(self, ask: Ask, number: int, draw: int = 0) -> ShownPair:
        if ask.kind == "same":
            left, right = self._drawn_faces(ask, draw)
        else:
            left, right = self._best(ask.first), self._best(ask.second)
        return ShownPair(ask, left[0], right[0], left, right, number, self._outlook(self._confirmed()))

    def _drawn_faces(self, ask: Ask, draw: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """One face of each track at random, two different ones of a track that is asked about itself."""
        rng = item_rng(self.job.asking.seed, "faces", ask.first, ask.second, len(self.interview.audits), draw)
        one = int(rng.choice(self._showable(ask.first)))
        rest = self._showable(ask.second)
        two = int(rng.choice(rest[rest != one]))
        return (self._file(one),), (self._file(two),)

    def _best(self, track: int) -> tuple[str, ...]:
        """The largest face of a track, then others spread over it."""
        inside = self._showable(track)
        best = max(inside.tolist(), key=lambda place: (self.seen.rows[place].min_side or 0.0, -place))
        spread = inside[np.linspace(0, len(inside) - 1, min(SHOWN, len(inside))).astype(int)].tolist()
        return tuple(self._file(place) for place in dict.fromkeys((best, *spread)))[:SHOWN]

    def _showable(self, track: int) -> NDArray[np.int64]:
        """Faces of a track that could be read."""
        inside = self.members[track]
        return inside[self.ok[inside]]

    def _file(self, place: int) -> str:
        return str(self.seen.rows[place].file)

    def _jpeg(self, face: str) -> bytes:
        return encode_jpeg(self.seen.source.read(self.place_of[face]).image, 85)

    def _caption(self, face: str) -> str:
        row = self.seen.rows[self.place_of[face]]
        side = f", {row.min_side:g} px" if row.min_side is not None else ""
        return f"{row.media}{side}"

    def _told(self, found: Contradiction) -> tuple[tuple[str, str, bool], ...]:
        return tuple((self._best(t.first)[0], self._best(t.second)[0], t.same) for t in found.pairs)


def _bias(options: AskingOptions, found: Confirmed) -> str:
    if options.order != "fair":
        return (
            f"likeliest pairs first: {found.complete:,} of {len(found.people):,} people have no likely track left that"
            " was not asked about; until all have, easy faces were labelled first and figures are too good"
        )
    if not found.sampled:
        return "no track had its turn yet"
    share = 100 * found.unplaced / found.sampled
    return (
        f"{found.sampled:,} tracks had their turn at random, {found.unplaced:,} ({share:.0f} %) could not be placed and"
        " are left out: misses may be that much more frequent than figures on these labels say"
    )


def _known(families: Families, tracks: set[int]) -> list[tuple[int, int, str]]:
    """All that is known among some tracks."""
    inside = sorted(tracks)
    pairs = ((a, b, families.relation(a, b)) for n, a in enumerate(inside) for b in inside[n + 1 :])
    return [(a, b, relation) for a, b, relation in pairs if relation is not None]
