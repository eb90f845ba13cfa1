"""What an evaluation found, as records that can be stored, compared and shown.

All values are shares in [0, 1]; intervals are 95 % intervals over people. The JSON form of a record
carries ``schema`` so that a reader refuses what it doesn't know instead of guessing.

What may be absent:

* ``value`` is None only where the figure can't be measured; then ``note`` says why.
* ``low`` and ``high`` are both there or both None; without a value there is no interval.
* In JSON what is None of ``note``, ``threshold``, ``reached`` and ``impostors`` is left out; every other key is
  always written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from wildstyle.errors import CorruptArchive, InputError, SettingError

SCHEMA_VERSION = 2
"""Version written. 1 is read too: it had no operating points and no curves."""

_READABLE = (1, SCHEMA_VERSION)
_OPERATING_POINT = {"threshold", "reached", "impostors"}


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of one system.

    Attributes:
        name: e.g. ``"rank-1"``, ``"tar@fmr=1e-2"``, ``"tpir@fpir=1e-1"``, ``"accuracy"``.
        value: share in [0, 1], or None where it can't be measured.
        low: lower end of the 95 % interval over people, or None.
        high: upper end of the same interval, or None.
        n: comparisons or probes in the denominator.
        group: ``"all"``, a size band such as ``"<40 px"``, or another part of the probes.
        note: what a reader must know: few expected false matches, few people, why it can't be measured.
        threshold: score from which on a comparison was accepted, for a figure at an operating point; None where the
            figure has none, or where everything is accepted.
        reached: the FMR or FPIR at that threshold, share in [0, 1]; at most the one asked for under the strict rule.
        impostors: impostor comparisons (or non-mated probes) behind the operating point.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    group: str = "all"
    note: str | None = None
    threshold: float | None = None
    reached: float | None = None
    impostors: int | None = None

    def __post_init__(self) -> None:
        where = f"measure {self.name!r} of {self.group!r}"
        _check_interval(self.low, self.high, where)
        if self.value is None and (self.low is not None or not self.note):
            raise SettingError("a figure without a value needs a note and has no interval", where=where)
        _check_numbers(where, self.value, self.low, self.high, self.threshold, self.reached)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return _without_empty(asdict(self), {"note", *_OPERATING_POINT})

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Measure:
        """Inverse of ``to_json``; raises CorruptArchive where a key is missing or unknown."""
        _check_keys(value, {"name", "value", "low", "high", "n", "group"}, {"note", *_OPERATING_POINT}, "measure")
        return cls(**value)


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a plot, with its data.

    Attributes:
        name: ``"det"`` (FMR, FNMR), ``"det-open-set"`` (FPIR, FNIR), ``"cmc"`` (rank, share), ``"scores-mated"`` and
            ``"scores-impostor"`` (lower edge of a bin, share of the scores in it), ``"edc:<measure of quality>"``
            (share discarded, FNMR).
        x: what the first number of a point is, for an axis.
        y: what the second is.
        points: pairs (x, y), x rising.
        group: as in ``Measure``.
        note: what a reader must know, e.g. the threshold that was kept fixed.
    """

    name: str
    x: str
    y: str
    points: tuple[tuple[float, float], ...]
    group: str = "all"
    note: str | None = None

    def __post_init__(self) -> None:
        where = f"curve {self.name!r} of {self.group!r}"
        _check_numbers(where, *(number for point in self.points for number in point))

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return _without_empty(asdict(self), {"note"})

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Curve:
        """Inverse of ``to_json``; raises CorruptArchive where a key is missing or unknown."""
        _check_keys(value, {"name", "x", "y", "points", "group"}, {"note"}, "curve")
        points = tuple((float(x), float(y)) for x, y in value["points"])
        return cls(value["name"], value["x"], value["y"], points, value["group"], value.get("note"))


