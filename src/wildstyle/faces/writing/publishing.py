"""Write into a hidden folder beside the target; rename when all is there. Whatever fails leaves nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from wildstyle.errors import InputError, StorageError
from wildstyle.runs.atomic import storage_error


@contextmanager
def workplace(out: Path) -> Iterator[Path]:
    """A folder on the disk of ``out``, removed at the end, whatever happens.

    Raises:
        StorageError: the disk is full or not writable.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.", suffix=".part"))
    except OSError as error:
        raise storage_error(error, out) from error
    try:
        yield folder
    except OSError as error:
        raise storage_error(error, out) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish_folder(work: Path, out: Path) -> None:
    """Give the whole folder its name.

    Raises:
        InputError: something lies there meanwhile.
    """
    _refuse_existing([out])
    mask = os.umask(0)
    os.umask(mask)
    work.chmod(0o777 & ~mask)
    work.rename(out)


def publish_files(work: Path, names: Sequence[str], into: Path) -> None:
    """Give files their names one after the other; if one fails, those before it are removed.

    Raises:
        InputError: one exists already.
    """
    targets = [into / name for name in names]
    _refuse_existing(targets)
    done: list[Path] = []
    try:
        for name, target in zip(names, targets, strict=True):
            with open(work / name, "rb") as written:
                os.fsync(written.fileno())
            (work / name).rename(target)
            done.append(target)
    except BaseException:
        for target in done:
            with contextlib.suppress(OSError):
                target.unlink()
        raise


def _refuse_existing(targets: Sequence[Path]) -> None:
    for target in targets:
        if target.exists() or target.is_symlink():
            raise InputError("exists already", where=target, remedy="choose another name, or remove it")


def require_space(out: Path, needed: float) -> None:
    """See that the disk of ``out`` has room for ``needed`` bytes.

    Raises:
        StorageError: it has not.
    """
    place = next(folder for folder in out.absolute().parents if folder.exists())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise StorageError(
            f"about {needed / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free",
            where=out,
            remedy="free some space, or choose another disk",
        )
