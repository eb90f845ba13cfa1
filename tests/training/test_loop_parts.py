"""Durations, draws, schedule, device, signals; disk limits in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildstyle.errors import SettingError
from wildstyle.training import Draws, choose_device, parse_duration, processes, warm_cosine
from wildstyle.training.metrics import read_metrics
from wildstyle.training.readahead import read_ahead


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("1.5h", 5400), (" 2 H ", 7200), ("1d", 86400)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "10x", "-3", "0", "m", "10m5", "1e9"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="no span of time"):
        parse_duration(text)


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 5))
def test_an_epoch_holds_every_item_once(count: int, batch: int, seed: int) -> None:
    draws = Draws(count=count, batch=batch, seed=seed)
    steps = -(-2 * count // batch)
    seen = [d for step in range(steps) for d in draws(step)][: 2 * count]
    for epoch in (0, 1):
        assert Counter(d.index for d in seen if d.epoch == epoch) == Counter(range(count))


@given(st.integers(1, 30), st.integers(1, 4), st.integers(1, 4), st.integers(0, 20))
def test_processes_share_what_one_would_draw(count: int, share: int, world: int, step: int) -> None:
    alone = Draws(count=count, batch=share * world, seed=1)(step)
    together = [d for rank in range(world) for d in Draws(count, share * world, 1, rank, world)(step)]
    assert together == alone


def test_draws_that_make_no_sense_are_refused() -> None:
    with pytest.raises(SettingError, match="nothing to draw"):
        Draws(count=0, batch=4, seed=0)
    with pytest.raises(SettingError, match="can't be shared by 3"):
        Draws(count=9, batch=4, seed=0, world=3)


def test_the_world_is_read_from_the_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert processes() == (0, 1)
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert processes() == (2, 4)


def test_schedule_by_hand() -> None:
    rates = [warm_cosine(step, 12, warm_share=0.25) for step in range(12)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[3 + 3] == pytest.approx(0.75)  # a third of the way down: (1 + cos 60 degrees) / 2
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert warm_cosine(12, 12) == pytest.approx(0.0)
    assert warm_cosine(99, 12, floor=0.1) == pytest.approx(0.1)
    assert warm_cosine(0, 1) == 1.0


def test_device_choice_has_a_reason() -> None:
    choice = choose_device("cpu")
    assert (choice.device.type, str(choice)) == ("cpu", "cpu (as asked)")
    assert choose_device().reason
    with pytest.raises(SettingError, match="'gpu' is unknown"):
        choose_device("gpu")


def test_read_ahead_keeps_order_and_stays_a_few_steps_ahead() -> None:
    made: list[int] = []

    def make(step: int) -> int:
        made.append(step)
        return step

    upcoming = read_ahead(make, 3, 10, depth=2)
    assert next(upcoming) == 3
    assert max(made) <= 5
    assert list(upcoming) == [4, 5, 6, 7, 8, 9]


def test_a_torn_last_line_of_the_log_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2, "val')
    assert read_metrics(path) == [{"step": 1}]
    assert read_metrics(tmp_path / "none.jsonl") == []


_SMALL_DISK = """
import resource, sys, torch
from pathlib import Path
from wildstyle.errors import StorageError
from wildstyle.training.checkpoints import CheckpointStore, Mark
folder = Path(sys.argv[1])
store = CheckpointStore(folder, keep=2)
store.save(Mark(1, 9, 0.0, "t", {}, {}), {"task": torch.zeros(8)})
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    store.save(Mark(2, 9, 0.0, "t", {}, {}), {"task": torch.zeros(200_000)})
except StorageError as error:
    print(error.what)
print(store.load_newest()[0].step, sorted(p.name for p in folder.iterdir()))
"""


def test_a_file_that_may_not_grow_leaves_the_older_checkpoint(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SMALL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    what, rest = done.stdout.splitlines()
    assert "disk is full" in what
    assert rest == "1 ['step-00000001.json', 'step-00000001.pt']"
