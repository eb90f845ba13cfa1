from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from wildstyle.errors import InputError, NotMeasurable
from wildstyle.synthesis import FitSettings, GeneratorConfig
from wildstyle.synthesis.distances import halves_distances, jackknifed_distance, kernel_distance
from wildstyle.synthesis.material import TargetFaces, read_target
from wildstyle.synthesis.refusing import Sides, copied_share, refuse_no_camera

SMALL = FitSettings(generator=GeneratorConfig(axes=4, style_size=16, width=8), batch=8, fewest_faces=8)


def pixels(source: Any) -> np.ndarray:
    return np.stack([source.read(i).image for i in range(len(source))])


def saved(faces: np.ndarray, quality: int) -> np.ndarray:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    coded = [cv2.imencode(".jpg", face[..., ::-1], options)[1] for face in faces]
    return np.stack([np.asarray(cv2.imdecode(one, cv2.IMREAD_COLOR))[..., ::-1] for one in coded])


def target(faces: np.ndarray) -> TargetFaces:
    return TargetFaces(faces[4:], faces[:4], ())


@pytest.fixture(scope="module")
def clean(drawn: Callable[..., Any]) -> Any:
    return drawn("clean", 240)


def test_renamed_shuffled_and_saved_again_is_still_the_source(clean: Any) -> None:
    again = saved(pixels(clean)[::-2], 95)
    assert copied_share(pixels(clean), again, 240) > 0.9
    with pytest.raises(InputError, match=r"\d+% of the target are the source's faces again"):
        refuse_no_camera(clean, target(again), "memory:again")


def test_a_share_is_estimated_from_a_part_of_the_source(clean: Any) -> None:
    faces = pixels(clean)
    assert copied_share(faces[:80], faces, 240) == pytest.approx(1.0)
    assert copied_share(faces[:80], faces[80:], 240) == 0.0


def test_the_same_faces_through_a_camera_are_footage(clean: Any, drawn: Callable[..., Any]) -> None:
    sides = refuse_no_camera(clean, target(pixels(drawn("yard", 150, blur=2.0))), "memory:yard")
    assert sides.copies == 0.0
    assert sides.distance is not None
    assert sides.alike is not None
    assert sides.distance > 10 * sides.alike
    assert sides.as_record()["distance"] == sides.distance


def test_other_clean_faces_are_no_footage(drawn: Callable[..., Any]) -> None:
    both = drawn("both", 480)
    faces = pixels(both)
    both.bytes = both.bytes[::2]
    with pytest.raises(InputError, match="looks like the clean faces") as caught:
        refuse_no_camera(both, target(faces[1::2]), "memory:other")
    assert "recognised badly" in str(caught.value)


def test_too_few_faces_are_not_called_alike(drawn: Callable[..., Any]) -> None:
    both = drawn("both", 300)
    faces = pixels(both)
    both.bytes = both.bytes[:200]
    assert refuse_no_camera(both, target(faces[240:]), "memory:few").distance is None


def test_doubt_lets_through() -> None:
    assert Sides(0.0, 0.1, 0.2, 0.3).indistinguishable
    assert not Sides(0.0, 0.1, 0.4, 0.3).indistinguishable
    assert not Sides(0.0).indistinguishable


def test_unreadable_faces_are_listed_and_most_of_them_refused(drawn: Callable[..., Any], clean: Any) -> None:
    broken, yard = drawn("broken", 40), target(pixels(drawn("yard", 20, blur=2.0)))
    for place in range(0, 38, 2):
        broken.bytes[place] = b"no picture"
    assert len(refuse_no_camera(broken, yard, "memory:yard").unreadable) == 19
    for place in range(0, 4):
        broken.bytes[place] = b"no picture"
    broken.bytes[5] = b"no picture"
    with pytest.raises(InputError, match=r"22 of 40 source faces can't be read \(\d+\.jpg: "):
        refuse_no_camera(broken, yard, "memory:yard")
    with pytest.raises(InputError, match="22 of 40 target faces"):
        read_target(broken, SMALL)


def test_jackknife_error_is_that_of_repeated_draws() -> None:
    rng = np.random.default_rng(0)
    found = [jackknifed_distance(rng.normal(0, 1, (80, 4)), rng.normal(0.7, 1, (80, 4))) for _ in range(60)]
    distances, errors = np.array(found).T
    assert errors.mean() == pytest.approx(distances.std(), rel=0.35)
    a, b = rng.normal(0, 1, (50, 4)), rng.normal(0, 1, (60, 4))
    assert jackknifed_distance(a, b)[0] == pytest.approx(kernel_distance(a, b))
    with pytest.raises(NotMeasurable, match="40 vectors"):
        jackknifed_distance(a[:30], b)


def test_halves_keep_owners_together() -> None:
    rng = np.random.default_rng(0)
    owners = [str(k // 10) for k in range(100)]
    apart = np.repeat(rng.normal(0, 1, (10, 4)), 10, axis=0) + rng.normal(0, 0.1, (100, 4))
    whole = halves_distances(apart, owners, np.random.default_rng(1))
    mixed = halves_distances(apart, [str(k) for k in range(100)], np.random.default_rng(1))
    assert len(whole) == 60
    assert np.quantile(whole, 0.9) > 2 * np.quantile(mixed, 0.9)
    with pytest.raises(NotMeasurable, match="four owners"):
        halves_distances(apart, ["a"] * 100, rng)
