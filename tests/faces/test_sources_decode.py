from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from face_files import jpeg, picture

from wildstyle.errors import InputError, UnreadableFace
from wildstyle.faces import decode_image, encode_jpeg, encode_png, face_hash
from wildstyle.faces.decode import read_header


def encoded(suffix: str, image: np.ndarray) -> bytes:
    return cv2.imencode(suffix, image)[1].tobytes()


def test_png_comes_back_bit_for_bit_in_rgb_order() -> None:
    image = picture(1)
    image[0, 0] = (255, 1, 2)
    again = decode_image(encode_png(image), where="x")
    assert np.array_equal(again, image)
    assert again.dtype == np.uint8
    assert again[0, 0].tolist() == [255, 1, 2]


def test_jpeg_keeps_colour_order() -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    assert np.abs(decode_image(encode_jpeg(red, 95), where="x").astype(int) - red).max() < 6


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp"])
def test_every_format_is_read_with_its_declared_size(suffix: str) -> None:
    data = encoded(suffix, picture(3, 21, 34))
    assert read_header(data, where="x")[1:] == (34, 21, True)
    assert decode_image(data, where="x").shape == (21, 34, 3)


def test_lossless_and_lossy_webp_declare_their_size() -> None:
    lossy = cv2.imencode(".webp", picture(3, 21, 34), (cv2.IMWRITE_WEBP_QUALITY, 60))[1].tobytes()
    assert lossy[12:16] == b"VP8 "
    assert read_header(lossy, where="x")[1:] == (34, 21, True)


def test_grey_becomes_three_equal_channels() -> None:
    grey = picture(4)[..., 0]
    for suffix in (".jpg", ".png"):
        image = decode_image(encoded(suffix, grey), where="x")
        assert image.shape == (12, 16, 3)
        assert np.array_equal(image[..., 0], image[..., 2])


def test_alpha_is_dropped_and_sixteen_bits_become_eight() -> None:
    image = np.dstack([picture(5), np.zeros((12, 16), np.uint8)])
    assert np.array_equal(decode_image(encoded(".png", image), where="x"), picture(5)[..., ::-1])
    deep = picture(5).astype(np.uint16) * 256
    assert np.array_equal(decode_image(encoded(".png", deep), where="x"), picture(5)[..., ::-1])


def exif(orientation: int) -> bytes:
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0) + bytes(4)
    body = b"Exif\0\0" + tiff
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def test_exif_orientation_is_applied() -> None:
    plain = jpeg(6)
    turned = plain[:2] + exif(6) + plain[2:]
    expected = np.rot90(decode_image(plain, where="x"), k=-1)
    assert np.array_equal(decode_image(turned, where="x"), expected)


def test_jpeg_cut_anywhere_is_refused_not_filled_with_grey() -> None:
    data = encode_jpeg(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8), 90)
    for length in range(0, len(data) - 1):
        with pytest.raises(UnreadableFace):
            decode_image(data[:length], where="x")


def test_cut_jpeg_with_a_whole_thumbnail_inside_or_zeros_behind_is_refused() -> None:
    data, thumbnail = jpeg(7), jpeg(8)
    body = b"Exif\0\0" + thumbnail
    with_thumbnail = data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]
    assert decode_image(with_thumbnail, where="x").shape == (12, 16, 3)
    for broken in (with_thumbnail[:-40], data[:-40] + bytes(40)):
        with pytest.raises(UnreadableFace, match="truncated"):
            decode_image(broken, where="x")


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp"])
def test_other_formats_cut_anywhere_are_refused(suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (13, 17, 3), np.uint8)
    data = encoded(suffix, noise)
    for length in [*range(0, 60), *range(60, len(data) - 8, 7)]:
        with pytest.raises(UnreadableFace):
            decode_image(data[:length], where="x")


def test_trailing_bytes_after_a_whole_jpeg_are_no_fault() -> None:
    assert decode_image(jpeg(9) + bytes(100), where="x").shape == (12, 16, 3)


def png_declaring(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def jpeg_declaring(width: int, height: int) -> bytes:
    data = bytearray(jpeg(1))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize("bomb", [png_declaring(60_000, 60_000), jpeg_declaring(65_000, 65_000)])
def test_decompression_bomb_is_refused_by_its_header(bomb: bytes) -> None:
    with pytest.raises(UnreadableFace, match=r"inside\.tar:a: declares 6.*more than the 40000000 allowed"):
        decode_image(bomb, where="inside.tar:a")


def test_bomb_behind_a_false_small_frame_is_refused() -> None:
    bomb = jpeg_declaring(65_000, 65_000)
    small = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 8, 8, 3) + bytes(9)
    false = bomb[:2] + b"\xff\xe2" + struct.pack(">H", len(small) + 2) + small + bomb[2:]
    with pytest.raises(UnreadableFace, match="65000x65000"):
        decode_image(false, where="x")


def test_jpeg_with_thousands_of_scans_is_refused() -> None:
    data = jpeg_declaring(6000, 6000)
    scan = b"\xff\xda" + struct.pack(">H", 8) + bytes(6)
    with pytest.raises(UnreadableFace, match="scans"):
        decode_image(data[:-2] + scan * 200 + data[-2:], where="x")


@pytest.mark.parametrize(
    "data", [b"", b"hello world", b"GIF89a" + bytes(50), b"\xff\xd8\xff\xd9", b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableFace):
        decode_image(data, where="x")


def test_corrupt_jpeg_is_refused() -> None:
    data = bytearray(jpeg(2))
    at = data.index(b"\xff\xc4")
    data[at + 4 : at + 21] = b"\xff" * 17  # an impossible Huffman table
    with pytest.raises(UnreadableFace, match="corrupt"):
        decode_image(bytes(data), where="x")


def test_only_rgb_bytes_can_be_encoded() -> None:
    with pytest.raises(InputError, match=r"\(4, 4\)"):
        encode_png(np.zeros((4, 4), np.uint8))
    with pytest.raises(InputError, match="float32"):
        encode_jpeg(np.zeros((4, 4, 3), np.float32))  # type: ignore[arg-type]


def test_hash_depends_on_pixels_and_shape_only() -> None:
    image = picture(1, 4, 6)
    assert len(face_hash(image)) == 16
    assert face_hash(image) == face_hash(np.asfortranarray(image))
    assert face_hash(image) != face_hash(image.reshape(6, 4, 3))
    other = image.copy()
    other[0, 0, 0] ^= 1
    assert face_hash(image) != face_hash(other)
