"""Verification on listed pairs in folds: LFW and every ``.bin`` pair set.

The public rule of LFW's "unrestricted, labelled outside data" protocol (Huang and Learned-Miller 2014) as the
common scripts run it: squared distances of unit embeddings, thresholds 0, 0.01, ... 3.99, a pair is taken as same
below the threshold; each fold is scored at the first threshold that is best on all other folds.

Departure: a pair with a failed face is an error at every threshold, whatever its label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, NotMeasurable, SettingError
from wildstyle.evaluation.curves import curves_of
from wildstyle.evaluation.grouping import PAIR_RULE, Groups, pair_groups
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.old_rules import OLD_RULES, FmrRule, old_rules
from wildstyle.evaluation.operating import at_threshold, by_group, sources_by_group
from wildstyle.evaluation.outcome import Outcome, Vectors, checked_vectors, name_people
from wildstyle.evaluation.qualities import FacesSeen, pair_discard_curves
from wildstyle.evaluation.rates import STRICT_RULE, first_measurable, rate_name
from wildstyle.evaluation.result import Curve, Measure
from wildstyle.evaluation.shares import Impostors, Question
from wildstyle.faces.pairs import PairList

VERSION = "1"
THRESHOLDS: NDArray[np.float64] = np.arange(0, 4, 0.01)
"""(400,) thresholds on the squared distance."""

FMR_TARGETS = (1e-2, 1e-3)

RULES = {
    "accuracy_rule": "folds; 400 thresholds on the squared distance, the first best one of the other folds",
    "fmr_rule": STRICT_RULE,
    "pooling": "none: one image against one image",
    "flip": "none",
    "ties": "a score equal to an impostor's at the limit is rejected",
    "failures": "a pair with a failed face is an error; for TAR a failed mated pair is a miss, "
    "a failed impostor pair gives no score",
    "comparisons": "the listed pairs only, cosine, float32",
}


@dataclass(frozen=True, slots=True)
class PairOptions:
    """What to ask of listed pairs.

    Attributes:
        fmr_targets: FMRs of the operating points.
        fmr_rule: ``nearest`` or ``kth`` give old tables' figures beside the strict ones, without intervals.
        threshold: score from which on a deployed system accepts; its errors are then told too.
        by: columns of the faces whose values make groups, ``media`` or an attribute.
        bands: rising edges in px that split pairs by the smaller ``min_side`` of both faces; none: no bands.
        discard_by: qualities for error-versus-discard curves, as in ``IdentificationOptions``.
    """

    fmr_targets: tuple[float, ...] = FMR_TARGETS
    fmr_rule: FmrRule = "strict"
    threshold: float | None = None
    by: tuple[str, ...] = ()
    bands: tuple[float, ...] = ()
    discard_by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if list(self.bands) != sorted(set(self.bands)):
            raise SettingError(f"edges of bands must rise, not {self.bands}")
        if self.fmr_rule not in get_args(FmrRule):
            raise SettingError(f"fmr rule {self.fmr_rule!r} is unknown", remedy="use strict, nearest or kth")


@dataclass(frozen=True, slots=True)
class FoldAccuracy:
    """Accuracy of each fold at the threshold the other folds chose.

    Attributes:
        accuracies: (F,) shares of right decisions.
        thresholds: (F,) squared distances.
        right: (P,) whether each pair was decided rightly.
    """

    accuracies: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    right: NDArray[np.bool_]

    @property
    def mean(self) -> float:
        """Mean over folds."""
        return float(self.accuracies.mean())

    @property
    def std(self) -> float:
        """Population standard deviation over folds."""
        return float(self.accuracies.std())


@dataclass(frozen=True, kw_only=True)
class PairOutcome(Outcome):
    """Raw results on pairs.

    Attributes:
        scores: (P,) float32 cosines, minus infinity where a face failed.
        same: (P,) bool.
        folds: accuracy by fold.
    """

    scores: NDArray[np.float32]
    same: NDArray[np.bool_]
    folds: FoldAccuracy


def fold_accuracy(distances: NDArray[np.float64], same: NDArray[np.bool_], fold: NDArray[np.int64]) -> FoldAccuracy:
    """Accuracy by the public rule.

    Args:
        distances: (P,) squared distances in [0, 4]; NaN for a pair that could not be compared.
        same: (P,) bool.
        fold: (P,) fold labels, at least two different ones.

    Raises:
        NotMeasurable: fewer than two folds.
    """
    names, fold = np.unique(fold, return_inverse=True)
    if len(names) < 2:
        raise NotMeasurable("thresholds are chosen on the other folds, and there is one fold only")
    # Pair i is taken as same from threshold number `accepted_from[i]` on; NaN sorts last, so it never is.
    accepted_from = np.searchsorted(THRESHOLDS, distances, side="right")
    right = (accepted_from[:, None] <= np.arange(len(THRESHOLDS))) == same[:, None]
    right &= ~np.isnan(distances)[:, None]
    by_fold = np.stack([right[fold == f].sum(axis=0) for f in range(len(names))])
    chosen = np.argmax(by_fold.sum(axis=0) - by_fold, axis=1)
    sizes = np.bincount(fold, minlength=len(names))
    decided = right[np.arange(len(fold)), chosen[fold]]
    return FoldAccuracy(by_fold[np.arange(len(names)), chosen] / sizes, THRESHOLDS[chosen], decided)


def evaluate_pairs(
    vectors: Vectors,
    ok: NDArray[np.bool_],
    pairs: PairList,
    *,
    data: str = "pairs",
    people: Sequence[str | None] | None = None,
    options: PairOptions | None = None,
    faces: FacesSeen | None = None,
) -> PairOutcome:
    """Score listed pairs.

    Args:
        vectors: (N, D) float32 unit embeddings.
        ok: (N,) bool, False where there is no embedding.
        pairs: indices into the N faces.
        data: name of the set, for the result.
        people: (N,) the faces' people, for intervals over people. Without them faces that a mated pair
            joins, or that are used twice, are one person.
        options: see ``PairOptions``.
        faces: what is known of the N faces; groups and discard curves need it.

    Raises:
        InputError: shapes disagree, an index is out of range, or embeddings are not of unit length.
        NotMeasurable: no pairs, or one kind of pair only, or one fold only.
    """
    first, second = np.asarray(pairs.first, np.int64), np.asarray(pairs.second, np.int64)
    same = np.asarray(pairs.same, bool)
    vectors, ok = checked_vectors(vectors, ok, len(vectors))
    _check_pairs(first, second, same, len(vectors))
    compared = ok[first] & ok[second]
    scores = _cosines(vectors, first, second)
    scores[~compared] = -np.inf
    folds = fold_accuracy(np.where(compared, 2 - 2 * scores.astype(np.float64), np.nan), same, pairs.fold)
    ends, names = _people_of(people, first, second, same, len(vectors))
    options = options or PairOptions()
    mated, impostors = _sides(scores, same, compared, ends)
    groups = _groups_of(faces, (first, second), options)
    return PairOutcome(
        protocol="pairs",
        version=VERSION,
        data=data,
        rules=_rules(options, named=people is not None),
        counts=_counts(same, compared, len(vectors), len(names)),
        people=names,
        questions=(
            _accuracy(folds.right, same, ends, groups),
            *_operating_points(mated, impostors, groups, options),
        ),
        fixed=(_spread(folds), *old_rules(mated.values, impostors, options.fmr_targets, options.fmr_rule)),
        curves=(*curves_of(mated.values, impostors), *_discarding((mated, impostors), (first, second), faces, options)),
        scores=scores,
        same=same,
        folds=folds,
    )


def _rules(options: PairOptions, *, named: bool) -> dict[str, str]:
    rules = RULES | {"people": "named" if named else "unnamed: faces joined by mated pairs"}
    if options.fmr_rule != "strict":
        rules["fmr_rule"] += f"; beside it {OLD_RULES[options.fmr_rule]}"
    if options.by or options.bands:
        rules["groups"] = PAIR_RULE
    return rules


def _groups_of(
    faces: FacesSeen | None, ends: tuple[NDArray[np.int64], NDArray[np.int64]], options: PairOptions
) -> Groups:
    if faces is None and (options.by or options.bands or options.discard_by):
        raise InputError("groups and qualities need to know the faces' columns", remedy="give them, or don't ask")
    return pair_groups(faces.rows if faces else (), *ends, options.bands, options.by)


def _discarding(
    sides: tuple[Items, Impostors],
    ends: tuple[NDArray[np.int64], NDArray[np.int64]],
    faces: FacesSeen | None,
    options: PairOptions,
) -> tuple[Curve, ...]:
    if faces is None:
        return ()
    return pair_discard_curves(sides, ends, faces, options.discard_by, options.fmr_targets)


def _accuracy(
    right: NDArray[np.bool_],
    same: NDArray[np.bool_],
    people: tuple[NDArray[np.int64], NDArray[np.int64]],
    groups: Groups,
) -> Question:
    first, second = people
    decisions = Items(right.astype(np.float32), first, np.where(same, -1, second))
    return Question("accuracy", decisions, _filled(groups, slice(None)), strata=same.astype(np.int64))


def _filled(groups: Groups, part: NDArray[np.int64] | slice) -> Groups:
    """Groups of some pairs; empty ones are left out."""
    inside = {name: mask[part] for name, mask in groups.items()}
    return {name: mask for name, mask in inside.items() if name == "all" or mask.any()}


def _sides(
    scores: NDArray[np.float32],
    same: NDArray[np.bool_],
    compared: NDArray[np.bool_],
    people: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> tuple[Items, Impostors]:
    """Mated scores, failures among them, and impostor scores."""
    first, second = people
    mated, other = np.flatnonzero(same), np.flatnonzero(~same & compared)
    items = Items(scores[mated], first[mated], rows=mated)
    return items, Impostors.of(Items(scores[other], first[other], second[other], other))


def _operating_points(mated: Items, impostors: Impostors, groups: Groups, options: PairOptions) -> list[Question]:
    rows, others = mated.rows, impostors.scores.rows
    if rows is None or others is None:
        return []
    parts = _filled(groups, rows)
    found = [Question(f"tar@fmr={rate_name(t)}", mated, parts, impostors, t) for t in options.fmr_targets]

    def part(mask: NDArray[np.bool_]) -> Impostors:
        return Impostors.of(impostors.scores.take(np.flatnonzero(mask[others])))

    sources = sources_by_group(impostors, part, groups)
    if options.by or options.bands:
        found += by_group((mated, parts), sources, first_measurable(options.fmr_targets, impostors.total))
    if options.threshold is not None:
        found += at_threshold("verification", (mated, parts), sources, options.threshold)
    return found


def _cosines(vectors: Vectors, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float32]:
    scores = np.empty(len(first), np.float32)
    for start in range(0, len(first), 65536):
        part = slice(start, start + 65536)
        np.einsum("pd,pd->p", vectors[first[part]], vectors[second[part]], out=scores[part])
    return scores


def _people_of(
    people: Sequence[str | None] | None,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    same: NDArray[np.bool_],
    faces: int,
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], tuple[str, ...]]:
    """Person index of both ends of each pair, and the names of the people the pairs use."""
    if people is not None and len(people) != faces:
        raise InputError(f"{faces} faces but {len(people)} people's names")
    labels, names = name_people(people) if people is not None else _joined(first[same], second[same], faces)
    used, ends = np.unique(np.stack([labels[first], labels[second]]), return_inverse=True)
    return (ends[0], ends[1]), tuple(names[i] for i in used)


def _joined(
    first: NDArray[np.int64], second: NDArray[np.int64], faces: int
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    joins = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(faces, faces))
    count, labels = connected_components(joins, directed=False)
    return labels.astype(np.int64), tuple(f"person {i}" for i in range(count))


def _check_pairs(first: NDArray[np.int64], second: NDArray[np.int64], same: NDArray[np.bool_], faces: int) -> None:
    if not len(first) or same.all() or not same.any():
        raise NotMeasurable(f"pairs of both kinds are needed; {int(same.sum())} of {len(first)} show one person")
    ends = np.concatenate([first, second])
    if ends.min() < 0 or ends.max() >= faces:
        raise InputError(f"a pair names face {ends.max()}, but there are faces 0 to {faces - 1}")


def _counts(same: NDArray[np.bool_], compared: NDArray[np.bool_], faces: int, people: int) -> dict[str, int]:
    return {
        "people": people,
        "faces": faces,
        "mated pairs": int(same.sum()),
        "impostor pairs": int((~same).sum()),
        "failed pairs": int((~compared).sum()),
        "impostor comparisons": int((~same & compared).sum()),
    }


def _spread(folds: FoldAccuracy) -> Measure:
    note = "population standard deviation over folds; says nothing about people"
    return Measure("accuracy-std", folds.std, None, None, len(folds.accuracies), note=note)
