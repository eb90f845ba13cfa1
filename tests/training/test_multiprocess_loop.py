"""Two processes do what one does with the same global batch, and stop and resume together."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from toy_task import ToyTask, batches

from launching import launch
from wildstyle.training import Draws, LoopPlan, train

pytestmark = pytest.mark.multiprocess

_PROGRAM = """
import sys
from pathlib import Path
import torch
from toy_task import ToyTask, batches, press_ctrl_c
from wildstyle.errors import Interrupted
from wildstyle.training import Draws, LoopPlan, processes, train

folder = Path(sys.argv[1])
rank, world = processes()
made = batches(Draws(count=20, batch=8, seed=1, rank=rank, world=world))
plan = LoopPlan(steps=8, checkpoint_every=3, device="cpu")
stopped, whole = ToyTask(dropout=0.0, norm=False), ToyTask(dropout=0.0, norm=False)
# Only one process is told to stop; both must.
stopped.before_step = lambda step: press_ctrl_c() if rank == 1 and step == 4 else None
try:
    train(stopped, made, plan, folder)
except Interrupted:
    (folder / f"stopped-{rank}").touch()
result = train(whole, made, plan, folder)
if rank == 0:
    torch.save({"weights": whole.weights(), "resumed_from": result.resumed_from}, folder / "end.pt")
torch.distributed.destroy_process_group()
"""


def test_two_processes_equal_one_also_when_stopped_between(tmp_path: Path) -> None:
    launch(_PROGRAM, [str(tmp_path)], 2, __file__, timeout=120)
    assert (tmp_path / "stopped-0").exists()
    assert (tmp_path / "stopped-1").exists()
    pair = torch.load(tmp_path / "end.pt", weights_only=True)
    assert pair["resumed_from"] == 5

    alone = ToyTask(dropout=0.0, norm=False)
    draws = Draws(count=20, batch=8, seed=1)
    train(alone, batches(draws), LoopPlan(steps=8, device="cpu"), tmp_path / "alone")
    for one, two in zip(alone.weights(), pair["weights"], strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)
