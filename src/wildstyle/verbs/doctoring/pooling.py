"""Another way of making one template of several faces: embeddings at unit length or as they are, media first or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.evaluation.pooling import PLAIN_MEAN, PoolingRule
from wildstyle.evaluation.templates import build_templates
from wildstyle.faces import ManifestRow
from wildstyle.verbs.doctoring.finding import Finding
from wildstyle.verbs.doctoring.looking import Looked
from wildstyle.verbs.doctoring.patient import Change, Tried, judged_by
from wildstyle.verbs.doctoring.separation import Comparisons, draws_of, gains
from wildstyle.verbs.measuring import LabelledSet

CAUSE = "pooling of templates"

_MOST_PEOPLE = 300
_RULES = tuple(PoolingRule(norm=norm, media_first=media) for media in (False, True) for norm in (False, True))


@dataclass(frozen=True)
class _Sides:
    """Gallery and probe templates under one rule, and what is compared."""

    vectors: NDArray[np.float32]
    comparisons: Comparisons


def pooling_findings(labelled: LabelledSet, looked: Looked, seed: int) -> list[Finding]:
    """Every rule by which norms and media may count, on the faces that were looked at; no embedding is needed again.

    Weighing by norm helps most recognisers a little, so it is a gain to be had, never a fault.
    """
    if labelled.rows is None:
        return [Finding(cause=CAUSE, verdict="ruled out", evidence="Pairs are compared face by face.")]
    places = _of_some_people(looked)
    rows = [labelled.rows[int(looked.rows[i])] for i in places]
    if not _some_pooled(rows):
        return [Finding(cause=CAUSE, verdict="ruled out", evidence="Every template is one face.")]
    given = PLAIN_MEAN if labelled.spec.pooling is None else PoolingRule.parse(labelled.spec.pooling)
    before = _pooled(rows, looked, places, given)
    kinds = before.comparisons.mated
    if kinds.all() or not kinds.any():
        return [Finding(cause=CAUSE, verdict="couldn't be tested", evidence="No two templates can be compared.")]
    rules = [rule for rule in _RULES if rule != given]
    tried = _tried(before, [(rule, _pooled(rows, looked, places, rule)) for rule in rules], seed)
    hits = before.comparisons.hits(before.comparisons.scores(before.vectors))
    return [judged_by(hits, CAUSE, tried, ways=len(rules), most="maybe")]


def _of_some_people(looked: Looked) -> NDArray[np.int64]:
    used = np.unique(looked.people[looked.ok])[:_MOST_PEOPLE]
    return np.flatnonzero(looked.ok & np.isin(looked.people, used))


def _some_pooled(rows: Sequence[ManifestRow]) -> bool:
    named = [(row.role, row.template) for row in rows if row.template and row.role in ("gallery", "probe")]
    return len(set(named)) < len(named)


def _pooled(rows: Sequence[ManifestRow], looked: Looked, places: NDArray[np.int64], rule: PoolingRule) -> _Sides:
    ok = np.ones(len(rows), bool)
    vectors, norms = looked.vectors[places], looked.norms[places]
    sides = [build_templates(vectors, ok, rows, role, rule=rule, norms=norms) for role in ("gallery", "probe")]
    gallery, probes = sides
    subjects = [str(name) for side in sides for name in side.subjects]
    _, people = np.unique(subjects, return_inverse=True)
    first, second = (side.ravel() for side in np.indices((len(gallery), len(probes))))
    second = second + len(gallery)
    fine = np.concatenate([side.ok for side in sides])
    listed = Comparisons(
        first.astype(np.int64), second.astype(np.int64), people[first] == people[second], people.astype(np.int64)
    )
    return _Sides(np.concatenate([gallery.vectors, probes.vectors]), listed.among(fine))


def _tried(before: _Sides, ways: Sequence[tuple[PoolingRule, _Sides]], seed: int) -> list[Tried]:
    listed = before.comparisons
    draws = draws_of(listed.count, seed)
    scores = [listed.scores(way.vectors) for _, way in ways]
    given = listed.separations(listed.scores(before.vectors), draws)
    found = gains(given, [listed.separations(values, draws) for values in scores])
    tried = [
        Tried(
            Change(f"templates pooled by {rule.name}", way.vectors, f"state the set with pooling={rule.name}"),
            gain,
            listed.hits(values),
        )
        for (rule, way), gain, values in zip(ways, found, scores, strict=True)
    ]
    return sorted(tried, key=lambda t: -t.gain.gain)
