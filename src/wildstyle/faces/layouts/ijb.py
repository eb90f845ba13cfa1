"""IJB-B and IJB-C as InsightFace lays them out.

    meta/ijbc_face_tid_mid.txt          image template medium
    meta/ijbc_template_pair_label.txt   template template 1|0
    meta/ijbc_name_5pts_score.txt       image x1 y1 ... x5 y5 score   (or 68 points)
    meta/ijbc_1N_gallery_G1.csv, G2     one header line, then template,subject        (IJB-B: S1, S2)
    meta/ijbc_1N_probe_mixed.csv        the same
    loose_crop/                         the pictures

The face list and the landmark list go line by line together.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError
from wildstyle.faces.folder import FolderSource
from wildstyle.faces.recut import Recut
from wildstyle.faces.source import FaceSource

_GALLERIES = {"ijbb": ("S1", "S2"), "ijbc": ("G1", "G2")}
# Corners of the eyes, tip of the nose, corners of the mouth among 68 points.
_EYES, _NOSE, _MOUTH = ((36, 39), (42, 45)), 30, (48, 54)


@dataclass(frozen=True, slots=True)
class TemplateList:
    """Templates with their people: (n,) int64 each."""

    name: str
    templates: NDArray[np.int64]
    subjects: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.templates)


@dataclass(frozen=True)
class IjbLayout:
    """N faces, P pairs, two galleries.

    Attributes:
        kind: ``ijbb`` or ``ijbc``.
        root: its folder.
        files: N picture names in ``loose_crop``.
        landmarks: (N, 5, 2) float32 px.
        detector: (N,) float32 scores.
        template: (N,) int64.
        media: (N,) int64.
        pairs: (P, 2) int32 template ids.
        same: (P,) bool.
        galleries: of the 1:N protocol; empty where the files are not there.
        probes: of the 1:N protocol, or None.
    """

    kind: str
    root: Path
    files: tuple[str, ...]
    landmarks: NDArray[np.float32]
    detector: NDArray[np.float32]
    template: NDArray[np.int64]
    media: NDArray[np.int64]
    pairs: NDArray[np.int32]
    same: NDArray[np.bool_]
    galleries: tuple[TemplateList, ...] = ()
    probes: TemplateList | None = None


def ijb_kind(path: Path) -> str | None:
    """``ijbb`` or ``ijbc`` where ``path`` is such a folder, else None."""
    return next((kind for kind in _GALLERIES if (path / "meta" / f"{kind}_face_tid_mid.txt").is_file()), None)


def read_ijb(path: str | Path) -> IjbLayout:
    """Read all lists of IJB-B or IJB-C.

    Raises:
        InputError: a list is missing, torn or contradicts another; names file and line.
    """
    root = Path(path)
    kind = ijb_kind(root)
    if kind is None:
        raise InputError(
            "is no IJB-B or IJB-C folder (meta/ijbc_face_tid_mid.txt is missing)",
            where=path,
            remedy="give the folder that holds meta/ and loose_crop/",
        )
    meta = root / "meta"
    names, template, media = _faces(meta / f"{kind}_face_tid_mid.txt")
    listed, landmarks, detector = _landmarks(meta / f"{kind}_name_5pts_score.txt")
    if listed != names:
        row = next(
            (i for i, (a, b) in enumerate(zip(listed, names, strict=False)) if a != b), min(len(names), len(listed))
        )
        raise InputError(
            f"landmarks and faces go different ways from line {row + 1} on",
            where=meta / f"{kind}_name_5pts_score.txt",
            remedy="take both lists from one download",
        )
    pairs, same = _pairs(meta / f"{kind}_template_pair_label.txt", template)
    galleries = tuple(
        TemplateList(name, *_template_subjects(file))
        for name in _GALLERIES[kind]
        if (file := meta / f"{kind}_1N_gallery_{name}.csv").is_file()
    )
    mixed = meta / f"{kind}_1N_probe_mixed.csv"
    probes = TemplateList("mixed", *_template_subjects(mixed)) if mixed.is_file() else None
    return IjbLayout(kind, root, names, landmarks, detector, template, media, pairs, same, galleries, probes)


def open_ijb_faces(layout: IjbLayout, size: int = 112) -> FaceSource:
    """The N faces, aligned by the listed landmarks when they are read; a missing picture is a failure.

    Raises:
        InputError: ``loose_crop`` is missing or empty.
    """
    pictures = FolderSource(layout.root / "loose_crop", name=layout.kind)
    place = {pictures.record(i).id: i for i in range(len(pictures))}
    rows = np.fromiter((place.get(name, -1) for name in layout.files), np.int64, len(layout.files))
    return Recut(pictures, rows, size, landmarks=layout.landmarks, names=layout.files, detector=layout.detector)


def five_of_68(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 68, 2) to (N, 5, 2): means of the eye corners, tip of the nose, corners of the mouth."""
    eyes = [points[:, corners].mean(axis=1) for corners in _EYES]
    return np.stack([*eyes, points[:, _NOSE], points[:, _MOUTH[0]], points[:, _MOUTH[1]]], axis=1).astype(np.float32)


