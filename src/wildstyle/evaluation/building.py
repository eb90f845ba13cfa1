"""A protocol out of a user's own labelled faces: who is enrolled from what, who is searched, who is a stranger.

Frames of one film or camera-day are near-duplicates, so a random split of frames measures how well frames are told,
not people. Here whole media are split, and media that hang together (a shared track, a shared template, an identical
picture) go together. Tune and test hold different people. At least 30 % of the people stay out of the gallery, for
false alarms can only be measured on strangers.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

from wildstyle.errors import InputError, SettingError
from wildstyle.evaluation.grouping import band_name
from wildstyle.evaluation.media_groups import MediaGroups
from wildstyle.evaluation.pair_choice import ProtocolPair, choose_pairs
from wildstyle.faces.row import ManifestRow
from wildstyle.randomness import item_rng

Template = Literal["image", "track", "media"]

LEAST_STRANGERS = 0.3
DIGEST, LOOK, TRACK, BAND = "sha256", "look", "track", "band"
"""Columns that are read (hash of the stored picture, name of a group of look-alikes, scene or tracklet) and written
(size band)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """How a protocol is built.

    Attributes:
        gallery_media: media from which people are enrolled; none: for each person the one with the best faces.
        gallery_images: most images of a person's gallery template.
        max_probes: most probe templates of a person.
        unenrolled: share of people kept off the watch list, 0 (no open set) or 0.3 to below 1.
        dev_share: share of people in the tune part, 0 to below 1.
        bands: rising edges in px of the column ``band``.
        template: what a probe template holds: one image, a track, or all a medium shows of a person.
        pairs: most verification pairs of each kind.
        seed: of all random choices.
    """

    gallery_media: tuple[str, ...] = ()
    gallery_images: int = 5
    max_probes: int = 60
    unenrolled: float = 0.5
    dev_share: float = 0.3
    bands: tuple[float, ...] = (16, 24, 32, 64)
    template: Template = "image"
    pairs: int = 3000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.gallery_images < 1 or self.max_probes < 1 or self.pairs < 0 or self.seed < 0:
            raise SettingError("gallery images and probes are at least 1, pairs and the seed at least 0")
        if self.unenrolled != 0 and not LEAST_STRANGERS <= self.unenrolled < 1:
            raise SettingError(
                f"unenrolled={self.unenrolled:g}: FPIR needs at least {LEAST_STRANGERS:g} of the people as strangers",
                remedy="give 0 (no open-set part) or a share from 0.3 to below 1",
            )
        if not 0 <= self.dev_share < 1:
            raise SettingError(f"dev_share={self.dev_share:g} is no share from 0 to below 1")
        if list(self.bands) != sorted(set(self.bands)):
            raise SettingError(f"edges of bands must rise, not {self.bands}")
        if self.template not in ("image", "track", "media"):
            raise SettingError(f"template {self.template!r} is unknown", remedy="choose image, track or media")


@dataclass(frozen=True)
class BuiltPart:
    """The tune or the test part.

    Attributes:
        rows: gallery and probe rows, by person.
        pairs: verification pairs.
        counts: sizes.
        strangers: people who can only be non-mated probes, for they have one group of media.
    """

    rows: tuple[ManifestRow, ...]
    pairs: tuple[ProtocolPair, ...]
    counts: Mapping[str, int]
    strangers: tuple[str, ...]


@dataclass(frozen=True)
class BuiltProtocol:
    """A protocol.

    Attributes:
        test: what is reported.
        tune: what settings may be chosen on; other people; None where no share was asked for.
        left_out: (face, reason) of rows that can't be used and of repeated pictures.
        joined: groups of two or more media that were kept together.
        counts: sizes of the whole.
    """

    test: BuiltPart
    tune: BuiltPart | None
    left_out: tuple[tuple[str, str], ...]
    joined: tuple[tuple[str, ...], ...]
    counts: Mapping[str, int]


