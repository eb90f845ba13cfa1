"""Likeness of sets in style: hand-worked values, what chance does, and who is like whom."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from wildstyle.errors import NotMeasurable
from wildstyle.synthesis.distances import frechet_distance, kernel_distance
from wildstyle.synthesis.likeness import (
    StyleGaussian,
    axis_differences,
    leading_subspace,
    shrinkage_of,
    shrunk,
    similarity,
    similarity_from,
    squared_distance,
    style_gaussian,
    subspace_overlap,
)
from wildstyle.synthesis.likeness_draws import (
    AxisDifference,
    CodedSet,
    Halves,
    PairLikeness,
    draws_of,
    halves_of,
    pair_likeness,
)
from wildstyle.synthesis.likeness_words import AxisWords, rank_agreement, verdict_of

K = 5


def round_codes(count: int, seed: int, shift: float = 0.0, scale: float = 1.0) -> NDArray[np.float64]:
    codes = np.random.default_rng(seed).normal(0, scale, (count, K))
    codes[:, 0] += shift
    return codes


def grouped_codes(groups: int, each: int, seed: int, shift: float = 0.0) -> tuple[NDArray[np.float64], list[str]]:
    """Groups with a mean of their own, as films have."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(rng.normal(0, 1.0, (groups, K)), each, axis=0) + rng.normal(0, 0.5, (groups * each, K))
    codes[:, 0] += shift
    return codes, [f"film {g}" for g in range(groups) for _ in range(each)]


def likeness(first: CodedSet, second: CodedSet, draws: int = 200) -> PairLikeness:
    return pair_likeness(first, second, (draws_of(first, draws=draws), draws_of(second, draws=draws)))


def diagonal(mean: Sequence[float], deviations: Sequence[float]) -> StyleGaussian:
    return StyleGaussian(np.array(mean, float), np.diag(np.square(deviations)).astype(float))


def test_distance_of_diagonal_gaussians_by_hand() -> None:
    # (1-4)² + (2-6)² between means, (1-3)² + (2-1)² between deviations.
    first, second = diagonal((1, 2), (1, 2)), diagonal((4, 6), (3, 1))
    assert squared_distance(first, second) == pytest.approx(9 + 16 + 4 + 1)
    # T = 1 + 4 + 9 + 1
    assert similarity(first, second) == pytest.approx(15 / (15 + 30))


def test_distance_is_symmetric_and_blind_to_turns_and_signs() -> None:
    a, b = round_codes(300, 0) @ np.diag([1, 2, 3, 1, 1]), round_codes(300, 1, 1.0)
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(K, K)))[0]
    plain = squared_distance(style_gaussian(a, 0.0), style_gaussian(b, 0.0))
    assert squared_distance(style_gaussian(b, 0.0), style_gaussian(a, 0.0)) == pytest.approx(plain)
    assert squared_distance(style_gaussian(a @ turn, 0.0), style_gaussian(b @ turn, 0.0)) == pytest.approx(plain)
    assert plain == pytest.approx(frechet_distance(a, b))
    scaled = similarity(style_gaussian(7 * a, 0.0), style_gaussian(7 * b, 0.0))
    assert scaled == pytest.approx(similarity(style_gaussian(a, 0.0), style_gaussian(b, 0.0)))


def test_similarity_is_one_only_for_equals() -> None:
    one = diagonal((1, 2), (1, 2))
    assert similarity(one, one) == pytest.approx(1.0)
    assert similarity(one, diagonal((2, 1), (1, 2))) < 1
    assert similarity(one, diagonal((1, 2), (2, 1))) < 1
    assert similarity_from(0.0, 0.0) == 1.0
    assert similarity_from(1.0, 0.0) == 0.0
    assert similarity_from(-0.1, 2.0) == 1.0


@pytest.mark.parametrize(("shift", "expected"), [(0.5, 0.889), (1.0, 0.667), (2.0, 0.333)])
def test_similarity_tells_deviations(shift: float, expected: float) -> None:
    deviation = np.sqrt(2.0)  # of a set with unit variance on both axes
    found = similarity(diagonal((0, 0), (1, 1)), diagonal((shift * deviation, 0), (1, 1)))
    assert found == pytest.approx(expected, abs=1e-3)


def test_shrinkage_keeps_the_trace_and_fades_with_faces() -> None:
    codes = round_codes(2000, 3) @ np.diag([1, 2, 3, 1, 1])
    assert shrinkage_of(codes[:12]) > 0.15 > 0.02 > shrinkage_of(codes) > 0
    covariance = np.diag([1.0, 3.0])
    assert np.diagonal(shrunk(covariance, 0.5)).tolist() == [1.5, 2.5]
    # Four codes of five axes: without shrinkage the covariance has rank three.
    assert np.linalg.eigvalsh(style_gaussian(codes[:4], 0.0).covariance)[0] < 1e-9
    assert np.linalg.eigvalsh(style_gaussian(codes[:4]).covariance)[0] > 0.01


