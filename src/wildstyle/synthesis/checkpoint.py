"""A generator on disk: safetensors with a JSON description in its metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from wildstyle.errors import CorruptArchive, InputError
from wildstyle.runs.atomic import replacing
from wildstyle.synthesis.interface import StyleGenerator
from wildstyle.synthesis.kinds import generator_class, ready_made

FORMAT_VERSION = 1


def save_generator(generator: StyleGenerator, path: Path, notes: Mapping[str, Any] | None = None) -> None:
    """Write a generator atomically.

    Args:
        generator: what to write.
        path: file to (over)write.
        notes: plain JSON values kept with it, e.g. settings and how the fit went.
    """
    described = {
        "version": FORMAT_VERSION,
        "kind": generator.kind,
        "config": generator.describe(),
        "hash": generator.hash,
        "notes": dict(notes or {}),
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in generator.state_dict().items()}
    with replacing(Path(path)) as temporary:
        save_file(tensors, temporary, metadata={"wildstyle.generator": json.dumps(described)})


def load_generator(path: Path) -> tuple[StyleGenerator, dict[str, Any]]:
    """Read what ``save_generator`` wrote; the name of a kind that has nothing to learn gives that one.

    Returns:
        The generator in evaluation mode on the CPU, and the notes.

    Raises:
        InputError: there is no such file, or it is no generator.
        CorruptArchive: the file is damaged or its weights were altered.
    """
    path = Path(path)
    if not path.exists() and (made := ready_made(str(path))) is not None:
        return made, {}
    if not path.is_file():
        raise InputError("there is no such file", where=path, remedy="give the file that a fit wrote")
    try:
        with safe_open(path, framework="pt") as archive:
            text = (archive.metadata() or {}).get("wildstyle.generator")
            tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CorruptArchive(f"the file can't be read ({error})", where=path) from error
    if text is None:
        raise InputError("this file holds no generator", where=path, remedy="give the file that a fit wrote")
    described = json.loads(text)
    if described["version"] > FORMAT_VERSION:
        raise InputError(f"written by a newer version (format {described['version']})", where=path)
    generator = generator_class(described.get("kind", "default")).from_description(described["config"])
    try:
        generator.load_state_dict(tensors)
    except RuntimeError as error:
        raise CorruptArchive("weights and description don't fit each other", where=path) from error
    if generator.hash != described["hash"]:
        raise CorruptArchive("the weights are not those that were written", where=path)
    return generator.eval(), described["notes"]
