"""Checkpoints that are whole or not there.

A checkpoint is ``step-00000120.pt`` (tensors; read with torch's restricted loader) and, written after it,
``step-00000120.json`` with the step, the run it belongs to and the digest of the tensors. Without a matching
digest a checkpoint does not count, so a crash or a bad disk costs the steps since the one before, never the run.
"""

from __future__ import annotations

import hashlib
import json
import logging
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch

from wildstyle.errors import StorageError
from wildstyle.runs.atomic import replacing, write_json

FORMAT = 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mark:
    """What a checkpoint says of itself.

    Attributes:
        step: steps done.
        total: steps of the whole run.
        seconds: wall-clock seconds spent so far.
        task: name of the task.
        plan: the plan's fingerprint.
        values: losses and diagnostics of the last step done.
    """

    step: int
    total: int
    seconds: float
    task: str
    plan: Mapping[str, Any]
    values: Mapping[str, float]


class CheckpointStore:
    """The checkpoints of one run folder."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder = Path(folder)
        self.keep = keep

    def save(self, mark: Mark, state: Mapping[str, Any]) -> None:
        """Write a checkpoint, then drop all but the newest ``keep``.

        Raises:
            StorageError: the disk is full or not writable; older checkpoints are untouched.
        """
        path = self.folder / f"step-{mark.step:08d}.pt"
        # An overwritten checkpoint must not be vouched for by its old digest.
        path.with_suffix(".json").unlink(missing_ok=True)
        with replacing(path) as temporary, _full_disk_named(path):
            torch.save(dict(state), temporary)
            digest = _digest(temporary)
        write_json(path.with_suffix(".json"), {"format": FORMAT, "digest": digest, **asdict(mark)})
        self._prune(mark.step)

    def load_newest(self) -> tuple[Mark, dict[str, Any]] | None:
        """The newest sound checkpoint with its tensors on the CPU, or None; each unsound one is logged."""
        for path in reversed(self._marks()):
            try:
                return _load(path)
            except _UNSOUND as error:
                _log.warning("checkpoint %s is damaged (%s); trying the one before", path.with_suffix(".pt"), error)
        return None

    def _marks(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.json"))

    def _prune(self, newest: int) -> None:
        """Drop older checkpoints, and half-written or later ones that this run has left behind."""
        kept = {f"step-{newest:08d}"}
        for path in reversed(self._marks()):
            if path.stem < f"step-{newest:08d}" and len(kept) < self.keep:
                kept.add(path.stem)
        for path in self.folder.glob("step-*"):
            if path.stem not in kept and path.suffix in (".pt", ".json"):
                path.unlink(missing_ok=True)


class _Damaged(Exception):
    pass


_UNSOUND = (_Damaged, OSError, ValueError, KeyError, TypeError, RuntimeError, EOFError, pickle.UnpicklingError)


def _load(path: Path) -> tuple[Mark, dict[str, Any]]:
    fields = json.loads(path.read_text())
    if fields.pop("format") != FORMAT:
        raise _Damaged("it was written by another version")
    tensors = path.with_suffix(".pt")
    if fields.pop("digest") != _digest(tensors):
        raise _Damaged("its digest does not match")
    state = cast(dict[str, Any], torch.load(tensors, map_location="cpu", weights_only=True))
    return Mark(**fields), state


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


@contextmanager
def _full_disk_named(path: Path) -> Iterator[None]:
    """Torch's writer reports a failed write as a RuntimeError of its own; say what it means."""
    try:
        yield
    except RuntimeError as error:
        if not any(word in str(error) for word in ("PytorchStreamWriter", "inline_container", "failed writing")):
            raise
        raise StorageError(
            "a checkpoint can't be written, most likely the disk is full",
            where=path,
            remedy="free some space and run the same command again; the older checkpoint is untouched",
        ) from error
