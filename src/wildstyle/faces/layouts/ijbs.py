"""IJB-S as its public evaluator lays it out.

    <crops>/<person>/videos_<video>_<frame>.jpg     faces found in frames of a video
    <crops>/<person>/img_<image>.jpg                enrolment pictures
    cs6_surveillance_to_single_g1.csv, _g2.csv      galleries: SUBJECT_ID, FILENAME
    cs6_surveillance_to_booking_g1.csv, ...
    cs6_surveillance_to_surveillance_g1.csv, ...
    cs6_surveillance_to_single-booking_probe.csv    probes: FILENAME of a video; every person seen in it is one
    cs6_surveillance_to_surveillance_probe.csv
    cs6_uav_to_single-booking_probe.csv

The lists may lie anywhere below the folder. Of their columns SUBJECT_ID and FILENAME are read, by name and in any case;
FILENAME as ``videos/2007.mp4`` or ``img/123.jpg``, of which folder and stem count. A frame in which no face was found
has no crop.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError
from wildstyle.faces.folder import FolderSource
from wildstyle.faces.recut import Recut
from wildstyle.faces.source import FaceSource

PROTOCOLS: dict[str, tuple[str, str]] = {
    "surveillance to single": ("surveillance_to_single-booking_probe", "surveillance_to_single"),
    "surveillance to booking": ("surveillance_to_single-booking_probe", "surveillance_to_booking"),
    "multi-view surveillance to booking": ("surveillance_to_single-booking_probe", "surveillance_to_booking"),
    "surveillance to surveillance": ("surveillance_to_surveillance_probe", "surveillance_to_surveillance"),
    "uav to booking": ("uav_to_single-booking_probe", "surveillance_to_booking"),
}
"""Protocol to the names of its probe list and of its galleries, without ``cs6_`` and ``_g1.csv``."""

_CROP = re.compile(r"(\d+)/(?:(videos)_([^/]+)_([^_/]+)|(img)_([^/]+))\.[A-Za-z]+$")


@dataclass(frozen=True)
class IjbsLayout:
    """N crops and the lists that are there.

    Attributes:
        root: its folder.
        files: N crops, relative to ``root``.
        people: (N,) int64.
        clips: N names of a video (``videos/2007``) or a still (``img/123``).
        probes: clips by list name.
        galleries: (person, clip) pairs of both galleries by list name.
    """

    root: Path
    files: tuple[str, ...]
    people: NDArray[np.int64]
    clips: tuple[str, ...]
    probes: Mapping[str, frozenset[str]]
    galleries: Mapping[str, tuple[frozenset[tuple[int, str]], frozenset[tuple[int, str]]]]

    @property
    def protocols(self) -> tuple[str, ...]:
        """Those whose lists are all there."""
        return tuple(name for name, (p, g) in PROTOCOLS.items() if p in self.probes and g in self.galleries)


def looks_like_ijbs(path: str | Path) -> bool:
    """Whether ``path`` is a folder with lists of IJB-S."""
    root = Path(path)
    return root.is_dir() and any(root.rglob("cs6_*_probe.csv"))


def read_ijbs(path: str | Path) -> IjbsLayout:
    """Read crops and lists.

    Raises:
        InputError: no list or no crop is there, or a list lacks a column; names what was expected.
    """
    root = Path(path)
    lists = {file.stem.removeprefix("cs6_"): file for file in sorted(root.rglob("cs6_*.csv"))}
    if not any(name.endswith("_probe") for name in lists):
        raise InputError("holds no lists of IJB-S (cs6_..._probe.csv)", where=path, remedy="give the folder above them")
    files = sorted(found for found in _crops(root) if _CROP.search(found))
    if not files:
        raise InputError(
            "holds no crops of IJB-S",
            where=path,
            remedy="put them as <person>/videos_<video>_<frame>.jpg and <person>/img_<image>.jpg below it",
        )
    parts = [match for name in files if (match := _CROP.search(name))]
    galleries = {}
    for name in {g for _, g in PROTOCOLS.values()}:
        if f"{name}_g1" in lists and f"{name}_g2" in lists:
            galleries[name] = (_pairs(lists[f"{name}_g1"]), _pairs(lists[f"{name}_g2"]))
    return IjbsLayout(
        root=root,
        files=tuple(files),
        people=np.array([int(m[1]) for m in parts], np.int64),
        clips=tuple(f"{m[2]}/{m[3]}" if m[2] else f"{m[5]}/{m[6]}" for m in parts),
        probes={name: _clips(lists[name]) for name, _ in PROTOCOLS.values() if name in lists},
        galleries=galleries,
    )


def open_ijbs_faces(layout: IjbsLayout, size: int = 112) -> FaceSource:
    """The N crops, resized (the evaluator's own aligned crops stay as they are)."""
    pictures = FolderSource(layout.root, name="ijbs", files=layout.files)
    return Recut(pictures, np.arange(len(layout.files)), size)


def _crops(root: Path) -> list[str]:
    suffixes = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
    return [
        file.relative_to(root).as_posix()
        for file in root.rglob("*")
        if file.suffix.lower() in suffixes and file.is_file()
    ]


def _pairs(path: Path) -> frozenset[tuple[int, str]]:
    out = []
    for line, row in _rows(path, ("SUBJECT_ID", "FILENAME")):
        if not row["SUBJECT_ID"].strip().isdecimal():
            raise InputError(f"line {line}: SUBJECT_ID is {row['SUBJECT_ID']!r}, no number", where=path)
        out.append((int(row["SUBJECT_ID"]), _clip(row["FILENAME"])))
    return frozenset(out)


def _clips(path: Path) -> frozenset[str]:
    return frozenset(_clip(row["FILENAME"]) for _, row in _rows(path, ("FILENAME",)))


def _clip(name: str) -> str:
    inside = PurePosixPath(name.strip().replace("\\", "/"))
    return f"{inside.parent.name or 'videos'}/{inside.stem}"


def _rows(path: Path, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            names = {(name or "").strip().upper(): name for name in reader.fieldnames or ()}
            missing = [column for column in columns if column not in names]
            if missing:
                raise InputError(
                    f"lacks the column {', '.join(missing)}; it has {', '.join(names) or 'none'}",
                    where=path,
                    remedy="take the lists as they were handed out",
                )
            rows = [{column: row[names[column]] or "" for column in columns} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError("can't be read as a list", where=path) from error
    if not rows:
        raise InputError("lists nothing", where=path)
    return list(enumerate(rows, 2))
