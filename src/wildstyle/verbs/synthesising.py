"""Redraw labelled clean faces as a learnt camera shows them: a labelled training set for an old camera."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from wildstyle.adaptation.guidance import Objective, StylePoint, guide
from wildstyle.adaptation.settings import GuidanceSettings
from wildstyle.errors import InputError, Interrupted, SettingError, UnreadableFace
from wildstyle.faces import Face, FaceSource, open_faces, stream
from wildstyle.faces.decode import encode_jpeg, encode_png
from wildstyle.faces.writing.folder_writer import FolderWriter
from wildstyle.faces.writing.publishing import publish_files, publish_folder, require_space, workplace
from wildstyle.faces.writing.stored import FaceWriter, StoredFace
from wildstyle.faces.writing.tar_writer import ShardLimits, TarWriter
from wildstyle.recognisers import Recogniser, load_recogniser
from wildstyle.runs.atomic import write_bytes
from wildstyle.synthesis import FitSettings, StyleGenerator, load_generator, style_matrix
from wildstyle.synthesis import Generator as LearntGenerator
from wildstyle.synthesis.diagnostics import some_source
from wildstyle.synthesis.kinds.chain import ChainGenerator
from wildstyle.synthesis.material import to_images
from wildstyle.verbs.drawn_styles import (
    AnyStyles,
    DrawnStyle,
    Frames,
    Styles,
    StylesOfFrames,
    closest_frames,
    frames_of,
)
from wildstyle.verbs.progress import Progress, Silent
from wildstyle.verbs.style_reading import WantedReader, reader_of

Form = Literal["tar", "folder"]

_BATCH = 32
_MAGNITUDES = (1.0, 6.0)
_ON_SHEET = 6
_BYTES_A_FACE = 12_000
COMMENT = b"wildstyle "


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesiseJob:
    """What is to be redrawn, and how.

    Attributes:
        generator: file of a fitted generator.
        source: clean aligned faces of its size; labels and media go along.
        out: a new folder of pictures, or a ``.tar``, or a folder of tar shards with ``form="tar"``.
        form: ``tar`` or ``folder``; by the suffix of ``out`` if None.
        axis: 0 for a random direction, else the number of an axis, negative for its other end.
        magnitudes: least and most; drawn evenly between.
        like: aligned frames, or one, whose styles are taken instead.
        reader: file of the reader of styles; None: the one beside the generator, taught on the source if missing.
        then: file of a second generator that redraws what the first has made.
        target: whose basis of a generator of several cameras; None: the first.
        sheet: a picture of some source faces in some of the styles that are drawn, written there.
        copies: pictures a face.
        guided_by: a recogniser: styles are nudged to where it is least sure of the face; None: as drawn.
        contract: of that recogniser.
        quality: JPEG quality, or 0 for PNG.
        seed: same seed, same pictures, at any batch size.
        workers: reading threads.
        limits: how large a shard may be.
    """

    generator: Path
    source: Path
    out: Path
    form: Form | None = None
    axis: int = 0
    magnitudes: tuple[float, float] = _MAGNITUDES
    like: Path | None = None
    reader: Path | None = None
    then: Path | None = None
    target: str | None = None
    sheet: Path | None = None
    copies: int = 1
    guided_by: Path | None = None
    contract: str | None = None
    quality: int = 92
    seed: int = 0
    workers: int = 2
    limits: ShardLimits | None = None

    def __post_init__(self) -> None:
        low, high = self.magnitudes
        if self.copies < 1 or not 0 <= low <= high or not 0 <= self.quality <= 100:
            raise SettingError(
                f"{self.copies} copies, magnitudes {low} to {high}, quality {self.quality}",
                remedy="use at least one copy, rising magnitudes from 0, and a quality up to 100",
            )
        if self.like is not None and (self.axis or self.then is not None or self.target is not None):
            raise SettingError(
                "the styles of frames leave no choice of axis, second generator or target",
                where=self.like,
                remedy="leave out either the frames or the others",
            )
        if self.like is not None and self.magnitudes != _MAGNITUDES:
            raise SettingError(
                "the styles of frames have magnitudes of their own",
                where=self.like,
                remedy="leave out either the frames or the magnitudes",
            )
        if self.form is not None and self.form not in get_args(Form):
            raise SettingError(f"form {self.form!r} is unknown", remedy="choose tar or folder")

    @property
    def to_tar(self) -> bool:
        """Whether tars are written."""
        return self.form == "tar" or (self.form is None and self.out.suffix.lower() == ".tar")


@dataclass(frozen=True, slots=True)
class Synthesised:
    """What was written.

    Attributes:
        out: where.
        faces: pictures.
        left_out: (id, reason) of faces that could not be read.
        files: names of what was written, of a tar; empty for a folder.
    """

    out: Path
    faces: int
    left_out: tuple[tuple[str, str], ...]
    files: tuple[str, ...] = ()


def synthesise_faces(job: SynthesiseJob, *, progress: Progress | None = None) -> Synthesised:
    """Redraw every face and write it with its provenance, in the file and beside it.

    Raises:
        InputError: generator or faces can't be used, or ``job.out`` exists.
        SettingError: the generator has no such axis or magnitude.
        Interrupted: stopped; nothing is left behind.
        StorageError: the disk is full.
    """
    progress = progress or Silent()
    generator = _generator(job)
    if job.out.exists():
        raise InputError("exists already", where=job.out, remedy="choose another name, or remove it")
    guide_by = None if job.guided_by is None else load_recogniser(job.guided_by, contract=job.contract).frozen_copy()
    with open_faces(job.source) as source:
        progress.stage("synthesise", f"{len(source) * job.copies:,} pictures")
        require_space(job.out, len(source) * job.copies * _BYTES_A_FACE)
        styles, frames = _styles(job, generator, progress)
        painter = _Painter(job, generator, styles, guide_by)
        with workplace(job.out) as work:
            try:
                done, files = _write(job, source, painter, work, progress)
            except KeyboardInterrupt as stop:
                raise Interrupted("stopped; nothing was written", remedy="run the same command again") from stop
            if not done:
                raise InputError("no face can be read", where=job.source)
            if job.sheet is not None:
                write_bytes(job.sheet, encode_png(_sheet(job, generator, styles, frames, source)))
            if job.to_tar and job.out.suffix.lower() == ".tar":
                publish_files(work, files, job.out.parent)
            else:
                publish_folder(work, job.out)
    return Synthesised(job.out, done, tuple(painter.left_out), tuple(files) if job.to_tar else ())


def _generator(job: SynthesiseJob) -> StyleGenerator:
    generator, _ = load_generator(job.generator)
    known = generator.config.targets if isinstance(generator, LearntGenerator) else ()
    if job.target is not None and job.target not in known:
        raise SettingError(
            f"the generator knows no target {job.target!r}",
            where=job.generator,
            remedy=f"it knows {', '.join(known)}" if known else "leave the target out",
        )
    if job.then is not None:
        generator = ChainGenerator(generator, load_generator(job.then)[0]).eval()
    if abs(job.axis) > generator.axes or job.magnitudes[1] > generator.max_magnitude:
        raise SettingError(
            f"axis {job.axis} at magnitudes up to {job.magnitudes[1]:g}: this generator has {generator.axes} axes and"
            f" magnitudes up to {generator.max_magnitude:g}",
            where=job.generator,
        )
    return generator.requires_grad_(False)


def _styles(job: SynthesiseJob, generator: StyleGenerator, progress: Progress) -> tuple[Styles, Frames | None]:
    if job.like is None:
        return AnyStyles(generator.axes, job.axis, job.magnitudes, job.seed), None
    frames = frames_of(job.like, job.seed)
    wanted = WantedReader(generator=job.generator, reader=job.reader, source=job.source, named_on=job.source)
    reader, _ = reader_of(wanted, generator, progress)
    estimate = reader.estimate(frames.images)
    return StylesOfFrames(estimate, frames.names, generator.max_magnitude, job.seed), frames


def _sheet(
    job: SynthesiseJob, generator: StyleGenerator, styles: Styles, frames: Frames | None, source: FaceSource
) -> NDArray[np.uint8]:
    """A few source faces in a few of the styles that were drawn."""
    images = some_source(source, FitSettings(seed=job.seed), _ON_SHEET)
    drawn = [styles.draw(row, 0) for row in range(min(_ON_SHEET, len(source)))]
    codes = torch.from_numpy(np.stack([one.code for one in drawn]))
    seeds = torch.tensor([one.seed for one in drawn], dtype=torch.int64)
    shown = None
    if frames is not None and isinstance(styles, StylesOfFrames):
        shown = closest_frames(styles, frames, drawn)
        shown = shown if shown.shape[1:] == images.shape[1:] else None
    return style_matrix(generator, images, codes, seeds, frames=shown, target=job.target)


def _write(
    job: SynthesiseJob, source: FaceSource, painter: _Painter, work: Path, progress: Progress
) -> tuple[int, list[str]]:
    done = 0
    with _writer(job, work) as writer:
        with closing(_batches(source, job.workers)) as batches:
            for rows, faces in batches:
                for stored in painter.paint(rows, faces):
                    writer.add(stored)
                    done += 1
                progress.step(done, len(source) * job.copies)
        files = writer.finish()
    return done, files


def _writer(job: SynthesiseJob, work: Path) -> FaceWriter:
    return TarWriter(work, job.out.stem, limits=job.limits) if job.to_tar else FolderWriter(work)


def _batches(source: FaceSource, workers: int) -> Generator[tuple[list[int], list[Face | UnreadableFace]], None, None]:
    rows: list[int] = []
    faces: list[Face | UnreadableFace] = []
    for row, face in enumerate(stream(source, range(len(source)), workers=workers)):
        rows.append(row)
        faces.append(face)
        if len(rows) == _BATCH:
            yield rows, faces
            rows, faces = [], []
    if rows:
        yield rows, faces


class _Painter:
    """Draws codes, redraws faces, signs pictures."""

    def __init__(
        self, job: SynthesiseJob, generator: StyleGenerator, styles: Styles, guide_by: Recogniser | None
    ) -> None:
        self.job, self.generator, self.styles, self.guide_by = job, generator, styles, guide_by
        self.hash = generator.hash
        self.left_out: list[tuple[str, str]] = []

    def paint(self, rows: list[int], faces: list[Face | UnreadableFace]) -> Iterator[StoredFace]:
        good = [(row, face) for row, face in zip(rows, faces, strict=True) if isinstance(face, Face)]
        self.left_out += [(str(face.where), face.what) for face in faces if isinstance(face, UnreadableFace)]
        if not good:
            return
        sizes = {face.image.shape for _, face in good}
        if len(sizes) > 1 or next(iter(sizes))[0] != next(iter(sizes))[1]:
            raise InputError(
                f"faces are {' and '.join(f'{w}x{h}' for h, w, _ in sorted(sizes)[:3])} px",
                where=self.job.source,
                remedy="align them to one square size with `wildstyle faces align`",
            )
        images = to_images(np.stack([face.image for _, face in good]))
        content = self.generator.encode(images)
        for copy in range(self.job.copies):
            drawn = [self.styles.draw(row, copy) for row, _ in good]
            codes = torch.from_numpy(np.stack([one.code for one in drawn]))
            seeds = torch.tensor([one.seed for one in drawn], dtype=torch.int64)
            if self.guide_by is not None:
                codes = self._guided(StylePoint(images, content, codes, seeds, self.job.target), self.guide_by)
            made = self.generator.decode(images, content, codes, seeds, target=self.job.target)
            pixels = (made.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
            for (_, face), picture, code, one in zip(good, pixels, codes.numpy(), drawn, strict=True):
                yield self._signed(face, np.ascontiguousarray(picture), code, one, copy)

    def _guided(self, start: StylePoint, recogniser: Recogniser) -> torch.Tensor:
        with torch.no_grad():
            clean = recogniser.embed(start.images)
        objective = Objective(lambda made: 1 - (recogniser.embed(made) * clean).sum(1), (recogniser.network,))
        found = guide(self.generator, start, objective, GuidanceSettings(), max_magnitude=self.generator.max_magnitude)
        return found.codes

    def _signed(
        self, face: Face, picture: NDArray[np.uint8], code: NDArray[np.float32], drawn: DrawnStyle, copy: int
    ) -> StoredFace:
        note = {
            "synthetic": True,
            "source": face.record.id,
            "generator": self.hash,
            "style": [round(float(value), 5) for value in code],
            "magnitude": round(float(np.linalg.norm(code)), 5),
            "noise_seed": drawn.seed,
            "guided": self.guide_by is not None,
            **({} if self.job.target is None else {"target": self.job.target}),
            **drawn.note,
        }
        suffix, data = (".jpg", encode_jpeg(picture, self.job.quality)) if self.job.quality else (".png", b"")
        data = with_comment(data, note) if data else encode_png(picture)
        stem = PurePosixPath(face.record.id).with_suffix("")
        file = f"{stem}{'' if self.job.copies == 1 else f'-{copy}'}{suffix}"
        attributes = {**face.record.attributes, **{key: _text(value) for key, value in note.items()}}
        return StoredFace(face.record.with_(id=file, attributes=attributes), file, data)


def with_comment(jpeg: bytes, note: dict[str, Any]) -> bytes:
    """A JPEG with a note in its comment segment."""
    text = COMMENT + json.dumps(note, separators=(",", ":")).encode()
    return jpeg[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + jpeg[2:]


def comment_of(jpeg: bytes) -> dict[str, Any] | None:
    """What ``with_comment`` wrote, or None."""
    if jpeg[2:4] != b"\xff\xfe" or not jpeg[6:].startswith(COMMENT):
        return None
    length = int.from_bytes(jpeg[4:6], "big")
    found: dict[str, Any] = json.loads(jpeg[6 + len(COMMENT) : 4 + length])
    return found


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(f"{number:g}" for number in value)
    return str(int(value)) if isinstance(value, bool) else str(value)