@dataclass
class _Person:
    """One person's rows, by group of media."""

    name: str
    gallery: list[ManifestRow] = field(default_factory=list)
    probes: list[ManifestRow] = field(default_factory=list)

    @property
    def mated(self) -> bool:
        return bool(self.gallery and self.probes)


def build_protocol(rows: Sequence[ManifestRow], options: BuildOptions | None = None) -> BuiltProtocol:
    """Build gallery, probes, strangers and pairs from rows with a subject and a medium each.

    Args:
        rows: faces; the columns ``sha256``, ``look`` and ``track`` are used where they are there. A row without a file
            is a face that was not found: it can be a probe, and is then a miss.
        options: see there.

    Raises:
        InputError: no rows can be used, a gallery medium is unknown, or nobody has faces on both sides of the split.
    """
    options = options or BuildOptions()
    kept, left_out = _clean(rows)
    if not kept:
        raise InputError("no face has a person and a medium", remedy="store faces as <subject>/<media>/<file>")
    groups = MediaGroups.of(kept, TRACK, DIGEST, LOOK)
    people = _people(kept, groups, options)
    joined = groups.joined()
    if not any(person.mated for person in people):
        said = f"; {len(joined)} groups of media hang together" if joined else ""
        raise InputError(
            f"none of {len(people)} people has faces in two media that are apart{said}",
            remedy="give each film, camera or day its own folder <subject>/<media>, and each track a name of its own",
        )
    tune, test = _split(people, options)
    parts = {"test": _part("test", test, groups, options)}
    if tune:
        parts["tune"] = _part("tune", tune, groups, options)
    return BuiltProtocol(
        test=parts["test"],
        tune=parts.get("tune"),
        left_out=tuple(left_out),
        joined=joined,
        counts={
            "faces given": len(rows),
            "faces usable": len(kept),
            "faces left out": len(left_out),
            "people": len(people),
            "media": len(groups.names),
            "groups of media": groups.count,
            "media in tune and test": _shared_media(parts),
        },
    )


def _clean(rows: Sequence[ManifestRow]) -> tuple[list[ManifestRow], list[tuple[str, str]]]:
    """Usable rows by person and file, and what was left out and why."""
    kept: list[ManifestRow] = []
    left_out: list[tuple[str, str]] = []
    owners: dict[str, set[str]] = {}
    for row in rows:
        if (picture := _picture(row)) is not None and row.subject is not None:
            owners.setdefault(picture, set()).add(row.subject)
    seen: dict[tuple[str | None, str | None, str], str] = {}
    for number, row in sorted(enumerate(rows), key=lambda item: (item[1].subject or "", item[1].file or "", item[0])):
        face, picture = row.file or f"row {number + 1}", _picture(row)
        reason = _fault(row) or (
            "the same picture carries two people's names" if picture and len(owners[picture]) > 1 else None
        )
        if reason is None and picture is not None:
            place = row.subject, row.attributes.get(TRACK) or row.media, row.attributes.get(LOOK) or picture
            reason = f"repeats {seen[place]}" if place in seen else None
            seen.setdefault(place, face)
        if reason is None:
            kept.append(row)
        else:
            left_out.append((face, reason))
    return kept, left_out


def _fault(row: ManifestRow) -> str | None:
    missing = [name for name, value in (("subject", row.subject), ("media", row.media)) if value is None]
    return f"no {' and no '.join(missing)}" if missing else None


def _picture(row: ManifestRow) -> str | None:
    """What tells a picture from another: its hash, else its file."""
    return row.attributes.get(DIGEST) or row.file


