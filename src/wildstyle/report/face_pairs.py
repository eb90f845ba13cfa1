"""The worst errors as pairs of pictures: shown only where somebody asked for faces."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Literal

MOST_PAIRS = 24

Kind = Literal["mated", "impostor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFace:
    """One picture of a pair.

    Attributes:
        jpeg: a small JPEG.
        caption: what was measured of the face, e.g. "18 px, sharpness in the lowest 5% of the set".
    """

    jpeg: bytes
    caption: str = ""

    @property
    def link(self) -> str:
        """The picture as a ``data:`` link."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg).decode('ascii')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FacePair:
    """One error.

    Attributes:
        data: the labelled set it comes from.
        kind: "mated": one person, scored too low; "impostor": two people, scored too high.
        score: cosine in [-1, 1].
        probe, gallery: the pictures.
        reason: what was measured that stands out, or that nothing does.
    """

    data: str
    kind: Kind
    score: float
    probe: ShownFace
    gallery: ShownFace
    reason: str