@dataclass(frozen=True, slots=True)
class Result:
    """All figures of one system under one protocol.

    Attributes:
        protocol: ``"pairs"`` or ``"identification"``.
        version: version of the protocol's rules in this library.
        data: name of the data set, and whatever tells it from another.
        rules: how the figures were made: ``fmr_rule``, ``pooling``, ``flip``, ``ties``, ``failures``,
            ``comparisons``, ``interval`` and what the protocol adds.
        counts: sizes: people, probes, failures, comparisons.
        measures: the figures, most important first.
        curves: what a plot shows, with its data.
    """

    protocol: str
    version: str
    data: str
    rules: dict[str, str]
    counts: dict[str, int]
    measures: tuple[Measure, ...]
    curves: tuple[Curve, ...] = ()

    def measure(self, name: str, group: str = "all") -> Measure:
        """The figure of that name and group.

        Raises:
            InputError: there is none; the message lists what there is.
        """
        for measure in self.measures:
            if measure.name == name and measure.group == group:
                return measure
        known = ", ".join(sorted({m.name for m in self.measures}))
        raise InputError(f"no figure {name!r} for group {group!r}; there are {known}", where=self.data)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary with the schema's version."""
        return {
            "schema": SCHEMA_VERSION,
            "protocol": self.protocol,
            "version": self.version,
            "data": self.data,
            "rules": dict(self.rules),
            "counts": dict(self.counts),
            "measures": [m.to_json() for m in self.measures],
            "curves": [c.to_json() for c in self.curves],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Result:
        """Inverse of ``to_json``; raises CorruptArchive where a key is missing, unknown or of another schema."""
        keys = {"schema", "protocol", "version", "data", "rules", "counts", "measures"}
        _check_keys(value, keys, {"curves"}, "result")
        _check_schema(value["schema"], "result")
        return cls(
            protocol=value["protocol"],
            version=value["version"],
            data=value["data"],
            rules=dict(value["rules"]),
            counts={key: int(count) for key, count in value["counts"].items()},
            measures=tuple(Measure.from_json(m) for m in value["measures"]),
            curves=tuple(Curve.from_json(c) for c in value.get("curves", ())),
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure before and after, and the gain with its paired interval.

    Attributes:
        name: the figure, as in ``Measure``.
        group: as in ``Measure``.
        before: share before, or None where it can't be measured.
        after: share after, or None.
        gain: ``after - before`` in [-1, 1], or None where either is missing.
        low: lower end of the gain's 95 % interval, both systems under the same drawn people; or None.
        high: upper end of the same interval, or None.
        n: comparisons or probes in the denominator.
        note: as in ``Measure``.
    """

    name: str
    group: str
    before: float | None
    after: float | None
    gain: float | None
    low: float | None
    high: float | None
    n: int
    note: str | None = None

    def __post_init__(self) -> None:
        where = f"difference {self.name!r} of {self.group!r}"
        _check_interval(self.low, self.high, where)
        if self.gain is None and (self.low is not None or not self.note):
            raise SettingError("a difference without a gain needs a note and has no interval", where=where)
        _check_numbers(where, self.before, self.after, self.gain, self.low, self.high)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return _without_empty(asdict(self), {"note"})

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Difference:
        """Inverse of ``to_json``; raises CorruptArchive where a key is missing or unknown."""
        keys = {"name", "group", "before", "after", "gain", "low", "high", "n"}
        _check_keys(value, keys, {"note"}, "difference")
        return cls(**value)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two systems under the same protocol, before and after, with paired differences."""

    before: Result
    after: Result
    differences: tuple[Difference, ...]

    def difference(self, name: str, group: str = "all") -> Difference:
        """The difference of that name and group.

        Raises:
            InputError: there is none; the message lists what there is.
        """
        for difference in self.differences:
            if difference.name == name and difference.group == group:
                return difference
        known = ", ".join(sorted({d.name for d in self.differences}))
        raise InputError(f"no difference {name!r} for group {group!r}; there are {known}", where=self.before.data)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary with the schema's version."""
        return {
            "schema": SCHEMA_VERSION,
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "differences": [d.to_json() for d in self.differences],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Comparison:
        """Inverse of ``to_json``; raises CorruptArchive where a key is missing, unknown or of another schema."""
        _check_keys(value, {"schema", "before", "after", "differences"}, set(), "comparison")
        _check_schema(value["schema"], "comparison")
        return cls(
            before=Result.from_json(value["before"]),
            after=Result.from_json(value["after"]),
            differences=tuple(Difference.from_json(d) for d in value["differences"]),
        )


def _without_empty(record: dict[str, Any], optional: set[str]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in optional or value is not None}


def _check_interval(low: float | None, high: float | None, where: str) -> None:
    if (low is None) != (high is None):
        raise SettingError("an interval has two ends or none", where=where)
    if low is not None and high is not None and low > high:
        raise SettingError(f"the interval runs backwards, {low} to {high}", where=where)


def _check_numbers(where: str, *values: float | None) -> None:
    for value in values:
        if value is not None and not math.isfinite(value):
            raise SettingError(f"{value} is no figure; what can't be measured has the value None", where=where)


def _check_keys(value: Mapping[str, Any], needed: set[str], optional: set[str], what: str) -> None:
    remedy = "the file was cut or written by another version; evaluate again"
    if missing := sorted(needed - value.keys()):
        raise CorruptArchive(f"a {what} record lacks {', '.join(missing)}", remedy=remedy)
    if unknown := sorted(value.keys() - needed - optional):
        raise CorruptArchive(f"a {what} record has the unknown key {', '.join(unknown)}", remedy=remedy)


def _check_schema(schema: object, what: str) -> None:
    if schema not in _READABLE:
        raise CorruptArchive(
            f"a {what} record has schema {schema!r}, this version reads {SCHEMA_VERSION}",
            remedy="read it with the version that wrote it, or evaluate again",
        )
