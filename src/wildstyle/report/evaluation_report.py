"""Results of one or several recognisers as one record: what HTML, Markdown, terminal and JSON show alike.

Schema 1 of ``report`` wraps the results as they were measured; every other part is made from them or says where it
comes from. Pictures of faces are in the HTML alone, and only where they were asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from wildstyle.errors import CorruptArchive
from wildstyle.evaluation.alarms import Alarms, Expected, Site
from wildstyle.evaluation.result import Difference, Result
from wildstyle.report.licences import Licence, read_licences

REPORT_SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedRun:
    """One recogniser's results.

    Attributes:
        name: how it is called in the report, unique there.
        results: by name of the labelled set.
        about: further facts in words, e.g. the recogniser's file and hash.
    """

    name: str
    results: Mapping[str, Result]
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySide:
    """One run against the first, on one set.

    Attributes:
        data: name of the set.
        before: name of the first run.
        after: name of the other.
        differences: after minus before.
        unpaired: why the differences have no paired intervals, or "".
    """

    data: str
    before: str
    after: str
    differences: tuple[Difference, ...]
    unpaired: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteAlarms:
    """What the operating points of one run on one set mean in a day at the user's site."""

    data: str
    run: str
    alarms: tuple[Alarms, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """All of it.

    Attributes:
        title: heading.
        created: date, ISO 8601.
        runs: one or more; the first is what others are compared with.
        side_by_side: every other run against the first, set by set.
        site: gallery size and traffic, or None where they were not given.
        alarms: for ``site``.
        licences: of the files that were brought in.
    """

    title: str
    created: str
    runs: tuple[EvaluatedRun, ...]
    side_by_side: tuple[SideBySide, ...] = ()
    site: Site | None = None
    alarms: tuple[SiteAlarms, ...] = ()
    licences: tuple[Licence, ...] = ()

    @property
    def sets(self) -> list[str]:
        """Names of all labelled sets, in the order in which runs name them."""
        return list(dict.fromkeys(name for run in self.runs for name in run.results))

    def runs_on(self, data: str) -> list[tuple[str, Result]]:
        """(run, result) of all runs that were measured on a set."""
        return [(run.name, run.results[data]) for run in self.runs if data in run.results]

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary; ``report`` is the schema's version."""
        return {
            "report": REPORT_SCHEMA,
            "title": self.title,
            "created": self.created,
            "runs": [
                {"name": r.name, "about": dict(r.about), "results": {k: v.to_json() for k, v in r.results.items()}}
                for r in self.runs
            ],
            "side_by_side": [
                {
                    "data": s.data,
                    "before": s.before,
                    "after": s.after,
                    "unpaired": s.unpaired,
                    "differences": [d.to_json() for d in s.differences],
                }
                for s in self.side_by_side
            ],
            "site": None if self.site is None else asdict(self.site),
            "alarms": [
                {"data": a.data, "run": a.run, "alarms": [one.to_json() for one in a.alarms]} for a in self.alarms
            ],
            "licences": [asdict(one) for one in self.licences],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> EvaluationReport:
        """Inverse of ``to_json``; raises CorruptArchive where it is no such report."""
        if value.get("report") != REPORT_SCHEMA:
            raise CorruptArchive(
                f"a report has schema {value.get('report')!r}, this version reads {REPORT_SCHEMA}",
                remedy="make the report again from the results",
            )
        try:
            return cls(
                title=value["title"],
                created=value["created"],
                runs=tuple(_run(run) for run in value["runs"]),
                side_by_side=tuple(
                    SideBySide(**{**s, "differences": tuple(Difference.from_json(d) for d in s["differences"])})
                    for s in value["side_by_side"]
                ),
                site=None if value["site"] is None else Site(**value["site"]),
                alarms=tuple(
                    SiteAlarms(data=a["data"], run=a["run"], alarms=tuple(_alarms(one) for one in a["alarms"]))
                    for a in value["alarms"]
                ),
                licences=read_licences(value["licences"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise CorruptArchive("the report can't be read", remedy="make it again from the results") from error


def _run(value: Mapping[str, Any]) -> EvaluatedRun:
    results = {name: Result.from_json(result) for name, result in value["results"].items()}
    return EvaluatedRun(name=value["name"], results=results, about=dict(value["about"]))


def _alarms(value: Mapping[str, Any]) -> Alarms:
    body = {key: part for key, part in value.items() if key != "formula"}
    expected = {key: Expected(**body[key]) for key in ("false_alarms", "missed")}
    return Alarms(**{**body, **expected})
