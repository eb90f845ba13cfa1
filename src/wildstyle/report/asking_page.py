"""A page that asks whether two tracks show one person: works from a file, without a network, and offers the answers.

The only page with a script: it keeps the answers in the browser, hides questions that they imply, and makes the file
to download. Scores and the kind of a question are not shown, so that the answer is the person's own.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from markupsafe import Markup

from wildstyle.report.templating import environment


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPair:
    """One question.

    Attributes:
        kind: of the question, for the answers file.
        first, second: ids of the faces, for the answers file.
        groups: names of the two tracks, by which answers imply others.
        audit: asked at random, so always, whatever other answers imply.
        left, right: JPEG files to show.
        captions: a line under each side.
    """

    kind: str
    first: str
    second: str
    groups: tuple[str, str]
    audit: bool
    left: tuple[bytes, ...]
    right: tuple[bytes, ...]
    captions: tuple[str, str]

    @property
    def sides(self) -> list[tuple[list[str], str]]:
        """Pictures as ``data:`` links, and the line under them, for each side."""
        return [
            ([_link(jpeg) for jpeg in side], caption)
            for side, caption in zip((self.left, self.right), self.captions, strict=True)
        ]


def asking_page(pairs: Sequence[AskedPair], known: Sequence[tuple[str, str, str]], *, title: str, outlook: str) -> str:
    """The page as text.

    Args:
        pairs: the questions, in order.
        known: (track, track, "yes" or "no") that earlier answers say or imply.
        title: name of what is labelled.
        outlook: how far labelling is, in words.
    """
    data: dict[str, Any] = {
        "questions": [
            {"kind": p.kind, "first": p.first, "second": p.second, "groups": p.groups, "audit": p.audit} for p in pairs
        ],
        "known": known,
    }
    stored = json.dumps(data, ensure_ascii=True)
    data["id"] = f"wildstyle-{sha256(stored.encode()).hexdigest()[:16]}"
    # Inside a script element only "<" could end it; JSON may write it as an escape.
    text = Markup(json.dumps(data, ensure_ascii=True).replace("<", "\\u003c"))
    return (
        environment(html=True).get_template("asking.html").render(pairs=pairs, data=text, title=title, outlook=outlook)
    )


def _link(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"
