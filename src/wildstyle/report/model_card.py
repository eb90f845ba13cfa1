"""The model card that travels with the weights, as Markdown.

Fields after Mitchell et al., "Model Cards for Model Reporting" (2019), and what a face recogniser needs besides:
the contract of its input, whether stored templates stay usable, and the drift from its base.
"""

from __future__ import annotations

from pathlib import Path

from wildstyle.report.records import read_records
from wildstyle.report.tables import COLUMNS, comparison_rows
from wildstyle.report.templating import environment
from wildstyle.report.unmeasured import not_measured
from wildstyle.report.verdict import read_verdict
from wildstyle.runs.atomic import write_text
from wildstyle.runs.folder import MODEL_CARD, RunFolder


def render_model_card(run: RunFolder | Path | str) -> Path:
    """Write ``model_card.md`` from the records of a run.

    Args:
        run: the run or its folder.

    Returns:
        Path of the file.

    Raises:
        InputError: there is no run, or a record is damaged.
        StorageError: the file can't be written.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder.open(run)
    records = read_records(folder)
    text = (
        environment(html=False)
        .get_template("model_card.md")
        .render(
            name=folder.path.resolve().name,
            records=records,
            verdict=read_verdict(folder),
            columns=COLUMNS,
            rows=comparison_rows(records.evaluations),
            not_measured=not_measured(records),
        )
    )
    path = folder.file(MODEL_CARD)
    write_text(path, text)
    return path
