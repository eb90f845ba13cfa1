"""Plots of curves, each with its data: DET, CMC, score histograms, error against discard, open-set DET.

A plot takes one line from each of several systems. Rates are shown on logarithmic scales where a DET needs them;
what lies at zero has no place there and is left out of the drawing, never out of the table.
"""

from __future__ import annotations

import base64
import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from wildstyle.evaluation.result import Curve
from wildstyle.report.svg import Drawing, nice_step
from wildstyle.report.wording import group_label, rate_text

Points = Sequence[tuple[float, float]]

_SIZE = (430, 304)
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 416, 28, 252
_LOWEST = -7  # decades; smaller rates than this no set of people can show
_STYLES = ("before", "after", "third", "fourth", "fifth", "sixth")
_TITLES = {
    "det": "Verification errors (DET)",
    "det-open-set": "Watch-list errors (open-set DET)",
    "cmc": "Right person among the first (CMC)",
    "scores": "Scores",
}
_SHOWN_ROWS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One plot.

    Attributes:
        title: what it shows.
        drawing: the SVG, or None where no line has two points that can be drawn.
        legend: (style, name) of each line.
        columns: names of the numbers in a row.
        rows: the data as texts, thinned to what a page can hold.
        file: proposed name of the download.
        link: all data as a ``data:`` link to a CSV file.
        notes: what a reader must know.
    """

    title: str
    drawing: Markup | None
    legend: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    file: str
    link: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Line:
    label: str
    style: str
    curve: Curve


def curve_plots(curves: Mapping[str, Sequence[Curve]]) -> list[Plot]:
    """One plot a kind and group of curves; score histograms of mated and impostor comparisons share one.

    Args:
        curves: by system, in the order in which they are to be told; the first of two is drawn dashed.
    """
    styles = dict(zip(curves, _STYLES[1:] if len(curves) == 1 else _STYLES, strict=False))
    kinds: dict[tuple[str, str], list[_Line]] = {}
    for system, found in curves.items():
        for curve in found:
            if curve.points:
                label = f"{system}, {_kind_of_score(curve)}" if _is_scores(curve) else system
                line = _Line(label.removeprefix(", "), styles.get(system, _STYLES[-1]), curve)
                kinds.setdefault((_family(curve.name), curve.group), []).append(line)
    return [_plot(family, group, lines) for (family, group), lines in kinds.items()]


def _plot(family: str, group: str, lines: list[_Line]) -> Plot:
    title = _title(family) if group == "all" else f"{_title(family)}, {group_label(group)}"
    first = lines[0].curve
    columns = ("system", first.x, first.y)
    every = [(line.label, f"{x:.6g}", f"{y:.6g}") for line in lines for x, y in line.curve.points]
    notes = dict.fromkeys(line.curve.note for line in lines if line.curve.note)
    return Plot(
        title=title,
        drawing=_draw(family, title, lines),
        legend=tuple((_legend_style(line), line.label) for line in lines if line.label) if len(lines) > 1 else (),
        columns=columns,
        rows=tuple(row for line in lines for row in _thinned(line)),
        file=f"{family.replace(':', '-')}{'' if group == 'all' else '-group'}.csv",
        link=_csv_link(columns, every),
        notes=tuple(notes),
    )


def _draw(family: str, title: str, lines: list[_Line]) -> Markup | None:
    scale = {"det": _log_log, "det-open-set": _log_log, "cmc": _ranks, "scores": _histogram}.get(family, _linear)
    drawing = Drawing(*_SIZE)
    shown = [line for line in lines if len(line.curve.points) > 1]
    place = scale(drawing, [line.curve.points for line in shown]) if shown else None
    if place is None:
        return None
    drawn = 0
    for line in shown:
        points = line.curve.points if family != "scores" else _steps(line.curve.points)
        inside = [xy for point in points if (xy := place(*point)) is not None]
        if len(inside) > 1:
            drawing.curve(inside, _legend_style(line))
            drawn += 1
    if not drawn:
        return None
    first = shown[0].curve
    drawing.text((_LEFT + _RIGHT) / 2, _BOTTOM + 42, first.x, "ink", "middle")
    drawing.text(_LEFT - 44, 14, first.y, "ink")
    told = "; ".join(f"{line.label or title}: {_span(line.curve.points)}" for line in shown)
    return drawing.render(title, f"{first.y} by {first.x}. {told}. The data are in the table below.")


Place = Callable[[float, float], tuple[float, float] | None]


def _log_log(drawing: Drawing, curves: Sequence[Points]) -> Place | None:
    """Both axes logarithmic, from the lowest rate that is above zero to 100 %."""
    xs = [x for points in curves for x, _ in points if x > 0]
    ys = [y for points in curves for _, y in points if y > 0]
    if not xs or not ys:
        return None
    left, low = (max(_LOWEST, min(-1, math.floor(math.log10(min(values))))) for values in (xs, ys))
    for power in range(left, 1):
        x = _between(power, (left, 0), (_LEFT, _RIGHT))
        drawing.line((x, _TOP), (x, _BOTTOM), "faint")
        drawing.text(x, _BOTTOM + 18, rate_text(10.0**power), "soft", "middle" if power else "end")
    for power in range(low, 1):
        for factor in (1, 2, 5) if low == -1 else (1,):
            if power == 0 and factor > 1:
                continue
            y = _between(power + math.log10(factor), (low, 0), (_BOTTOM, _TOP))
            drawing.line((_LEFT, y), (_RIGHT, y), "faint")
            drawing.text(_LEFT - 8, y + 4, rate_text(factor * 10.0**power), "soft", "end")

    def place(x: float, y: float) -> tuple[float, float] | None:
        if x < 10.0**left or y < 10.0**low:
            return None
        return (
            _between(math.log10(x), (left, 0), (_LEFT, _RIGHT)),
            _between(math.log10(y), (low, 0), (_BOTTOM, _TOP)),
        )

    return place


def _ranks(drawing: Drawing, curves: Sequence[Points]) -> Place | None:
    """Rank on a logarithmic axis, shares from a round one below the lowest up to 100 %."""
    highest = max(x for points in curves for x, _ in points)
    lowest = math.floor(10 * min(y for points in curves for _, y in points)) / 10
    lowest = min(lowest, 0.9)
    if highest <= 1:
        return None
    span = math.log10(highest)
    ticks = [m * 10**p for p in range(math.ceil(span) + 1) for m in (1, 2, 5) if m * 10**p <= highest]
    for rank in ticks:
        x = _between(math.log10(rank), (0, span), (_LEFT, _RIGHT))
        drawing.line((x, _TOP), (x, _BOTTOM), "faint")
        drawing.text(x, _BOTTOM + 18, f"{rank:g}", "soft", "middle")
    _share_axis(drawing, lowest, 1.0)

    def place(x: float, y: float) -> tuple[float, float] | None:
        if x < 1:
            return None
        return _between(math.log10(x), (0, span), (_LEFT, _RIGHT)), _between(y, (lowest, 1.0), (_BOTTOM, _TOP))

    return place


def _histogram(drawing: Drawing, curves: Sequence[Points]) -> Place | None:
    xs = [x for points in curves for x, _ in points]
    return _axes(drawing, (min(xs), max(xs)), (0.0, max(y for points in curves for _, y in points)), percent=False)


def _linear(drawing: Drawing, curves: Sequence[Points]) -> Place | None:
    xs, ys = ([point[axis] for points in curves for point in points] for axis in (0, 1))
    return _axes(drawing, (min(0.0, *xs), max(xs)), (min(0.0, *ys), max(ys)), percent=max(xs) <= 1)


def _axes(drawing: Drawing, across: tuple[float, float], up: tuple[float, float], *, percent: bool) -> Place | None:
    if across[1] <= across[0] or up[1] <= up[0]:
        return None
    step = nice_step(across[1] - across[0])
    for tick in range(math.ceil(across[0] / step), math.floor(across[1] / step + 1e-9) + 1):
        x = _between(tick * step, across, (_LEFT, _RIGHT))
        drawing.line((x, _TOP), (x, _BOTTOM), "faint")
        text = f"{100 * tick * step:.3g}%" if percent else f"{tick * step:.3g}"
        drawing.text(x, _BOTTOM + 18, text, "soft", "middle" if x < _RIGHT - 10 else "end")
    _share_axis(drawing, *up)

    def place(x: float, y: float) -> tuple[float, float] | None:
        return _between(x, across, (_LEFT, _RIGHT)), _between(y, up, (_BOTTOM, _TOP))

    return place


def _share_axis(drawing: Drawing, low: float, high: float) -> None:
    step = nice_step(high - low)
    for tick in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1):
        y = _between(tick * step, (low, high), (_BOTTOM, _TOP))
        drawing.line((_LEFT, y), (_RIGHT, y), "faint")
        drawing.text(_LEFT - 8, y + 4, f"{100 * tick * step:.3g}%", "soft", "end")


def _between(value: float, ends: tuple[float, float], pixels: tuple[float, float]) -> float:
    return pixels[0] + (value - ends[0]) / (ends[1] - ends[0]) * (pixels[1] - pixels[0])


def _steps(points: Points) -> list[tuple[float, float]]:
    """A histogram's outline: each bin's share from its lower edge to the next one's, zero at both ends."""
    outline = [(points[0][0], 0.0)]
    for (x, y), (following, _) in pairwise(points):
        outline += [(x, y), (following, y)]
    return [*outline, points[-1], (points[-1][0], 0.0)]


