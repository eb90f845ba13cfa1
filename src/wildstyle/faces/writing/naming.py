"""Names of faces in the files that are written: the old ones where they can stay, else new ones that say as much.

A name is kept if it is the path of a picture and its folders don't say another person or medium than the
record. What a path can't hold is written as %XX, so two people never get one folder.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import HostileFile
from wildstyle.faces.decode import read_header
from wildstyle.faces.listing import facts_of, is_hidden, is_image, refuse_escape
from wildstyle.faces.record import FaceRecord

_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "WebP": ".webp"}
_LONGEST = 200
_ODD = re.compile(r'%(?=[0-9A-F]{2})|[/\\:*?"<>|\x00-\x1f\x7f]|^[. ]|[. ]$|[\ud800-\udfff]')
_ROW = re.compile(r"(?P<file>.+)#(?P<row>row\d+)")


@dataclass(frozen=True, slots=True)
class NameRules:
    """What a format asks of names.

    Attributes:
        flat: no dot before the suffix and no two pictures that differ only in it, as WebDataset wants.
        in_path: person and medium must be told by the folders, as nothing else can hold them.
        one_suffix: all pictures get the same suffix, so names must differ without it.
        rows_share: several rows may name one file, as the format is read by rows.
    """

    flat: bool = False
    in_path: bool = False
    one_suffix: bool = False
    rows_share: bool = False


def wished_name(record: FaceRecord, rules: NameRules) -> tuple[str, str | None]:
    """Path without suffix, and the suffix where the face's id has one.

    >>> wished_name(FaceRecord(id="ann/1.jpg", source="x", subject="ann"), NameRules())
    ('ann/1', '.jpg')
    >>> wished_name(FaceRecord(id="7", source="x", subject="x#3"), NameRules())
    ('x#3/7', None)
    """
    path, row = shared_file(record.id)
    if row is not None and not rules.rows_share:
        before, dot, after = path.rpartition(".")
        path = f"{before}-{row}{dot}{after}"
    if not _may_stay(path, record, rules):
        path = _built(path, record)
    stem, suffix = (path[: path.rindex(".")], path[path.rindex(".") :]) if is_image(path) else (path, None)
    if rules.flat:
        folder, slash, file = stem.rpartition("/")
        stem = folder + slash + file.replace(".", "_")
    return stem, suffix


def shared_file(face_id: str) -> tuple[str, str | None]:
    """The file that several rows name, and which row this is; None where the id is the file's own.

    >>> shared_file("a.jpg#row3"), shared_file("a.jpg")
    (('a.jpg', 'row3'), ('a.jpg', None))
    """
    found = _ROW.fullmatch(face_id)
    return (found["file"], found["row"]) if found and is_image(found["file"]) else (face_id, None)


def _may_stay(path: str, record: FaceRecord, rules: NameRules) -> bool:
    try:
        refuse_escape(path, where=record.source)
        path.encode()
    except (HostileFile, UnicodeEncodeError):
        return False
    parts = path.split("/")
    whole = all(part not in ("", ".") and len(part.encode()) <= 250 for part in parts) and "\\" not in path
    if not (is_image(path) and whole and not is_hidden(path) and path.isprintable()):
        return False
    told, known = facts_of(path), (record.subject, record.media)
    if rules.in_path:
        # One person has one folder: names that are rewritten elsewhere must be rewritten here too.
        if any(folder_name(part) != part for part in parts[:-1]):
            return False
        return tuple(told) == (known if known[0] is not None else (None, None))
    return told.subject in (None, known[0]) and told.media in (None, known[1])


def _built(path: str, record: FaceRecord) -> str:
    folders: list[str] = []
    if record.subject is not None:
        folders = [record.subject, *(record.media.split("/") if record.media else ())]
    file = path.rsplit("/", 1)[-1] if is_image(path) else path
    return "/".join([*map(folder_name, folders), folder_name(file)])


def folder_name(text: str) -> str:
    """A text as one part of a path; different texts give different parts.

    >>> folder_name("a/b"), folder_name("a%2Fb"), folder_name("50%"), folder_name("..")
    ('a%2Fb', 'a%252Fb', '50%', '%2E%2E')
    """
    if text == "__MACOSX" or not text.strip("."):
        text, odd = "", "".join(f"%{byte:02X}" for byte in text.encode()) or "%"
    else:
        odd = ""
    name = _ODD.sub(lambda found: "".join(f"%{b:02X}" for b in found[0].encode("utf-8", "surrogatepass")), text) + odd
    if len(name.encode()) <= _LONGEST:
        return name
    digest = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
    stem, dot, suffix = name.rpartition(".") if is_image(name) else (name, "", "")
    return f"{stem.encode()[:150].decode('utf-8', 'ignore')}%{digest}{dot}{suffix}"


def suffix_of(data: bytes, *, where: str) -> str:
    """Suffix for the bytes of a picture.

    Raises:
        UnreadableFace: it is none of the kinds that are read here.
    """
    return _SUFFIXES[read_header(data, where=where).kind]


def _digest(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


class Namer:
    """Unique names for all faces of a source, from 8 bytes a face.

    Faces whose wished names coincide get their place in the source behind it.
    """

    def __init__(self, rules: NameRules) -> None:
        self.rules = rules
        self._hashes = array("q")
        self._sorted: NDArray[np.int64] = np.zeros(0, np.int64)
        self._shared: frozenset[int] = frozenset()
        self._rows: set[int] = set()

    def foresee(self, record: FaceRecord) -> tuple[str, str | None]:
        """Note and return the wish of the next face; to be called for all faces before ``name``."""
        wish = wished_name(record, self.rules)
        digest = _digest(self._key(*wish))
        if self.rules.rows_share and shared_file(record.id)[1] is not None:
            if digest in self._rows:
                return wish
            self._rows.add(digest)
        self._hashes.append(digest)
        return wish

    def seal(self) -> Namer:
        """All wishes are known."""
        self._sorted, counts = np.unique(np.array(self._hashes, np.int64), return_counts=True)
        self._shared = frozenset(self._sorted[counts > 1].tolist())
        self._hashes = array("q")
        return self

    def name(self, record: FaceRecord, place: int, suffix: str) -> str:
        """Path of face number ``place``.

        Args:
            record: of that face.
            place: its index in the source.
            suffix: of what is stored; used where the face's id has none, or where all get one.
        """
        stem, given = wished_name(record, self.rules)
        if _digest(self._key(stem, given)) in self._shared:
            stem = f"{stem}-{place}"
            while self._is_wished(self._key(stem, given)):
                stem += "-"
        return stem + (suffix if given is None or self.rules.one_suffix else given)

    def _key(self, stem: str, suffix: str | None) -> str:
        return stem if self.rules.flat or self.rules.one_suffix else stem + (suffix or "")

    def _is_wished(self, key: str) -> bool:
        value = _digest(key)
        place = int(np.searchsorted(self._sorted, value))
        return place < len(self._sorted) and int(self._sorted[place]) == value
