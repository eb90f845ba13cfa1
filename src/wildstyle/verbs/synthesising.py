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
from wildstyle.randomness import item_rng
from wildstyle.recognisers import Recogniser, load_recogniser
from wildstyle.synthesis import StyleGenerator, load_generator
from wildstyle.synthesis.material import to_images
from wildstyle.verbs.progress import Progress, Silent

Form = Literal["tar", "folder"]

_BATCH = 32
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
    magnitudes: tuple[float, float] = (1.0, 6.0)
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
    generator, _ = load_generator(job.generator)
    if abs(job.axis) > generator.axes or job.magnitudes[1] > generator.max_magnitude:
        raise SettingError(
            f"axis {job.axis} at magnitudes up to {job.magnitudes[1]:g}: this generator has {generator.axes} axes and"
            f" magnitudes up to {generator.max_magnitude:g}",
            where=job.generator,
        )
    if job.out.exists():
        raise InputError("exists already", where=job.out, remedy="choose another name, or remove it")
    guide_by = None if job.guided_by is None else load_recogniser(job.guided_by, contract=job.contract).frozen_copy()
    with open_faces(job.source) as source:
        progress.stage("synthesise", f"{len(source) * job.copies:,} pictures")
        require_space(job.out, len(source) * job.copies * _BYTES_A_FACE)
        painter = _Painter(job, generator, guide_by)
        with workplace(job.out) as work:
            try:
                done, files = _write(job, source, painter, work, progress)
            except KeyboardInterrupt as stop:
                raise Interrupted("stopped; nothing was written", remedy="run the same command again") from stop
            if not done:
                raise InputError("no face can be read", where=job.source)
            if job.to_tar and job.out.suffix.lower() == ".tar":
                publish_files(work, files, job.out.parent)
            else:
                publish_folder(work, job.out)
    return Synthesised(job.out, done, tuple(painter.left_out), tuple(files) if job.to_tar else ())


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

    def __init__(self, job: SynthesiseJob, generator: StyleGenerator, guide_by: Recogniser | None) -> None:
        self.job, self.generator, self.guide_by = job, generator.requires_grad_(False), guide_by
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
            drawn = [self._drawn(row, copy) for row, _ in good]
            codes = torch.from_numpy(np.stack([code for code, _ in drawn]))
            seeds = torch.tensor([seed for _, seed in drawn], dtype=torch.int64)
            if self.guide_by is not None:
                codes = self._guided(StylePoint(images, content, codes, seeds), self.guide_by)
            made = self.generator.decode(images, content, codes, seeds)
            pixels = (made.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
            for (_, face), picture, code, seed in zip(good, pixels, codes.numpy(), seeds.tolist(), strict=True):
                yield self._signed(face, np.ascontiguousarray(picture), code, seed, copy)

    def _drawn(self, row: int, copy: int) -> tuple[NDArray[np.float32], int]:
        """Code and noise seed of one picture: of nothing but the job's seed and its place."""
        rng = item_rng(self.job.seed, "synthesise", row, copy)
        direction = rng.standard_normal(self.generator.axes)
        if self.job.axis:
            direction[:] = 0
            direction[abs(self.job.axis) - 1] = np.sign(self.job.axis)
        length = rng.uniform(*self.job.magnitudes)
        code = direction / max(float(np.linalg.norm(direction)), 1e-12) * length
        return code.astype(np.float32), int(rng.integers(0, 2**62))

    def _guided(self, start: StylePoint, recogniser: Recogniser) -> torch.Tensor:
        with torch.no_grad():
            clean = recogniser.embed(start.images)
        objective = Objective(lambda made: 1 - (recogniser.embed(made) * clean).sum(1), (recogniser.network,))
        found = guide(self.generator, start, objective, GuidanceSettings(), max_magnitude=self.generator.max_magnitude)
        return found.codes

    def _signed(
        self, face: Face, picture: NDArray[np.uint8], code: NDArray[np.float32], seed: int, copy: int
    ) -> StoredFace:
        note = {
            "synthetic": True,
            "source": face.record.id,
            "generator": self.hash,
            "style": [round(float(value), 5) for value in code],
            "magnitude": round(float(np.linalg.norm(code)), 5),
            "noise_seed": seed,
            "guided": self.guide_by is not None,
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