def _people(rows: Sequence[ManifestRow], groups: MediaGroups, options: BuildOptions) -> list[_Person]:
    """Each person's gallery rows, best first, and probe rows."""
    named = _named_groups(groups, options)
    quality = _qualities(rows)
    by_person: dict[str, dict[int, list[ManifestRow]]] = {}
    for row in rows:
        by_person.setdefault(row.subject or "", {}).setdefault(groups.of_row(row), []).append(row)
    people = []
    for name, media in by_person.items():
        ranked = {
            group: sorted(some, key=lambda row: (row.file is None, -quality[id(row)], row.file or ""))
            for group, some in media.items()
        }
        chosen = named & media.keys()
        if not named and len(media) > 1:
            chosen = {_best_group(ranked, quality, options)}
        enrolment = [row for group in sorted(chosen) for row in ranked[group]]
        enrolment.sort(key=lambda row: (row.file is None, -quality[id(row)], row.file or ""))
        probes = [row for group, some in media.items() if group not in chosen for row in some]
        people.append(_Person(name, enrolment[: options.gallery_images], probes))
    return people


def _named_groups(groups: MediaGroups, options: BuildOptions) -> set[int]:
    for name in options.gallery_media:
        if name not in groups.names:
            near = difflib.get_close_matches(name, list(groups.names), n=1)
            raise InputError(
                f"there is no medium {name!r} among {len(groups.names)}",
                remedy=f"write {near[0]!r} if you mean it"
                if near
                else "name media as the faces' folders or manifest do",
            )
    return {groups.names[name] for name in options.gallery_media}


def _best_group(
    ranked: Mapping[int, Sequence[ManifestRow]], quality: Mapping[int, float], options: BuildOptions
) -> int:
    """Group with the best gallery: mean worth of its best faces, then their number, then the first name."""

    def worth(group: int) -> tuple[float, int]:
        best = [quality[id(row)] for row in ranked[group] if row.file is not None][: options.gallery_images]
        return (sum(best) / len(best) if best else -1.0, len(best))

    return max(sorted(ranked), key=worth)


def _qualities(rows: Sequence[ManifestRow]) -> dict[int, float]:
    """Size times detector's score by identity of the row; what is not known of every face is not used."""
    found = [row for row in rows if row.file is not None]
    sized = all(row.min_side is not None for row in found)
    scored = all(row.detector_score is not None for row in found)
    return {
        id(row): ((row.min_side or 0.0) if sized else 1.0) * ((row.detector_score or 0.0) if scored else 1.0)
        for row in rows
    }


def _split(people: Sequence[_Person], options: BuildOptions) -> tuple[list[_Person], list[_Person]]:
    """Tune and test people; those with and without mates are shared out alike."""
    tune: list[_Person] = []
    for kind in (True, False):
        some = [person for person in people if person.mated == kind]
        order = item_rng(options.seed, "tune", int(kind)).permutation(len(some))
        taken = math.floor(options.dev_share * len(some) + 0.5)
        if kind:
            taken = min(taken, len(some) - 1)
        tune += [some[i] for i in order[:taken]]
    if not any(person.mated for person in tune):
        return [], list(people)
    names = {person.name for person in tune}
    return sorted(tune, key=lambda person: person.name), [p for p in people if p.name not in names]


def _part(name: str, people: Sequence[_Person], groups: MediaGroups, options: BuildOptions) -> BuiltPart:
    enrolled = _enrolled(name, people, options)
    rows: list[ManifestRow] = []
    for person in people:
        on_list = person.name in enrolled if options.unenrolled or not person.gallery else None
        rows += [
            _written(row, options, role="gallery", enrolled=on_list, template=f"{person.name}:gallery")
            for row in person.gallery
        ]
        for template, some in _probe_templates(person, options):
            rows += [_written(row, options, role="probe", enrolled=on_list, template=template) for row in some]
    faces = [row for row in rows if row.file is not None]
    pairs = choose_pairs(faces, [groups.of_row(row) for row in faces], options.pairs, options.seed, name)
    strangers = tuple(person.name for person in people if not person.gallery)
    return BuiltPart(tuple(rows), tuple(pairs), _counts(rows, people, enrolled, pairs, options), strangers)


