"""``wildstyle report``: of a run folder, or of results of ``wildstyle evaluate``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from wildstyle.cli.screen import console
from wildstyle.errors import SettingError

if TYPE_CHECKING:
    from wildstyle.evaluation.alarms import Site
    from wildstyle.report import EvaluationReport
    from wildstyle.report.evaluation_tables import Sheet

GallerySize = Annotated[int | None, typer.Option("--gallery-size", help="People enrolled where you deploy.")]
FacesADay = Annotated[float | None, typer.Option("--faces-a-day", help="Faces searched there in a day.")]
WatchlistShare = Annotated[
    float, typer.Option("--watchlist-share", help="Share of those faces that show an enrolled person, 0 to 1.")
]
Licences = Annotated[
    list[str] | None, typer.Option("--licence", help="NAME=LICENCE of a file you brought; may be given several times.")
]
IncludeFaces = Annotated[
    bool, typer.Option("--include-faces", "--show-faces", help="Put people's faces into the report.")
]

_COLOURS = {"better": "green", "worse": "red", "unsettled": "default", "not measurable": "dim"}
_ON_SCREEN = ("figures", "differences", "points", "groups", "alarms")
_MARKED = 3  # column of a difference


def report_command(
    paths: Annotated[
        list[str],
        typer.Argument(help="A run folder, or results of `wildstyle evaluate --out`, each FILE or NAME=FILE."),
    ],
    out: Annotated[
        list[Path] | None,
        typer.Option("--out", help="Write the report there: .html, .md or .json; may be given several times."),
    ] = None,
    title: Annotated[str, typer.Option(help="Heading.")] = "",
    gallery_size: GallerySize = None,
    faces_a_day: FacesADay = None,
    watchlist_share: WatchlistShare = 0.0,
    licence: Licences = None,
    include_faces: IncludeFaces = False,
) -> None:
    """Make the report of a run again, or show results of one or several recognisers side by side."""
    from wildstyle.verbs.licences_found import licences_of, parse_licence

    stated = dict(parse_licence(text) for text in licence or [])
    if len(paths) == 1 and Path(paths[0]).is_dir():
        _refuse_for_a_run(out, title, gallery_size, faces_a_day)
        _report_run(Path(paths[0]), include_faces=include_faces, licences=stated)
        return
    if include_faces:
        raise SettingError(
            "results hold no faces", where="--include-faces", remedy="give it to `wildstyle evaluate --report` instead"
        )
    from wildstyle.verbs.reporting import ReportOptions, read_run, report_results, write_report

    options = ReportOptions(
        title=title,
        site=site_of(gallery_size, faces_a_day, watchlist_share),
        licences=licences_of({}, stated),
    )
    runs = [run for path, name in map(_named, paths) for run in read_run(path, name=name)]
    report = report_results(runs, options)
    for path in out or []:
        console.print(f"  report  {escape(str(write_report(report, path)))}", soft_wrap=True)
    if not out:
        show_report(report)


def site_of(gallery_size: int | None, faces_a_day: float | None, watchlist_share: float) -> Site | None:
    """The user's site, or None where neither size nor traffic was given.

    Raises:
        SettingError: only one of the two, or a value out of range.
    """
    if gallery_size is None and faces_a_day is None:
        return None
    if gallery_size is None or faces_a_day is None:
        raise SettingError("false alarms a day need both --gallery-size and --faces-a-day", remedy="give the other too")
    from wildstyle.evaluation.alarms import Site

    return Site(gallery_size=gallery_size, faces_a_day=faces_a_day, watchlist_share=watchlist_share)


def show_report(report: EvaluationReport) -> None:
    """The report's tables on the terminal."""
    for table in report_tables(report):
        console.print(table)


def report_tables(report: EvaluationReport) -> list[Group]:
    """Figures, differences, operating points, groups, alarms and licences as terminal tables."""
    from wildstyle.report.evaluation_tables import licence_sheet, set_sheets

    tables = [
        sheet_table(sheet, data)
        for data in report.sets
        for sheet in set_sheets(report, data)
        if sheet.kind in _ON_SCREEN
    ]
    ledger = licence_sheet(report)
    return [*tables, sheet_table(ledger)] if ledger.rows else tables


def sheet_table(sheet: Sheet, data: str = "") -> Group:
    """One of the report's tables for the terminal, with its notes below it."""
    title = f"{data}: {sheet.title}" if data else sheet.title
    table = Table(title=escape(title), title_justify="left", title_style="bold", box=None)
    for index, column in enumerate(sheet.columns):
        table.add_column(escape(column), justify="right" if index in sheet.numeric else "left")
    for index, row in enumerate(sheet.rows):
        table.add_row(*_coloured(row, sheet.marks[index] if sheet.marks else ""))
    return Group(table, *(f"[dim]{escape(note)}[/]" for note in sheet.notes), "")


def _coloured(row: Sequence[str], mark: str) -> list[str]:
    cells = [escape(cell) for cell in row]
    if mark in _COLOURS:
        cells[_MARKED] = f"[{_COLOURS[mark]}]{cells[_MARKED]}[/]"
    return cells


def _report_run(run: Path, *, include_faces: bool, licences: Mapping[str, str]) -> None:
    from wildstyle.cli.tables import print_verdict
    from wildstyle.verbs.rereport import rereport

    verdict, path = rereport(run, include_faces=include_faces, licences=licences)
    print_verdict(verdict)
    console.print(f"  report  {escape(str(path))}", soft_wrap=True)


def _refuse_for_a_run(out: object, title: object, gallery_size: object, faces_a_day: object) -> None:
    given = {"--out": out, "--title": title, "--gallery-size": gallery_size, "--faces-a-day": faces_a_day}
    if wrong := [name for name, value in given.items() if value]:
        raise SettingError(
            f"the report of a run folder takes no {' and no '.join(wrong)}",
            remedy="it lies in the folder; give results of `wildstyle evaluate --out` for the others",
        )


def _named(text: str) -> tuple[Path, str]:
    """Path and name of ``FILE`` or ``NAME=FILE``; a file that has = in its name is taken as it is."""
    name, equals, path = text.partition("=")
    return (Path(path), name) if equals and not Path(text).exists() else (Path(text), "")
