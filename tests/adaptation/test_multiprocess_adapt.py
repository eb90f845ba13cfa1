"""Two processes adapt a recogniser to the same weights as one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from launching import launch

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]

_PROGRAM = """
import sys
from pathlib import Path
import torch
from toy_faces import ToyGenerator, ToySource, recogniser
from wildstyle.adaptation import AdaptSettings, HeadSettings, adapt_recogniser
from wildstyle.errors import Interrupted
from wildstyle.training import LoopPlan, processes

folder, name, sharded, last = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "shards", int(sys.argv[4])

def stop(progress):
    if progress.step > last:
        raise KeyboardInterrupt

head = HeadSettings(name=name, sharded=sharded)
settings = AdaptSettings(batch=8, learning_rate=0.01, head=head, synthetic_share=0.375, clip_norm=1e6)
plan = LoopPlan(steps=6, checkpoint_every=3, device="cpu")
try:
    found = adapt_recogniser(recogniser(), ToyGenerator(), ToySource(), settings, folder, plan=plan, on_step=stop)
except Interrupted:
    found = None
rank, world = processes()
if rank == 0 and found is not None:
    (folder / "resumed").write_text(str(found.loop_result.resumed_from))
    torch.save(found.recogniser.network.state_dict(), folder / "end.pt")
if world > 1:
    torch.distributed.destroy_process_group()
"""


def adapt(folder: Path, world: int, name: str, form: str, last: int = 6) -> None:
    folder.mkdir(exist_ok=True)
    launch(_PROGRAM, [str(folder), name, form, str(last)], world, __file__)


def assert_alike(first: Path, second: Path) -> None:
    one, two = (torch.load(folder / "end.pt", weights_only=True) for folder in (first, second))
    for name, weight in one.items():
        torch.testing.assert_close(weight, two[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "form"), [("arcface", "copies"), ("adaface", "shards")])
def test_two_processes_adapt_as_one(tmp_path: Path, name: str, form: str) -> None:
    adapt(tmp_path / "one", 1, name, "copies")
    adapt(tmp_path / "two", 2, name, form)
    assert_alike(tmp_path / "one", tmp_path / "two")


def test_what_two_processes_with_shards_began_one_ends(tmp_path: Path) -> None:
    adapt(tmp_path / "whole", 1, "curricularface", "shards")
    adapt(tmp_path / "broken", 2, "curricularface", "shards", last=3)
    assert not (tmp_path / "broken" / "end.pt").exists()
    adapt(tmp_path / "broken", 1, "curricularface", "shards")
    assert (tmp_path / "broken" / "resumed").read_text() == "3"
    assert_alike(tmp_path / "whole", tmp_path / "broken")
