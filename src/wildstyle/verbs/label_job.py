"""What labelling is asked to do, what it shows, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from wildstyle.errors import InputError, SettingError
from wildstyle.evaluation.asking import Ask, AskingOptions
from wildstyle.evaluation.confirmed import Confirmed, Outlook, Share
from wildstyle.evaluation.implied import Answer
from wildstyle.verbs.tracked import FootageJob


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelJob:
    """Footage to be labelled.

    Attributes:
        footage: see there.
        recogniser: model file that proposes; it never decides.
        out: CSV of the protocol; labels, answers and the page lie beside it under the same stem.
        contract: how the recogniser wants its input where its file does not say.
        answers: files with further answers, such as the page offers for download.
        sheet: page with the next questions; beside ``out`` by default.
        questions: questions on the page, or to ask in a terminal before it stops.
        alike: cosine from which faces of one medium are taken as one track.
        gain: smallest gain worth knowing, a share; says how many people are enough.
        asking: how questions are chosen.
    """

    footage: FootageJob
    recogniser: Path
    out: Path
    contract: str | None = None
    answers: tuple[Path, ...] = ()
    sheet: Path | None = None
    questions: int = 40
    alike: float = 0.5
    gain: float = 0.03
    asking: AskingOptions = field(default_factory=AskingOptions)

    def __post_init__(self) -> None:
        if self.out.suffix.lower() != ".csv":
            raise InputError("a manifest is a .csv file", where=self.out, remedy="name it so")
        if self.questions < 1 or not 0 < self.gain < 1:
            raise SettingError("questions are at least 1, the gain lies between 0 and 1")

    @property
    def ledger(self) -> Path:
        """All answers, only ever appended to."""
        return self.out.with_suffix(".answers.csv")

    @property
    def labels(self) -> Path:
        """All faces of confirmed people, without roles."""
        return self.out.with_suffix(".labels.csv")

    @property
    def blank(self) -> Path:
        """The questions of the page as rows whose answers are empty, to be filled by hand."""
        return self.page.with_suffix(".csv")

    @property
    def page(self) -> Path:
        """The page with questions."""
        return self.sheet or self.out.with_suffix(".ask.html")


@dataclass(frozen=True)
class LabelReport:
    """How far labelling is.

    Attributes:
        faces, tracks: faces with an embedding, and the tracks they are in.
        left_out: tracks beyond ``MOST_TRACKS`` that nobody is asked about.
        labelled: faces of confirmed people.
        confirmed: see there.
        contradictions: answers that can't all be true, as ids of faces with what was said.
        same, different: what the random audits say of implied and of assumed relations.
        bias: what choosing tracks did to figures on these labels, in words.
        outlook: how much more is needed.
        questions: questions on the page; 0 where nothing is left to ask or no page was written.
        files: by what is in them.
        evaluate: argument for ``wildstyle evaluate``, or None where there is no protocol yet.
        why_not: why there is none.
    """

    faces: int
    tracks: int
    left_out: int
    labelled: int
    confirmed: Confirmed
    contradictions: tuple[tuple[tuple[str, str, bool], ...], ...]
    same: Share
    different: Share
    bias: str
    outlook: Outlook
    questions: int
    files: dict[str, Path]
    evaluate: str | None
    why_not: str | None


@dataclass(frozen=True, slots=True)
class ShownPair:
    """A question as a person sees it.

    Attributes:
        ask: the question.
        first, second: ids of the faces it is about; these stand in the answers file.
        left, right: ids of the faces to show for each side.
        number: from 1, in this sitting.
        outlook: how far labelling is.
    """

    ask: Ask
    first: str
    second: str
    left: tuple[str, ...]
    right: tuple[str, ...]
    number: int
    outlook: Outlook


Asker = Callable[[ShownPair], Answer | None]
"""Shows a question and gives the answer; None stops."""
