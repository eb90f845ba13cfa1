"""Figures in words: the same wording in the terminal, the report and the model card.

The terms are those of ISO/IEC 2382-37 and 19795-1: FMR, FNMR and TAR speak of comparisons, TPIR and FPIR
of identification against a gallery.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

MINUS = "\u2212"
THIN = "\u202f"

_LONG_LIST = 16


def lower_is_better(name: str) -> bool:
    """Whether a figure is an error rate.

    >>> lower_is_better("fnmr@old-threshold"), lower_is_better("tar@fmr=1e-3")
    (True, False)
    """
    return name.partition("@")[0] in ("fmr", "fnmr", "fpir", "fnir")


_VARIANTS = {"nearest": "nearest rule", "kth": "k-th score rule"}


def measure_label(name: str) -> str:
    """A measure's name for people.

    >>> measure_label("rank-1"), measure_label("tar@fmr=1e-3"), measure_label("fmr@old-threshold")
    ('Rank-1', 'TAR at FMR 0.1%', 'FMR')
    """
    name, _, variant = name.partition(" ")
    if variant:
        return f"{measure_label(name)}, {_VARIANTS.get(variant, variant)}"
    if name.startswith("rank-"):
        return f"Rank-{name[5:]}"
    kind, at, condition = name.partition("@")
    rate, equals, level = condition.partition("=")
    kept, _, target = rate.partition(":")
    if lower_is_better(name) and kept in ("old-threshold", "threshold"):
        chosen = f" for {'FPIR' if kind in ('fpir', 'fnir') else 'FMR'} {rate_text(float(target))}" if target else ""
        which = "the old threshold" if kept == "old-threshold" else "the threshold"
        return f"{kind.upper()} at {which}{chosen}" if target else kind.upper()
    if at and equals:
        try:
            return f"{kind.upper()} at {rate.upper()} {rate_text(float(level))}"
        except ValueError:
            return name
    return {"accuracy": "Pair accuracy", "map": "mAP", "auc": "AUC", "facerecbox": "FaceRecBox"}.get(name, name)


def measure_meaning(name: str) -> str:
    """What a measure counts, one clause, without terms; "" for one that is not known."""
    kind = name.partition("@")[0]
    if kind == "rank-1":
        return "faces for which the right person comes first in the gallery"
    if kind.startswith("rank-"):
        return f"faces for which the right person is among the first {kind[5:]} of the gallery"
    return {
        "tar": "mated comparisons accepted, at a threshold that accepts at most the stated share of non-mated ones",
        "tpir": "enrolled people found first and above a threshold at which at most the stated share of strangers "
        "raises an alarm",
        "tpir20": "enrolled people among the first 20 and above a threshold at which at most the stated share of "
        "strangers raises an alarm",
        "auc": "area under hits against false alarms over all thresholds",
        "facerecbox": "faces found and named rightly, of all faces and false boxes",
        "accuracy": "pairs told rightly as same or different, threshold chosen on the other folds",
        "map": "mean over probes of the average precision: how far up the ranking the right faces come",
        "fmr": "non-mated comparisons accepted at a threshold that was kept; lower is better",
        "fnmr": "mated comparisons rejected at a threshold that was kept; lower is better",
        "fpir": "strangers' faces that raise an alarm at a threshold that was kept; lower is better",
        "fnir": "enrolled people's faces that raise no right alarm at a threshold that was kept; lower is better",
    }.get(kind, "")


def group_label(group: str) -> str:
    """A part of the faces for people.

    >>> group_label(">=80 px"), group_label("40-79 px"), group_label("camera=yard")
    ('≥ 80 px', '40–79 px', 'camera yard')
    """
    column, equals, value = group.partition("=")
    if equals and column.isidentifier():
        return f"{column} {value}"
    spaced = re.sub(r"^(>=|<=|<|>)\s*", lambda found: f"{_SIGNS[found[1]]} ", group)
    return re.sub(r"(?<=\d)-(?=\d)", "–", spaced)


def plain_change(name: str, after: str, before: str) -> str:
    """What the adapted recogniser does, as the rest of a sentence.

    >>> plain_change("rank-1", "53.1%", "49.5%")
    'finds the right person first for 53.1% of faces instead of 49.5%'
    """
    verb, what = _PLAIN.get(name.partition("@")[0], ("reaches", f"in {measure_label(name)}"))
    condition = f", {measure_label(name)}" if "@" in name and what[:3] != "in " else ""
    return f"{verb} {after} {what} instead of {before}{condition}"


_SIGNS = {">=": "≥", "<=": "≤", "<": "<", ">": ">"}
_PLAIN = {
    "rank-1": ("finds the right person first for", "of faces"),
    "accuracy": ("tells", "of pairs rightly"),
    "tar": ("accepts", "of true matches"),
    "tpir": ("recognises", "of enrolled people"),
}


def rate_text(rate: float) -> str:
    """A rate that was asked for, as short as it goes.

    >>> rate_text(0.01), rate_text(1e-3)
    ('1%', '0.1%')
    """
    return f"{100 * rate:.6f}".rstrip("0").rstrip(".") + "%"


def digits_for(*shares: float | None) -> int:
    """Decimals that figures side by side need: near 0 and 100 % a tenth of a point is many errors, so two."""
    return 2 if any(share is not None and (share >= 0.97 or 0 < share <= 0.02) for share in shares) else 1


def share_text(share: float | None, digits: int = 1) -> str:
    """A share in [0, 1] as a percentage.

    >>> share_text(0.4953), share_text(None)
    ('49.5%', 'not measurable')
    """
    return "not measurable" if share is None else f"{100 * share:.{digits}f}%"


def signed(points: float, digits: int = 1) -> str:
    """A difference of shares in percentage points with its sign; a true minus, and no sign at zero.

    >>> signed(0.036), signed(-0.004), signed(0.0)
    ('+3.6', '−0.4', '0.0')
    """
    text = f"{abs(100 * points):.{digits}f}"
    if float(text) == 0:
        return text
    return f"{'+' if points > 0 else MINUS}{text}"


def interval_text(low: float | None, high: float | None, digits: int = 1) -> str:
    """An interval of differences, in points; "no interval" where there is none.

    >>> interval_text(0.019, 0.054)
    '+1.9 to +5.4'
    """
    return "no interval" if low is None or high is None else f"{signed(low, digits)} to {signed(high, digits)}"


def count_text(count: int | float) -> str:
    """A count with narrow spaces between thousands.

    >>> count_text(12345) == "12\u202f345"
    True
    """
    return f"{round(count):,}".replace(",", THIN)


def duration_text(seconds: float) -> str:
    """Seconds as a person would say them.

    >>> duration_text(42.0), duration_text(200), duration_text(4000)
    ('42 s', '3 min 20 s', '1 h 7 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    minutes = round(whole / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def size_text(count: int) -> str:
    """Bytes as kB, MB or GB (powers of ten).

    >>> size_text(512), size_text(4_000_000)
    ('512 B', '4.0 MB')
    """
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def plain_text(value: object) -> str:
    """A JSON value in words: yes and no, numbers as short as they go, lists with commas, tables with names.

    >>> plain_text({"fmr=1e-3": {"threshold": 0.31, "people": 40}}), plain_text([0.5, True, None])
    ('fmr=1e-3: (threshold: 0.31, people: 40)', '0.5, yes, –')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count_text(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_nested(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        if len(value) > _LONG_LIST:
            return f"{len(value)} values"
        return ", ".join(_nested(part) for part in value)
    return str(value)


def _nested(value: object) -> str:
    text = plain_text(value)
    return f"({text})" if isinstance(value, Mapping) and value else text


def listed(words: list[str]) -> str:
    """Words joined as in a sentence.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
