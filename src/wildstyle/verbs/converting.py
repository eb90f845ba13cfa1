"""Faces from one format to another, with nothing lost that the target can hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np

from wildstyle.errors import InputError, Interrupted, LabelError, SettingError
from wildstyle.faces import FaceSource, ManifestSource, open_faces, open_pairs, read_manifest
from wildstyle.faces.manifest import check_columns
from wildstyle.faces.pairs import PairList
from wildstyle.faces.recordio import LARGEST_EXACT
from wildstyle.faces.writing.bin_writer import PairSetWriter
from wildstyle.faces.writing.copying import copy_faces
from wildstyle.faces.writing.folder_writer import FolderWriter
from wildstyle.faces.writing.manifest_writer import ManifestWriter
from wildstyle.faces.writing.naming import Namer, NameRules
from wildstyle.faces.writing.pair_sets import write_bin, write_listed
from wildstyle.faces.writing.parquet_writer import ParquetWriter, column_order
from wildstyle.faces.writing.publishing import publish_files, publish_folder, require_space, workplace
from wildstyle.faces.writing.recordio_writer import RecordWriter
from wildstyle.faces.writing.stored import FACTS, FaceWriter
from wildstyle.faces.writing.survey import Survey, survey, what_is_lost
from wildstyle.faces.writing.tar_writer import ShardLimits, TarWriter
from wildstyle.verbs.progress import Progress, Silent

Target = Literal["rec", "tar", "folder", "parquet", "csv", "bin"]
_ALL = frozenset(FACTS)


@dataclass(frozen=True)
class _Form:
    """What a target is called and can hold; ``extra`` is bytes a face beside its picture."""

    said: str
    holds: frozenset[str]
    rows: bool
    paths: bool
    extra: int


_FORMS: dict[Target, _Form] = {
    "tar": _Form("a tar", _ALL, False, True, 3072),
    "csv": _Form("a manifest", _ALL, True, True, 1536),
    "parquet": _Form("a parquet file", _ALL, True, True, 512),
    "folder": _Form("a folder", frozenset(("subject", "media")), False, True, 4096),
    "rec": _Form("a record file", frozenset(("label",)), False, False, 128),
    "bin": _Form("a pair file", frozenset(), False, False, 64),
}
_SUFFIXES: dict[str, Target] = {f".{kind}": kind for kind in get_args(Target) if kind != "folder"}
_WITH_PAIRS: tuple[Target, ...] = ("tar", "folder", "bin")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertJob:
    """What is to become what.

    Attributes:
        source: anything ``open_faces`` opens.
        out: where the result goes; nothing may lie there. Without a suffix it is a folder: of shards for
            ``tar``, of ``manifest.csv`` and pictures for ``csv``, of ``train.rec`` and what belongs to it for ``rec``.
        to: the format; by the suffix of ``out`` if None, a folder of pictures where it has none.
        faces: where the pictures of a manifest lie, if not beside it.
        pairs: carry a pair set over with its pairs and folds; always so where a ``.bin`` is written.
        quality: encode every picture anew as JPEG of this quality, 1 to 100; None copies the bytes.
        identities: write the identity kind of record file, person by person, instead of the plain one.
        limits: how large a shard may be.
    """

    source: Path
    out: Path
    to: Target | None = None
    faces: Path | None = None
    pairs: bool = False
    quality: int | None = None
    identities: bool = False
    limits: ShardLimits = field(default_factory=ShardLimits)

    def __post_init__(self) -> None:
        if self.to is not None and self.to not in get_args(Target):
            raise SettingError(f"no format is called {self.to!r}", remedy=f"choose {', '.join(get_args(Target))}")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise SettingError(f"quality is {self.quality}, not from 1 to 100")
        if min(self.limits) < 1:
            raise SettingError("a shard holds at least one face and one byte")
        if self.with_pairs and self.target not in _WITH_PAIRS:
            raise SettingError(f"pairs can't be written as {self.target}", remedy="choose bin, tar or folder")
        suffix = self.out.suffix.lower()
        if self.target in ("parquet", "bin") and suffix != f".{self.target}":
            raise SettingError(f"result of {self.target} is one file", where=self.out, remedy=f"add .{self.target}")
        if suffix in _SUFFIXES and _SUFFIXES[suffix] != self.target:
            raise SettingError(f"{self.target} is asked for, but the name says {suffix}", where=self.out)

    @property
    def target(self) -> Target:
        """The format that is written."""
        return self.to or _SUFFIXES.get(self.out.suffix.lower(), "folder")

    @property
    def with_pairs(self) -> bool:
        """Whether pairs are carried over."""
        return self.pairs or self.target == "bin"

    @property
    def whole_folder(self) -> bool:
        """Whether the result is one new folder rather than files beside others."""
        return self.out.suffix.lower() not in _SUFFIXES


@dataclass(frozen=True)
class Conversion:
    """What was written.

    Attributes:
        out: what to open: the folder or the main file.
        files: files written, by name; empty where they are the pictures of a folder.
        faces: pictures (or, of a ``.bin``, pairs) that were written; rows without a picture not counted.
        lost: one sentence on what the format can't hold, or None.
        left_out: (id, reason) of what is no picture.
    """

    out: Path
    files: tuple[str, ...]
    faces: int
    lost: str | None
    left_out: tuple[tuple[str, str], ...]


def convert(job: ConvertJob, *, progress: Progress | None = None) -> Conversion:
    """Write the faces of ``job.source`` in another format; the same input gives the same bytes.

    Stopped or failed, it leaves nothing behind; started again, it starts over.

    Raises:
        InputError: the source can't be read, or holds what the target can't do without; ``out`` exists.
        StorageError: the disk is full.
        Interrupted: stopped by the user.
        MissingExtra: pyarrow is not installed.
    """
    progress = progress or Silent()
    _refuse_place(job)
    try:
        source, pairs = _opened(job)
        with closing(source):
            return _convert(job, source, pairs, progress)
    except KeyboardInterrupt as stop:
        raise Interrupted(
            "stopped, nothing was written", where=job.out, remedy="run the same command again to start over"
        ) from stop


def _convert(job: ConvertJob, source: FaceSource, pairs: PairList | None, progress: Progress) -> Conversion:
    form = _FORMS[job.target]
    rules = _name_rules(job, source, pairs)
    namer = Namer(rules)
    progress.stage("look through", f"{source.location}, {len(source):,} faces")
    found = survey(source, namer, on_progress=progress.step)
    holds = frozenset(("subject", "media")) if pairs is not None and job.target == "tar" else form.holds
    lost = what_is_lost(found, form.said, holds, rows=form.rows, paths=form.paths, pairs=pairs is not None)
    if lost:
        progress.note(lost)
    if found.pairs and pairs is not None and job.target != "bin":
        progress.note("A pair file names nobody: each pair gets a number, which stands for people in the result.")
    count = len(found.labels) if pairs is None or job.target != "bin" else 2 * len(pairs)
    _refuse_contents(job, found)
    require_space(job.out, count * (1.1 * found.picture_bytes + form.extra))
    progress.stage("write", str(job.out))
    with workplace(job.out) as work:
        if pairs is not None:
            left: list[tuple[str, str]] = []
            names = _write_pairs(job, source, pairs, work, progress)
            written = len(pairs) if job.target == "bin" else len(source)
        else:
            with _writer(job, work, found) as writer:
                left = copy_faces(
                    source,
                    _order(job, found),
                    namer,
                    writer,
                    quality=job.quality,
                    rows=form.rows,
                    on_progress=progress.step,
                )
                names = writer.finish()
            written = len(source) - found.without_picture - len(left)
            if not written:
                raise InputError(
                    "not one picture can be read", where=job.source, remedy="see `wildstyle faces inspect`"
                )
        if job.whole_folder:
            publish_folder(work, job.out)
        else:
            publish_files(work, names, job.out.parent)
    return Conversion(job.out, tuple(names), written, lost, tuple(left))


def _name_rules(job: ConvertJob, source: FaceSource, pairs: PairList | None) -> NameRules:
    # Rows of a manifest that name one file have one picture; in parquet each row has its own.
    shared = job.target == "parquet" or (job.target == "csv" and isinstance(source, ManifestSource))
    return NameRules(
        flat=job.target == "tar" and pairs is None,
        in_path=job.target == "folder",
        one_suffix=job.quality is not None,
        rows_share=shared,
    )


def _opened(job: ConvertJob) -> tuple[FaceSource, PairList | None]:
    if job.with_pairs:
        return open_pairs(job.source)
    if job.faces is not None:
        return ManifestSource(read_manifest(job.source), open_faces(job.faces)), None
    return open_faces(job.source), None


def _refuse_place(job: ConvertJob) -> None:
    out, source = job.out.absolute().resolve(), job.source.absolute().resolve()
    taken = [job.out]
    if not job.whole_folder:
        beside = {"rec": (".idx",), "csv": (".tar",)}.get(job.target, ())
        taken += [job.out.with_suffix(suffix) for suffix in beside]
    for path in taken:
        if path.exists() or path.is_symlink():
            raise InputError("exists already", where=path, remedy="choose another name, or remove it")
    if out.is_relative_to(source):
        raise InputError("lies inside what is to be converted", where=job.out, remedy="choose a place outside")


def _refuse_contents(job: ConvertJob, found: Survey) -> None:
    """Say before hours of writing what would fail after them."""
    if job.target in ("csv", "parquet"):
        check_columns(("file", *column_order(found.known, found.attributes)), job.source)
    if job.target != "rec":
        return
    unknown = int((found.labels < 0).sum())
    if unknown:
        raise LabelError(
            f"{unknown} of {found.faces} faces show nobody known, a record file needs a person for each",
            where=job.source,
            remedy="write a tar or parquet instead",
        )
    if found.labels.max() >= LARGEST_EXACT:
        raise LabelError(
            f"labels go up to {found.labels.max()}, above 2**24, where float32 rounds integers",
            where=job.source,
            remedy="number the people from 0 without gaps",
        )
    _refuse_property(job, found)


def _refuse_property(job: ConvertJob, found: Survey) -> None:
    """A ``property`` beside the file would rule the new records too."""
    stated = job.out.parent / "property"
    if job.whole_folder or not stated.is_file():
        return
    first = stated.read_text(encoding="utf-8", errors="replace").split(",")[0].strip()
    if not first.isdecimal() or int(first[:18]) <= found.labels.max():
        raise InputError(
            f"says {first[:18]!r} classes for all records beside it, {found.labels.max() + 1} are needed",
            where=stated,
            remedy="give OUT a folder of its own",
        )


def _order(job: ConvertJob, found: Survey) -> Sequence[int]:
    if job.target == "rec" and job.identities:
        return cast("Sequence[int]", np.argsort(found.labels, kind="stable"))
    return range(found.faces)


def _writer(job: ConvertJob, work: Path, found: Survey) -> FaceWriter:
    stem = job.out.stem if not job.whole_folder else job.out.name
    columns = column_order(found.known, found.attributes)
    makers: dict[Target, Callable[[], FaceWriter]] = {
        "folder": lambda: FolderWriter(work),
        "tar": lambda: TarWriter(work, stem, limits=job.limits if job.whole_folder else None),
        "parquet": lambda: ParquetWriter(work, stem, columns),
        "csv": lambda: (
            ManifestWriter(work, "manifest", columns, FolderWriter(work))
            if job.whole_folder
            else ManifestWriter(work, stem, columns, TarWriter(work, stem, notes=False))
        ),
        "rec": lambda: RecordWriter(
            work,
            "train" if job.whole_folder else stem,
            identities=job.identities,
            with_property=job.whole_folder or _alone(job.out),
        ),
    }
    return makers[job.target]()


def _alone(out: Path) -> bool:
    """Whether no other record file would be ruled by a ``property`` beside ``out``."""
    return not (out.parent / "property").exists() and not any(out.parent.glob("*.rec"))


def _write_pairs(job: ConvertJob, source: FaceSource, pairs: PairList, work: Path, progress: Progress) -> list[str]:
    with ExitStack() as stack:
        if job.target == "bin":
            writer = stack.enter_context(PairSetWriter(work / job.out.name))
            write_bin(source, pairs, writer, job.quality, progress.step)
            return writer.finish()
        stem = job.out.stem if not job.whole_folder else job.out.name
        listed = FolderWriter(work) if job.target == "folder" else TarWriter(work, stem, notes=False)
        stack.enter_context(listed)
        write_listed(source, pairs, listed, job.quality, progress.step)
        return listed.finish()
