"""Pairs without labels, and the figures on them."""

from __future__ import annotations

import numpy as np
import pytest

from wildstyle.errors import NotMeasurable, SettingError
from wildstyle.evaluation import Bootstrap, Result
from wildstyle.evaluation.proxy import (
    WARNING,
    ProxyOptions,
    Sightings,
    compare_proxies,
    evaluate_proxy,
    impostor_pairs,
    mated_pairs,
    spaced,
)


def two_tracks() -> Sightings:
    """Track 0 in frames 0 to 4, track 1 in frames 2 to 6: together in 2, 3 and 4."""
    frame = np.array([0, 1, 2, 3, 4, 2, 3, 4, 5, 6], np.int64)
    return Sightings(np.repeat([0, 1], 5).astype(np.int64), frame.copy(), frame, ("a", "b"))


def crowd(tracks: int, frames: int, spread: float, seed: int = 0) -> tuple[np.ndarray, Sightings]:
    """Pairs of tracks that share all their frames, one medium a pair."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(tracks, 16))
    track = np.repeat(np.arange(tracks), frames)
    vectors = centres[track] + spread * rng.normal(size=(len(track), 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    frame = np.tile(np.arange(frames) * 10, tracks)
    picture = (track // 2) * 1000 + frame
    seen = Sightings(track.astype(np.int64), picture.astype(np.int64), frame, tuple(f"t{i}" for i in range(tracks)))
    return vectors.astype(np.float32), seen


def pairs_of(found: np.ndarray) -> set[tuple[int, int]]:
    return {(int(a), int(b)) for a, b in found}


def test_pairs_by_hand() -> None:
    seen = two_tracks()
    assert pairs_of(mated_pairs(seen, ProxyOptions(min_gap=2))) == {
        (0, 2), (0, 4), (2, 4), (5, 7), (5, 9), (7, 9)
    }  # fmt: skip
    assert pairs_of(mated_pairs(seen, ProxyOptions(min_gap=4))) == {(0, 4), (5, 9)}
    assert pairs_of(impostor_pairs(seen, ProxyOptions(min_gap=1))) == {(2, 5), (3, 6), (4, 7)}
    assert pairs_of(impostor_pairs(seen, ProxyOptions(min_gap=2))) == {(2, 5), (4, 7)}
    across = impostor_pairs(seen, ProxyOptions(min_gap=4, across_frames=True))
    assert pairs_of(across) == {(0, 5), (0, 9), (4, 5), (4, 9)}


def test_faces_without_a_track_or_a_frame_give_no_pairs() -> None:
    seen = two_tracks()
    track, picture = seen.track.copy(), seen.picture.copy()
    track[2], picture[3] = -1, -1
    found = impostor_pairs(Sightings(track, picture, seen.frame, seen.names), ProxyOptions(min_gap=1))
    assert pairs_of(found) == {(4, 7)}


def test_most_pairs_limits_each_track() -> None:
    _, seen = crowd(4, 30, 0.1)
    options = ProxyOptions(most_pairs=7)
    found = mated_pairs(seen, options)
    assert np.bincount(seen.track[found[:, 0]]).tolist() == [7] * 4
    assert (found == mated_pairs(seen, options)).all()
    assert len(impostor_pairs(seen, options)) == 14


def test_long_tracks_and_all_faces_across_frames() -> None:
    frames, tracks = 20_000, 2
    frame = np.tile(np.arange(frames), tracks).astype(np.int64)
    track = np.repeat(np.arange(tracks), frames).astype(np.int64)
    seen = Sightings(track, frame, frame, ("a", "b"))
    for options in (ProxyOptions(min_gap=10), ProxyOptions(min_gap=10, across_frames=True)):
        mated, other = mated_pairs(seen, options), impostor_pairs(seen, options)
        assert len(mated) == 100
        assert len(other) == 50
        assert (np.abs(np.diff(frame[mated])) >= 10).all()
        assert (track[other[:, 0]] != track[other[:, 1]]).all()
        assert len(np.unique(frame[mated])) > 50


def test_spaced_keeps_the_first() -> None:
    frame = np.array([5, 0, 3, 9, 4], np.int64)
    track = np.array([0, 0, 0, 0, -1], np.int64)
    assert spaced(frame, track, 4).tolist() == [True, True, False, True, False]
    with pytest.raises(SettingError):
        spaced(frame, track, 0)


def test_figures_are_those_of_counting() -> None:
    vectors, seen = crowd(12, 12, 1.2)
    options = ProxyOptions(fmr_targets=(0.1,))
    outcome = evaluate_proxy(vectors, np.ones(len(vectors), bool), seen, options=options)
    mated, other = mated_pairs(seen, options), impostor_pairs(seen, options)
    scores = [np.einsum("pd,pd->p", vectors[p[:, 0]], vectors[p[:, 1]]) for p in (mated, other)]
    limit = np.sort(scores[1])[::-1][int(0.1 * len(other))]
    points = outcome.points()
    assert points["proxy-tar@fmr=1e-1", "all"] == pytest.approx(np.mean(scores[0] > limit), abs=1e-6)
    assert points["proxy-threshold@fmr=1e-1", "all"] == pytest.approx(limit, abs=1e-5)


def test_result_says_what_it_is_and_holds_intervals_over_tracks() -> None:
    vectors, seen = crowd(8, 12, 0.8)
    result = evaluate_proxy(vectors, np.ones(len(vectors), bool), seen).result(Bootstrap(draws=200))
    assert result.protocol == "proxy"
    assert result.rules["proxy"] == WARNING
    assert "over tracks" in result.rules["interval"]
    assert "10 frames apart" in result.rules["mated"]
    assert all(m.name.startswith("proxy-") for m in result.measures)
    by_name = {m.name: m for m in result.measures}
    tar, threshold = by_name["proxy-tar@fmr=1e-1"], by_name["proxy-threshold@fmr=1e-1"]
    assert None not in (tar.low, tar.value, tar.high, threshold.low, threshold.high)
    assert tar.low <= tar.value <= tar.high  # type: ignore[operator]
    assert threshold.low <= threshold.value <= threshold.high  # type: ignore[operator]
    assert "few tracks (8)" in (tar.note or "")
    assert by_name["proxy-tar@fmr=1e-3"].value is None
    assert Result.from_json(result.to_json()) == result


def test_better_and_worse_models_are_told_apart_in_pairs() -> None:
    worse, seen = crowd(20, 12, 1.6, seed=1)
    better, _ = crowd(20, 12, 0.8, seed=1)
    ok = np.ones(len(worse), bool)
    found = compare_proxies(evaluate_proxy(worse, ok, seen), evaluate_proxy(better, ok, seen), Bootstrap(draws=200))
    tar = next(d for d in found.differences if d.name == "proxy-tar@fmr=1e-1")
    assert tar.gain is not None
    assert tar.low is not None
    assert tar.gain > 0.1
    assert "people" not in (tar.note or "")
    assert tar.low > 0


def test_a_failed_face_is_a_miss_and_no_impostor() -> None:
    vectors, seen = crowd(4, 6, 0.1)
    options = ProxyOptions(fmr_targets=(0.5,))
    ok = np.ones(len(vectors), bool)
    whole = evaluate_proxy(vectors, ok, seen, options=options)
    ok[0] = False
    vectors[0] = np.nan
    found = evaluate_proxy(vectors, ok, seen, options=options)
    assert found.counts["mated pairs"] == whole.counts["mated pairs"] == 4 * 15
    assert found.counts["impostor pairs"] == whole.counts["impostor pairs"] - 1
    assert found.points()["proxy-tar@fmr=5e-1", "all"] <= 1 - 5 / 60


def test_too_little_is_not_measurable() -> None:
    seen = two_tracks()
    vectors, ok = np.eye(10, 16, dtype=np.float32), np.ones(10, bool)
    with pytest.raises(NotMeasurable, match="two faces 10 frames apart"):
        evaluate_proxy(vectors, ok, seen)
    alone = Sightings(seen.track, np.arange(10, dtype=np.int64), seen.frame, seen.names)
    with pytest.raises(NotMeasurable, match="no two faces are in one frame"):
        evaluate_proxy(vectors, ok, alone, options=ProxyOptions(min_gap=1))
    with pytest.raises(SettingError):
        ProxyOptions(min_gap=0)
