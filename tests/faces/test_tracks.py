"""Linking boxes and looks into tracks, on made-up scenes whose tracks are known."""

from __future__ import annotations

import numpy as np
import pytest

from wildstyle.errors import InputError, SettingError
from wildstyle.faces.tracks import LinkRule, link_boxes, link_looks, seen_together

SIDE = 40.0
LOOKS = np.eye(3, 8, dtype=np.float32)


class Scene:
    """Boxes of made-up people, frame by frame."""

    def __init__(self) -> None:
        self.frames: list[int] = []
        self.boxes: list[tuple[float, float, float, float]] = []
        self.people: list[int] = []

    def see(self, frame: int, person: int, x: float, y: float = 0.0) -> None:
        self.frames.append(frame)
        self.boxes.append((x, y, x + SIDE, y + SIDE))
        self.people.append(person)

    def link(self, rule: LinkRule | None = None, *, looks: bool = False, seed: int | None = None) -> np.ndarray:
        frames, boxes = np.array(self.frames, np.int64), np.array(self.boxes, np.float32)
        vectors = LOOKS[self.people] if looks else None
        if seed is None:
            return link_boxes(frames, boxes, rule, vectors=vectors)
        order = np.random.default_rng(seed).permutation(len(frames))
        found = np.empty(len(frames), np.int64)
        found[order] = link_boxes(
            frames[order], boxes[order], rule, vectors=None if vectors is None else vectors[order]
        )
        return found


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(((a[:, None] == a) == (b[:, None] == b)).all())


def crossing() -> Scene:
    """Two people walk through each other: 10 px a frame, boxes of 40 px."""
    scene = Scene()
    for frame in range(21):
        scene.see(frame, 0, 10.0 * frame)
        scene.see(frame, 1, 200.0 - 10.0 * frame, 4.0)
    return scene


def test_people_apart_are_a_track_each() -> None:
    scene = Scene()
    for frame in range(10):
        scene.see(frame, 0, 5.0 * frame)
        scene.see(frame, 1, 300.0 + 5.0 * frame)
    assert same_partition(scene.link(), np.array(scene.people))
    assert scene.link().tolist()[:2] == [0, 1]


def test_crossing_people_keep_their_tracks_by_looks() -> None:
    scene = crossing()
    assert same_partition(scene.link(looks=True), np.array(scene.people))


def test_crossing_people_are_cut_and_never_exchanged_by_boxes_alone() -> None:
    scene = crossing()
    track, people = scene.link(), np.array(scene.people)
    assert all(len(set(people[track == t])) == 1 for t in np.unique(track))
    assert len(np.unique(track)) > 2


def test_a_short_gap_is_bridged_and_a_long_one_is_not() -> None:
    scene = Scene()
    for frame in (0, 1, 2, 8, 9, 40):
        scene.see(frame, 0, 0.0)
    assert scene.link(LinkRule(gap=6)).tolist() == [0, 0, 0, 0, 0, 1]
    assert scene.link(LinkRule(gap=5)).tolist() == [0, 0, 0, 1, 1, 2]


def test_a_jump_goes_on_only_if_it_looks_the_same() -> None:
    scene = Scene()
    scene.see(0, 0, 0.0)
    scene.see(1, 0, 80.0)  # no overlap, two sides away
    scene.see(2, 1, 160.0)
    assert scene.link(looks=True).tolist() == [0, 0, 1]
    assert scene.link().tolist() == [0, 1, 2]
    assert scene.link(LinkRule(reach=1.5), looks=True).tolist() == [0, 1, 2]


def test_somebody_else_on_the_same_place_begins_a_track() -> None:
    scene = Scene()
    for frame in range(6):
        scene.see(frame, 0 if frame < 3 else 1, 0.0)
    assert scene.link(looks=True).tolist() == [0, 0, 0, 1, 1, 1]
    assert scene.link().tolist() == [0] * 6  # boxes can't tell: the switch a proxy must state


def test_a_face_without_an_embedding_goes_on_by_its_box() -> None:
    boxes = np.array([[0, 0, 40, 40]] * 3, np.float32)
    vectors = np.full((3, 8), np.nan, np.float32)
    vectors[[0, 2]] = LOOKS[0]
    ok = np.array([True, False, True])
    assert link_boxes(np.arange(3), boxes, vectors=vectors, ok=ok).tolist() == [0, 0, 0]


def test_order_of_rows_does_not_matter() -> None:
    scene = crossing()
    for looks in (False, True):
        assert same_partition(scene.link(looks=looks), scene.link(looks=looks, seed=3))


def test_two_faces_of_one_frame_never_share_a_track() -> None:
    rng = np.random.default_rng(0)
    frames = np.sort(rng.integers(0, 15, 80))
    corner = rng.uniform(0, 120, (80, 2))
    boxes = np.hstack([corner, corner + 40]).astype(np.float32)
    looks = rng.normal(size=(80, 8)).astype(np.float32)
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    for vectors in (None, looks):
        track = link_boxes(frames, boxes, vectors=vectors)
        keys = list(zip(frames.tolist(), track.tolist(), strict=True))
        assert len(set(keys)) == len(keys)
        assert sorted(set(track.tolist())) == list(range(track.max() + 1))


def test_no_boxes_and_many_boxes() -> None:
    assert link_boxes(np.zeros(0, np.int64), np.zeros((0, 4), np.float32)).shape == (0,)
    count = 20_000
    boxes = np.tile(np.array([[0, 0, 40, 40]], np.float32), (count, 1))
    boxes[1::2] += np.float32(100)
    assert link_boxes(np.arange(count) // 2, boxes).tolist() == [0, 1] * (count // 2)


def test_looks_group_inside_a_medium_only() -> None:
    vectors = LOOKS[[0, 0, 1, 1, 0]]
    media = np.array([0, 0, 0, 0, 1])
    ok = np.array([True, True, True, False, True])
    assert link_looks(vectors, ok, media).tolist() == [0, 0, 1, -1, 2] or same_partition(
        link_looks(vectors, ok, media), np.array([0, 0, 1, -1, 2])
    )


def test_looks_group_by_the_mean_cosine() -> None:
    angle = np.radians([0, 50, 100])
    vectors = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    media, ok = np.zeros(3, np.int64), np.ones(3, bool)
    # cos 50 = 0.643 joins two; the third is cos 50 and cos 100 = -0.174 away, 0.235 on average.
    assert len(set(link_looks(vectors, ok, media, alike=0.5).tolist())) == 2
    assert len(set(link_looks(vectors, ok, media, alike=0.2).tolist())) == 1
    assert len(set(link_looks(vectors, ok, media, alike=0.7).tolist())) == 3


def test_seen_together() -> None:
    picture = np.array([0, 0, 1, 1, 1, -1, -1, 2])
    track = np.array([3, 1, 1, 2, -1, 0, 4, 3])
    assert seen_together(picture, track).tolist() == [[1, 2], [1, 3]]
    assert seen_together(picture[:1], track[:1]).shape == (0, 2)


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="empty or not finite"):
        link_boxes(np.zeros(1, np.int64), np.array([[5, 5, 5, 9]], np.float32))
    with pytest.raises(InputError, match="shape"):
        link_boxes(np.zeros(2, np.int64), np.zeros((1, 4), np.float32))
    with pytest.raises(SettingError):
        LinkRule(overlap=0.0)
    with pytest.raises(SettingError):
        link_looks(LOOKS, np.ones(3, bool), np.zeros(3, np.int64), alike=-1.0)
