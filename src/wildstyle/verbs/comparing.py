"""How alike sets of faces are in style: which camera a model was adapted for, and whether a camera has drifted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, SettingError
from wildstyle.report.likeness_page import AxisFaces, likeness_html
from wildstyle.runs.atomic import write_json, write_text
from wildstyle.synthesis.distances import kernel_distance
from wildstyle.synthesis.explaining import FACTORS, words_for
from wildstyle.synthesis.likeness import leading_subspace, subspace_overlap
from wildstyle.synthesis.likeness_draws import CodedSet, Halves, draws_of, halves_of, pair_likeness
from wildstyle.synthesis.likeness_words import AxisWords, rank_agreement, verdict_of
from wildstyle.synthesis.statistics import STATISTICS
from wildstyle.verbs.compared import ComparedPair, Comparison
from wildstyle.verbs.progress import Progress, Silent
from wildstyle.verbs.style_reading import WantedReader, opened_reader
from wildstyle.verbs.style_sets import Read, StyleSet, extremes, picture_links, read_set, unique_names

RECORD, PAGE = "compare.json", "compare.html"
_SHOWN_AXES, _SHOWN_FACES = 3, 3
_KERNEL_FACES = 2000  # a kernel distance takes memory with the square of the faces


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareJob:
    """Sets to hold against each other.

    Attributes:
        sets: aligned faces, at least two sets; the first is the one that others are told against.
        generator: file of a fitted generator, whose style space is used for all.
        reader: file of the reader of that generator's styles; None: the one beside the generator.
        source: clean faces on which a reader is taught where none is stored.
        steps: of that teaching; None: as many as the reader takes by itself.
        most: faces a set, at most, chosen by the seed.
        faces: put faces into the page.
        draws: of the intervals.
        splits: into halves.
        seed: of everything random.
        workers: reading threads.
    """

    sets: tuple[Path, ...]
    generator: Path
    reader: Path | None = None
    source: Path | None = None
    steps: int | None = None
    most: int = 1000
    faces: bool = True
    draws: int = 400
    splits: int = 300
    seed: int = 0
    workers: int = 2

    def __post_init__(self) -> None:
        if len(self.sets) < 2:
            raise SettingError(f"{len(self.sets)} set given, a comparison needs two", remedy="name another set")
        if min(self.most, self.draws, self.splits) < 20 or self.seed < 0:
            raise SettingError(
                f"at most {self.most} faces, {self.draws} draws, {self.splits} splits, seed {self.seed}",
                remedy="use at least 20 of each, and a seed from 0",
            )


def compare(job: CompareJob, *, progress: Progress | None = None) -> Comparison:
    """Read all sets through one generator's style space and compare them pair by pair.

    Raises:
        InputError: a set, the generator or the reader can't be used, or they don't fit each other.
        NotMeasurable: a set has too few usable faces.
    """
    progress = progress or Silent()
    wanted = WantedReader(
        generator=job.generator,
        reader=job.reader,
        source=job.source,
        named_on=job.sets[0],
        steps=job.steps,
        seed=job.seed,
    )
    opened = opened_reader(wanted, progress)
    about = {"generator": opened.generator, "reader": opened.reader, "settings": _settings(job)}
    return compare_read(job, opened.read, opened.words, about, progress=progress)


def compare_read(
    job: CompareJob,
    read: Read,
    words: Sequence[AxisWords],
    about: dict[str, Any] | None = None,
    *,
    progress: Progress | None = None,
) -> Comparison:
    """``compare`` with any reader of styles, e.g. one's own.

    Args:
        job: what to compare; its generator and reader are not opened.
        read: working images (N, 3, S, S) to codes (N, K).
        words: for each of the K axes.
        about: kept with the record.
        progress: told of sets.

    Raises:
        InputError, NotMeasurable: as ``compare``.
    """
    progress = progress or Silent()
    sets = [
        read_set(path, name, read, progress, most=job.most, seed=job.seed, workers=job.workers)
        for path, name in zip(job.sets, unique_names(job.sets), strict=True)
    ]
    if len({one.side for one in sets}) > 1:
        told = ", ".join(f"{one.name} {one.side} px" for one in sets)
        raise InputError(f"faces are of several sizes ({told})", remedy="align all sets to one size")
    progress.stage("compare", f"{len(sets)} sets")
    coded = [CodedSet.of(one.name, one.codes, one.owners) for one in sets]
    halves = [halves_of(one, splits=job.splits, seed=job.seed) for one in coded]
    subspace = max(1, coded[0].codes.shape[1] // 3)
    pairs = _pairs(job, sets, coded, halves, words, subspace)
    unlike = [1.0 - pair.likeness.similarity for pair in pairs]
    return Comparison(
        sets=tuple(sets),
        groups=tuple(len(one.counts) for one in coded),
        halves=tuple(halves),
        pairs=tuple(pairs),
        words=tuple(words),
        subspace=subspace,
        agreement=rank_agreement(unlike, [pair.kernel for pair in pairs]),
        about=about or {"settings": _settings(job)},
        pictures=_pictures(sets, pairs, words) if job.faces else (),
    )


def write_comparison(found: Comparison, out: Path) -> tuple[Path, Path]:
    """Write ``compare.json`` and ``compare.html`` into a folder; returns both paths.

    Raises:
        StorageError: a file can't be written.
    """
    record = found.as_record()
    write_json(out / RECORD, record)
    write_text(out / PAGE, likeness_html(record, found.pictures))
    return out / RECORD, out / PAGE


def _pairs(
    job: CompareJob,
    sets: Sequence[StyleSet],
    coded: Sequence[CodedSet],
    halves: Sequence[Halves],
    words: Sequence[AxisWords],
    subspace: int,
) -> list[ComparedPair]:
    draws = [draws_of(one, draws=job.draws, seed=job.seed) for one in coded]
    spans = [leading_subspace(one.codes, subspace) for one in coded]
    statistics = _standardised([_thinned(one.statistics) for one in sets])
    pairs = []
    for i, j in combinations(range(len(sets)), 2):
        likeness = pair_likeness(coded[i], coded[j], (draws[i], draws[j]))
        pairs.append(
            ComparedPair(
                first=i,
                second=j,
                likeness=likeness,
                overlap=subspace_overlap(spans[i], spans[j]),
                kernel=kernel_distance(statistics[i], statistics[j]),
                seen=seen_in(sets[i].statistics, sets[j].statistics),
                verdict=verdict_of(likeness, (sets[i].name, sets[j].name), (halves[i], halves[j]), words),
            )
        )
    return pairs


def seen_in(first: NDArray[np.float64], second: NDArray[np.float64]) -> str:
    """How pictures of the second set differ from those of the first by their statistics (N, F), (M, F), in words.

    Axes of one generator may do much the same, and their names with them; this tells what an eye would see. Blocks are
    no style statistic and are not told.
    """
    pooled = np.sqrt((first.var(axis=0) + second.var(axis=0)) / 2.0)
    change = (second.mean(axis=0) - first.mean(axis=0)) / np.maximum(pooled, 1e-6)
    of = dict(zip(STATISTICS, change.tolist(), strict=True))
    return words_for([sum(share * of.get(name, 0.0) for name, share in parts.items()) for parts, _ in FACTORS.values()])


def _thinned(statistics: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most ``_KERNEL_FACES`` rows, evenly from all."""
    count = min(len(statistics), _KERNEL_FACES)
    return statistics[np.linspace(0, len(statistics) - 1, count).round().astype(np.int64)]


