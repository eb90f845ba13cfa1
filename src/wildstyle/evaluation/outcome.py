"""What one system did under one protocol, raw enough to be compared with another system's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, NotMeasurable
from wildstyle.evaluation.bootstrap import FEW_PEOPLE, Bootstrap, Weights, percentile_interval
from wildstyle.evaluation.few_errors import RULE as FEW_ERRORS
from wildstyle.evaluation.few_errors import few_overall
from wildstyle.evaluation.result import Curve, Measure, Result
from wildstyle.evaluation.shares import Question

Vectors = NDArray[np.float32]
"""(N, D) float32 unit embeddings; rows of failed faces hold anything."""

Key = tuple[str, str]
"""Name and group of a figure."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Raw results of a protocol.

    Attributes:
        protocol: name of the protocol.
        version: version of its rules.
        data: name of the data set.
        rules: the rules used, see ``Result``.
        counts: sizes, see ``Result``.
        people: names of the units that intervals draw again, in the order of the items' indices.
        questions: the figures asked for, most important first.
        fixed: figures that have no interval.
        curves: what a plot shows.
    """

    protocol: str
    version: str
    data: str
    rules: Mapping[str, str]
    counts: Mapping[str, int]
    people: tuple[str, ...]
    questions: tuple[Question, ...]
    fixed: tuple[Measure, ...] = ()
    curves: tuple[Curve, ...] = ()

    def result(self, bootstrap: Bootstrap | None = None) -> Result:
        """All figures with 95 % intervals over people."""
        bootstrap = bootstrap or Bootstrap()
        return self.summary(bootstrap, self.values(bootstrap.weights(len(self.people))))

    def values(self, people: Weights) -> dict[Key, NDArray[np.float64]]:
        """(B,) values of every measurable figure by name and group, for (B, P) weights of people."""
        asked = [question for question in self.questions if measurable(question)[0]]
        thresholds = _thresholds(asked, people)
        return {
            (question.name, group): share
            for question in asked
            for group, share in question.shares(people, thresholds.get(id(question))).items()
        }

    def points(self) -> dict[Key, float]:
        """The figures themselves, without intervals, by name and group."""
        values = self.values(np.ones((1, len(self.people)), np.float32))
        return {key: float(value[0]) for key, value in values.items()}

    def summary(self, bootstrap: Bootstrap, draws: Mapping[Key, NDArray[np.float64]]) -> Result:
        """The figures with intervals from ``draws``, which are ``values`` under the bootstrap's weights."""
        points = self.points()
        measures = [
            _measure(question, group, points, draws) for question in self.questions for group in question.groups
        ]
        return Result(
            protocol=self.protocol,
            version=self.version,
            data=self.data,
            rules={**self.rules, "interval": bootstrap.rule, "few_errors": FEW_ERRORS},
            counts=dict(self.counts),
            measures=(*measures, *self.fixed),
            curves=self.curves,
        )


def _thresholds(questions: Sequence[Question], people: Weights) -> dict[int, NDArray[np.float64]]:
    """Thresholds by the question's identity; questions with the same impostors get theirs in one go."""
    together: dict[int, list[Question]] = {}
    for question in questions:
        if question.impostors is not None:
            together.setdefault(id(question.impostors), []).append(question)
    found: dict[int, NDArray[np.float64]] = {}
    for asked in together.values():
        if (impostors := asked[0].impostors) is not None:
            rows = impostors.thresholds(people, [question.target for question in asked])
            found |= {id(question): row for question, row in zip(asked, rows, strict=True)}
    return found


def measurable(question: Question) -> tuple[bool, str | None]:
    """Whether a question has an answer, and a remark on it."""
    try:
        return True, question.check()
    except NotMeasurable as reason:
        return False, f"not measurable: {reason.what}"


def remark(question: Question, group: str) -> str | None:
    """All that a reader must know of one figure, or None."""
    people = question.people_of[group]
    few = f"few people ({people}): the interval is rough" if people < FEW_PEOPLE else None
    return "; ".join(note for note in (measurable(question)[1], question.remark_on(group), few) if note) or None


def interval_of(question: Question, group: str, draws: NDArray[np.float64]) -> tuple[float, float] | tuple[None, None]:
    """The interval of a figure's draws, or two None where there are fewer than two people."""
    found = percentile_interval(draws) if question.people_of[group] > 1 else None
    return found or (None, None)


def _measure(
    question: Question, group: str, points: Mapping[Key, float], draws: Mapping[Key, NDArray[np.float64]]
) -> Measure:
    n = question.count(group)
    value = points.get((question.name, group), np.nan)
    if np.isnan(value):
        note = measurable(question)[1] if n else None
        return Measure(question.name, None, None, None, n, group, note or "not measurable: nothing to count")
    low, high = interval_of(question, group, draws[question.name, group])
    note = "; ".join(told for told in (remark(question, group), _few_misses(question, group, value)) if told) or None
    if group != "all" or (point := question.operating_point()) is None:
        return Measure(question.name, value, low, high, n, group, note)
    return Measure(question.name, value, low, high, n, group, note, *point)


def _few_misses(question: Question, group: str, value: float) -> str | None:
    """A remark on an operating point with few misses; groups are too many to be told each time."""
    if group != "all" or question.impostors is None:
        return None
    n = question.count(group)
    return few_overall(round((1 - value) * n), n, "miss")


def checked_vectors(vectors: Vectors, ok: NDArray[np.bool_], rows: int) -> tuple[Vectors, NDArray[np.bool_]]:
    """Embeddings as float32 and their flags, after a check of shapes and unit length.

    Raises:
        InputError: shapes disagree with ``rows``, or a good row is not of unit length.
    """
    vectors, ok = np.asarray(vectors, np.float32), np.asarray(ok, bool)
    if vectors.ndim != 2 or len(vectors) != rows or ok.shape != (rows,):
        raise InputError(
            f"{rows} faces need ({rows}, D) embeddings and ({rows},) flags, not {vectors.shape} and {ok.shape}"
        )
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)[ok])
    wrong = ~(np.abs(lengths - 1) < 1e-3)
    if wrong.any():
        raise InputError(
            f"{int(wrong.sum())} of {len(lengths)} embeddings are not of unit length",
            remedy="normalise them, and mark faces without an embedding as failures",
        )
    return vectors, ok


def name_people(names: Sequence[str | None]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Index of each item's person, and the people's names.

    An unknown person (None) equals nobody, not even another unknown one: each is a person of its own.
    """
    known = {name: i for i, name in enumerate(sorted({n for n in names if n is not None}))}
    labels, people = np.empty(len(names), np.int64), list(known)
    for i, name in enumerate(names):
        if name is None:
            labels[i] = len(people)
            people.append(f"unknown #{i}")
        else:
            labels[i] = known[name]
    return labels, tuple(people)
