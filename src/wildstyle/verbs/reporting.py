"""From results to a report: one recogniser's, or several side by side."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wildstyle.errors import CorruptArchive, InputError, SettingError, WildstyleError
from wildstyle.evaluation import Result
from wildstyle.evaluation.alarms import Site, alarms_of
from wildstyle.evaluation.paired_draws import StoredDraws, paired_difference, side_by_side
from wildstyle.report import (
    EvaluatedRun,
    EvaluationReport,
    FacePair,
    Licence,
    SideBySide,
    SiteAlarms,
    evaluation_html,
    evaluation_markdown,
)
from wildstyle.runs.atomic import write_bytes, write_json, write_text
from wildstyle.verbs.licences_found import brought_to, licences_of

if TYPE_CHECKING:
    from wildstyle.verbs.jobs import EvaluateJob

FORMATS = (".html", ".md", ".json")

_REMEDY = "give the JSON file that `wildstyle evaluate --out` wrote"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """What a report shows besides the results.

    Attributes:
        title: heading; made from the runs' names where empty.
        site: gallery size and traffic, for false alarms a day; or None.
        licences: the ledger of the files that were brought in.
    """

    title: str = ""
    site: Site | None = None
    licences: tuple[Licence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRun:
    """One run as it was read or measured.

    Attributes:
        run: the results.
        draws: bootstrap draws by set, empty where none were stored.
        licences: what came with the results.
    """

    run: EvaluatedRun
    draws: Mapping[str, StoredDraws]
    licences: tuple[Licence, ...] = ()


def report_results(runs: Sequence[MeasuredRun], options: ReportOptions | None = None) -> EvaluationReport:
    """A report of one run, or of several with differences to the first.

    Raises:
        InputError: no runs.
        SettingError: two runs have one name.
    """
    options = options or ReportOptions()
    if not runs:
        raise InputError("no results to report", remedy=_REMEDY)
    names = [measured.run.name for measured in runs]
    if len(set(names)) < len(names):
        raise SettingError(
            f"two runs have the same name: {', '.join(names)}", remedy="rename a file, or give NAME=FILE"
        )
    first, *others = runs
    known = {one.name for one in options.licences}
    kept = {one.name: one for measured in runs for one in measured.licences if one.name not in known}
    return EvaluationReport(
        title=options.title or _title(names),
        created=datetime.now(UTC).date().isoformat(),
        runs=tuple(measured.run for measured in runs),
        side_by_side=tuple(
            _compared(data, first, other) for other in others for data in first.run.results if data in other.run.results
        ),
        site=options.site,
        alarms=() if options.site is None else tuple(_alarms(runs, options.site)),
        licences=_complete((*options.licences, *kept.values()), runs),
    )


def measured_run(
    job: EvaluateJob,
    results: Mapping[str, Result],
    *,
    draws: Mapping[str, StoredDraws] | None = None,
    licences: Mapping[str, str] | None = None,
) -> MeasuredRun:
    """A run that was just measured, with the ledger of what the job brought in.

    Args:
        job: what was measured.
        results: by name of the labelled set.
        draws: ``store_draws`` of each outcome, for differences to other runs.
        licences: what the user states, by name: "recogniser", or a labelled set.
    """
    about = {"recogniser": job.recogniser.name} | ({"contract": job.contract} if job.contract else {})
    run = EvaluatedRun(name=job.recogniser.stem, results=results, about=about)
    return MeasuredRun(run=run, draws=draws or {}, licences=licences_of(brought_to(job), licences))


def read_run(path: Path, *, name: str = "") -> list[MeasuredRun]:
    """Results from a JSON file of ``wildstyle evaluate --out``, or the runs of a report's JSON.

    Draws are taken from ``draws_path(path)`` where it is there.

    Raises:
        InputError: the file is missing or is no JSON.
        CorruptArchive: it holds no results, or the draws beside it are damaged.
    """
    value = _json(path)
    if "report" in value:
        report = EvaluationReport.from_json(value)
        return [MeasuredRun(run=run, draws={}, licences=report.licences) for run in report.runs]
    results = value.get("results", value)
    if "measures" in results:
        results = {str(results.get("data", path.stem)): results}
    found = {key: Result.from_json(v) for key, v in results.items() if isinstance(v, Mapping) and "measures" in v}
    if not found:
        raise CorruptArchive("holds no results", where=path, remedy=_REMEDY)
    about = {key: text for key, text in value.items() if isinstance(text, str)}
    run = EvaluatedRun(name=name or path.stem, results=found, about=about)
    beside = draws_path(path)
    return [MeasuredRun(run=run, draws=read_draws(beside) if beside.is_file() else {})]


def write_report(report: EvaluationReport, out: Path, errors: Sequence[FacePair] = ()) -> Path:
    """Write the report as the name's ending says: .html, .md or .json; only HTML shows ``errors``.

    Raises:
        SettingError: another ending.
    """
    if out.suffix == ".html":
        write_text(out, evaluation_html(report, errors))
    elif out.suffix == ".md":
        write_text(out, evaluation_markdown(report))
    elif out.suffix == ".json":
        write_json(out, report.to_json())
    else:
        raise SettingError(f"{out.name} ends in {out.suffix!r}, a report in {', '.join(FORMATS)}", remedy="name it so")
    return out


def draws_path(results: Path) -> Path:
    """Where the draws of a results file lie: ``results.json`` has them in ``results.draws.npz``."""
    return results.with_suffix(".draws.npz")


def write_draws(path: Path, draws: Mapping[str, StoredDraws]) -> None:
    """Write ``store_draws`` of each set by its name; arrays are numbered, ``names`` tells set and key."""
    flat = [(f"{data}\n{key}", array) for data, stored in draws.items() for key, array in stored.items()]
    arrays: dict[str, Any] = {f"a{i}": array for i, (_, array) in enumerate(flat)}
    arrays["names"] = np.array([name for name, _ in flat], np.str_)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_bytes(path, buffer.getvalue())


def read_draws(path: Path) -> dict[str, StoredDraws]:
    """Inverse of ``write_draws``.

    Raises:
        CorruptArchive: the file is damaged or something else.
    """
    found: dict[str, dict[str, Any]] = {}
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            for i, name in enumerate(stored["names"]):
                data, _, key = str(name).partition("\n")
                found.setdefault(data, {})[key] = stored[f"a{i}"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CorruptArchive(f"draws can't be read ({error})", where=path, remedy="evaluate again") from error
    return dict(found)


def _compared(data: str, first: MeasuredRun, other: MeasuredRun) -> SideBySide:
    before, after = first.run.results[data], other.run.results[data]
    missing = [m.run.name for m in (first, other) if data not in m.draws]
    intervals, unpaired = None, ""
    if missing:
        unpaired = f"no draws are stored beside the results of {' and '.join(missing)}."
    else:
        try:
            intervals = paired_difference(first.draws[data], other.draws[data])
        except WildstyleError as reason:
            unpaired = str(reason)
    return SideBySide(
        data=data,
        before=first.run.name,
        after=other.run.name,
        differences=side_by_side(before, after, intervals),
        unpaired=unpaired,
    )


def _alarms(runs: Sequence[MeasuredRun], site: Site) -> Iterable[SiteAlarms]:
    for measured in runs:
        for data, result in measured.run.results.items():
            if found := alarms_of(result, site):
                yield SiteAlarms(data=data, run=measured.run.name, alarms=found)


def _complete(licences: tuple[Licence, ...], runs: Sequence[MeasuredRun]) -> tuple[Licence, ...]:
    """The ledger with an entry for every set and recogniser, stated or not."""
    known = {one.name for one in licences}
    sets = dict.fromkeys(data for measured in runs for data in measured.run.results)
    recognisers = [m.run.name if len(runs) > 1 else "recogniser" for m in runs]
    missing = [name for name in (*recognisers, *sets) if name not in known]
    return (*licences, *(Licence(name=name) for name in missing))


def _title(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[1:])} against {names[0]}"


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror or error})", where=path, remedy="check the path") from error
    except ValueError as error:
        raise InputError(f"is no JSON ({error})", where=path, remedy=_REMEDY) from error
    if not isinstance(value, dict):
        raise CorruptArchive("holds no results", where=path, remedy=_REMEDY)
    return value
