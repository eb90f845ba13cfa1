"""How alike sets are in style, as one HTML file that can be mailed and read on a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from markupsafe import Markup

from wildstyle.report.svg import Drawing, nice_step
from wildstyle.report.templating import environment
from wildstyle.report.wording import MINUS

_WIDTH, _ROW, _SIDE = 350, 50, 16
_FIRST_AXES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisFaces:
    """Faces at the two ends of one axis.

    Attributes:
        axis: number from 1.
        plus, minus: what its ends do, in words.
        low, high: ``data:`` links of pictures with the lowest and the highest codes, outermost first; one row a set.
    """

    axis: int
    plus: str
    minus: str
    low: tuple[tuple[str, ...], ...]
    high: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the matrix: its text, a shade in percent, and whether it is on the diagonal."""

    text: str
    shade: int
    diagonal: bool


def likeness_html(record: Mapping[str, Any], pictures: Sequence[AxisFaces] = ()) -> str:
    """The page: no scripts, no links to elsewhere, every word from the record escaped.

    Args:
        record: what ``compare.json`` holds.
        pictures: faces to show; only where whoever owns them allows it.
    """
    letters = letters_for(len(record["sets"]))
    words = {axis["axis"]: axis for axis in record["axes"]}
    pairs = sorted(record["pairs"], key=lambda pair: -pair["similarity"])
    return (
        environment(html=True)
        .get_template("likeness.html")
        .render(
            record=record,
            letters=letters,
            lead=lead(record),
            matrix=matrix(record),
            pairs=[(pair, axes_figure(pair, words, letters), _rest(pair, words)) for pair in pairs],
            pictures=pictures,
            agreement=agreement_text(record),
        )
    )


def letters_for(count: int) -> list[str]:
    """A, B, ..., Z, A1, B1, ...: short enough for a matrix on a phone."""
    return [ascii_uppercase[i % 26] + (str(i // 26) if i >= 26 else "") for i in range(count)]


def lead(record: Mapping[str, Any]) -> str:
    """The result in a sentence or two."""
    names = [one["name"] for one in record["sets"]]
    ranked = sorted(record["pairs"], key=lambda pair: -pair["similarity"])

    def told(pair: Mapping[str, Any]) -> str:
        return f"{names[pair['first']]} and {names[pair['second']]} ({pair['similarity']:.2f})"

    if len(ranked) == 1:
        return f"{told(ranked[0])}: {ranked[0]['verdict']}."
    alike = sum(pair["state"] == "alike" for pair in ranked)
    rest = f"{alike} of {len(ranked)} pairs can't be told from chance." if alike else "All pairs can be told apart."
    if any(pair["state"] == "unsettled" for pair in ranked) and not alike:
        rest = "Not all pairs can be told apart for sure."
    return f"Most alike: {told(ranked[0])}. Least alike: {told(ranked[-1])}. {rest}"


def matrix(record: Mapping[str, Any]) -> list[list[Cell]]:
    """Cells row by row; the diagonal holds what two halves of a set reach."""
    count = len(record["sets"])
    cells = [[Cell("", 0, True)] * count for _ in range(count)]
    for i, one in enumerate(record["sets"]):
        cells[i][i] = Cell(f"{one['halves']['low']:.2f}", 0, True)
    for pair in record["pairs"]:
        # Red-green would say good and bad; likeness is neither: one colour, deeper for more alike.
        cell = Cell(f"{pair['similarity']:.2f}", round(75 * pair["similarity"]), False)
        cells[pair["first"]][pair["second"]] = cells[pair["second"]][pair["first"]] = cell
    return cells


def agreement_text(record: Mapping[str, Any]) -> str:
    """What the independent distance says, in a sentence."""
    count, found = len(record["pairs"]), record["agreement"]
    if found is None:
        return f"With {count} {'pair' if count == 1 else 'pairs'} a rank correlation with it says nothing."
    strength = "agree" if found >= 0.8 else "agree in part" if found >= 0.5 else "do not agree: look before you act"
    return (
        f"Over {count} pairs the rank correlation (Spearman) of unlikeness with it is {signed_number(found, 2)}: "
        f"both {strength}."
    )


def axes_figure(pair: Mapping[str, Any], words: Mapping[int, Mapping[str, Any]], letters: Sequence[str]) -> Markup:
    """Shifts of the axes that differ most, in deviations with intervals; drawn for the width of a phone."""
    shown = pair["axes"][:_FIRST_AXES]
    ends = [end for axis in shown for end in (*axis["shift_ends"], axis["shift"])]
    low, high = min(0.0, *ends), max(0.0, *ends)
    pad = 0.06 * max(high - low, 0.1)
    low, high = low - pad, high + pad
    bottom = _ROW * len(shown) + 6
    drawing = Drawing(_WIDTH, bottom + 38)

    def x_of(value: float) -> float:
        return float(_SIDE + (value - low) / (high - low) * (_WIDTH - 2 * _SIDE))

    step = nice_step(high - low)
    for tick in range(int(low / step) - 1, int(high / step) + 2):
        if low <= tick * step <= high:
            x = x_of(tick * step)
            drawing.line((x, 4), (x, bottom), "soft" if tick == 0 else "faint")
            drawing.text(x, bottom + 15, signed_number(tick * step, 0 if step >= 1 else 1), "soft", "middle")
    for row, axis in enumerate(shown):
        y = 38 + _ROW * row
        name = axis_name(axis, words)
        drawing.text(2, y - 20, name, "ink")
        left, right = axis["shift_ends"]
        style = "unsettled" if left <= 0 <= right else "after"
        drawing.line((x_of(left), y), (x_of(right), y), style)
        for end in (left, right):
            drawing.line((x_of(end), y - 4), (x_of(end), y + 4), style)
        drawing.dot(x_of(axis["shift"]), y, style, 4.5)
    names = letters[pair["second"]], letters[pair["first"]]
    drawing.text(_WIDTH / 2, bottom + 33, f"{names[0]} against {names[1]}, standard deviations", "soft", "middle")
    told = "; ".join(f"{axis_name(a, words)}: {a['shift']:.2f}" for a in shown)
    return drawing.render(f"Axes of {names[0]} against {names[1]}", told)


def axis_name(axis: Mapping[str, Any], words: Mapping[int, Mapping[str, Any]]) -> str:
    """Number of an axis and what the end does that the second set lies towards."""
    known = words.get(axis["axis"])
    told = "" if known is None else known["plus" if axis["shift"] > 0 else "minus"]
    return f"{axis['axis']}: {told}" if told else f"axis {axis['axis']}"


def signed_number(value: float, digits: int = 1) -> str:
    """A number with its sign, a true minus, none at zero.

    >>> signed_number(1.26), signed_number(-0.04), signed_number(-0.5)
    ('+1.3', '0.0', '−0.5')
    """
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return f"{'+' if value > 0 else MINUS}{text}"


def _rest(pair: Mapping[str, Any], words: Mapping[int, Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """All axes as rows: name, shift, times as much spread; both with intervals."""
    rows = []
    for axis in pair["axes"]:
        shift = f"{signed_number(axis['shift'], 2)} ({_between(axis['shift_ends'], signed=True)})"
        ratio = f"× {axis['ratio']:.2f} ({_between(axis['ratio_ends'])})"
        rows.append((axis_name(axis, words), shift, ratio))
    return rows


def _between(ends: Sequence[float], *, signed: bool = False) -> str:
    low, high = (signed_number(end, 2) if signed else f"{end:.2f}" for end in ends)
    return f"{low} to {high}"
