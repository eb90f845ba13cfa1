"""TinyFace as its makers lay it out (Cheng, Zhu and Gong 2018).

    Testing_Set/Probe/<person>_....jpg
    Testing_Set/Gallery_Match/<person>_....jpg
    Testing_Set/Gallery_Distractor/....jpg               nobody who is searched
    Testing_Set/probe_img_ID_pairs.mat                   probe_set, probe_ids
    Testing_Set/gallery_match_img_ID_pairs.mat           gallery_set, gallery_ids

The folders alone suffice, so aligned copies of the set can be read too: then the integer before the first underscore
is the person. Only with the lists is a picture noticed that is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError
from wildstyle.faces.folder import FolderSource
from wildstyle.faces.layouts.id_lists import NOBODY, folder_names, read_part
from wildstyle.faces.recut import Recut
from wildstyle.faces.source import FaceSource

_PROBE, _MATCH, _DISTRACTOR = "Probe", "Gallery_Match", "Gallery_Distractor"
_INSIDE = ("", "Testing_Set", "tinyface/Testing_Set")


@dataclass(frozen=True)
class TinyFaceLayout:
    """N pictures: first the probes, then the matching gallery, then the distractors.

    Attributes:
        root: the folder that holds ``Probe`` and its neighbours.
        files: N paths below it.
        people: (N,) int64 numbers of people; ``NOBODY`` for distractors.
        probes: how many of the N are probes.
        gallery: how many are in the matching gallery.
        listed: whether people come from the lists rather than from file names.
    """

    root: Path
    files: tuple[str, ...]
    people: NDArray[np.int64]
    probes: int
    gallery: int
    listed: bool

    @property
    def distractors(self) -> int:
        """How many are distractors."""
        return len(self.files) - self.probes - self.gallery


def looks_like_tinyface(path: str | Path) -> bool:
    """Whether TinyFace's test set lies at ``path``."""
    return _base(Path(path)) is not None


def read_tinyface(path: str | Path) -> TinyFaceLayout:
    """Read the test set's lists, or its file names where there are no lists.

    Args:
        path: the set's folder, or its ``Testing_Set``.

    Raises:
        InputError: the folders are not there or empty, or a list can't be read.
        LabelError: lists and file names tell different people apart.
    """
    base = _base(Path(path))
    if base is None:
        raise InputError(
            f"is no TinyFace folder ({_PROBE} and {_MATCH} are missing)",
            where=path,
            remedy="give the folder that holds Testing_Set",
        )
    lists = [base / f"{stem}_img_ID_pairs.mat" for stem in ("probe", "gallery_match")]
    probe_names, probe_people = read_part(base / _PROBE, lists[:1], ("probe_set", "probe_ids"))
    match_names, match_people = read_part(base / _MATCH, lists[1:], ("gallery_set", "gallery_ids"))
    listed = [path.is_file() for path in lists]
    if listed[0] != listed[1]:
        raise InputError(
            "one of the two lists of people is missing, and their numbers need not be those of the file names",
            where=lists[listed.index(False)],
            remedy="copy both lists, or none",
        )
    others = folder_names(base / _DISTRACTOR) if (base / _DISTRACTOR).is_dir() else []
    parts = ((_PROBE, probe_names), (_MATCH, match_names), (_DISTRACTOR, others))
    people = np.concatenate([probe_people, match_people, np.full(len(others), NOBODY)])
    files = tuple(f"{folder}/{name}" for folder, names in parts for name in names)
    return TinyFaceLayout(base, files, people.astype(np.int64), len(probe_names), len(match_names), listed[0])


def open_tinyface_faces(layout: TinyFaceLayout, size: int = 112) -> FaceSource:
    """The N pictures, resized (bicubic) to ``size`` as they are; aligned copies of that size stay untouched.

    A listed picture that is missing is a failure.
    """
    pictures = FolderSource(layout.root, name="tinyface")
    places = (pictures.index_of(name) for name in layout.files)
    rows = np.fromiter((-1 if place is None else place for place in places), np.int64, len(layout.files))
    return Recut(pictures, rows, size, names=layout.files)


def _base(path: Path) -> Path | None:
    places = (path / inside for inside in _INSIDE)
    return next((place for place in places if (place / _PROBE).is_dir() and (place / _MATCH).is_dir()), None)
