"""A folder of images, in any depth."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from wildstyle.errors import HostileFile, InputError, UnreadableFace
from wildstyle.faces.decode import MAX_ENCODED_BYTES
from wildstyle.faces.listing import IMAGE_SUFFIXES, ListedSource, Listing, Names, is_image, refuse_escape


class FolderSource(ListedSource):
    """Images below a folder, sorted by relative path; hidden files and folders are skipped.

    ``<subject>/<media>/<file>`` or ``<subject>/<file>``. Links to files inside the folder are followed,
    links to folders inside it are not, since what they hold is found at its own place.

    Args:
        path: the folder.
        name: short name; the folder's by default.
        files: only these relative paths, in this order, instead of all images.

    Raises:
        InputError: the folder is missing, is no folder, can't be read or holds no images; a file of
            ``files`` is missing.
        HostileFile: a link or one of ``files`` leads out of the folder.
    """

    def __init__(self, path: str | Path, *, name: str | None = None, files: Iterable[str] | None = None) -> None:
        self.root = Path(path)
        self.location = str(path)
        self.name = name or self.root.resolve().name or "folder"
        if not self.root.is_dir():
            state = "is no folder" if self.root.exists() else "folder does not exist"
            raise InputError(state, where=path, remedy="check the path")
        self.root = self.root.resolve()
        found = sorted(self._walk("")) if files is None else [self._checked(file) for file in dict.fromkeys(files)]
        if not found:
            raise InputError(
                f"folder holds no images ({', '.join(IMAGE_SUFFIXES)})",
                where=path,
                remedy="give the folder above or below it, or convert the pictures",
            )
        self.listing = Listing(Names(found))

    def encoded(self, index: int) -> bytes:
        path = self.root / self.listing.names[index]
        try:
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size > MAX_ENCODED_BYTES:
                    raise UnreadableFace(f"file takes {size} bytes, more than {MAX_ENCODED_BYTES}", where=path)
                return file.read(MAX_ENCODED_BYTES)
        except OSError as error:
            raise UnreadableFace(f"file can't be read ({error.strerror or error})", where=path) from error

    def _walk(self, below: str) -> Iterator[str]:
        try:
            with os.scandir(self.root / below) as scan:
                entries = [entry for entry in scan if not entry.name.startswith(".")]
        except OSError as error:
            raise InputError(
                f"folder can't be read ({error.strerror or error})", where=self.root / below, remedy="check its rights"
            ) from error
        for entry in entries:
            relative = f"{below}{entry.name}"
            if entry.is_symlink():
                self._refuse_leaving(relative)
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__MACOSX":
                    yield from self._walk(f"{relative}/")
            elif is_image(relative) and entry.is_file():
                yield relative

    def _refuse_leaving(self, relative: str) -> None:
        target = Path(os.path.realpath(self.root / relative))
        if not target.is_relative_to(self.root):
            raise HostileFile(
                f"link leads out of the folder to {target}",
                where=self.root / relative,
                remedy="replace the link by the file, or give the folder it leads to",
            )

    def _checked(self, file: str) -> str:
        refuse_escape(file, where=self.location)
        self._refuse_leaving(file)
        if not (self.root / file).is_file():
            raise InputError(f"file {file!r} is not in the folder", where=self.location, remedy="check the manifest")
        return file
