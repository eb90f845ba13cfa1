"""Starts a program in several processes that find each other."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path


def launch(program: str, arguments: list[str], world: int, beside: str, *, timeout: float = 300.0) -> None:
    """Run ``program`` in ``world`` processes with the variables torchrun sets (none for one), and wait for all.

    Args:
        program: text of a program.
        arguments: of its command line.
        world: processes.
        beside: the test's ``__file__``; the program may import it, and what lies beside it.
        timeout: seconds.
    """
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    where = os.pathsep.join([str(Path(beside).parent), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    shared = {"PYTHONPATH": where, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = []
    for rank in map(str, range(world)):
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world)}
        command = [sys.executable, "-c", program, *arguments]
        environment = {**os.environ, **shared, **(place if world > 1 else {})}
        started.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    try:
        for process in started:
            _, errors = process.communicate(timeout=timeout)
            assert process.returncode == 0, errors
    finally:
        for process in started:
            process.kill()
