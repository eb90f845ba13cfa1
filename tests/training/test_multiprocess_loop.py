"""Two processes do what one does with the same global batch, and stop and resume together."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from toy_task import ToyTask, batches

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


def launch(folder: Path, world: int) -> None:
    """Start the processes as ``torchrun`` would, without the seconds it takes itself."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    where = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    shared = {"PYTHONPATH": where, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = []
    for rank in map(str, range(world)):
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world)}
        command = [sys.executable, "-c", _PROGRAM, str(folder)]
        started.append(
            subprocess.Popen(command, env={**os.environ, **shared, **place}, stderr=subprocess.PIPE, text=True)
        )
    for process in started:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors


def test_two_processes_equal_one_also_when_stopped_between(tmp_path: Path) -> None:
    launch(tmp_path, 2)
    assert (tmp_path / "stopped-0").exists()
    assert (tmp_path / "stopped-1").exists()
    pair = torch.load(tmp_path / "end.pt", weights_only=True)
    assert pair["resumed_from"] == 5

    alone = ToyTask(dropout=0.0, norm=False)
    draws = Draws(count=20, batch=8, seed=1)
    train(alone, batches(draws), LoopPlan(steps=8, device="cpu"), tmp_path / "alone")
    for one, two in zip(alone.weights(), pair["weights"], strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)
