"""Difference hashes, neighbours of hashes, and groups."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildstyle.errors import SettingError
from wildstyle.faces import decode_image, encode_jpeg, open_faces, perceptual
from wildstyle.faces.perceptual import dhash, groups_of, look_alike, near_across, near_pairs, thumbnail


def picture(seed: int, side: int = 112) -> np.ndarray:
    """Smooth noise, as pictures are."""
    small = np.random.default_rng(seed).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def brute(hashes: np.ndarray, distance: int) -> list[list[int]]:
    """Groups by comparing everything with everything."""
    apart = np.bitwise_count(hashes[:, None] ^ hashes[None, :])
    first, second = np.nonzero(np.triu(apart <= distance, 1))
    return groups_of(len(hashes), first.astype(np.int64), second.astype(np.int64))


def test_a_ramp_rises_everywhere_and_a_falling_one_nowhere() -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, 90).astype(np.uint8)[None, :, None], (80, 90, 3))
    assert dhash(np.ascontiguousarray(ramp)) == 2**64 - 1
    assert dhash(np.ascontiguousarray(ramp[:, ::-1])) == 0


def test_the_first_bit_is_the_top_left_place() -> None:
    image = np.full((8, 9, 3), 100, np.uint8)
    image[0, 1] = 200  # rises from column 0 to 1 in the first row only
    assert dhash(image) == 1 << 63


def test_saving_and_resizing_keep_the_hash_near_and_another_picture_does_not() -> None:
    one = picture(1)
    again = decode_image(encode_jpeg(one, 60), where="test")
    larger = np.asarray(cv2.resize(one, (300, 300), interpolation=cv2.INTER_CUBIC), np.uint8)
    hashes = [dhash(one), dhash(again), dhash(larger), dhash(picture(2))]
    assert [(hashes[0] ^ h).bit_count() <= 4 for h in hashes] == [True, True, True, False]
    thumbs = np.stack([thumbnail(image) for image in (one, again, larger, picture(2))])
    assert look_alike(thumbs, np.zeros(4, np.int64), np.arange(4)).tolist() == [True, True, True, False]


def test_pairs_by_hand() -> None:
    hashes = np.array([0, 0b1111, 0b11111, 0, 2**63], np.uint64)
    first, second = near_pairs(hashes, 4)
    # 0-1: four bits, 1-2: one bit, 0-4: one bit, 0-3: equal; 0-2: five bits; 1-4: five bits. 3 hangs on 0 alone.
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(0, 1), (0, 3), (0, 4), (1, 2)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 15), st.integers(1, 60))
def test_banding_finds_what_brute_force_finds(seed: int, distance: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 2**63, max(1, count // 6), dtype=np.uint64)
    hashes = centres[rng.integers(0, len(centres), count)]
    for _ in range(8):  # up to eight bits turned
        hashes = hashes ^ np.where(rng.random(count) < 0.7, np.uint64(1) << rng.integers(0, 64, count, np.uint64), 0)
    first, second = near_pairs(hashes.astype(np.uint64), distance)
    assert (first < second).all()
    assert groups_of(count, first, second) == brute(hashes.astype(np.uint64), distance)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 15), st.integers(0, 40), st.integers(0, 60), st.booleans())
def test_pairs_across_two_sets_come_once_each(seed: int, distance: int, left: int, right: int, cut: bool) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 2**63, 6, dtype=np.uint64)
    one, other = (centres[rng.integers(0, 6, count)] for count in (left, right))
    for _ in range(8):
        other = other ^ np.where(rng.random(right) < 0.7, np.uint64(1) << rng.integers(0, 64, right, np.uint64), 0)
    other = other.astype(np.uint64)
    with pytest.MonkeyPatch.context() as patch:
        if cut:
            patch.setattr(perceptual, "_BLOCK", 7)
        blocks = list(near_across(one, other, distance))
    found = [pair for a, b in blocks for pair in zip(a.tolist(), b.tolist(), strict=True)]
    first, second = np.nonzero(np.bitwise_count(one[:, None] ^ other[None, :]) <= distance)
    assert sorted(found) == list(zip(first.tolist(), second.tolist(), strict=True))
    assert not cut or all(len(a) <= 7 for a, _ in blocks)


def test_many_equal_hashes_give_few_pairs() -> None:
    first, second = near_pairs(np.full(20_000, 7, np.uint64))
    assert len(first) == 19_999
    assert groups_of(20_000, first, second) == [list(range(20_000))]


def test_a_hundred_thousand_hashes_are_quick_and_complete() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, 100_000, dtype=np.uint64)
    hashes[1::1000] = hashes[::1000] ^ np.uint64(0b1011)
    first, second = near_pairs(hashes)
    assert {(i, i + 1) for i in range(0, 100_000, 1000)} <= set(zip(first.tolist(), second.tolist(), strict=True))


def test_nothing_and_one() -> None:
    for count in (0, 1):
        first, second = near_pairs(np.zeros(count, np.uint64))
        assert len(first) == len(second) == 0
    assert groups_of(3, np.zeros(0, np.int64), np.zeros(0, np.int64)) == []


def test_distance_out_of_range() -> None:
    for distance in (-1, 16):
        with pytest.raises(SettingError, match="15 bits"):
            near_pairs(np.zeros(2, np.uint64), distance)
        with pytest.raises(SettingError, match="15 bits"):
            list(near_across(np.zeros(2, np.uint64), np.zeros(2, np.uint64), distance))


def test_aligned_faces_of_different_people_are_not_joined(data_dir: Path) -> None:
    # The hash alone takes many aligned faces for one; the thumbnail tells them apart.
    with open_faces(data_dir / "source112.tar") as source:
        faces = [source.read(i) for i in range(0, len(source), 4)]
    hashes = np.array([dhash(face.image) for face in faces], np.uint64)
    first, second = near_pairs(hashes)
    people = np.array([face.record.subject for face in faces])
    others = people[first] != people[second]
    assert others.sum() > 100
    kept = look_alike(np.stack([thumbnail(face.image) for face in faces]), first, second)
    assert not (kept & others).any()
