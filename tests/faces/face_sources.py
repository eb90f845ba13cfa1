"""Sources that say all they can, to see what of it a conversion carries over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from face_files import identity_records, jpeg, picture, write_folder, write_rec, write_tar

from wildstyle.faces import FaceRecord, FaceSource, encode_png

POINTS = "1.1 2.25 9.7 2.3 5.125 6.01 2.2 9.5 8.875 9.4375"
ROWS = (
    {"subject": "ann", "media": "cam-1", "template": "t1", "role": "gallery", "enrolled": 1, "min_side": 41.123456789,
     "detector_score": 0.987654321, "eye_distance": 17.3333333, "landmarks": POINTS, "light": "dim, \"red\"\nlamp"},
    {"subject": "bob", "media": "cam-2", "role": "probe", "enrolled": 0, "light": "day", "lens": "ü"},
    {"subject": "ann", "media": "cam-2", "role": "probe", "enrolled": 1, "min_side": 8},
)  # fmt: skip
NAMES = ("ann/cam-1/1.jpg", "x3.png", "y4.jpeg")


def full_tar(path: Path) -> Path:
    """Three faces with all columns, two of whose paths say nothing of the person; label as in no ranking."""
    members: list[tuple[str, bytes]] = []
    for place, (name, row) in enumerate(zip(NAMES, ROWS, strict=True)):
        stem = name.rpartition(".")[0]
        data = encode_png(picture(place)) if name.endswith("png") else jpeg(place)
        label = str({"ann": 5, "bob": 2}[str(row["subject"])])
        members += [(name, data), (f"{stem}.cls", label.encode()), (f"{stem}.json", json.dumps(row).encode())]
    return write_tar(path, members)


def people_folder(path: Path) -> Path:
    files = {f"p{person}/film{shot}/{shot}.jpg": jpeg(10 * person + shot) for person in range(3) for shot in range(2)}
    return write_folder(path, {**files, "p1/own.png": encode_png(picture(99))})


def people_rec(path: Path) -> Path:
    return write_rec(path, identity_records([0, 0, 1, 1, 1, 2]))


def told(record: FaceRecord) -> dict[str, object]:
    """All a record says but its source, comparable."""
    points = None if record.landmarks is None else record.landmarks.tolist()
    return {
        "id": record.id,
        "label": record.label,
        "subject": record.subject,
        "media": record.media,
        "template": record.template,
        "landmarks": points,
        "detector_score": record.detector_score,
        "size_before": record.size_before,
        "eye_distance_before": record.eye_distance_before,
        "attributes": dict(record.attributes),
    }


def all_told(source: FaceSource) -> dict[str, tuple[dict[str, object], bytes]]:
    """Records and stored bytes by id."""
    found = {source.record(i).id: (told(source.record(i)), source.encoded(i)) for i in range(len(source))}
    if len(found) != len(source):
        raise ValueError("ids are not unique")
    return found


class InMemory(FaceSource):
    """Faces that lie nowhere, in the order given."""

    def __init__(self, records: Sequence[FaceRecord], pictures: Sequence[bytes], name: str = "memory") -> None:
        self.records, self.pictures, self.name, self.location = records, pictures, name, name

    def __len__(self) -> int:
        return len(self.records)

    def record(self, index: int) -> FaceRecord:
        return self.records[index]

    def encoded(self, index: int) -> bytes:
        return self.pictures[index]
