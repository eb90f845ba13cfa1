from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wildstyle.faces.detect.detection import Detection, overlaps, suppress
from wildstyle.faces.detect.scaling import scaled
from wildstyle.faces.detect.search import find_faces


def face(x: float, y: float, side: float, score: float = 0.9) -> Detection:
    points = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]]) * side + [x, y]
    return Detection(np.array([x, y, x + side, y + side], np.float32), points.astype(np.float32), score)


def brute_suppress(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> list[int]:
    def union(a: np.ndarray, b: np.ndarray) -> float:
        grid = np.zeros((2, 60, 60), bool)
        for layer, (left, top, right, bottom) in zip(grid, (a, b), strict=True):
            layer[int(top) : int(bottom), int(left) : int(right)] = True
        return float((grid[0] & grid[1]).sum() / max(1, (grid[0] | grid[1]).sum()))

    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(union(boxes[i], boxes[k]) <= threshold for k in kept):
            kept.append(i)
    return kept


@given(seed=st.integers(0, 10_000), count=st.integers(0, 12), threshold=st.sampled_from([0.2, 0.45, 0.7]))
@settings(max_examples=40, deadline=None)
def test_suppress_agrees_with_counting_pixels(seed: int, count: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, 30, (count, 2))
    boxes = np.hstack([corner, corner + rng.integers(1, 30, (count, 2))]).astype(np.float32)
    scores = rng.permutation(count).astype(np.float32)
    assert suppress(boxes, scores, threshold).tolist() == brute_suppress(boxes, scores, threshold)


def test_overlap_with_the_smaller_box() -> None:
    inner, outer = np.array([2, 2, 4, 4], np.float32), np.array([[0, 0, 10, 10]], np.float32)
    assert overlaps(inner, outer, of_smaller=True).tolist() == [1.0]
    assert np.allclose(overlaps(inner, outer), 0.04)


def test_unscaled_follows_pixel_centres() -> None:
    # A bright pixel at (5, 3), enlarged four times, has its middle at 4 * 5 + 1.5.
    picture = np.zeros((10, 10, 1), np.float32)
    picture[3, 5] = 1
    large = scaled(picture, 4.0).reshape(40, 40)
    centre = np.array([(large.sum(0) * np.arange(40)).sum(), (large.sum(1) * np.arange(40)).sum()]) / large.sum()
    seen = Detection(np.tile(centre, 2).astype(np.float32), np.tile(centre, (5, 1)).astype(np.float32), 1.0)
    assert np.allclose(seen.unscaled(4.0).landmarks, [5, 3], atol=1e-4)
    assert np.allclose(seen.unscaled(1.0).landmarks, centre)


def test_measures() -> None:
    found = face(10, 20, 50)
    assert (found.side, found.area) == (50.0, 2500.0)
    assert np.isclose(found.eye_distance, 20)
    assert np.allclose(found.moved(-3, 4).box, [7, 24, 57, 74])


class OnlySmall:
    """Finds the white square if it takes less than ``share`` of the picture."""

    name = "only-small"

    def __init__(self, share: float) -> None:
        self.share = share
        self.seen: list[tuple[int, ...]] = []

    def detect(self, image: np.ndarray) -> list[Detection]:
        self.seen.append(image.shape)
        rows, columns = np.nonzero(image[:, :, 0] > 128)
        side = float(columns.max() - columns.min() + 1) if columns.size else 0.0
        if not side or side >= self.share * max(image.shape[:2]):
            return []
        return [face(float(columns.min()), float(rows.min()), side)]


def test_tight_crops_are_found_with_a_margin_in_their_own_coordinates() -> None:
    detector = OnlySmall(0.4)
    found = find_faces(detector, np.full((40, 40, 3), 255, np.uint8))
    assert [shape[0] for shape in detector.seen] == [40, 80, 160]
    assert np.allclose(found[0].box, [0, 0, 40, 40])


def test_a_face_with_surroundings_is_looked_at_once() -> None:
    detector = OnlySmall(2.0)
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[30:60, 20:50] = 255
    assert np.allclose(find_faces(detector, picture)[0].box, [20, 30, 50, 60])
    assert len(detector.seen) == 1


def test_the_plain_look_counts_where_margins_find_nothing() -> None:
    class OnlyPlain(OnlySmall):
        def detect(self, image: np.ndarray) -> list[Detection]:
            return super().detect(image) if image.shape[0] == 40 else []

    assert find_faces(OnlyPlain(2.0), np.full((40, 40, 3), 255, np.uint8))
    assert find_faces(OnlySmall(0.0), np.full((40, 40, 3), 255, np.uint8)) == []
    assert find_faces(OnlySmall(2.0), np.full((40, 40, 3), 255, np.uint8), least_score=0.95) == []


def test_large_pictures_are_shrunk_before_a_margin_is_added() -> None:
    detector = OnlySmall(0.4)
    found = find_faces(detector, np.full((3000, 2000, 3), 255, np.uint8))
    assert max(max(shape) for shape in detector.seen[1:]) <= 1024 * 4
    assert np.allclose(found[0].box[:2], 0, atol=3)
    assert np.isclose(found[0].side, 2000, atol=6)