def test_subspaces() -> None:
    rng = np.random.default_rng(0)
    first = rng.normal(size=(200, K)) * [5, 4, 0.1, 0.1, 0.1]
    second = rng.normal(size=(200, K)) * [0.1, 0.1, 5, 4, 0.1]
    half = rng.normal(size=(200, K)) * [5, 0.1, 4, 0.1, 0.1]
    a, b, c = (leading_subspace(codes, 2) for codes in (first, second, half))
    assert subspace_overlap(a, a) == pytest.approx(1.0)
    assert subspace_overlap(a, b) == pytest.approx(0.0, abs=0.01)
    assert subspace_overlap(a, c) == pytest.approx(0.5, abs=0.01)
    # About zero: a set that sits far out along one axis uses it, though it hardly varies there.
    still = rng.normal(size=(200, K)) * 0.1 + [0, 0, 0, 0, 4]
    assert abs(leading_subspace(still, 1)[0, 4]) > 0.99
    with pytest.raises(NotMeasurable):
        leading_subspace(first, K + 1)


def test_axis_differences_by_hand() -> None:
    shift, ratio = axis_differences(diagonal((0, 0, 1), (1, 1, 0)), diagonal((2, 0, 1), (1, 7, 0)))
    assert shift.tolist() == pytest.approx([2.0, 0.0, 0.0])
    assert ratio.tolist() == pytest.approx([1.0, 7.0, 1.0])


def test_draws_weigh_groups_as_copies_do() -> None:
    codes, films = grouped_codes(7, 3, 4)
    one = CodedSet.of("a", codes, films)
    weights = np.array([[2.0, 0, 1, 1, 1, 3, 0], [1.0] * 7])
    drawn = one.drawn(weights)
    repeated = np.concatenate([codes[3 * g : 3 * g + 3] for g in (0, 0, 2, 3, 4, 5, 5, 5)])
    expected = style_gaussian(repeated, one.shrinkage)
    np.testing.assert_allclose(drawn.mean[0], expected.mean)
    np.testing.assert_allclose(drawn.covariance[0], expected.covariance)
    np.testing.assert_allclose(drawn.covariance[1], one.whole.covariance)


def test_two_samples_of_one_source_are_not_made_unlike_by_being_small() -> None:
    plain, corrected = [], []
    for seed in range(40):
        pair = likeness(CodedSet.of("a", round_codes(30, 2 * seed)), CodedSet.of("b", round_codes(30, 2 * seed + 1)))
        plain.append(pair.plain)
        corrected.append(pair.distance)
    # Uncorrected the distance is all excess. Corrected it is as often 0 as above.
    assert np.median(plain) > 0.3
    assert np.median(corrected) < 0.1
    assert 0.25 < np.mean(np.array(corrected) == 0) < 0.75


def test_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    shift = 1.5
    spread = 2 * K * 1.25  # films have variance 1, faces of a film 0.25
    truth = spread / (spread + shift**2)
    held = []
    for seed in range(60):
        first = CodedSet.of("a", *grouped_codes(25, 4, 2 * seed))
        second = CodedSet.of("b", *grouped_codes(25, 4, 2 * seed + 1, shift))
        low, high = likeness(first, second, 150).ends
        held.append(low <= truth <= high)
    assert np.mean(held) >= 0.85


def test_faces_of_one_film_are_not_independent() -> None:
    codes, films = grouped_codes(12, 20, 0)
    others = round_codes(240, 1)
    second = CodedSet.of("b", others)
    grouped = likeness(CodedSet.of("a", codes, films), second).ends
    single = likeness(CodedSet.of("a", codes), second).ends
    assert grouped[1] - grouped[0] > 1.5 * (single[1] - single[0])
    assert halves_of(CodedSet.of("a", codes, films)).low < halves_of(CodedSet.of("a", codes)).low


def test_few_groups_fall_back_to_faces() -> None:
    codes, films = grouped_codes(3, 20, 0)
    assert len(CodedSet.of("a", codes, films).counts) == 60


def test_null_holds_fresh_halves_at_about_the_nominal_rate() -> None:
    reached = []
    for seed in range(150):
        null = halves_of(CodedSet.of("a", round_codes(60, 3 * seed)), splits=150)
        first, second = (style_gaussian(round_codes(30, 3 * seed + k)) for k in (1, 2))
        gap = float(squared_distance(first, second)) - null.excess
        reached.append(similarity_from(gap, first.spread + second.spread) >= null.low)
    assert 0.86 <= np.mean(reached) <= 0.99


def test_chance_is_taken_off_halves() -> None:
    # Thirty faces against thirty: a distance of a third of the spread of one axis, by chance alone.
    null = halves_of(CodedSet.of("a", round_codes(60, 0)))
    assert null.excess > 0.2
    assert null.median > 0.99 > null.low
    assert similarity_from(null.excess, 2 * K) < 0.98


