"""The report's figures, drawn from records; None where there is nothing to draw."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from wildstyle.report.records import Ingested
from wildstyle.report.svg import Drawing, nice_step
from wildstyle.report.tables import Row
from wildstyle.report.wording import count_text, share_text, signed

_WIDTH, _NARROW = 860, 330
_ROW, _TALL_ROW = 30, 60


def gain_figure(rows: Sequence[Row], *, narrow: bool = False) -> Markup | None:
    """Gains in points with 95 % intervals, one line a row; unmeasured rows are left out.

    Args:
        rows: what to show, from the top.
        narrow: for a telephone: words stand above the line instead of beside it.
    """
    shown = [row for row in rows if row.difference.gain is not None and row.difference.low is not None]
    if not shown:
        return None
    frame = _Frame.of(shown, narrow)
    low = min(0.0, *(row.difference.low or 0.0 for row in shown))
    high = max(0.0, *(row.difference.high or 0.0 for row in shown))
    span = max(high - low, 0.01)
    low, high = low - 0.06 * span, high + 0.06 * span
    drawing = Drawing(frame.width, frame.height)

    def x_of(gain: float) -> float:
        return frame.left + (gain - low) / (high - low) * (frame.right - frame.left)

    _gain_axis(drawing, (low, high), x_of, frame.bottom)
    for index, row in enumerate(shown):
        y = frame.words(drawing, index, _row_name(row), f"{row.gain}  ({row.interval})")
        _gain_row(drawing, row, x_of, y)
    told = "; ".join(f"{_row_name(r)}: {r.gain} points, {r.interval}" for r in shown)
    return drawing.render("Gain in percentage points with 95% intervals", told)


def before_after_figure(rows: Sequence[Row], *, narrow: bool = False) -> Markup | None:
    """Shares before and after as two dots a row on one scale from 0 to 100 %; ``narrow`` as in ``gain_figure``."""
    shown = [row for row in rows if row.difference.before is not None and row.difference.after is not None]
    if not shown:
        return None
    frame = _Frame.of(shown, narrow)
    drawing = Drawing(frame.width, frame.height)

    def x_of(share: float) -> float:
        return frame.left + share * (frame.right - frame.left)

    for percent in range(0, 101, 20):
        drawing.line((x_of(percent / 100), 6), (x_of(percent / 100), frame.bottom), "faint")
        drawing.text(x_of(percent / 100), frame.bottom + 18, f"{percent}%", "soft", "middle")
    for index, row in enumerate(shown):
        texts = (share_text(row.difference.before), share_text(row.difference.after))
        y = frame.words(drawing, index, _row_name(row), f"{texts[0]} → {texts[1]}")
        before, after = (x_of(share or 0.0) for share in (row.difference.before, row.difference.after))
        drawing.line((before, y), (after, y), row.mark if row.mark != "not measurable" else "unsettled")
        drawing.dot(before, y, "before", 4.5)
        drawing.dot(after, y, "after", 5.5)
    told = "; ".join(f"{_row_name(r)}: {r.before} before, {r.after} after" for r in shown)
    return drawing.render("Before and after", told)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where rows of words and marks lie: words beside the marks, or on a narrow page above them."""

    narrow: bool
    rows: int
    left: int
    right: int

    @classmethod
    def of(cls, rows: Sequence[Row], narrow: bool) -> _Frame:
        if narrow:
            return cls(True, len(rows), 22, _NARROW - 22)
        return cls(False, len(rows), _left_of(rows), _WIDTH - 200)

    @property
    def width(self) -> int:
        return _NARROW if self.narrow else _WIDTH

    @property
    def bottom(self) -> int:
        return (_TALL_ROW if self.narrow else _ROW) * self.rows + 12

    @property
    def height(self) -> int:
        return self.bottom + 32

    def words(self, drawing: Drawing, index: int, name: str, figures: str) -> float:
        """Write a row's words; returns the height of its marks."""
        if self.narrow:
            top = 12 + _TALL_ROW * index
            drawing.text(4, top + 13, name, "ink")
            drawing.text(4, top + 29, figures, "soft")
            return top + 43
        y = 12 + _ROW * (index + 0.5)
        drawing.text(self.left - 16, y + 4, name, "ink", "end")
        drawing.text(_WIDTH - 182, y + 4, figures, "ink")
        return y