def _thinned(line: _Line) -> list[tuple[str, ...]]:
    points = line.curve.points
    every = max(1, math.ceil(len(points) / _SHOWN_ROWS))
    kept = [*points[::every], *(points[-1:] if (len(points) - 1) % every else ())]
    return [(line.label, f"{x:.4g}", f"{y:.4g}") for x, y in kept]


def _csv_link(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    return f"data:text/csv;base64,{base64.b64encode(text.getvalue().encode()).decode('ascii')}"


def _span(points: Points) -> str:
    (x0, y0), (x1, y1) = points[0], points[-1]
    return f"from {y0:.4g} at {x0:.4g} to {y1:.4g} at {x1:.4g}"


def _family(name: str) -> str:
    return "scores" if name.startswith("scores-") else name


def _is_scores(curve: Curve) -> bool:
    return curve.name.startswith("scores-")


def _kind_of_score(curve: Curve) -> str:
    return curve.name.removeprefix("scores-")


def _title(family: str) -> str:
    kind, _, quality = family.partition(":")
    if kind == "edc" and quality:
        return f"Errors left when the worst by {quality} are discarded (EDC)"
    if kind == "edc-fmr" and quality:
        return f"False matches when the worst by {quality} are discarded"
    return _TITLES.get(family, family)


def _legend_style(line: _Line) -> str:
    """Impostor scores are told from mated ones by a thin line."""
    return f"{line.style} thin" if line.curve.name == "scores-impostor" else line.style
