"""Causes that make a figure too good: the same pictures, or the same film, on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wildstyle.faces import ManifestRow, Subset, open_faces
from wildstyle.verbs.doctoring.finding import Finding, Verdict
from wildstyle.verbs.doctoring.labelling import LISTED
from wildstyle.verbs.doctoring.looking import Looked
from wildstyle.verbs.measuring import LabelledSet, spread
from wildstyle.verbs.overlap import SharedPair, shared_names, shared_pictures

TRAINING = "people of the training set"
PICTURES, MEDIA, DISTRACTORS = "same pictures on both sides", "same film or take on both sides", "probes as distractors"

_MANY = 0.01
_SHOWN = 3
_TRAINING_PICTURES = 20_000


def training_finding(labelled: LabelledSet, looked: Looked, train: Path | None, workers: int) -> Finding:
    """What the set shares with the faces a recogniser was trained on: names of all, pictures of some.

    Raises:
        InputError: the training faces can't be read.
    """
    if train is None:
        return Finding(
            cause=TRAINING,
            verdict="couldn't be tested",
            evidence="No training set was given (--train); what a recogniser was trained on is seldom known.",
            effect="raises",
        )
    with open_faces(train) as faces:
        names = shared_names(faces, labelled.faces)
        hashed = Subset(faces, spread(len(faces), _TRAINING_PICTURES))
        pictures = shared_pictures(hashed, Subset(labelled.faces, looked.rows), workers)
    people = len({name for name in labelled.faces.subjects() if name})
    shares = len(names) / max(1, people), len({pair.test for pair in pictures}) / max(1, len(looked.rows))
    verdict: Verdict = "this is it" if max(shares) >= _MANY else "maybe" if names or pictures else "ruled out"
    return Finding(
        cause=TRAINING,
        verdict=verdict,
        evidence=(
            f"{len(names)} of {people:,} people by name, {len(pictures)} pictures"
            f" ({len(looked.rows):,} looked at against {len(hashed):,} training faces){_shown(names + pictures)}."
        ),
        remedy=f"leave them out of training: wildstyle overlap {train} TEST --recogniser MODEL lists them"
        if verdict != "ruled out"
        else "",
        effect="raises",
        examples=tuple(_same(pair) for pair in (names + pictures)[:LISTED]),
        weight=max(shares),
    )


def _shown(pairs: Sequence[SharedPair]) -> str:
    return f", e.g. {'; '.join(_same(pair) for pair in pairs[:_SHOWN])}" if pairs else ""


def _same(pair: SharedPair) -> str:
    return pair.test if pair.how == "same name" else f"{pair.test} = {pair.train}"


def sharing_findings(labelled: LabelledSet, looked: Looked) -> list[Finding]:
    """What gallery and probes, or the two faces of pairs, have in common and should not."""
    found = [_pictures(labelled, looked)]
    found.append(_media(labelled.rows) if labelled.rows is not None else _no_media())
    if labelled.distractors is not None:
        found.append(_distractors(labelled))
    return found


def _pictures(labelled: LabelledSet, looked: Looked) -> Finding:
    if labelled.rows is not None:
        roles = [labelled.rows[int(row)].role for row in looked.rows]
        groups = [group for group in looked.alike if {"gallery", "probe"} <= {roles[i] for i in group}]
        out_of = roles.count("probe")
        count = sum(roles[i] == "probe" for group in groups for i in group)
        text = f"{count} of {out_of:,} probes show a picture that is in the gallery too"
    elif labelled.pairs is not None:
        group_of = {int(looked.rows[i]): g for g, group in enumerate(looked.alike) for i in group}
        pairs = [(int(a), int(b)) for a, b in zip(labelled.pairs.first, labelled.pairs.second, strict=True)]
        twice = {group_of[a] for a, b in pairs if a in group_of and group_of[a] == group_of.get(b)}
        groups = [looked.alike[g] for g in sorted(twice)]
        count = sum(a in group_of and group_of[a] == group_of.get(b) for a, b in pairs)
        out_of = len(pairs)
        text = f"{count} of {out_of:,} pairs hold one picture twice"
    else:
        return Finding(
            cause=PICTURES, verdict="couldn't be tested", evidence="There are no two sides.", effect="raises"
        )
    examples = tuple(" = ".join(looked.records[i].id for i in group) for group in groups)
    verdict: Verdict = "this is it" if count >= max(1, _MANY * out_of) else "maybe" if count else "ruled out"
    shown = f", e.g. {'; '.join(examples[:_SHOWN])}" if examples else ""
    return Finding(
        cause=PICTURES,
        verdict=verdict,
        evidence=f"{text}{shown}.",
        remedy="leave these probes out; the figure counts them as easy hits" if count else "",
        effect="raises",
        examples=examples[:LISTED],
        weight=count / max(1, out_of),
    )


def _media(rows: Sequence[ManifestRow]) -> Finding:
    if not any(row.media for row in rows):
        return Finding(
            cause=MEDIA,
            verdict="couldn't be tested",
            evidence="The manifest has no column 'media', so nobody knows whether faces come from one film or take.",
            remedy="add a column 'media' (film, take, camera and day)",
            effect="raises",
        )
    used = {(row.subject, row.media) for row in rows if row.role == "gallery" and row.media and row.subject}
    probes = [row for row in rows if row.role == "probe"]
    shared = sum((row.subject, row.media) in used for row in probes)
    return Finding(
        cause=MEDIA,
        verdict="this is it" if shared else "ruled out",
        evidence=f"{shared} of {len(probes):,} probes come from a film or take that their person's gallery uses.",
        remedy="take gallery and probes of a person from different media" if shared else "",
        effect="raises",
        weight=shared / max(1, len(probes)),
    )


def _no_media() -> Finding:
    return Finding(
        cause=MEDIA, verdict="couldn't be tested", evidence="A pair set does not say its media.", effect="raises"
    )


def _distractors(labelled: LabelledSet) -> Finding:
    others = labelled.distractors.subjects() if labelled.distractors is not None else []
    shared = sorted({name for name in labelled.faces.subjects() if name} & {name for name in others if name})
    return Finding(
        cause=DISTRACTORS,
        verdict="this is it" if shared else "ruled out",
        evidence=f"{len(shared)} people are both searched for and among the distractors{_some(shared)}.",
        remedy="leave them out of the distractors" if shared else "",
        weight=len(shared) / max(1, len(others)),
    )


def _some(names: Sequence[str]) -> str:
    return f" ({', '.join(names[:_SHOWN])})" if names else ""
