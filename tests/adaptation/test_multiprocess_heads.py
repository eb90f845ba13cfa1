"""Centres shared by two processes: losses, gradients and statistics of one head that sees all."""

from __future__ import annotations

import pytest
import torch

from launching import launch
from wildstyle.adaptation.heads import HeadSettings, MarginRule, build_head, merge_shards
from wildstyle.adaptation.heads.kinds import all_kinds

pytestmark = pytest.mark.multiprocess

RULES = sorted(name for name, kind in all_kinds().items() if issubclass(kind, MarginRule))
PEOPLE, SIZE, WORLD = 7, 5, 2
SHARES = [slice(0, 5), slice(5, 8)]  # processes need not have as many faces

_PROGRAM = """
import sys
import torch
from torch import distributed as group
from test_multiprocess_heads import PEOPLE, RULES, SHARES, SIZE, WORLD, faces, settings
from wildstyle.adaptation.heads import build_head, own_state, whole_state

group.init_process_group("gloo")
rank = group.get_rank()
embeddings, labels = (part[SHARES[rank]] for part in faces())
kept = {}

def step(head):
    x = embeddings.clone().requires_grad_()
    losses = head(x, labels)
    losses.sum().backward()
    found = {"losses": losses.detach(), "embeddings": x.grad, "statistics": list(head.rule.buffers())}
    return {**found, "centres": head.centres.grad}

for name in RULES:
    for sharded in (False, True):
        head = build_head(settings(name, sharded=sharded), PEOPLE, SIZE, seed=2)
        found = step(head)
        if not sharded:  # as torch's wrapper averages
            group.all_reduce(found["centres"])
            found["centres"] /= WORLD
        evaluated = head.eval()(embeddings, labels).detach()
        kept[name, sharded] = {**found, "state": head.state_dict(), "evaluated": evaluated}
        if sharded:
            whole = whole_state(head.state_dict())
            assert len(whole["centres"]) == PEOPLE
            head.load_state_dict(own_state(whole))
            assert head.logits(embeddings, labels).shape == (len(labels), (4, 3)[rank])
    found = [
        step(build_head(settings(name, sharded=each, negatives=9), PEOPLE, SIZE, seed=2)) for each in (False, True)
    ]
    for part in ("losses", "embeddings"):
        torch.testing.assert_close(found[0][part], found[1][part], rtol=1e-4, atol=1e-5)
    drawn = build_head(settings(name, sharded=True, rate=0.5), PEOPLE, SIZE, seed=2)
    found = step(drawn)
    assert (found["losses"] < kept[name, True]["losses"]).all()
    touched = found["centres"].abs().sum(dim=1).nonzero().flatten() + drawn.shard.start
    assert 2 <= len(touched) <= len(drawn.shard)
    assert set(faces()[1].tolist()) & set(drawn.shard) <= set(touched.tolist())
torch.save(kept, f"{sys.argv[1]}/{rank}.pt")
group.destroy_process_group()
"""


def faces() -> tuple[torch.Tensor, torch.Tensor]:
    drawn = torch.Generator().manual_seed(1)
    lengths = 15 + 60 * torch.rand(8, 1, generator=drawn)
    directions = torch.nn.functional.normalize(torch.randn(8, SIZE, generator=drawn))
    # The first process shows three people of seven, and both shards have some of theirs.
    return lengths * directions, torch.tensor([0, 0, 1, 5, 5, 3, 6, 0])


def settings(name: str, *, sharded: bool, negatives: int = 0, rate: float = 1.0) -> HeadSettings:
    return HeadSettings(name=name, scale=16.0, sharded=sharded, negatives=negatives, rate=rate)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> list[dict[tuple[str, bool], dict[str, object]]]:
    folder = tmp_path_factory.mktemp("shards")
    launch(_PROGRAM, [str(folder)], WORLD, __file__, timeout=120)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(WORLD)]


@pytest.mark.parametrize("sharded", [False, True], ids=["copies", "shards"])
@pytest.mark.parametrize("name", RULES)
def test_two_processes_are_one(kept: list[dict[tuple[str, bool], dict[str, object]]], name: str, sharded: bool) -> None:
    embeddings, labels = faces()
    alone = build_head(settings(name, sharded=False), PEOPLE, SIZE, seed=2)
    embeddings.requires_grad_()
    losses = alone(embeddings, labels)
    losses.sum().backward()
    evaluated = alone.eval()(embeddings, labels)
    parts = [part[name, sharded] for part in kept]

    def close(found: torch.Tensor, expected: torch.Tensor) -> None:
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)

    close(torch.cat([part["losses"] for part in parts]), losses)
    close(torch.cat([part["evaluated"] for part in parts]), evaluated)
    close(torch.cat([part["embeddings"] for part in parts]), embeddings.grad)
    # Averaged over processes, as the rest of the network is.
    centres = merge_shards([{"all": part["centres"]} for part in parts])["all"] if sharded else parts[0]["centres"]
    close(centres, alone.centres.grad / WORLD)
    for part in parts:
        for found, expected in zip(part["statistics"], alone.rule.buffers(), strict=True):
            close(found, expected)
    if sharded:
        again = build_head(settings(name, sharded=False), PEOPLE, SIZE)
        again.load_state_dict(merge_shards([part["state"] for part in parts]))
        assert torch.equal(again.centres, alone.centres)
