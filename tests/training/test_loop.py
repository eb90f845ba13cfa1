"""Resume to the bit, stop at any time, fit a budget, and never leave half a file."""

from __future__ import annotations

import logging
import signal
import time
from pathlib import Path

import pytest
import torch
from toy_task import Batch, ToyTask, batches, press_ctrl_c

from wildstyle.errors import Diverged, Interrupted, SettingError, StorageError
from wildstyle.training import Draws, LoopPlan, LoopResult, Progress, train, warm_cosine
from wildstyle.training.checkpoints import CheckpointStore, Mark
from wildstyle.training.metrics import read_metrics

DRAWS = Draws(count=21, batch=8, seed=5)
PLAN = LoopPlan(steps=14, checkpoint_every=4, log_every=3, device="cpu", seed=9)


def run(task: ToyTask, folder: Path, plan: LoopPlan = PLAN) -> LoopResult:
    return train(task, batches(DRAWS), plan, folder)


def same(first: ToyTask, second: ToyTask) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first.weights(), second.weights(), strict=True))


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
@pytest.mark.parametrize("stop_at", [0, 5, 7, 12])
def test_interrupted_and_resumed_is_bit_identical(tmp_path: Path, optimiser: str, stop_at: int) -> None:
    whole = ToyTask(optimiser)
    run(whole, tmp_path / "whole")

    broken = ToyTask(optimiser)
    broken.before_step = lambda step: press_ctrl_c() if step == stop_at else None
    with pytest.raises(Interrupted, match=f"after step {stop_at + 1}; {stop_at + 1} of 14 steps are kept"):
        run(broken, tmp_path / "broken")
    resumed = ToyTask(optimiser)
    result = run(resumed, tmp_path / "broken")

    assert result.resumed_from == stop_at + 1
    assert result.steps == 14
    assert same(whole, resumed)
    assert not same(whole, broken)
    logs = [read_metrics(tmp_path / name / "metrics.jsonl") for name in ("whole", "broken")]
    kept = [{line["step"]: line["values"] for line in log} for log in logs]
    assert kept[0] == {step: kept[1][step] for step in kept[0]}
    assert sorted(kept[0]) == [3, 6, 9, 12, 14]


def test_a_second_ctrl_c_aborts_at_once_and_the_older_checkpoint_continues(tmp_path: Path) -> None:
    whole = ToyTask()
    run(whole, tmp_path / "whole")
    broken = ToyTask()
    broken.before_step = lambda step: press_ctrl_c(2) if step == 6 else None
    with pytest.raises(Interrupted, match="stopped at once; 4 of 14 steps are kept"):
        run(broken, tmp_path / "broken")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resumed = ToyTask()
    assert run(resumed, tmp_path / "broken").resumed_from == 4
    assert same(whole, resumed)
    assert not list(tmp_path.rglob("*.part"))


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    first = ToyTask()
    run(first, tmp_path)
    again = ToyTask()
    again.before_step = lambda step: pytest.fail("no step is left")
    result = run(again, tmp_path)
    assert (result.resumed_from, result.steps, result.images_per_second) == (14, 14, 0.0)
    assert same(first, again)
    assert result.values == read_metrics(tmp_path / "metrics.jsonl")[-1]["values"]


def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = ToyTask()
    run(whole, tmp_path)
    newest = tmp_path / "step-00000014.pt"
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    resumed = ToyTask()
    with caplog.at_level(logging.WARNING):
        result = run(resumed, tmp_path)
    assert result.resumed_from == 12
    assert "step-00000014.pt is damaged" in caplog.text
    assert same(whole, resumed)


@pytest.mark.parametrize("harm", ["truncate", "remove tensors", "remove mark", "garbage mark"])
def test_any_harm_to_the_newest_checkpoint_costs_only_steps(tmp_path: Path, harm: str) -> None:
    run(ToyTask(), tmp_path)
    tensors = tmp_path / "step-00000014.pt"
    mark = tensors.with_suffix(".json")
    match harm:
        case "truncate":
            tensors.write_bytes(tensors.read_bytes()[:-100])
        case "remove tensors":
            tensors.unlink()
        case "remove mark":
            mark.unlink()
        case "garbage mark":
            mark.write_text("{")
    assert run(ToyTask(), tmp_path).resumed_from == 12


def test_only_the_newest_checkpoints_are_kept(tmp_path: Path) -> None:
    run(ToyTask(), tmp_path)
    assert sorted(p.name for p in tmp_path.glob("*.pt")) == ["step-00000012.pt", "step-00000014.pt"]


def test_a_full_disk_keeps_the_older_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = torch.save

    def full_after_four(state: object, path: Path) -> None:
        if any(tmp_path.glob("step-00000004.json")):
            raise OSError(28, "No space left on device")
        saved(state, path)

    monkeypatch.setattr(torch, "save", full_after_four)
    with pytest.raises(StorageError, match="disk is full"):
        run(ToyTask(), tmp_path)
    monkeypatch.undo()
    found = CheckpointStore(tmp_path, keep=2).load_newest()
    assert found is not None
    assert found[0].step == 4
    assert not list(tmp_path.glob(".*"))
    whole, resumed = ToyTask(), ToyTask()
    run(whole, tmp_path / "whole")
    assert run(resumed, tmp_path).resumed_from == 4
    assert same(whole, resumed)


