"""Made-up people: the same seed is the same person, and what is said of a picture is true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wildstyle.errors import SettingError
from wildstyle.madeup import BAD_CAMERA, ShotOptions, person, shot
from wildstyle.madeup.basis import face_vertices, head_basis, places
from wildstyle.madeup.conditions import draw_conditions
from wildstyle.madeup.figure import pose_figure
from wildstyle.madeup.person import resting_vertices
from wildstyle.madeup.render import render, to_pixels
from wildstyle.randomness import item_rng

SMALL = ShotOptions(side=96)
# Mean of every third of the picture, (3, 3, RGB); guards against a silent change of the renderer.
GOLDEN = np.array(
    [
        [[126.8, 102.6, 98.8], [146.0, 120.0, 105.8], [97.6, 77.0, 73.8]],
        [[155.7, 128.6, 120.7], [189.7, 152.1, 128.8], [135.3, 108.1, 97.3]],
        [[165.1, 155.6, 145.3], [138.8, 122.9, 102.0], [148.3, 143.3, 129.4]],
    ]
)


def test_same_seed_same_picture_to_the_bit() -> None:
    first = shot(person(11), 3, SMALL)
    person.cache_clear()
    resting_vertices.cache_clear()
    second = shot(person(11), 3, SMALL)
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.landmarks, second.landmarks)
    assert first.attributes() == second.attributes()


def test_picture_is_the_golden_one() -> None:
    image = shot(person(11), 3, SMALL).image.astype(float)
    thirds = image.reshape(3, 32, 3, 32, 3).mean((1, 3))
    # Other versions of numpy and OpenCV round a few pixels differently.
    assert np.abs(thirds - GOLDEN).max() < 1.5


def test_other_seeds_give_other_people_and_other_pictures() -> None:
    images = [shot(person(p), s, SMALL).image.astype(float) for p, s in ((1, 0), (1, 1), (2, 0))]
    assert np.abs(images[0] - images[1]).mean() > 5
    assert np.abs(images[0] - images[2]).mean() > 5
    assert not np.array_equal(person(1).coefficients, person(2).coefficients)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("difficulty", [0.0, 1.0, 2.0])
def test_landmarks_lie_inside_and_in_order(seed: int, difficulty: float) -> None:
    taken = shot(person(seed), seed, replace(SMALL, difficulty=difficulty))
    right_eye, left_eye, nose, right_mouth, left_mouth = taken.landmarks
    assert ((taken.landmarks > 0) & (taken.landmarks < 95)).all()
    assert right_eye[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < max(right_mouth[1], left_mouth[1])


def test_eye_landmarks_lie_on_the_dark_of_the_eyes() -> None:
    """Pupils and irises are darker than the cheeks below; a shifted landmark would miss them."""
    darker = []
    for seed in range(6):
        who = person(seed)
        seen = replace(draw_conditions(who, item_rng(seed), 0.0), glasses=None)
        image = to_pixels(render(who, seen, 224), 0.3, 160).astype(float).mean(2)
        points = render(who, seen, 224).landmarks * (160 / 224) - 0.5
        for x, y in points[:2]:
            column, row = round(float(x)), round(float(y))
            darker.append(image[row - 1 : row + 2, column - 1 : column + 2].mean() < image[row + 10, column])
    assert np.mean(darker) > 0.8


def test_turning_the_head_moves_the_nose_that_way() -> None:
    who = person(5)
    still = draw_conditions(who, item_rng(0), 0.0)
    offsets = []
    for yaw in (-0.5, 0.0, 0.5):
        five = pose_figure(who, replace(still, pose=replace(still.pose, yaw=yaw, roll=0.0)), 160).landmarks
        offsets.append(float(five[2, 0] - five[:2, 0].mean()))
    assert offsets[0] < offsets[1] - 3
    assert offsets[2] > offsets[1] + 3


def test_light_from_the_left_lights_the_left() -> None:
    who = person(8)
    seen = draw_conditions(who, item_rng(1), 0.0)
    halves = []
    for x in (-1.0, 1.0):
        light = replace(seen.light, direction=(x, 0.0, 0.0), key=1.0, ambient=0.3, tilt=(0.0, 0.0))
        image = to_pixels(render(who, replace(seen, light=light), 112), 0.0, 80).astype(float)
        halves.append(image[30:60, 25:40].mean() - image[30:60, 40:55].mean())
    assert halves[0] > 10
    assert halves[1] < -10


def test_smile_widens_the_mouth() -> None:
    who = person(8)
    seen = draw_conditions(who, item_rng(1), 0.0)
    widths = []
    for amount in (0.0, 1.0):
        values = np.zeros(len(head_basis().expression_names), np.float32)
        values[head_basis().expression_names.index("mouth-retraction")] = amount
        five = pose_figure(who, replace(seen, expression=values), 160).landmarks
        widths.append(float(five[4, 0] - five[3, 0]))
    assert widths[1] > widths[0] + 1


def test_same_moment_through_another_camera() -> None:
    clean = shot(person(3), 2, SMALL)
    bad = shot(person(3), 2, replace(SMALL, camera=BAD_CAMERA))
    assert np.array_equal(clean.landmarks, bad.landmarks)
    assert bad.camera.shrink > 1
    assert clean.camera.shrink == 1
    assert np.abs(clean.image.astype(float) - bad.image).mean() > 3


def test_basis_is_sound() -> None:
    basis, where = head_basis(), places()
    assert basis.mean.shape == (len(basis.part), 3)
    assert basis.triangles.max() < len(basis.part)
    assert basis.directions.shape[1:] == basis.expressions.shape[1:] == basis.mean.shape
    assert np.allclose(where.eye * [-1, 1, 1], basis.mean[where.right_eye].mean(0), atol=0.02)
    face = basis.mean[face_vertices()]
    assert 0.8 < np.sqrt((face**2).sum(1).mean()) < 1.3


def test_shot_as_a_face_record() -> None:
    face = shot(person(3), 2, SMALL).face(id="x.jpg", source="made-up")
    assert face.record.subject == "p00003"
    assert face.record.eye_distance_before is not None
    assert 15 < face.record.eye_distance_before < 25
    assert face.record.attributes["camera_shrink"] == "1"


@pytest.mark.parametrize("options", [{"difficulty": -1.0}, {"difficulty": 9.0}, {"side": 8}, {"strength": 1.5}])
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(SettingError):
        ShotOptions(**options)  # type: ignore[arg-type]


def test_negative_seeds_are_refused() -> None:
    with pytest.raises(SettingError):
        person(-1)
    with pytest.raises(SettingError):
        shot(person(0), -1)
