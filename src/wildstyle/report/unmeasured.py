"""What this run did not look at: a report without its limits invites more trust than it earned."""

from __future__ import annotations

from wildstyle.report.records import RunRecords

_PLACES = ("camera", "media", "site", "day")

# Nothing in a run can answer these; they belong to the place where the recogniser will work.
_NEVER = (
    "The whole system from camera to decision: false alarms a day depend on how many strangers pass and on the "
    "size of the gallery, and grow with both.",
    "The threshold of your system. Scores of the adapted recogniser are not those of the old one: choose it "
    "again, on people who are in none of the sets above.",
    "Speed on the machine that will run it.",
    "Attacks with printed or shown faces, and how well people review an alarm.",
)


def not_measured(records: RunRecords) -> list[str]:
    """Sentences on the gaps of this run, most important first."""
    gaps = []
    targets = [s for s in records.evaluations if s.role == "target"]
    if not targets:
        gaps.append("The cameras that were adapted for: no labelled set shows them.")
    if not any(s.role == "guard" for s in records.evaluations):
        gaps.append("Good faces: no clean set was given, so forgetting would go unseen.")
    if targets and not any(_has(s.comparison.before.measures, "tpir") for s in targets):
        gaps.append("Strangers: no open-set figure (TPIR at a fixed FPIR) was measured on the target.")
    if not any(_is_group_of_people(m.group) for s in records.evaluations for m in s.comparison.before.measures):
        gaps.append(
            "Differences between groups of people (age, sex, skin tone): no set carries such labels, and they are "
            "never guessed from faces."
        )
    return [*gaps, *_NEVER]


def _is_group_of_people(group: str) -> bool:
    """Whether a group is made by a column of the manifest that is no camera or recording: perhaps one of people."""
    column, equals, _ = group.partition("=")
    return bool(equals) and column.isidentifier() and column not in _PLACES


def _has(measures: tuple[object, ...], kind: str) -> bool:
    return any(getattr(m, "name", "").startswith(kind) and getattr(m, "value", None) is not None for m in measures)