def size_figure(ingested: Iterable[Ingested]) -> Markup | None:
    """Histogram of the distance of the eyes in px, before alignment, all sources with equal edges together."""
    found = [i.eye_distances for i in ingested if i.eye_distances and i.eye_distances.get("counts")]
    if not found or any(histogram["edges"] != found[0]["edges"] for histogram in found):
        return None
    edges = found[0]["edges"]
    counts = [sum(values) for values in zip(*(histogram["counts"] for histogram in found), strict=True)]
    return _histogram(edges, counts)


def curve_figure(name: str, points: Sequence[Sequence[float]]) -> Markup | None:
    """One small curve over steps, e.g. a loss, with its first and last value."""
    finite = [(float(x), float(y)) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    if len(finite) < 2:
        return None
    drawing = Drawing(270, 96)
    xs, ys = [x for x, _ in finite], [y for _, y in finite]
    low, high = min(ys), max(ys)
    span = (high - low) or 1.0
    width = (xs[-1] - xs[0]) or 1.0
    drawing.text(4, 14, name, "ink")
    drawing.line((4, 74), (266, 74), "faint")
    drawing.curve([(4 + (x - xs[0]) / width * 262, 70 - (y - low) / span * 46) for x, y in finite], "after")
    drawing.text(4, 90, f"{ys[0]:.4g} at step {xs[0]:g}", "soft")
    drawing.text(266, 90, f"{ys[-1]:.4g} at {xs[-1]:g}", "soft", "end")
    return drawing.render(name, f"from {ys[0]:.4g} to {ys[-1]:.4g}, between {low:.4g} and {high:.4g}")


def _gain_axis(drawing: Drawing, ends: tuple[float, float], x_of: Callable[[float], float], bottom: float) -> None:
    step = nice_step(ends[1] - ends[0])
    for tick in range(math.ceil(ends[0] / step), math.floor(ends[1] / step) + 1):
        x = x_of(tick * step)
        drawing.line((x, 6), (x, bottom), "soft" if tick == 0 else "faint")
        digits = 0 if step >= 0.01 else 1 if step >= 0.001 else 2
        drawing.text(x, bottom + 18, signed(tick * step, digits), "soft", "middle")


def _gain_row(drawing: Drawing, row: Row, x_of: Callable[[float], float], y: float) -> None:
    d = row.difference
    low, gain, high = (x_of(value or 0.0) for value in (d.low, d.gain, d.high))
    drawing.line((low, y), (high, y), row.mark)
    for end in (low, high):
        drawing.line((end, y - 5), (end, y + 5), row.mark)
    drawing.dot(gain, y, row.mark)


def _left_of(rows: Sequence[Row]) -> int:
    # About 7 px a letter at the size the style sheet sets.
    return min(340, 32 + 7 * max(len(_row_name(row)) for row in rows))


def _row_name(row: Row) -> str:
    if row.group == "all":
        return f"{row.data}, {row.measure}"
    return f"{row.data}, {row.group}" if "=" in row.difference.group.lstrip("<>=") else f"{row.data}, faces {row.group}"


def _histogram(edges: Sequence[float], counts: Sequence[float]) -> Markup | None:
    if len(edges) != len(counts) + 1 or not any(counts):
        return None
    drawing = Drawing(430, 200)
    left, right, top, bottom = 12, 418, 22, 150
    width = (right - left) / len(counts)
    tallest = max(counts)
    every = max(1, math.ceil(len(edges) / 12))
    drawing.line((left, bottom), (right, bottom), "soft")
    for index, count in enumerate(counts):
        height = count / tallest * (bottom - top)
        drawing.box((left + index * width + 1, bottom - height), (width - 2, height), "after")
    for index in range(0, len(edges), every):
        # A last part as wide as all others together is "and more", whatever its edge.
        rest = index == len(edges) - 1 and edges[-1] - edges[-2] > edges[-2] - edges[0]
        anchor = "end" if rest else "middle" if index else "start"
        drawing.text(left + index * width, bottom + 18, "more" if rest else f"{edges[index]:g}", "soft", anchor)
    drawing.text((left + right) / 2, bottom + 38, "distance of the eyes before alignment, px", "soft", "middle")
    drawing.text(right, 14, f"{count_text(sum(counts))} faces", "soft", "end")
    told = "; ".join(f"{edges[i]:g} to {edges[i + 1]:g} px: {count:g}" for i, count in enumerate(counts))
    return drawing.render("Faces by distance of the eyes", told)
