"""Sampled centres, state dicts of shards, and an optimiser that moves nothing else."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from wildstyle.adaptation.heads import (
    HeadSettings,
    MarginRule,
    PartialHead,
    build_head,
    merge_shards,
    move_only_touched_rows,
    split_shards,
)
from wildstyle.adaptation.heads.kinds import all_kinds
from wildstyle.adaptation.heads.partial import chosen_centres
from wildstyle.adaptation.heads.shards import shard_of
from wildstyle.errors import SettingError

RULES = sorted(name for name, kind in all_kinds().items() if issubclass(kind, MarginRule))
PEOPLE, SIZE = 40, 6


def batch(seed: int = 0, people: int = PEOPLE) -> tuple[Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(seed)
    return 20 * torch.randn(8, SIZE, generator=drawn), torch.randint(people, (8,), generator=drawn)


def head(name: str = "arcface", **settings: Any) -> Any:
    scale = 16.0 if name == "magface" else 8.0
    return build_head(HeadSettings(name=name, scale=scale, **settings), PEOPLE, SIZE, seed=5)


def moved_rows(made: Any, step: Any) -> set[int]:
    before = made.centres.detach().clone()
    step()
    return set((made.centres.detach() != before).any(dim=1).nonzero().flatten().tolist())


# -- which centres take part ----------------------------------------------------------------------------------------


def test_own_centres_always_take_part_and_the_rest_is_filled_up_by_score() -> None:
    scores = torch.tensor([0.1, 0.9, 0.2, 0.8, 0.3, 0.7])
    assert chosen_centres(scores, torch.tensor([2, 2]), 0.5).tolist() == [1, 2, 3]
    assert chosen_centres(scores, torch.tensor([0, 2, 4, 5]), 0.5).tolist() == [0, 2, 4, 5]
    assert chosen_centres(scores, torch.tensor([4]), 0.01).tolist() == [1, 4], "there is always a negative"
    assert chosen_centres(scores, torch.tensor([], dtype=torch.int64), 1.0).tolist() == list(range(6))


def test_labels_are_numbered_anew_among_those_that_take_part() -> None:
    made = build_head(HeadSettings(rate=0.3), 10, SIZE)
    made.draws.forward = lambda shape, stream: torch.tensor([0.1, 0.9, 0, 0, 0, 0, 0, 0, 0, 0])
    compared = made._compare(batch()[0][:3], torch.tensor([2, 7, 7]))
    assert compared.cosines.shape == (3, 3)
    assert compared.columns.tolist() == [1, 2, 2]
    everything = made.cosines(batch()[0][:3])
    torch.testing.assert_close(compared.cosines, everything[:, [1, 2, 7]])
    torch.testing.assert_close(compared.own, everything[[0, 1, 2], [2, 7, 7]])


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("negatives", [0, 8])
def test_at_rate_one_it_is_the_whole_head(name: str, negatives: int) -> None:
    embeddings, labels = batch()
    for partial in (head(name, sharded=True, negatives=negatives), head(name, rate=1 - 1e-9, negatives=negatives)):
        assert isinstance(partial, PartialHead)
        if partial.sampled:
            partial.rate = 1.0  # still by way of drawing
        whole, found = head(name, negatives=negatives), []
        for made in (whole.double(), partial.double()):
            x = embeddings.double().requires_grad_()
            losses = made(x, labels)
            losses.mean().backward()
            found.append([losses, x.grad, made.centres.grad, *made.rule.buffers()])
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(one, other)
        torch.testing.assert_close(partial.eval().logits(embeddings, labels), whole.eval().logits(embeddings, labels))


@pytest.mark.parametrize("name", RULES)
def test_a_rate_takes_negatives_away_and_nothing_else(name: str) -> None:
    embeddings, labels = batch()
    made = head(name, rate=0.25)
    whole = head(name)
    losses, everything = made(embeddings, labels), whole(embeddings, labels)
    assert (losses < everything).all()
    for one, other in zip(made.rule.buffers(), whole.rule.buffers(), strict=True):
        torch.testing.assert_close(one, other)
    losses.mean().backward()
    touched = set(made.centres.grad.abs().sum(dim=1).nonzero().flatten().tolist())
    assert len(touched) == 10
    assert set(labels.tolist()) <= touched
    assert torch.equal(made.eval()(embeddings, labels), whole.eval()(embeddings, labels))


def test_every_other_centre_comes_as_often_as_any() -> None:
    made, times = head(rate=0.25), Counter[int]()
    embeddings = batch()[0][:2]
    for _ in range(300):
        made.centres.grad = None
        made(embeddings, torch.tensor([0, 1])).sum().backward()
        times.update(made.centres.grad.abs().sum(dim=1).nonzero().flatten().tolist())
    assert times[0] == times[1] == 300
    assert all(times[i] / 300 == pytest.approx(8 / 38, abs=0.1) for i in range(2, PEOPLE))


def test_one_person_in_the_batch_still_has_negatives() -> None:
    made = build_head(HeadSettings(rate=0.01), 3, SIZE)
    losses = made(batch()[0], torch.full((8,), 2))
    losses.sum().backward()
    assert (losses > 0).all()
    assert made.centres.grad.isfinite().all()


def test_draws_follow_seed_and_step_also_after_a_resume() -> None:
    embeddings, labels = batch()
    first, same = head(rate=0.2), head(rate=0.2)
    steps = [first(embeddings, labels) for _ in range(3)]
    assert all(torch.equal(step, same(embeddings, labels)) for step in steps)
    assert not torch.equal(steps[0], steps[1])
    resumed = head(rate=0.2)
    resumed.load_state_dict(first.state_dict())
    assert torch.equal(resumed(embeddings, labels), first(embeddings, labels))
    other = build_head(HeadSettings(scale=8.0, rate=0.2), PEOPLE, SIZE, seed=6)
    other.centres.data = first.centres.data
    assert not torch.equal(other(embeddings, labels), steps[0])


# -- what moves -----------------------------------------------------------------------------------------------------

OPTIMISERS = [
    lambda weights: torch.optim.SGD(weights, lr=0.1, momentum=0.9, weight_decay=0.1),
    lambda weights: torch.optim.AdamW(weights, lr=0.1, weight_decay=0.1),
    lambda weights: torch.optim.AdamW(weights, lr=0.1, weight_decay=0.1, amsgrad=True, foreach=True),
]


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_centres_that_were_not_drawn_do_not_move(optimiser: Any) -> None:
    made = head(rate=0.25)
    stepping = optimiser(made.parameters())
    move_only_touched_rows(stepping, made.centres)
    for seed in range(4):
        stepping.zero_grad()
        made(*batch(seed)).mean().backward()
        gradient = made.centres.grad.clone()
        drawn = set(gradient.abs().sum(dim=1).nonzero().flatten().tolist())
        assert len(drawn) == 10
        assert moved_rows(made, stepping.step) == drawn
        assert torch.equal(made.centres.grad, gradient)
        assert all(value.shape in ((), made.centres.shape) for value in stepping.state[made.centres].values())


def test_without_the_guard_they_would() -> None:
    made = head(rate=0.25)
    stepping = OPTIMISERS[0](made.parameters())
    made(*batch()).mean().backward()
    assert moved_rows(made, stepping.step) == set(range(PEOPLE))


@pytest.mark.parametrize("optimiser", OPTIMISERS[:1])
def test_a_guarded_row_moves_as_it_would_alone(optimiser: Any) -> None:
    # SGD keeps no count of steps: each row's way depends on its own gradients only.
    drawn = torch.Generator().manual_seed(0)
    start, gradients = torch.randn(5, 3, generator=drawn), torch.randn(6, 5, 3, generator=drawn)
    gradients[torch.rand(6, 5, generator=drawn) < 0.5] = 0.0
    together = nn.Parameter(start.clone())
    stepping = optimiser([together])
    move_only_touched_rows(stepping, together)
    rows = [nn.Parameter(row.clone()) for row in start]
    apart = [optimiser([row]) for row in rows]
    for gradient in gradients:
        together.grad = gradient.clone()
        stepping.step()
        for row, own, single in zip(rows, gradient, apart, strict=True):
            if own.any():
                row.grad = own.clone()
                single.step()
    torch.testing.assert_close(together.detach(), torch.stack([row.detach() for row in rows]))


def test_a_step_without_any_gradient_and_one_with_all() -> None:
    weights, plain = (nn.Parameter(torch.ones(4, 2)) for _ in range(2))
    stepping, unguarded = (torch.optim.AdamW([w], lr=0.1) for w in (weights, plain))
    move_only_touched_rows(stepping, weights)
    stepping.step()
    weights.grad = torch.zeros(4, 2)
    stepping.step()
    assert torch.equal(weights.detach(), torch.ones(4, 2))
    assert weights.grad.shape == (4, 2)
    for w, optimiser in ((weights, stepping), (plain, unguarded)):
        w.grad = torch.ones(4, 2)
        optimiser.step()
    assert torch.equal(weights, plain)


def test_a_guarded_optimiser_resumes() -> None:
    def start() -> tuple[Any, torch.optim.Optimizer]:
        made = head(rate=0.25)
        stepping = OPTIMISERS[1](made.parameters())
        move_only_touched_rows(stepping, made.centres)
        return made, stepping

    def go_on(made: Any, stepping: torch.optim.Optimizer, seeds: range) -> None:
        for seed in seeds:
            stepping.zero_grad()
            made(*batch(seed)).mean().backward()
            stepping.step()

    whole, optimiser = start()
    go_on(whole, optimiser, range(3))
    kept = copy.deepcopy((whole.state_dict(), optimiser.state_dict()))
    go_on(whole, optimiser, range(3, 6))
    resumed, again = start()
    resumed.load_state_dict(kept[0])
    again.load_state_dict(kept[1])
    go_on(resumed, again, range(3, 6))
    assert torch.equal(whole.centres, resumed.centres)


# -- shards ---------------------------------------------------------------------------------------------------------


def test_who_holds_whom_by_hand() -> None:
    shards = [shard_of(10, rank, 4) for rank in range(4)]
    assert [len(shard) for shard in shards] == [3, 3, 2, 2]
    assert [shard.start for shard in shards] == [0, 3, 6, 8]
    with pytest.raises(SettingError, match="3 people can't be spread over 4 processes"):
        shard_of(3, 0, 4)


@pytest.mark.parametrize("world", [1, 2, 3, 7])
def test_states_split_and_merge(world: int) -> None:
    made = head("adaface", sharded=True)
    made(*batch())
    whole = made.state_dict()
    parts = split_shards(whole, world)
    assert sum(len(part["centres"]) for part in parts) == PEOPLE
    assert all(torch.equal(part["rule.mean"], whole["rule.mean"]) for part in parts)
    merged = merge_shards(parts)
    assert merged.keys() == whole.keys()
    assert all(torch.equal(value, whole[name]) for name, value in merged.items())
    again = merge_shards(split_shards(merge_shards(split_shards(merged, 5)), 4))
    head("adaface").load_state_dict(again)


def test_moments_of_an_optimiser_split_and_merge_alike() -> None:
    made = head()
    stepping = torch.optim.AdamW(made.parameters())
    made(*batch()).mean().backward()
    stepping.step()
    state = stepping.state_dict()["state"][0]
    merged = merge_shards(split_shards(state, 3))
    assert all(torch.equal(value, state[name]) for name, value in merged.items())
