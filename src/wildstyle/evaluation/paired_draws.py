"""An outcome's bootstrap draws in a small form that can be kept, and the paired difference of two of them.

Two systems that were measured at different times can be compared as ``compare`` compares them, provided that
both met the same draws of the same people under the same protocol. What is kept says so itself:

    "draws:<figure>\t<group>"   (B,) float32, the figure under each draw; only where there are two people or more
    "seed"                      (1,) int64, of the bootstrap
    "people", "protocol"        (32,) uint8, sha256 of who is drawn and of what is asked

The keys are those of an ``.npz`` file. Float32 keeps a share to 6e-8, far below any interval's own noise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import CorruptArchive, InputError
from wildstyle.evaluation.bootstrap import Bootstrap, percentile_interval
from wildstyle.evaluation.outcome import Key, Outcome
from wildstyle.evaluation.result import Difference, Measure, Result

StoredDraws = Mapping[str, NDArray[Any]]

_PREFIX = "draws:"
_FACTS = {
    "seed": "the draws have another seed",
    "people": "the people are others",
    "protocol": "the protocol, its rules or what is counted differ",
}


def store_draws(
    outcome: Outcome,
    bootstrap: Bootstrap | None = None,
    values: Mapping[Key, NDArray[np.float64]] | None = None,
) -> dict[str, NDArray[Any]]:
    """Every measurable figure of ``outcome`` under the draws of ``bootstrap``, in the form above.

    Args:
        outcome: what was measured.
        bootstrap: the draws.
        values: ``outcome.values(bootstrap.weights(P))`` for P people, where they were computed already.
    """
    bootstrap = bootstrap or Bootstrap()
    sizes = {(q.name, group): count for q in outcome.questions for group, count in q.people_of.items()}
    if values is None:
        values = outcome.values(bootstrap.weights(len(outcome.people)))
    kept: dict[str, NDArray[Any]] = {
        f"{_PREFIX}{name}\t{group}": draws.astype(np.float32)
        for (name, group), draws in values.items()
        if sizes[name, group] > 1
    }
    return kept | {
        "seed": np.array([bootstrap.seed], np.int64),
        "people": _digest(*outcome.people),
        "protocol": _protocol_digest(outcome),
    }


def paired_difference(before: StoredDraws, after: StoredDraws) -> dict[Key, tuple[float, float]]:
    """95 % intervals of after minus before by (figure, group), for every figure that both hold.

    Figures whose draws mostly can't tell (NaN) are left out.

    Raises:
        InputError: seed, number of draws, people or protocol differ; the message says which.
        CorruptArchive: one of them is no such store.
    """
    for fact, fault in _FACTS.items():
        if fact not in before or fact not in after:
            raise CorruptArchive(f"stored draws lack {fact!r}", remedy="evaluate again")
        if not np.array_equal(before[fact], after[fact]):
            raise InputError(
                f"no paired difference: {fault}", remedy="evaluate both on the same set with the same options"
            )
    old, new = _figures(before), _figures(after)
    intervals = {}
    for key in new.keys() & old.keys():
        if old[key].shape != new[key].shape:
            raise InputError(f"no paired difference: {len(old[key])} and {len(new[key])} draws of {key[0]!r}")
        if interval := percentile_interval(new[key].astype(np.float64) - old[key]):
            intervals[key] = interval
    return intervals


def side_by_side(
    before: Result, after: Result, intervals: Mapping[Key, tuple[float, float]] | None = None
) -> tuple[Difference, ...]:
    """Differences after minus before of every figure that both results name, in the order of ``after``.

    Args:
        before: one system's figures.
        after: another's, on the same set.
        intervals: from ``paired_difference``; without it no difference has an interval, and its note says so.
    """
    old = {(m.name, m.group): m for m in before.measures}
    pairs = [(old[key], m) for m in after.measures if (key := (m.name, m.group)) in old]
    return tuple(_difference(mine, theirs, intervals) for mine, theirs in pairs)


def _difference(before: Measure, after: Measure, intervals: Mapping[Key, tuple[float, float]] | None) -> Difference:
    key = (after.name, after.group)
    if before.value is None or after.value is None:
        note = after.note or before.note or "not measurable for both systems"
        return Difference(*key, before.value, after.value, None, None, None, after.n, note)
    low, high = (intervals or {}).get(key, (None, None))
    weak = after.note if intervals is not None else "not paired: an interval can't be given"
    return Difference(*key, before.value, after.value, after.value - before.value, low, high, after.n, weak)


def _figures(stored: StoredDraws) -> dict[Key, NDArray[np.float32]]:
    found = {}
    for name, draws in stored.items():
        if name.startswith(_PREFIX):
            figure, _, group = name.removeprefix(_PREFIX).partition("\t")
            found[figure, group] = np.asarray(draws, np.float32)
    return found


def _protocol_digest(outcome: Outcome) -> NDArray[np.uint8]:
    parts = [outcome.protocol, outcome.version]
    parts += [text for rule in sorted(outcome.rules.items()) for text in rule]
    known: dict[int, str] = {}
    for question in outcome.questions:
        parts.append(question.name)
        if (counted := question.counted()) is None:
            continue
        # Many figures count the same items, which may be millions.
        if id(question.items) not in known:
            known[id(question.items)] = _items_digest(*counted)
        parts.append(known[id(question.items)])
    return _digest(*parts)


def _items_digest(first: NDArray[np.int64], second: NDArray[np.int64] | None) -> str:
    total = hashlib.sha256(np.ascontiguousarray(first, np.int64).data)
    if second is not None:
        total.update(np.ascontiguousarray(second, np.int64).data)
    return total.hexdigest()


def _digest(*texts: str) -> NDArray[np.uint8]:
    """Sha256 of the texts, each with its length before it, as (32,) uint8."""
    total = hashlib.sha256()
    for text in texts:
        data = text.encode()
        total.update(len(data).to_bytes(8, "big") + data)
    return np.frombuffer(total.digest(), np.uint8)