def _enrolled(part: str, people: Sequence[_Person], options: BuildOptions) -> set[str]:
    """Names on the watch list; those who have no gallery are strangers anyway."""
    mated = [person.name for person in people if person.mated]
    strangers = sum(not person.gallery for person in people)
    more = max(0, math.ceil(options.unenrolled * len(people) - 1e-9) - strangers) if options.unenrolled else 0
    order = item_rng(options.seed, "enrolled", part).permutation(len(mated))
    out = {mated[i] for i in order[: min(more, max(0, len(mated) - 1))]}
    return {person.name for person in people if person.gallery} - out


def _probe_templates(person: _Person, options: BuildOptions) -> list[tuple[str | None, list[ManifestRow]]]:
    """Templates with their rows, at most ``max_probes``, evenly over media and at random inside them."""
    templates: dict[str, list[ManifestRow]] = {}
    for number, row in enumerate(person.probes):
        track = row.attributes.get(TRACK)
        if options.template == "media":
            key = f"{person.name}:{row.media}"
        elif options.template == "track" and track is not None:
            key = f"{person.name}:{row.media}:{track}"
        else:
            key = f"\0{number}"
        templates.setdefault(key, []).append(row)
    by_media: dict[str, list[str]] = {}
    for key, some in templates.items():
        by_media.setdefault(some[0].media or "", []).append(key)
    turns = []
    for media, keys in by_media.items():
        order = item_rng(options.seed, "probes", person.name, media).permutation(len(keys))
        turns += [(turn, media, keys[i]) for turn, i in enumerate(order)]
    chosen = {key for _, _, key in sorted(turns)[: options.max_probes]}
    return [(None if key[0] == "\0" else key, some) for key, some in templates.items() if key in chosen]


def _written(
    row: ManifestRow, options: BuildOptions, *, role: str, enrolled: bool | None, template: str | None
) -> ManifestRow:
    attributes = {name: text for name, text in row.attributes.items() if name != BAND}
    if row.min_side is not None and options.bands:
        attributes[BAND] = _band(row.min_side, options.bands)
    return replace(row, role=role, enrolled=enrolled, template=template, label=None, attributes=attributes)


def _band(side: float, bands: Sequence[float]) -> str:
    edges = pairwise((-math.inf, *bands, math.inf))
    return next(band_name(low, high) for low, high in edges if low <= side < high)


def _counts(
    rows: Sequence[ManifestRow],
    people: Sequence[_Person],
    enrolled: set[str],
    pairs: Sequence[ProtocolPair],
    options: BuildOptions,
) -> dict[str, int]:
    probes = [row for row in rows if row.role == "probe"]
    mated = {person.name for person in people if person.mated}
    names = [band_name(low, high) for low, high in pairwise((-math.inf, *options.bands, math.inf))]
    given = [row.attributes.get(BAND) for row in probes]
    return {
        "people": len(people),
        "people with gallery and probes": len(mated),
        "enrolled people": len(enrolled),
        "people not enrolled": len(people) - len(enrolled),
        "gallery faces": len(rows) - len(probes),
        "probe templates": _templates(probes),
        "probe faces": len(probes),
        "probe faces not found": sum(row.file is None for row in probes),
        "mated probe faces": sum(row.subject in mated for row in probes),
        "open-set mated probe faces": sum(row.subject in mated & enrolled for row in probes),
        "open-set non-mated probe faces": sum(row.subject not in enrolled for row in probes),
        **{f"probe faces {name}": given.count(name) for name in (names if options.bands else [])},
        "probe faces of unknown size": given.count(None) if options.bands else len(probes),
        **{f"{kind} pairs": sum(pair.kind == kind for pair in pairs) for kind in ProtocolPair.KINDS},
    }


def _templates(rows: Iterable[ManifestRow]) -> int:
    names = [row.template for row in rows]
    return len(set(names) - {None}) + names.count(None)


def _shared_media(parts: Mapping[str, BuiltPart]) -> int:
    media = [{row.media for row in part.rows} for part in parts.values()]
    return len(set.intersection(*media)) if len(media) > 1 else 0
