"""Make the report of a finished run again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from wildstyle.report import (
    Licence,
    Verdict,
    decide_run,
    read_records,
    render_model_card,
    render_report,
    store_licences,
)
from wildstyle.runs import RunFolder


def rereport(
    run: Path, *, include_faces: bool = False, licences: Mapping[str, str] | None = None
) -> tuple[Verdict, Path]:
    """Decide again from the records in ``run`` and rewrite report and model card.

    Args:
        run: the run folder.
        include_faces: show the pictures of people that lie in it.
        licences: what the user states of files of the run, by name; kept in the run.

    Returns:
        The verdict, and the path of the report.

    Raises:
        InputError: ``run`` is no run folder, or a record is damaged.
    """
    folder = RunFolder.open(run)
    if licences:
        _restate(folder, licences)
    verdict = decide_run(folder)
    path = render_report(folder, include_faces=include_faces)
    render_model_card(folder)
    return verdict, path


def _restate(folder: RunFolder, stated: Mapping[str, str]) -> None:
    known = {one.name: one for one in read_records(folder).licences}
    for name, licence in stated.items():
        file = known[name].file if name in known else ""
        known[name] = Licence(name=name, file=file, licence=licence, source="the user")
    store_licences(folder, list(known.values()))