def test_halves_of_one_set_are_alike_and_another_camera_is_not() -> None:
    codes, films = grouped_codes(60, 4, 5)
    whole = CodedSet.of("all", codes, films)
    first = CodedSet.of("first", codes[:120], films[:120])
    second = CodedSet.of("second", codes[120:], films[120:])
    other = CodedSet.of("other", *grouped_codes(60, 4, 6, shift=2.5))
    null = halves_of(whole)
    assert null.low > 0.85
    same, apart = likeness(first, second), likeness(whole, other)
    assert same.similarity >= null.low > apart.similarity
    words = [AxisWords("low light", "bright"), *[AxisWords()] * (K - 1)]
    halves = (halves_of(first), halves_of(second))
    assert verdict_of(same, ("first", "second"), halves, words).state == "alike"
    told = verdict_of(apart, ("all", "other"), (null, halves_of(other)), words)
    assert told.state == "differs"
    assert "+axis 1 (low light) by 2." in told.text
    back = verdict_of(likeness(other, whole), ("other", "all"), (halves_of(other), null), words)
    assert "−axis 1 (bright) by 2." in back.text
    assert apart.axes[0].axis == 1
    assert apart.axes[0].shift_ends[0] < apart.axes[0].shift < apart.axes[0].shift_ends[1]


def test_more_spread_alone_is_told() -> None:
    first, second = CodedSet.of("a", round_codes(300, 0)), CodedSet.of("b", round_codes(300, 1, scale=2.0))
    told = verdict_of(likeness(first, second), ("a", "b"), (halves_of(first), halves_of(second)), [])
    assert told.state == "differs"
    assert "varies 2.0 times as much" in told.text or "varies 1.9 times as much" in told.text


def test_a_gap_that_the_interval_does_not_settle() -> None:
    axis = AxisDifference(2, 0.8, (0.3, 1.3), 1.0, (0.8, 1.2))
    wide, narrow = Halves(0.80, 0.99, 0.1, 100), Halves(0.95, 0.99, 0.1, 100)

    def state(similarity: float, high: float, halves: tuple[Halves, Halves]) -> str:
        pair = PairLikeness(similarity, (0.1, high), 1.0, 1.0, (axis,))
        return verdict_of(pair, ("a", "b"), halves, [AxisWords(), AxisWords("blur", "sharp")]).text

    assert state(0.7, 0.85, (wide, narrow)).startswith("perhaps different")
    assert state(0.7, 0.79, (wide, narrow)) == "differs clearly: +axis 2 (blur) by 0.8 sd"
    assert state(0.6, 0.79, (narrow, wide)).startswith("differs strongly")
    assert state(0.91, 0.93, (narrow, narrow)).startswith("differs slightly")
    # Judged by the halves of the set that differs more within itself.
    assert state(0.81, 0.85, (narrow, wide)) == "alike: within what two halves of b differ by"


def test_mixtures_rank_by_their_share() -> None:
    clean, bad = round_codes(400, 0), round_codes(400, 1, shift=3.0, scale=1.3)
    fresh = CodedSet.of("fresh", round_codes(400, 2))
    found = []
    for share in (0, 100, 200, 300, 400):
        found.append(likeness(fresh, CodedSet.of("mixed", np.concatenate([clean[share:], bad[:share]]))).similarity)
    assert all(a > b for a, b in pairwise(found))
    assert found[0] > 0.98 > 0.7 > found[-1]


def test_kernel_distance_ranks_pairs_alike() -> None:
    sets = [round_codes(200, k, shift=s) for k, s in enumerate((0.0, 0.4, 1.1, 2.5))]
    pairs = [(i, j) for i in range(4) for j in range(i)]
    coded = [CodedSet.of(str(k), codes) for k, codes in enumerate(sets)]
    unlike = [-likeness(coded[i], coded[j]).similarity for i, j in pairs]
    agreement = rank_agreement(unlike, [kernel_distance(sets[i], sets[j]) for i, j in pairs])
    assert agreement is not None
    assert agreement > 0.9


def test_rank_agreement_by_hand() -> None:
    assert rank_agreement([1, 2, 3, 4], [10, 20, 30, 40]) == pytest.approx(1.0)
    assert rank_agreement([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1.0)
    assert rank_agreement([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(0.8)
    assert rank_agreement([1, 1, 1, 1], [1, 2, 3, 4]) is None
    assert rank_agreement([1, 2, 3], [1, 2, 3]) is None


def test_draws_depend_on_the_seed_alone() -> None:
    one = CodedSet.of("a", round_codes(50, 0))
    np.testing.assert_array_equal(draws_of(one, draws=5).mean, draws_of(one, draws=5).mean)
    assert not np.array_equal(draws_of(one, draws=5).mean, draws_of(one, draws=5, seed=1).mean)
    assert halves_of(one) == halves_of(one)


@pytest.mark.parametrize("codes", [np.zeros((1, 3)), np.zeros(5), np.full((9, 2), np.nan), np.zeros((3, 2))])
def test_what_cannot_be_compared_is_refused(codes: NDArray[np.float64]) -> None:
    with pytest.raises(NotMeasurable):
        CodedSet.of("a", codes)