def test_a_nan_loss_names_itself_and_its_step(tmp_path: Path) -> None:
    task = ToyTask()
    task.poison_at = 5
    with pytest.raises(Diverged, match=r"loss of task 'toy' became nan at step 6"):
        run(task, tmp_path)
    found = CheckpointStore(tmp_path, keep=2).load_newest()
    assert found is not None
    assert found[0].step == 4
    assert all(v.isfinite().all() for v in found[1]["task"]["net"].values())


def test_a_budget_becomes_a_fixed_number_of_steps(tmp_path: Path) -> None:
    def slow(step: int) -> None:
        time.sleep(0.01)

    task = ToyTask("adamw")
    task.before_step = slow
    plan = LoopPlan(budget_seconds=0.4, device="cpu", seed=9)
    begun = time.perf_counter()
    result = run(task, tmp_path / "budget", plan)
    assert time.perf_counter() - begun < 2.0
    assert 5 < result.steps <= 40

    fixed = ToyTask("adamw")
    run(fixed, tmp_path / "fixed", LoopPlan(steps=result.steps, device="cpu", seed=9))
    assert same(task, fixed), "rehearsed steps must leave no trace"
    assert task.rates[-result.steps :] == fixed.rates


def test_a_budget_shorter_than_a_step_still_does_one(tmp_path: Path) -> None:
    task = ToyTask()
    task.before_step = lambda step: time.sleep(0.05)
    assert run(task, tmp_path, LoopPlan(budget_seconds=0.01, device="cpu")).steps == 1
    assert len(task.rates) == 3, "two rehearsed, one done"


def test_a_resumed_budget_keeps_its_number_of_steps(tmp_path: Path) -> None:
    plan = LoopPlan(budget_seconds=0.3, device="cpu", seed=9)

    def slow_then_stop(step: int) -> None:
        time.sleep(0.01)
        if (tmp_path / "metrics.jsonl").exists() and step == 3:
            press_ctrl_c()

    broken = ToyTask()
    broken.before_step = slow_then_stop
    with pytest.raises(Interrupted) as stopped:
        run(broken, tmp_path, plan)
    resumed = ToyTask()
    result = run(resumed, tmp_path, LoopPlan(budget_seconds=60, device="cpu", seed=9))
    assert f"4 of {result.steps} steps" in str(stopped.value)


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"steps": 15}, {"identity": "other"}, {"steps": None, "budget_seconds": 9.0}]
)
def test_a_folder_of_another_run_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    run(ToyTask(), tmp_path)
    fields = {"steps": 14, "seed": 9, "device": "cpu", **changes}
    with pytest.raises(SettingError, match="holds another run"):
        run(ToyTask(), tmp_path, LoopPlan(**fields))  # type: ignore[arg-type]


def test_another_task_is_refused(tmp_path: Path) -> None:
    run(ToyTask(), tmp_path)
    other = ToyTask()
    other.name = "other"
    with pytest.raises(SettingError, match="its task is 'toy', not 'other'"):
        run(other, tmp_path)


def test_torch_random_state_is_left_alone(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    run(ToyTask(), tmp_path)
    assert torch.equal(before, torch.get_rng_state())


def test_progress_is_reported_after_each_step(tmp_path: Path) -> None:
    seen: list[Progress] = []
    train(ToyTask(), batches(DRAWS), PLAN, tmp_path, on_step=seen.append)
    assert [p.step for p in seen] == list(range(1, 15))
    assert all(p.images_per_second > 0 and p.total == 14 and set(p.values) == {"loss", "rate"} for p in seen)
    assert seen[-1].seconds_left == 0
    assert seen[2].values["rate"] == 0.05 * warm_cosine(2, 14)


def test_what_making_a_batch_raises_comes_out(tmp_path: Path) -> None:
    good = batches(DRAWS)

    def broken(step: int) -> Batch:
        if step == 9:
            raise StorageError("the source went away")
        return good(step)

    with pytest.raises(StorageError, match="went away"):
        train(ToyTask(), broken, PLAN, tmp_path)
    found = CheckpointStore(tmp_path, keep=2).load_newest()
    assert found is not None
    assert found[0].step == 8


def test_tensorboard_events_are_written_when_asked(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    run(ToyTask(), tmp_path, LoopPlan(steps=2, device="cpu", tensorboard=True))
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_bf16_trains_and_a_second_run_may_use_fp32(tmp_path: Path) -> None:
    run(ToyTask(), tmp_path / "a", LoopPlan(steps=2, device="cpu", precision="bf16"))
    first, second = ToyTask(), ToyTask()
    run(first, tmp_path / "b", LoopPlan(steps=2, device="cpu"))
    run(second, tmp_path / "c", LoopPlan(steps=2, device="cpu"))
    assert same(first, second)


def test_a_checkpoint_can_not_run_code(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    store = CheckpointStore(tmp_path, keep=2)
    store.save(Mark(1, 2, 0.0, "toy", {}, {}), {"task": Evil()})
    assert store.load_newest() is None
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"steps": 1, "budget_seconds": 1.0},
        {"steps": 0},
        {"budget_seconds": 0.0},
        {"budget_seconds": float("nan")},
        {"steps": 1, "keep": 0},
        {"steps": 1, "seed": -1},
        {"steps": 1, "precision": "fp8"},
    ],
)
def test_plans_that_make_no_sense_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        LoopPlan(**fields)  # type: ignore[arg-type]
