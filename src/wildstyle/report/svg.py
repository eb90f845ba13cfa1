"""A few SVG shapes as text, themed by the page's style sheet, readable by screen readers."""

from __future__ import annotations

import zlib

from markupsafe import Markup, escape


class Drawing:
    """Shapes collected on a canvas; coordinates in px, x right, y down.

    Colours come from classes, so that one drawing serves light and dark pages:
    ``ink``, ``soft``, ``faint``, ``better``, ``worse``, ``unsettled``, ``before``, ``after``, ``third`` to ``sixth``.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._shapes: list[str] = []

    def text(self, x: float, y: float, words: str, style: str = "ink", anchor: str = "start") -> None:
        """Words with their base line at y; ``anchor`` is start, middle or end."""
        self._shapes.append(
            f'<text x="{x:.1f}" y="{y:.1f}" class="t-{style}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def line(self, start: tuple[float, float], end: tuple[float, float], style: str = "soft") -> None:
        """A straight stroke."""
        (x1, y1), (x2, y2) = start, end
        self._shapes.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="s-{style}"/>')

    def dot(self, x: float, y: float, style: str, radius: float = 5.0) -> None:
        """A filled circle."""
        self._shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" class="f-{style}"/>')

    def box(self, corner: tuple[float, float], size: tuple[float, float], style: str) -> None:
        """A filled rectangle with slightly rounded corners."""
        (x, y), (w, h) = corner, size
        place = f'x="{x:.1f}" y="{y:.1f}" width="{max(w, 0):.1f}" height="{max(h, 0):.1f}"'
        self._shapes.append(f'<rect {place} rx="1.5" class="f-{style}"/>')

    def curve(self, points: list[tuple[float, float]], style: str) -> None:
        """A stroke through all points; ``style`` may be several words, as in ``"after thin"``."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._shapes.append(f'<polyline points="{path}" class="{" ".join(f"c-{word}" for word in style.split())}"/>')

    def render(self, title: str, description: str) -> Markup:
        """The whole as an inline ``<svg>``; title and description are read out instead of the shapes."""
        key = f"g{zlib.crc32(f'{self.width} {title} {description}'.encode()):08x}"
        head = (
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" aria-labelledby="{key}-t {key}-d" '
            f'style="max-width:{self.width}px"><title id="{key}-t">{escape(title)}</title>'
            f'<desc id="{key}-d">{escape(description)}</desc>'
        )
        # Every word was escaped where it came in.
        return Markup(head + "".join(self._shapes) + "</svg>")


def nice_step(span: float, parts: int = 5) -> float:
    """A round step (1, 2 or 5 times a power of ten) that cuts ``span`` > 0 into about ``parts``.

    >>> nice_step(0.073), nice_step(9.0)
    (0.01, 2.0)
    """
    raw = span / parts
    power = 10.0 ** (len(str(int(raw))) - 1) if raw >= 1 else 1.0
    while power > raw:
        power /= 10
    steps = [m * power for m in (1, 2, 5, 10)]
    return float(f"{min(steps, key=lambda step: abs(step - raw)):.6g}")
