"""Under which terms each file came that a user brought in.

Weights and faces are seldom free for every use, and a licence of code says nothing of what was trained with it.
So each file is listed with what was stated and where; what nobody stated is shown as not stated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wildstyle.errors import CorruptArchive

NOT_STATED = "not stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """One file's terms.

    Attributes:
        name: what the file is to the user, e.g. "recogniser" or the name of a labelled set.
        file: its name, without the folder.
        licence: as stated, in a few words, or None where nobody stated it.
        source: where it was stated: "contract", "the user", or the name of a file beside it.
    """

    name: str
    file: str = ""
    licence: str | None = None
    source: str = ""

    @property
    def text(self) -> str:
        """The licence, or that there is none."""
        return self.licence or NOT_STATED


def read_licences(values: Iterable[Any]) -> tuple[Licence, ...]:
    """Ledger entries from JSON.

    Raises:
        CorruptArchive: an entry has other keys.
    """
    try:
        return tuple(Licence(**value) for value in values)
    except TypeError as error:
        raise CorruptArchive("the licence ledger can't be read", remedy="make the report again") from error


def ledger(
    stated: Sequence[Licence], provenance: Mapping[str, Any] | None, contract: Mapping[str, Any] | None
) -> tuple[Licence, ...]:
    """All that a run was given: what is stated, then every other input, its terms from the contract or not stated."""
    known = {one.name for one in stated}
    inputs = (provenance or {}).get("inputs", {})
    given = [
        Licence(name=_name_of(role, place), file=_base_name(file.get("given", "")))
        for role, files in inputs.items()
        for place, file in enumerate(files)
    ]
    others = [one for one in given if one.name not in known]
    licence = str((contract or {}).get("licence", "unknown"))
    if licence == "unknown":
        return (*stated, *others)
    found = [
        Licence(name=one.name, file=one.file, licence=licence, source="contract") if one.name == "recogniser" else one
        for one in others
    ]
    return (*stated, *found)


def _name_of(role: str, place: int) -> str:
    name = role.removeprefix("evaluate ")
    return name if place == 0 else f"{name} {place + 1}"


def _base_name(given: str) -> str:
    return given.replace("\\", "/").rstrip("/").rpartition("/")[2]
