"""Every error a user can meet, each with a remedy.

WildstyleError
├── InputError            a path, folder, file or option the user gave is wrong
│   ├── UnreadableFace    one image can't be used (corrupt, a bomb, no pixels)
│   ├── CorruptArchive    a record, tar or pair file is damaged
│   ├── HostileFile       a file tries to do what a data file must not
│   ├── LabelError        labels out of range, one person only, people shared between sets
│   └── SettingError      a configuration key or value is unknown or contradicts another
├── ContractError         a recogniser and the faces given to it disagree
│   └── ImportRefused     a model file holds what the importer can't train faithfully
├── NotMeasurable         too little data for the figure that was asked for
├── Diverged              a loss became NaN or infinite
├── StorageError          the disk is full or not writable
├── MissingExtra          an optional library is not installed
└── Interrupted           the user stopped the run; it can be resumed
"""

from __future__ import annotations


class WildstyleError(Exception):
    """Root of all errors raised on purpose.

    Args:
        what: what is wrong, one clause, naming what was given and what was expected.
        where: the file, record or option concerned, if any.
        remedy: what the user can do next, one clause.
    """

    def __init__(self, what: str, *, where: object | None = None, remedy: str | None = None) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" {self.remedy[0].upper()}{self.remedy[1:]}." if self.remedy else ""
        return f"{place}{self.what}.{advice}"

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders; keyword arguments would be lost by the default.
        return (_rebuild, (type(self), self.what, self.where, self.remedy))


def _rebuild(kind: type[WildstyleError], what: str, where: str | None, remedy: str | None) -> WildstyleError:
    return kind(what, where=where, remedy=remedy)


class InputError(WildstyleError):
    """A path, folder, file or option the user gave is wrong."""


class UnreadableFace(InputError):
    """One image can't be used: corrupt, too large to decode, or empty."""


class CorruptArchive(InputError):
    """A record file, tar, pair file or manifest is damaged or truncated."""


class HostileFile(InputError):
    """A file tries what a data file must not: leave its folder, run code, swallow memory."""


class LabelError(InputError):
    """Labels are out of range, too few, or shared between sets that must be apart."""


class SettingError(InputError):
    """A configuration key or value is unknown or contradicts another."""


class ContractError(WildstyleError):
    """A recogniser and what is given to it disagree; the message names both sides."""


class ImportRefused(ContractError):
    """A model file holds operators or shapes that can't be made trainable faithfully."""


class NotMeasurable(WildstyleError):
    """There is too little data for the figure that was asked for."""


class Diverged(WildstyleError):
    """A loss became NaN or infinite; the message says which term and when."""


class StorageError(WildstyleError):
    """The disk is full or not writable."""


class MissingExtra(WildstyleError):
    """An optional library is not installed; the message names the extra."""


class Interrupted(WildstyleError):
    """The user stopped the run; what was finished is kept and the run can be resumed."""
