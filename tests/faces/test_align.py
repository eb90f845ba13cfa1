from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildstyle.errors import InputError, SettingError
from wildstyle.faces.align import TEMPLATES, align, plausible, similarity, template_points, transform

TEMPLATE = TEMPLATES["arcface-112"]
BOX = np.array([10, 10, 110, 140], np.float32)
FACE = np.array([[40, 60], [80, 60], [60, 85], [45, 110], [75, 110]], np.float32)


def umeyama(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The published form, with a singular value decomposition, reflections excluded."""
    source, target = source.astype(np.float64), target.astype(np.float64)
    a, b = source - source.mean(0), target - target.mean(0)
    u, d, vt = np.linalg.svd(b.T @ a / len(a))
    s = np.diag([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    turn = u @ s @ vt * ((np.diag(d) @ s).trace() / (a**2).sum(1).mean())
    return np.hstack([turn, (target.mean(0) - turn @ source.mean(0))[:, None]])


@given(seed=st.integers(0, 10_000), mirrored=st.booleans())
@settings(max_examples=60, deadline=None)
def test_similarity_agrees_with_umeyama(seed: int, mirrored: bool) -> None:
    rng = np.random.default_rng(seed)
    points = TEMPLATE * rng.uniform(0.1, 5) + rng.normal(0, 6, (5, 2))
    if mirrored:
        points[:, 0] *= -1
    assert np.allclose(similarity(points, TEMPLATE), umeyama(points, TEMPLATE), atol=1e-8)


@given(angle=st.floats(-3, 3), scale=st.floats(0.05, 20), x=st.floats(-500, 500), y=st.floats(-500, 500))
def test_similarity_undoes_a_similarity(angle: float, scale: float, x: float, y: float) -> None:
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = TEMPLATE.astype(np.float64) @ turn.T + [x, y]
    assert np.allclose(transform(moved, similarity(moved, TEMPLATE)), TEMPLATE, atol=1e-3)


def test_similarity_never_mirrors() -> None:
    mirrored = TEMPLATE * [-1, 1]
    assert np.linalg.det(similarity(mirrored, TEMPLATE)[:, :2]) > 0


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((5, 2)), "coincide"),
        (np.full((5, 2), np.nan), "NaN"),
        (np.zeros((4, 2)), "must both"),
        (np.zeros((5, 3)), "must both"),
    ],
)
def test_similarity_refuses_bad_points(points: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        similarity(points, TEMPLATE)


def test_template_of_other_sizes() -> None:
    assert np.allclose(template_points(112), TEMPLATE)
    assert np.allclose(template_points(224), 2 * TEMPLATE)
    assert np.allclose(template_points(128), TEMPLATE + np.array([8, 0]))
    assert np.allclose(template_points(256)[0], [2 * 38.2946 + 16, 2 * 51.6963], atol=1e-4)
    assert np.allclose(template_points(64), TEMPLATE * 64 / 112)
    # 896 is a multiple of both; 112 wins.
    assert np.allclose(template_points(896), TEMPLATE * 8)


@pytest.mark.parametrize(("size", "template"), [(112, "mine"), (8, "arcface-112"), (0, "arcface-112")])
def test_template_refuses_unknown_names_and_tiny_sizes(size: int, template: str) -> None:
    with pytest.raises(SettingError):
        template_points(size, template)


def test_align_of_an_aligned_face_changes_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    assert np.array_equal(align(image, TEMPLATE), image)


def test_align_puts_marks_on_the_template() -> None:
    image = np.zeros((300, 260, 3), np.uint8)
    turn = cv2.getRotationMatrix2D((120, 150), 25, 1.7)
    points = transform(TEMPLATE + np.array([60, 70]), turn)
    for x, y in points:
        cv2.circle(image, (round(float(x)), round(float(y))), 4, (255, 255, 255), -1)
    face = align(image, points)
    assert face.shape == (112, 112, 3)
    assert face.dtype == np.uint8
    assert all(face[round(float(y)), round(float(x))].min() > 200 for x, y in TEMPLATE)


def test_align_is_black_outside_the_picture() -> None:
    image = np.full((112, 112, 3), 200, np.uint8)
    face = align(image, TEMPLATE + np.array([40, 0]))
    assert (face[:, :60] == 200).all()
    assert (face[:, 80:] == 0).all()


def test_plausible_accepts_upright_tilted_and_profile_faces() -> None:
    assert plausible(FACE, BOX) is None
    for angle in (-80, 80):
        turn = cv2.getRotationMatrix2D((60, 80), angle, 1.0)
        assert plausible(transform(FACE, turn), [-5, 20, 125, 145]) is None
    profile = FACE.copy()
    profile[:, 0] = [62, 64, 88, 60, 61]
    assert plausible(profile, BOX) is None


SWAPPED_EYES = FACE[[1, 0, 2, 3, 4]]
SWAPPED_MOUTH = FACE[[0, 1, 2, 4, 3]]
UPSIDE_DOWN = FACE * [1, -1] + [0, 170]


@pytest.mark.parametrize(
    ("points", "box", "picture", "reason"),
    [
        (SWAPPED_EYES, BOX, None, "eyes swapped"),
        (SWAPPED_MOUTH, BOX, None, "mouth corners swapped"),
        (UPSIDE_DOWN, BOX, None, "mouth above eyes"),
        (np.full((5, 2), 60.0), BOX, None, "degenerate landmarks"),
        ((FACE - 60) * 0.05 + 60, BOX, None, "degenerate landmarks"),
        (FACE, [10, 10, 30, 140], None, "extreme shape of the box"),
        (FACE, [10, 10, 10, 140], None, "empty box"),
        (FACE + np.array([100, 0]), BOX, None, "landmarks outside the face box"),
        (FACE - [55, 0], BOX - [55, 0, 55, 0], (200, 200), None),
        (FACE - [70, 0], BOX - [70, 0, 70, 0], (200, 200), "landmarks outside the picture"),
        (np.where(FACE == 60, np.nan, FACE), BOX, None, "landmarks missing or not finite"),
        (FACE[:4], BOX, None, "landmarks missing or not finite"),
        (
            np.array([[10, 70], [110, 70], [60, 75], [30, 91], [90, 91]]),
            BOX,
            None,
            "extreme proportions of the landmarks",
        ),
    ],
)
def test_plausible_names_the_reason(points, box, picture, reason) -> None:  # type: ignore[no-untyped-def]
    assert plausible(points, box, picture) == reason
