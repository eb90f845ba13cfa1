"""Triplets and centroids against values worked by hand and against loops over every triplet."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest
import torch
from torch import Tensor

from wildstyle.adaptation.heads import HeadSettings, IdentityHead, build_head
from wildstyle.adaptation.heads.kinds.triplet import TripletHead, ViolatingTriplet
from wildstyle.errors import SettingError

DEGREES = torch.tensor([0.0, 20.0, 70.0, 45.0, 100.0], dtype=torch.float64)
FACES = 7 * torch.stack([torch.deg2rad(DEGREES).cos(), torch.deg2rad(DEGREES).sin()], dim=1)
LABELS = torch.tensor([0, 0, 0, 1, 1])
NAMES = ("triplet-semi-hard", "triplet-violating", "triplet-batch-hard", "triplet-centroid")


def head(name: str, margin: float = 0.2) -> IdentityHead:
    return build_head(HeadSettings(name=name, margin=margin), 2, 2)


class Spied(TripletHead):
    """Keeps what a mining rule is given."""

    title = "spied"

    def _mined(self, distances: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        self.given = distances, positive, negative
        return distances.sum(dim=1)


def triplets(labels: list[int]) -> list[tuple[int, int, int]]:
    return [
        (a, p, n)
        for a, p, n in itertools.permutations(range(len(labels)), 3)
        if labels[a] == labels[p] and labels[a] != labels[n]
    ]


def squared(faces: Tensor) -> list[list[float]]:
    unit = [[v / math.hypot(*x) for v in x] for x in faces.tolist()]
    return [[sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) for y in unit] for x in unit]


def random_case(seed: int = 0) -> tuple[Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(seed)
    centres = torch.randn(5, 3, generator=drawn)
    labels = torch.randint(5, (24,), generator=drawn)
    return 3 * (centres[labels] + 0.6 * torch.randn(24, 3, generator=drawn)), labels


# -- triplets of faces ----------------------------------------------------------------------------------------------


def test_distances_and_pairs_by_hand() -> None:
    spied = Spied()
    spied(FACES, LABELS)
    distances, positive, negative = spied.given
    by_hand = {
        (0, 1): 0.120615,
        (0, 2): 1.315960,
        (1, 2): 0.714425,
        (0, 3): 0.585786,
        (0, 4): 2.347296,
        (1, 3): 0.187384,
        (1, 4): 1.652704,
        (2, 3): 0.187384,
        (2, 4): 0.267949,
        (3, 4): 0.852847,
    }
    for (i, j), value in by_hand.items():
        assert distances[i, j].item() == distances[j, i].item() == pytest.approx(value, abs=1e-6)
    found = [(a, p, n) for a, p in positive.nonzero().tolist() for n in negative[a].nonzero().flatten().tolist()]
    assert sorted(found) == sorted(triplets(LABELS.tolist()))
    assert len(found) == 18
    losses = [float((distances[a, p] - distances[a, n] + 0.2).relu()) for a, p, n in found]
    assert sum(loss > 0 for loss in losses) == 11
    assert sum(losses) / 18 == pytest.approx(0.484635, abs=1e-6)
    assert sum(losses) / 11 == pytest.approx(0.793039, abs=1e-6)


def test_batch_hard_by_hand() -> None:
    found = head("triplet-batch-hard")(FACES, LABELS)
    expected = torch.tensor([0.930173, 0.727040, 1.328575, 0.865463, 0.784898], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    assert found.mean().item() == pytest.approx(0.927230, abs=1e-6)


def test_semi_hard_by_hand() -> None:
    # One triplet only: anchor 1, positive 0, negative 3.
    found = head("triplet-semi-hard")(FACES, LABELS)
    expected = [0.0, 0.120615 - 0.187384 + 0.2, 0.0, 0.0, 0.0]
    assert found.tolist() == pytest.approx(expected, abs=1e-6)


def test_semi_hard_agrees_with_loops() -> None:
    faces, labels = random_case()
    d = squared(faces)
    expected = []
    for a in range(len(labels)):
        losses = []
        for p in range(len(labels)):
            beyond = [d[a][n] for x, q, n in triplets(labels.tolist()) if (x, q) == (a, p) and d[a][n] > d[a][p]]
            if beyond and min(beyond) < d[a][p] + 0.03:
                losses.append(d[a][p] - min(beyond) + 0.03)
        expected.append(sum(losses) / max(1, len(losses)))
    assert 0 < sum(loss == 0 for loss in expected) < len(expected)
    found = head("triplet-semi-hard", 0.03)(faces, labels)
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-4, atol=1e-5)


def test_batch_hard_agrees_with_loops() -> None:
    faces, labels = random_case(1)
    d = squared(faces)
    people = labels.tolist()
    expected = [
        max(
            0.0,
            max((d[a][p] for p in range(24) if p != a and people[p] == people[a]), default=-9.0)
            - min(d[a][n] for n in range(24) if people[n] != people[a])
            + 0.2,
        )
        for a in range(24)
    ]
    torch.testing.assert_close(head("triplet-batch-hard")(faces, labels), torch.tensor(expected), rtol=1e-4, atol=1e-5)


def test_violating_draws_evenly_from_the_violators_and_from_nothing_else() -> None:
    made = head("triplet-violating")
    d = squared(FACES)
    violators: dict[tuple[int, int], list[float]] = {}
    for a, p, n in triplets(LABELS.tolist()):
        if d[a][n] < d[a][p] + 0.2:
            violators.setdefault((a, p), []).append(d[a][p] - d[a][n] + 0.2)
    assert sum(len(some) for some in violators.values()) == 11
    found = torch.stack([made(FACES, LABELS) for _ in range(400)])
    for a in range(5):
        # One violator for each positive that has any, each choice as likely as any other.
        pairs = [some for (anchor, _), some in violators.items() if anchor == a]
        choices = [round(sum(pick) / max(1, len(pick)), 5) for pick in itertools.product(*pairs)]
        seen = Counter(round(value, 5) for value in found[:, a].tolist())
        assert set(seen) == set(choices)
        for value, times in Counter(choices).items():
            assert seen[value] / 400 == pytest.approx(times / len(choices), abs=0.1)


def test_violating_draws_are_a_function_of_seed_and_step() -> None:
    faces, labels = random_case(2)
    first, same = (ViolatingTriplet(margin=0.5, seed=3) for _ in range(2))
    steps = [first(faces, labels) for _ in range(3)]
    assert all(torch.equal(step, same(faces, labels)) for step in steps)
    assert not torch.equal(steps[0], steps[1])
    assert not torch.equal(steps[0], ViolatingTriplet(margin=0.5, seed=4)(faces, labels))
    resumed = ViolatingTriplet(margin=0.5, seed=3)
    resumed.load_state_dict(first.state_dict())
    assert torch.equal(resumed(faces, labels), first(faces, labels))


# -- centroids ------------------------------------------------------------------------------------------------------


def test_centroids_by_hand() -> None:
    faces = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [0.0, 6.0]])
    found = head("triplet-centroid", 0.5)(faces, torch.tensor([0, 1, 0, 1]))
    assert found.tolist() == pytest.approx([0.0, 0.894449, 0.0, 0.0], abs=1e-6)
    assert found[:2].mean().item() == pytest.approx(0.447224, abs=1e-6)


def test_centroids_agree_with_loops() -> None:
    faces, labels = random_case(3)
    labels[labels == 4] = 3
    labels[5] = 9  # somebody with one face
    people = sorted(set(labels.tolist()))
    rows = {person: (labels == person).nonzero().flatten().tolist() for person in people}
    assert len({len(some) for some in rows.values()}) > 2

    def centroid(person: int, without: int) -> Tensor:
        kept = [row for turn, row in enumerate(rows[person]) if turn != without or len(rows[person]) == 1]
        return faces[kept].double().mean(dim=0)

    expected = torch.zeros(len(labels))
    for person in people:
        for turn, row in enumerate(rows[person]):
            if len(rows[person]) > 1:
                own = (faces[row] - centroid(person, turn)).norm()
                others = min(float((faces[row] - centroid(other, turn)).norm()) for other in people if other != person)
                expected[row] = max(0.0, float(own) - others + 2.0)
    assert 0 < (expected == 0).sum() < len(expected)
    torch.testing.assert_close(head("triplet-centroid", 2.0)(faces, labels), expected, rtol=1e-4, atol=1e-4)


def test_labels_of_centroids_may_be_any_numbers() -> None:
    faces, labels = random_case(4)
    made = head("triplet-centroid", 2.0)
    torch.testing.assert_close(made(faces, labels), made(faces, 1000 - 7 * labels))


# -- all ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_the_loss(name: str) -> None:
    faces, labels = (part[:9] for part in random_case(5))
    made = head(name, 0.5).eval()
    assert (made(faces, labels) > 0).any()
    assert torch.autograd.gradcheck(lambda x: made(x, labels), faces.double().requires_grad_())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2], [0]])
def test_without_a_triplet_the_loss_is_zero_and_goes_backwards(name: str, labels: list[int]) -> None:
    faces = torch.randn(len(labels), 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    losses = head(name)(faces, torch.tensor(labels))
    losses.sum().backward()
    assert losses.tolist() == [0.0] * len(labels)
    assert faces.grad is not None
    assert faces.grad.abs().max() == 0


@pytest.mark.parametrize("name", NAMES)
def test_faces_fallen_together_cost_the_margin_and_give_finite_gradients(name: str) -> None:
    faces = torch.ones(6, 4, requires_grad=True)
    losses = head(name, 0.3)(faces, torch.tensor([0, 0, 0, 1, 1, 1]))
    losses.sum().backward()
    # Semi-hard ones must be farther than the positive, and here none is.
    assert losses.tolist() == pytest.approx([0.0 if name == "triplet-semi-hard" else 0.3] * 6, abs=1e-6)
    assert faces.grad is not None
    assert faces.grad.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_around_it_changes_nothing(name: str) -> None:
    faces, labels = random_case(6)
    plain = head(name)(faces, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = head(name)(faces, labels)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, plain)


def test_they_want_several_faces_of_a_person_and_have_no_weights() -> None:
    for name in NAMES:
        assert head(name).faces_each == 4
        assert list(head(name).parameters()) == []
    assert build_head(HeadSettings(name="adaface"), 2, 2).faces_each == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("margin", [0.0, -1.0, math.inf, math.nan])
def test_margins_without_sense_are_refused(name: str, margin: float) -> None:
    with pytest.raises(SettingError, match="margin"):
        head(name, margin)
