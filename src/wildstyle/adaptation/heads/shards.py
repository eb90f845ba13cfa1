"""Which process holds which centres, and state dicts between different numbers of processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from wildstyle.adaptation.heads.sharing import gathered, place
from wildstyle.errors import SettingError


def shard_of(classes: int, rank: int, world: int) -> range:
    """The people of rank ``rank`` of ``world``: C // W of them, one more in the first C mod W.

    Raises:
        SettingError: there are fewer people than processes.
    """
    if classes < world:
        raise SettingError(
            f"{classes} people can't be spread over {world} processes", remedy="don't shard so few centres"
        )
    each, more = divmod(classes, world)
    start = each * rank + min(rank, more)
    return range(start, start + each + (rank < more))


def merge_shards(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """One state dict of a whole head, from those of all ranks in order.

    Matrices have one row a person and are put together; scalars, the statistics, are the same everywhere. It works on
    an optimiser's state of the centres (moments, step) as well.
    """
    return {
        name: torch.cat([state[name] for state in states]) if value.ndim > 1 else value
        for name, value in states[0].items()
    }


def split_shards(state: Mapping[str, Tensor], world: int) -> list[dict[str, Tensor]]:
    """State dicts of all ranks of ``world``, from that of a whole head: what ``merge_shards`` undoes.

    Raises:
        SettingError: there are fewer people than processes.
    """
    return [_part(state, rank, world) for rank in range(world)]


def whole_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``merge_shards`` of what all processes give; all must call it."""
    return {name: gathered(value.detach())[0] if value.ndim > 1 else value for name, value in state.items()}


def own_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """This process's part of the state of a whole head."""
    return _part(state, *place())


def _part(state: Mapping[str, Tensor], rank: int, world: int) -> dict[str, Tensor]:
    def rows(value: Tensor) -> Tensor:
        shard = shard_of(len(value), rank, world)
        return value[shard.start : shard.stop]

    return {name: rows(value) if value.ndim > 1 else value for name, value in state.items()}
