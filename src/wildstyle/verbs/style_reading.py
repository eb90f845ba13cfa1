"""A generator and the reader of its styles, opened for use; a reader is taught where none is stored yet."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from wildstyle.errors import InputError, NotMeasurable, SettingError, UnreadableFace
from wildstyle.faces import open_faces, stream
from wildstyle.randomness import item_rng
from wildstyle.synthesis import StyleGenerator, load_generator
from wildstyle.synthesis.explaining import axis_effects, explain_axes
from wildstyle.synthesis.likeness_words import AxisWords
from wildstyle.synthesis.material import one_size, refuse_unreadable, to_images
from wildstyle.synthesis.style_reader import STEPS, StyleReader, fit_style_reader, load_style_reader, save_style_reader
from wildstyle.verbs.fitting import AXES
from wildstyle.verbs.progress import Progress
from wildstyle.verbs.style_sets import Read

READER = "reader.safetensors"
_TEACHING, _NAMING = 1500, 32
_FEWEST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedReader:
    """What a user says of generator and reader.

    Attributes:
        generator: its file.
        reader: its file, or None: the one beside the generator.
        source: clean faces to teach on where no reader is stored.
        named_on: faces on which axes are named where neither ``axes.json`` nor ``source`` is there.
        steps: of the teaching, None: as many as it takes by itself.
        seed: of the teaching.
    """

    generator: Path
    reader: Path | None
    source: Path | None
    named_on: Path
    steps: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class OpenedReader:
    """Ready to read styles.

    Attributes:
        read: working images to codes.
        words: what each axis does.
        generator, reader: what they are, as plain JSON values.
    """

    read: Read
    words: tuple[AxisWords, ...]
    generator: dict[str, Any]
    reader: dict[str, Any]


def opened_reader(wanted: WantedReader, progress: Progress) -> OpenedReader:
    """Load generator and reader, or teach the reader and keep it beside the generator.

    Raises:
        InputError: a file can't be used, or the reader was taught for another generator.
        SettingError: no reader is stored and no faces to teach it on were given.
    """
    generator, _ = load_generator(wanted.generator)
    generator.requires_grad_(False)
    reader, about = reader_of(wanted, generator, progress)

    def read(images: Tensor) -> NDArray[np.float32]:
        return np.asarray(reader.read(images).numpy(), np.float32)

    described = {
        "file": str(wanted.generator),
        "kind": generator.kind,
        "hash": generator.hash,
        "axes": generator.axes,
        "max_magnitude": generator.max_magnitude,
    }
    words, named = named_axes(wanted, generator, progress)
    return OpenedReader(read, words, {**described, "axes_named": named}, about)


def reader_of(
    wanted: WantedReader, generator: StyleGenerator, progress: Progress
) -> tuple[StyleReader, dict[str, Any]]:
    """The stored reader of a generator's styles, or one taught now and kept beside it; and what it is.

    Raises:
        InputError: its file can't be used, or is of another generator.
        SettingError: none is stored and no faces to teach it on were given.
    """
    path = wanted.reader or wanted.generator.parent / READER
    if not path.is_file() and wanted.reader is not None:
        raise InputError("there is no such file", where=wanted.reader, remedy="leave --reader out to teach one")
    if not path.is_file() and wanted.source is None:
        raise SettingError(
            "no reader of this generator's styles is stored",
            where=path,
            remedy="name clean faces to teach one on with --source, or its file with --reader",
        )
    if path.is_file() or wanted.source is None:
        reader = load_style_reader(path, generator)
        return reader, {"file": str(path), **_accuracy(reader)}
    images = some_faces(wanted.source, _TEACHING, wanted.seed)
    progress.stage("teach the reader", f"{len(images):,} clean faces of {wanted.source.name}")
    steps = STEPS if wanted.steps is None else wanted.steps
    reader = fit_style_reader(generator, images, steps=steps, seed=wanted.seed, progress=progress.step)
    save_style_reader(reader, path)
    return reader, {"file": str(path), "taught_on": str(wanted.source), **_accuracy(reader)}


def _accuracy(reader: StyleReader) -> dict[str, Any]:
    """How well the reader tells codes, on faces that it was not taught on."""
    return {"accuracy": {name: round(value, 3) for name, value in asdict(reader.accuracy).items()}}


def named_axes(
    wanted: WantedReader, generator: StyleGenerator, progress: Progress
) -> tuple[tuple[AxisWords, ...], str]:
    """Words for the axes and where they come from: ``axes.json`` beside the generator, else looking at some faces.

    Raises:
        InputError: ``axes.json`` is damaged or of another generator.
    """
    stored = wanted.generator.parent / f"{AXES}.json"
    if stored.is_file():
        return _stored_words(stored, generator.axes), f"by {stored.name} of the fit"
    faces = wanted.source or wanted.named_on
    progress.stage("name the axes", f"on faces of {faces.name}")
    explained = explain_axes(axis_effects(generator, some_faces(faces, _NAMING, wanted.seed), seed=wanted.seed))
    return tuple(AxisWords(one.plus, one.minus) for one in explained), f"on faces of {faces.name}"


def _stored_words(path: Path, axes: int) -> tuple[AxisWords, ...]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        words = tuple(AxisWords(str(one["plus"]), str(one["minus"])) for one in values)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError("can't be read", where=path, remedy="delete it; axes are then named anew") from error
    if len(words) != axes:
        raise InputError(
            f"it names {len(words)} axes, the generator has {axes}",
            where=path,
            remedy="put the axes.json of the same fit beside the generator, or delete it",
        )
    return words


def some_faces(path: Path, count: int, seed: int) -> Tensor:
    """At most ``count`` readable faces, chosen by the seed, as working images (N, 3, S, S).

    Raises:
        InputError: most can't be read, or they are not of one square size.
        NotMeasurable: fewer than eight.
    """
    with open_faces(path) as source:
        chosen = np.sort(item_rng(seed, "reader").permutation(len(source))[:count])
        read = list(stream(source, chosen))
        failures = [(str(face.where), face.what) for face in read if isinstance(face, UnreadableFace)]
        refuse_unreadable(len(chosen), failures, str(path), "chosen")
        pixels = [face.image for face in read if not isinstance(face, UnreadableFace)]
        if len(pixels) < _FEWEST:
            raise NotMeasurable(f"{len(pixels)} usable faces are too few", where=path, remedy="give at least 200")
        one_size(pixels, str(path))
        return to_images(np.stack(pixels))
