"""QMUL-SurvFace as its makers lay it out (Cheng, Zhu and Gong 2018).

    Face_Identification_Test_Set/gallery/<person>_....jpg
    Face_Identification_Test_Set/mated_probe/<person>_....jpg
    Face_Identification_Test_Set/unmated_probe/<person>_....jpg, distractors_....jpg     person unknown
    Face_Identification_Test_Set/gallery_img_ID_pairs.mat        gallery_set, gallery_ids         (or .txt: name number)
    Face_Identification_Test_Set/mated_probe_img_ID_pairs.mat    mated_probe_set, mated_probe_ids
    Face_Verification_Test_Set/verification_images/<person>_....jpg
    Face_Verification_Test_Set/positive_pairs_names.mat          positive_pairs_names, (n, 2) file names
    Face_Verification_Test_Set/negative_pairs_names.mat          negative_pairs_names

The lists number people anew; the unmated probes are in no list. So people are told by the file names here, and the
lists say which pictures there must be and are held against the names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, LabelError
from wildstyle.faces.folder import FolderSource
from wildstyle.faces.layouts.id_lists import NOBODY, folder_names, numbers_of, read_mat, read_part, texts_of, variable
from wildstyle.faces.pairs import PairList
from wildstyle.faces.recut import Recut
from wildstyle.faces.source import FaceSource

FOLDS = 10
_GALLERY, _MATED, _UNMATED = "gallery", "mated_probe", "unmated_probe"
_SEARCHED = ("", "Face_Identification_Test_Set", "QMUL-SurvFace/Face_Identification_Test_Set")
_COMPARED = ("", "Face_Verification_Test_Set", "QMUL-SurvFace/Face_Verification_Test_Set")


@dataclass(frozen=True)
class SurvFaceLayout:
    """N pictures: first the gallery, then the mated probes, then the non-mated ones.

    Attributes:
        root: the folder that holds ``gallery`` and its neighbours.
        files: N paths below it.
        people: (N,) int64 numbers of people; ``NOBODY`` where unknown.
        gallery: how many of the N are in the gallery.
        mated: how many are mated probes.
    """

    root: Path
    files: tuple[str, ...]
    people: NDArray[np.int64]
    gallery: int
    mated: int

    @property
    def unmated(self) -> int:
        """How many are non-mated probes."""
        return len(self.files) - self.gallery - self.mated


@dataclass(frozen=True)
class SurvFacePairs:
    """Pairs of N pictures.

    Attributes:
        root: the folder of the pictures.
        files: N names in it, as far as pairs use them.
        people: N numbers of people as text, None where unknown.
        pairs: P pairs of the N, the mated ones first; ten folds of equal numbers of both kinds, in the listed order.
    """

    root: Path
    files: tuple[str, ...]
    people: tuple[str | None, ...]
    pairs: PairList


def looks_like_survface(path: str | Path) -> bool:
    """Whether the identification part lies at ``path``."""
    return _base(Path(path), _SEARCHED, _GALLERY, _MATED) is not None


def has_survface_pairs(path: str | Path) -> bool:
    """Whether the verification part lies at ``path``."""
    return _base(Path(path), _COMPARED, "verification_images") is not None


def read_survface(path: str | Path) -> SurvFaceLayout:
    """Read the identification part.

    Args:
        path: the set's folder, or its ``Face_Identification_Test_Set``.

    Raises:
        InputError: a folder is missing or empty, a list can't be read, or a gallery picture names nobody.
        LabelError: a list and the file names tell different people apart.
    """
    base = _base(Path(path), _SEARCHED, _GALLERY, _MATED, _UNMATED)
    if base is None:
        raise InputError(
            f"is no QMUL-SurvFace folder ({_GALLERY}, {_MATED} and {_UNMATED} are not all there)",
            where=path,
            remedy="give the folder that holds Face_Identification_Test_Set",
        )
    gallery = _listed(base, _GALLERY, ("gallery_set", "gallery_ids"))
    mated = _listed(base, _MATED, ("mated_probe_set", "mated_probe_ids"))
    others = folder_names(base / _UNMATED)
    parts = ((_GALLERY, gallery), (_MATED, mated), (_UNMATED, others))
    files = tuple(f"{folder}/{name}" for folder, names in parts for name in names)
    people = np.concatenate([numbers_of(names) for _, names in parts])
    known = len(gallery) + len(mated)
    if (lost := np.flatnonzero(people[:known] == NOBODY)).size:
        raise InputError(
            f"{files[lost[0]]!r} does not start with a person's number and an underscore",
            where=base,
            remedy="keep the file names of the download",
        )
    return SurvFaceLayout(base, files, people, len(gallery), len(mated))


def open_survface_faces(layout: SurvFaceLayout, size: int = 112) -> FaceSource:
    """The N pictures, resized once (bicubic) to ``size``; landmarks are not used. Missing ones are failures."""
    pictures = FolderSource(layout.root, name="survface")
    places = (pictures.index_of(name) for name in layout.files)
    rows = np.fromiter((-1 if place is None else place for place in places), np.int64, len(layout.files))
    return Recut(pictures, rows, size, names=layout.files)


def read_survface_pairs(path: str | Path) -> SurvFacePairs:
    """Read the verification part.

    Args:
        path: the set's folder, or its ``Face_Verification_Test_Set``.

    Raises:
        InputError: a list is missing or holds no pairs of names.
        LabelError: a pair's file names contradict its kind.
    """
    base = _base(Path(path), _COMPARED, "verification_images")
    if base is None:
        raise InputError(
            "holds no verification part of QMUL-SurvFace (verification_images is missing)",
            where=path,
            remedy="give the folder that holds Face_Verification_Test_Set",
        )
    kinds = [_pair_names(base / f"{kind}_pairs_names.mat", f"{kind}_pairs_names") for kind in ("positive", "negative")]
    names = [name for pairs in kinds for name in pairs]
    files = tuple(dict.fromkeys(names))
    place = {name: i for i, name in enumerate(files)}
    ends = np.fromiter((place[name] for name in names), np.int64, len(names)).reshape(-1, 2)
    sizes = [len(pairs) // 2 for pairs in kinds]
    same = np.repeat([True, False], sizes)
    numbers = numbers_of(files)
    _check_kinds(numbers[ends], same, files, ends)
    fold = np.concatenate([np.arange(size) * FOLDS // size for size in sizes])
    people = tuple(None if number == NOBODY else str(number) for number in numbers.tolist())
    pairs = PairList(ends[:, 0].copy(), ends[:, 1].copy(), same, fold)
    return SurvFacePairs(base / "verification_images", files, people, pairs)


def open_survface_pair_faces(layout: SurvFacePairs, size: int = 112) -> FaceSource:
    """The pictures of the pairs, resized once (bicubic) to ``size``; missing ones are failures."""
    pictures = FolderSource(layout.root, name="survface-pairs")
    places = (pictures.index_of(name) for name in layout.files)
    rows = np.fromiter((-1 if place is None else place for place in places), np.int64, len(layout.files))
    return Recut(pictures, rows, size, names=layout.files)


def _base(path: Path, inside: tuple[str, ...], *folders: str) -> Path | None:
    places = (path / place for place in inside)
    return next((place for place in places if all((place / name).is_dir() for name in folders)), None)


def _listed(base: Path, part: str, keys: tuple[str, str]) -> list[str]:
    """Names of a part's pictures; its list is looked for beside the folder and in the makers' evaluation folder."""
    homes = (base, base.parent / "Face_Identification_Evaluation")
    lists = [home / f"{part}_img_ID_pairs{suffix}" for home in homes for suffix in (".mat", ".txt")]
    return read_part(base / part, lists, keys)[0]


def _pair_names(path: Path, key: str) -> list[str]:
    """Names of both ends of each pair, one after the other."""
    if not path.is_file():
        raise InputError("is missing", where=path, remedy="unpack the benchmark in full")
    cells = np.asarray(variable(read_mat(path), key, path))
    if cells.ndim != 2 or cells.shape[1] != 2 or not len(cells):
        raise InputError(f"{key!r} has the shape {cells.shape}, not (pairs, 2)", where=path, remedy="copy it again")
    return texts_of(cells, path)


def _check_kinds(
    numbers: NDArray[np.int64], same: NDArray[np.bool_], files: tuple[str, ...], ends: NDArray[np.int64]
) -> None:
    known = (numbers != NOBODY).all(axis=1)
    wrong = np.flatnonzero(known & ((numbers[:, 0] == numbers[:, 1]) != same))
    if len(wrong):
        first, second = (files[i] for i in ends[wrong[0]])
        said = "one person" if same[wrong[0]] else "two people"
        raise LabelError(
            f"{first} and {second} are listed as {said}, their names say otherwise, as in {len(wrong) - 1} more pairs",
            remedy="take lists and pictures from one download",
        )
