"""Bytes to pixels and back, with the size checked before anything is decoded.

Formats: JPEG, PNG, BMP, WebP; anything else is refused. Grey becomes three equal channels, alpha is
dropped, 16 bits become 8. EXIF orientation is applied, so a face is upright as in any viewer, and
landmarks and boxes always refer to the turned picture.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, UnreadableFace
from wildstyle.faces.record import Pixels

MAX_PIXELS = 40_000_000
MAX_ENCODED_BYTES = 256 * 2**20
_MANY_PIXELS = 2**22
_MAX_SCANS = 100  # progressive JPEGs have about ten; thousands are a way to burn hours of CPU

_AGAIN = "copy the file again or remove it"

_COLOR_RGB: int | None = getattr(cv2, "IMREAD_COLOR_RGB", None)  # since OpenCV 4.11


class _TooManyScans(Exception):
    """A JPEG that takes far longer to decode than its size says."""


class Header(NamedTuple):
    """What the first bytes of an image declare: format name, width and height in px, whether it ends as it should."""

    kind: str
    width: int
    height: int
    complete: bool


def decode_image(data: bytes, *, where: str, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decode one image to (H, W, 3) uint8 RGB.

    Args:
        data: the stored bytes of a JPEG, PNG, BMP or WebP.
        where: file, member or record, for the message.
        max_pixels: largest width x height, as declared in the header, that is decoded.

    Raises:
        UnreadableFace: empty, unknown format, larger than ``max_pixels``, truncated or corrupt.
            A truncated JPEG is refused even where the decoder would fill the rest with grey.
    """
    header = read_header(data, where=where)
    if header.width * header.height > max_pixels:
        raise UnreadableFace(
            f"declares {header.width}x{header.height} px, more than the {max_pixels} allowed",
            where=where,
            remedy="crop or shrink the picture first, or remove it",
        )
    if not header.complete:
        raise UnreadableFace(f"{header.kind} is truncated", where=where, remedy=_AGAIN)
    image = _decode(data)
    if image is None:
        raise UnreadableFace(f"{header.kind} is corrupt", where=where, remedy=_AGAIN)
    return image


def decode_images(encoded: Sequence[bytes], *, max_pixels: int = MAX_PIXELS) -> list[Pixels]:
    """Decode several images under the same rules as ``decode_image``; all or none.

    Checking all headers before decoding is faster than by turns: decoding drives the interpreter out of
    the processor's cache.

    Raises:
        UnreadableFace: one of them can't be used; which one is not said.
    """
    for data in encoded:
        _, width, height, complete = read_header(data, where="several images")
        if not complete or width * height > max_pixels:
            raise UnreadableFace("one is truncated or too large", where="several images")
    images = [image for image in map(_decode, encoded) if image is not None]
    if len(images) < len(encoded):
        raise UnreadableFace("one is corrupt", where="several images")
    return images


def _decode(data: bytes) -> Pixels | None:
    try:
        if _COLOR_RGB is not None:
            # The stubs promise an array, but None is returned where decoding fails.
            return cv2.imdecode(np.frombuffer(data, np.uint8), _COLOR_RGB)  # type: ignore[return-value]
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        return None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]
    except cv2.error:
        return None


def read_header(data: bytes, *, where: str) -> Header:
    """Format and declared size of an encoded image; decodes nothing.

    Raises:
        UnreadableFace: empty, of another format than JPEG, PNG, BMP, WebP, or without a size.
    """
    if not 0 < len(data) <= MAX_ENCODED_BYTES:
        raise _unfit(len(data), where)
    try:
        header = _jpeg_header(data) if data[:2] == b"\xff\xd8" else _other_header(data)
    except (struct.error, IndexError) as error:
        raise UnreadableFace("image header is truncated", where=where, remedy=_AGAIN) from error
    except _TooManyScans as error:
        raise UnreadableFace(f"JPEG has more than {_MAX_SCANS} scans", where=where, remedy="remove it") from error
    if header is None:
        raise UnreadableFace(
            f"not a JPEG, PNG, BMP or WebP image (starts with {data[:4].hex()})",
            where=where,
            remedy="convert it or remove it",
        )
    if header.width <= 0 or header.height <= 0:
        raise UnreadableFace(f"declares an impossible size {header.width}x{header.height}", where=where)
    return header