def _standardised(statistics: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """All sets by one rule, to which each set contributes equally however many faces it has."""
    mean = np.mean([one.mean(axis=0) for one in statistics], axis=0)
    square = np.mean([np.square(one - mean).mean(axis=0) for one in statistics], axis=0)
    return [(one - mean) / np.maximum(np.sqrt(square), 1e-6) for one in statistics]


def _pictures(
    sets: Sequence[StyleSet], pairs: Sequence[ComparedPair], words: Sequence[AxisWords]
) -> tuple[AxisFaces, ...]:
    """Faces of all sets at the ends of the axes that differ most in any pair."""
    shifts = [(abs(one.shift), one.axis) for pair in pairs for one in pair.likeness.axes]
    chosen = list(dict.fromkeys(number for _, number in sorted(shifts, key=lambda each: -each[0])))[:_SHOWN_AXES]
    found = []
    for number in chosen:
        rows = [extremes(one, number - 1, _SHOWN_FACES) for one in sets]
        told = words[number - 1] if number <= len(words) else AxisWords()
        low = tuple(tuple(picture_links(one, ends[0])) for one, ends in zip(sets, rows, strict=True))
        high = tuple(tuple(picture_links(one, ends[1])) for one, ends in zip(sets, rows, strict=True))
        found.append(AxisFaces(axis=number, plus=told.plus, minus=told.minus, low=low, high=high))
    return tuple(found)


def _settings(job: CompareJob) -> dict[str, int]:
    return {"most": job.most, "draws": job.draws, "splits": job.splits, "seed": job.seed}
