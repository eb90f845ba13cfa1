"""Figures on footage without labels, from faces seen together and tracks: a proxy, and no error rate."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from wildstyle.evaluation import Bootstrap, Comparison, Outcome, Result
from wildstyle.evaluation.proxy import ProxyOptions, Sightings, compare_proxies, evaluate_proxy
from wildstyle.faces.tracks import LinkRule
from wildstyle.recognisers import Recogniser, load_recogniser, read_contract
from wildstyle.verbs.progress import Progress, Silent
from wildstyle.verbs.tracked import FootageJob, Seen, embedded, given_tracks, open_seen, track_names, tracks_by_boxes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyJob:
    """A recogniser, or two, on footage without labels.

    Attributes:
        footage: see there. A manifest needs the column ``track``, or ``frame`` and ``box``; and ``frame`` or
            ``picture`` to know who is seen together.
        recogniser: model file; the one before adaptation where there are two.
        after: the adapted model file, or None.
        contract: how the first wants its input, and the other too where its file does not say.
        options: which pairs are taken.
        gap: frames a track may be unseen.
        seed: of the intervals.
    """

    footage: FootageJob
    recogniser: Path
    after: Path | None = None
    contract: str | None = None
    options: ProxyOptions = field(default_factory=ProxyOptions)
    gap: int = 25
    seed: int = 0


@dataclass(frozen=True)
class ProxyReport:
    """What was found.

    Attributes:
        result: of the first recogniser, with intervals over tracks.
        comparison: paired differences to the second one, or None.
    """

    result: Result
    comparison: Comparison | None


def proxy(
    job: ProxyJob,
    *,
    recogniser: Recogniser | None = None,
    after: Recogniser | None = None,
    progress: Progress | None = None,
) -> ProxyReport:
    """Measure one or two recognisers without labels.

    Tracks are linked by boxes alone, so that no model is asked about pairs it has chosen itself; where boxes of two
    people overlap, tracks end.

    Args:
        job: see there.
        recogniser, after: loaded ones, instead of the files.
        progress: hears of the stages.

    Raises:
        InputError: the footage can't be read, or has neither tracks nor boxes.
        NotMeasurable: nobody is seen twice, or no two people together.
    """
    progress = progress or Silent()
    seen = open_seen(job.footage, progress)
    sightings = _sightings(seen, job.gap)
    first = recogniser or load_recogniser(job.recogniser, contract=job.contract)
    second = after or (None if job.after is None else _adapted(job.after, job.contract))
    before = _measured(seen, sightings, first, job, progress)
    bootstrap = Bootstrap(seed=job.seed)
    if second is None:
        return ProxyReport(before.result(bootstrap), None)
    comparison = compare_proxies(before, _measured(seen, sightings, second, job, progress), bootstrap)
    return ProxyReport(comparison.before, comparison)


def _adapted(path: Path, contract: str | None) -> Recogniser:
    """The adapted model under the contract in its file; under the stated one where it has none."""
    return load_recogniser(path, contract=None if read_contract(path) is not None else contract)


def _sightings(seen: Seen, gap: int) -> Sightings:
    track = given_tracks(seen)
    if track is None:
        track = tracks_by_boxes(seen, LinkRule(gap=gap))
    order = np.unique(track[track >= 0])
    track = np.where(track >= 0, np.searchsorted(order, track), -1).astype(np.int64)
    return Sightings(track, seen.picture, seen.frame, track_names(seen, track))


def _measured(seen: Seen, sightings: Sightings, recogniser: Recogniser, job: ProxyJob, progress: Progress) -> Outcome:
    found = embedded(seen, recogniser, job.footage, progress)
    return evaluate_proxy(found.vectors, found.ok, sightings, data=job.footage.footage.stem, options=job.options)
