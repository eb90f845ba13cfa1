"""Carry faces from a source to a writer: bytes are copied, memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from wildstyle.errors import UnreadableFace
from wildstyle.faces.decode import decode_image, encode_jpeg
from wildstyle.faces.source import FaceSource
from wildstyle.faces.writing.naming import Namer, suffix_of
from wildstyle.faces.writing.stored import FaceWriter, StoredFace
from wildstyle.faces.writing.survey import has_picture

_RUN = 32

Heard = Callable[[int, int], None]


def copy_faces(
    source: FaceSource,
    order: Sequence[int],
    namer: Namer,
    writer: FaceWriter,
    *,
    quality: int | None = None,
    rows: bool = False,
    on_progress: Heard | None = None,
) -> list[tuple[str, str]]:
    """Write the faces at ``order``.

    Args:
        source: where they are.
        order: indices into it.
        namer: has foreseen all faces of the source; has ``one_suffix`` where ``quality`` is given.
        writer: takes them.
        quality: encode every picture anew as JPEG, 1 to 100; None copies the bytes.
        rows: whether the writer takes rows for which no face was found; else they are passed over.
        on_progress: called with faces done and all faces.

    Returns:
        Id and reason of every picture that is none, which was left out.
    """
    left_out: list[tuple[str, str]] = []
    done = 0
    for run in _runs(order):
        for index, data in zip(run, _encoded(source, run), strict=True):
            done += 1
            record = source.record(index)
            if not has_picture(source, index):
                if rows:
                    writer.add(StoredFace(record, None, None))
                continue
            where = f"{source.location}:{record.id}"
            try:
                if isinstance(data, UnreadableFace):
                    raise data
                data, suffix = prepared(data, quality, where)
            except UnreadableFace as error:
                left_out.append((record.id, error.what))
                continue
            writer.add(StoredFace(record, namer.name(record, index, suffix), data))
        if on_progress is not None:
            on_progress(done, len(order))
    return left_out


def prepared(data: bytes, quality: int | None, where: str) -> tuple[bytes, str]:
    """Bytes to store and their suffix: as they are, or as JPEG of this quality.

    Raises:
        UnreadableFace: they are no picture.
    """
    if quality is None:
        return data, suffix_of(data, where=where)
    return encode_jpeg(decode_image(data, where=where), quality), ".jpg"


def _runs(order: Sequence[int]) -> Iterator[list[int]]:
    wanted = iter(order)
    while run := [int(index) for index in islice(wanted, _RUN)]:
        yield run


def _encoded(source: FaceSource, run: Sequence[int]) -> list[bytes | UnreadableFace]:
    """Neighbours at once where that works; one by one it shows which can't be read."""
    try:
        return list(source.encoded_together(run))
    except UnreadableFace:
        return [_one(source, index) for index in run]


def _one(source: FaceSource, index: int) -> bytes | UnreadableFace:
    try:
        return source.encoded(index)
    except UnreadableFace as error:
        return error
