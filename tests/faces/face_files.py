"""Small files of every format, written by hand so that the readers have something independent to read."""

from __future__ import annotations

import io
import struct
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from wildstyle.faces import Pixels, encode_jpeg

MAGIC = 0xCED7230A


def picture(seed: int, height: int = 12, width: int = 16) -> Pixels:
    """Blurred noise with a colour of its own, so that order and colour mistakes show."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), rng.integers(30, 220, 3), np.uint8)
    image[: height // 2] = rng.integers(30, 220, 3)
    return image


def jpeg(seed: int) -> bytes:
    return encode_jpeg(picture(seed), 95)


def write_tar(path: Path, members: Sequence[tuple[str, bytes]], format: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=format) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def write_folder(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return root


def payload(labels: float | Sequence[float], key: int, data: bytes, id2: int = 0) -> bytes:
    if isinstance(labels, int | float):
        return struct.pack("<IfQQ", 0, labels, key, id2) + data
    return struct.pack("<IfQQ", len(labels), 0.0, key, id2) + struct.pack(f"<{len(labels)}f", *labels) + data


def part(data: bytes, kind: int = 0) -> bytes:
    return struct.pack("<II", MAGIC, kind << 29 | len(data)) + data + bytes(-len(data) % 4)


def record_bytes(data: bytes) -> bytes:
    """As dmlc-core writes: cut where the magic stands at a multiple of four."""
    magic = struct.pack("<I", MAGIC)
    cuts = [at for at in range(0, len(data) - 3, 4) if data[at : at + 4] == magic]
    if not cuts:
        return part(data)
    pieces, start = [], 0
    for cut in cuts:
        pieces.append(data[start:cut])
        start = cut + 4
    pieces.append(data[start:])
    kinds = [1, *[2] * (len(pieces) - 2), 3]
    return b"".join(part(piece, kind) for piece, kind in zip(pieces, kinds, strict=True))


def write_rec(path: Path, records: Sequence[tuple[int, bytes]], index: bool = True) -> Path:
    """Records (key, payload) in the given order, and the .idx."""
    lines, data = [], b""
    for key, content in records:
        lines.append(f"{key}\t{len(data)}\n")
        data += record_bytes(content)
    path.write_bytes(data)
    if index:
        path.with_suffix(".idx").write_text("".join(lines))
    return path


def identity_records(labels: Sequence[int]) -> list[tuple[int, bytes]]:
    """The identity kind: images first, then people, the header last, as RecBuilder writes."""
    people = sorted(set(labels))
    end = len(labels) + 1
    records = [(k + 1, payload((float(label), 0.0), k + 1, jpeg(k))) for k, label in enumerate(labels)]
    for place, person in enumerate(people):
        keys = [k + 1 for k, label in enumerate(labels) if label == person]
        records.append((end + place, payload((float(keys[0]), float(keys[-1] + 1)), end + place, b"")))
    records.append((0, payload((float(end), float(end + len(people))), 0, b"", id2=1)))
    return records
