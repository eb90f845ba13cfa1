"""Losses and diagnostics over a run: ``metrics.jsonl``, and TensorBoard if asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wildstyle.errors import MissingExtra
from wildstyle.runs.atomic import storage_error, write_text


class MetricsLog:
    """Appends one JSON line a logged step: ``{"step", "seconds", "images_per_second", "values"}``.

    Args:
        folder: the run's folder; an existing log is cut back to what was done up to ``resumed_at``.
        resumed_at: steps already done; later lines come from steps that will be done again.
        tensorboard: write TensorBoard events too.

    Raises:
        MissingExtra: TensorBoard was asked for and is not installed.
        StorageError: the log can't be written.
    """

    def __init__(self, folder: Path, *, resumed_at: int, tensorboard: bool) -> None:
        self.path = folder / "metrics.jsonl"
        kept = [line for line in read_metrics(self.path) if line["step"] <= resumed_at]
        write_text(self.path, "".join(_line(k) for k in kept))
        self._board = _open_board(folder / "tensorboard", resumed_at) if tensorboard else None

    def add(self, step: int, seconds: float, images_per_second: float, values: Mapping[str, float]) -> None:
        """Log 1-based ``step``."""
        line = {"step": step, "seconds": round(seconds, 3), "images_per_second": round(images_per_second, 3)}
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line({**line, "values": dict(values)}))
        except OSError as error:
            raise storage_error(error, self.path) from error
        if self._board is not None:
            for name, value in {**values, "images_per_second": images_per_second}.items():
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush what TensorBoard holds back."""
        if self._board is not None:
            self._board.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Lines of a ``metrics.jsonl``; a torn last line, as a crash leaves it, is left out."""
    if not path.exists():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return lines


def _line(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, allow_nan=False) + "\n"


def _open_board(folder: Path, resumed_at: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtra(
            "TensorBoard is not installed", remedy="pip install wildstyle[tensorboard], or leave tensorboard off"
        ) from error
    return SummaryWriter(str(folder), purge_step=resumed_at + 1)
