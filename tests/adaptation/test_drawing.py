"""Orders of faces: several a person, two sources at once, the same for any number of processes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from wildstyle.adaptation.drawing import MixedDraws, PeopleDraws
from wildstyle.errors import LabelError, SettingError
from wildstyle.training import Draws

LABELS = np.array([0, 0, 0, 1, 1, 1, 1, 2, -1, 3, 3, 3, -1])


def test_each_person_of_a_batch_shows_the_asked_number_of_faces() -> None:
    draws = PeopleDraws(LABELS, batch=6, each=3, seed=1)
    for step in range(20):
        people = LABELS[[draw.index for draw in draws(step)]]
        assert sorted(Counter(people.tolist()).values()) == [3, 3]
        assert (people >= 0).all()


def test_all_people_come_equally_often_and_faces_don_t_repeat_before_their_turn() -> None:
    draws = PeopleDraws(LABELS, batch=4, each=2, seed=0)
    seen = [draw.index for step in range(24) for draw in draws(step)]
    assert set(Counter(LABELS[seen].tolist()).values()) == {24}
    of_one = [index for index in seen if LABELS[index] == 1]
    assert all(len(set(of_one[start : start + 4])) == 4 for start in range(0, len(of_one), 4))


def test_no_batch_holds_a_person_twice_where_rounds_don_t_come_out_even() -> None:
    labels = np.repeat(np.arange(7), 3)
    draws = PeopleDraws(labels, batch=6, each=2, seed=0)
    seen: Counter[int] = Counter()
    for step in range(70):
        people = labels[[draw.index for draw in draws(step)]]
        assert sorted(Counter(people.tolist()).values()) == [2, 2, 2]
        seen.update(set(people.tolist()))
    assert set(seen) == set(range(7))


def test_processes_share_a_batch() -> None:
    alone = PeopleDraws(LABELS, batch=8, each=2, seed=3)(7)
    parts = [PeopleDraws(LABELS, batch=8, each=2, seed=3, rank=rank, world=2)(7) for rank in range(2)]
    assert [*parts[0], *parts[1]] == alone


def test_batches_that_can_t_be_made_are_refused() -> None:
    with pytest.raises(SettingError, match="can't hold 3 faces"):
        PeopleDraws(LABELS, batch=8, each=3, seed=0)
    with pytest.raises(LabelError, match=r"needs 5 people.*4 have faces"):
        PeopleDraws(LABELS, batch=10, each=2, seed=0)
    with pytest.raises(LabelError, match="0 have faces"):
        PeopleDraws(np.full(4, -1), batch=4, each=2, seed=0)


def mixed(rank: int = 0, world: int = 1) -> MixedDraws:
    return MixedDraws(Draws(20, 6, 0), Draws(5, 2, 1), 20, rank, world)


def test_two_orders_are_mixed_evenly_at_their_ratio() -> None:
    order = mixed()
    assert order.batch == 8
    for step in range(10):
        places = [slot for slot, draw in enumerate(order(step)) if draw.index >= 20]
        assert places == [3, 7]
    seen = Counter(draw.index for step in range(10) for draw in order(step))
    assert all(seen[index] == 4 for index in range(20, 25))
    assert all(seen[index] == 3 for index in range(20))


def test_processes_share_a_mixed_batch() -> None:
    assert [*mixed(0, 2)(3), *mixed(1, 2)(3)] == mixed()(3)
