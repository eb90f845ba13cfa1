"""Templates shipped with the package, and the filters they use."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import jinja2

from wildstyle.report import wording

TEMPLATES = Path(__file__).parent / "templates"

_FILTERS = (
    "count_text",
    "duration_text",
    "listed",
    "measure_label",
    "measure_meaning",
    "plain_text",
    "share_text",
    "size_text",
)


@cache
def environment(*, html: bool) -> jinja2.Environment:
    """Templates that escape HTML where asked; a name that is not given is an error, not an empty place."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=html,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters.update({name: getattr(wording, name) for name in _FILTERS})
    env.filters["md"] = markdown_text
    return env


def markdown_text(value: object) -> str:
    """Text that stands for itself in Markdown: no markup, no HTML, no table cells, one line.

    >>> markdown_text("a|b <i>*c*</i>")
    'a\\\\|b &lt;i&gt;\\\\*c\\\\*&lt;/i&gt;'
    """
    line = " ".join(str(value).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*\[\]|])", r"\\\1", line)
