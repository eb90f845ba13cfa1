"""What an adaptation learns from."""

from __future__ import annotations

from dataclasses import dataclass

from wildstyle.faces.source import FaceSource
from wildstyle.recognisers import Recogniser
from wildstyle.recognisers.quality import QualityNetwork


@dataclass(frozen=True, slots=True)
class Material:
    """Faces and helpers of an adaptation.

    Attributes:
        source: clean faces, aligned as the recogniser wants them. Labels are used only with a head.
        footage: unlabelled faces of the target, to be made worse still (the untouched recogniser says who they are);
            used where ``footage_share`` is above 0.
        strong: a stronger recogniser that the user owns, of any length of embedding, as a second teacher.
        quality: taught for this recogniser; needed by ways that mix by quality.
        held: clean faces put aside, on which the student's drift from the untouched recogniser is looked at; or None.
    """

    source: FaceSource
    footage: FaceSource | None = None
    strong: Recogniser | None = None
    quality: QualityNetwork | None = None
    held: FaceSource | None = None
