"""Two processes adapt a recogniser to the same weights as one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]

_PROGRAM = """
import sys
from pathlib import Path
import torch
from toy_faces import ToyGenerator, ToySource, recogniser
from wildstyle.adaptation import AdaptSettings, adapt_recogniser
from wildstyle.training import LoopPlan, processes

folder, (rank, world) = Path(sys.argv[1]), processes()
settings = AdaptSettings(batch=8, learning_rate=0.01, head="arcface", synthetic_share=0.375)
plan = LoopPlan(steps=6, device="cpu")
found = adapt_recogniser(recogniser(), ToyGenerator(), ToySource(), settings, folder / str(world), plan=plan)
if rank == 0:
    torch.save(found.recogniser.network.state_dict(), folder / f"end-{world}.pt")
if world > 1:
    torch.distributed.destroy_process_group()
"""


def launch(folder: Path, world: int) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    where = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    shared = {"PYTHONPATH": where, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = []
    for rank in map(str, range(world)):
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world)}
        command = [sys.executable, "-c", _PROGRAM, str(folder)]
        environment = {**os.environ, **shared, **(place if world > 1 else {})}
        started.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    for process in started:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors


def test_two_processes_adapt_as_one(tmp_path: Path) -> None:
    for world in (1, 2):
        launch(tmp_path, world)
    one, two = (torch.load(tmp_path / f"end-{world}.pt", weights_only=True) for world in (1, 2))
    for name, weight in one.items():
        torch.testing.assert_close(weight, two[name], rtol=1e-4, atol=1e-5)
