"""Make the report of a finished run again."""

from __future__ import annotations

from pathlib import Path

from wildstyle.report import Verdict, decide_run, render_model_card, render_report
from wildstyle.runs import RunFolder


def rereport(run: Path, *, include_faces: bool = False) -> tuple[Verdict, Path]:
    """Decide again from the records in ``run`` and rewrite report and model card.

    Returns:
        The verdict, and the path of the report.

    Raises:
        InputError: ``run`` is no run folder, or a record is damaged.
    """
    folder = RunFolder.open(run)
    verdict = decide_run(folder)
    path = render_report(folder, include_faces=include_faces)
    render_model_card(folder)
    return verdict, path