def _unfit(size: int, where: str) -> UnreadableFace:
    if size == 0:
        return UnreadableFace("image is empty (0 bytes)", where=where, remedy=_AGAIN)
    return UnreadableFace(f"image takes {size} bytes, more than {MAX_ENCODED_BYTES}", where=where, remedy="remove it")


def _other_header(data: bytes) -> Header | None:
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        width, height = struct.unpack_from(">II", data, 16)
        return Header("PNG", width, height, data[12:16] == b"IHDR" and data.rfind(b"IEND") > 0)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp_header(data)
    if data[:2] == b"BM":
        return _bmp_header(data)
    return None


_SEGMENT = struct.Struct(">BBH").unpack_from  # FF, marker, length
_SIDES = struct.Struct(">HH").unpack_from
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # DHT, JPG and DAC lie among the frame markers
_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD8)))
_END = b"\xff\xd9"


class _Frame(NamedTuple):
    """A JPEG's bytes up to the end of its frame header, what they declare, and whether its scans must be counted."""

    start: bytes
    header: Header
    suspicious: bool


_last_frame = _Frame(b"no JPEG starts like this", Header("JPEG", 0, 0, True), False)


def _jpeg_header(data: bytes) -> Header | None:
    """Size from the frame header; complete if the end marker comes after it.

    EXIF thumbnails, which lie before it, have an end of their own, and coded data never holds FF D9 (an
    FF in there is stuffed). Faces of one set begin with the same bytes up to here, so the last walk is
    kept: this runs for every face.
    """
    global _last_frame
    frame = _last_frame
    if not data.startswith(frame.start):
        walked = _walk(data)
        if walked is None:
            return None
        frame = _last_frame = walked
    start, header, suspicious = frame
    if suspicious and data.count(b"\xff\xda", len(start)) > _MAX_SCANS:
        raise _TooManyScans
    if data.endswith(_END, len(start)) or data.find(_END, len(start)) >= 0:
        return header
    return header._replace(complete=False)


def _walk(data: bytes) -> _Frame | None:
    position = 2
    while True:
        lead, marker, length = _SEGMENT(data, position)
        if lead != 0xFF or (length < 2 and marker not in _WITHOUT_LENGTH):
            return None
        if marker in _FRAMES:
            break
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker in _WITHOUT_LENGTH:
            position += 2
        elif marker in (0xD9, 0xDA):  # end or scan before any frame
            return None
        else:
            position += 2 + length
    height, width = _SIDES(data, position + 5)
    suspicious = marker in _PROGRESSIVE or width * height > _MANY_PIXELS
    return _Frame(bytes(data[: position + 2 + length]), Header("JPEG", width, height, True), suspicious)


def _webp_header(data: bytes) -> Header | None:
    (size,) = struct.unpack_from("<I", data, 4)
    complete = len(data) >= size + 8
    kind = data[12:16]
    if kind == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        return None
    return Header("WebP", width, height, complete)


def _bmp_header(data: bytes) -> Header:
    offset, info = struct.unpack_from("<II", data, 10)
    if info == 12:  # the oldest header has 16-bit sides
        width, height, _, depth = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, depth, compression = struct.unpack_from("<iiHHI", data, 18)
    height = abs(height)  # negative: stored top row first
    rows = (width * depth + 31) // 32 * 4 * height if compression in (0, 3) else 1
    return Header("BMP", width, height, len(data) >= offset + rows)


def encode_jpeg(image: Pixels, quality: int = 90) -> bytes:
    """JPEG bytes of an (H, W, 3) uint8 RGB image, 4:2:0 chroma.

    Args:
        image: (H, W, 3) uint8 RGB.
        quality: 1 to 100.
    """
    return _encode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))


def encode_png(image: Pixels) -> bytes:
    """PNG bytes (lossless) of an (H, W, 3) uint8 RGB image."""
    return _encode(".png", image, ())


def _encode(suffix: str, image: NDArray[np.uint8], options: tuple[int, ...]) -> bytes:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise InputError(f"a face to store is (H, W, 3) uint8 RGB, not {image.shape} {image.dtype}")
    _, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    return data.tobytes()