def _faces(path: Path) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.int64]]:
    cells = _cells(path, (3,))
    numbers = _numbers(cells[:, 1:], path).astype(np.int64)
    return tuple(cells[:, 0].tolist()), numbers[:, 0], numbers[:, 1]


def _landmarks(path: Path) -> tuple[tuple[str, ...], NDArray[np.float32], NDArray[np.float32]]:
    cells = _cells(path, (12, 138))
    numbers = _numbers(cells[:, 1:], path).astype(np.float32)
    points = numbers[:, :-1].reshape(len(cells), -1, 2)
    return tuple(cells[:, 0].tolist()), points if points.shape[1] == 5 else five_of_68(points), numbers[:, -1]


def _pairs(path: Path, template: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    numbers = _integers(path, 3)
    labels = numbers[:, 2]
    if (wrong := np.flatnonzero((labels != 0) & (labels != 1))).size:
        raise InputError(f"line {wrong[0] + 1}: the label is {labels[wrong[0]]}, not 0 or 1", where=path)
    known = np.zeros(int(max(numbers[:, :2].max(initial=0), template.max(initial=0))) + 1, bool)
    known[template] = True
    if (lost := np.flatnonzero(~known[numbers[:, :2]].all(axis=1))).size:
        raise InputError(
            f"line {lost[0] + 1} names a template without faces, as do {len(lost) - 1} more lines",
            where=path,
            remedy="take all lists from one download",
        )
    return numbers[:, :2].astype(np.int32), labels == 1


def _template_subjects(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Template and person of each line; the same template twice is one."""
    lines = _text(path).splitlines()[1:]
    try:
        rows = [(int(template), int(subject)) for template, subject in _two_cells(lines)]
    except ValueError as error:
        raise InputError(f"expected lines of template,subject after one header line ({error})", where=path) from error
    unique = dict(rows)
    clash = next((row for row in rows if unique[row[0]] != row[1]), None)
    if clash is not None:
        raise InputError(f"template {clash[0]} shows two people, {clash[1]} and {unique[clash[0]]}", where=path)
    return np.fromiter(unique, np.int64, len(unique)), np.fromiter(unique.values(), np.int64, len(unique))


def _two_cells(lines: list[str]) -> list[tuple[str, str]]:
    cells = [line.split(",") for line in lines if line.strip()]
    return [(row[0], row[1] if len(row) > 1 else "") for row in cells]


def _cells(path: Path, widths: tuple[int, ...]) -> NDArray[np.str_]:
    lines = _text(path).splitlines()
    rows = [line.split() for line in lines if line.strip()]
    expected = len(rows[0]) if rows and len(rows[0]) in widths else widths[0]
    wrong = next((i for i, row in enumerate(rows) if len(row) != expected), None)
    if wrong is not None or not rows:
        found = f"line {wrong + 1} has {len(rows[wrong])} columns" if wrong is not None else "it is empty"
        wanted = " or ".join(map(str, widths))
        raise InputError(f"expected {wanted} columns a line, {found}", where=path)
    return np.array(rows)


def _numbers(cells: NDArray[np.str_], path: Path) -> NDArray[np.float64]:
    try:
        return cells.astype(np.float64)
    except ValueError as error:
        raise InputError(f"a number can't be read ({error})", where=path) from error


def _integers(path: Path, width: int) -> NDArray[np.int64]:
    """A file of nothing but integers, ``width`` a line; millions of lines in seconds."""
    text = _text(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            numbers = np.fromstring(text, np.int64, sep=" ")
        except (DeprecationWarning, ValueError) as error:
            line = _first_bad_line(text, width)
            raise InputError(f"line {line} is not {width} integers", where=path) from error
    if len(numbers) % width or not len(numbers):
        raise InputError(f"line {_first_bad_line(text, width)} is not {width} integers", where=path)
    return numbers.reshape(-1, width)


def _first_bad_line(text: str, width: int) -> int:
    for number, line in enumerate(text.splitlines(), 1):
        cells = line.split()
        if cells and (len(cells) != width or not all(cell.lstrip("-").isdecimal() for cell in cells)):
            return number
    return 1


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("can't be read as text", where=path, remedy="take all lists from one download") from error
