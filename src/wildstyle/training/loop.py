"""The one training loop: resumable to the bit, stoppable at any time, on one process or many."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Generic, TypeVar

from accelerate import Accelerator
from accelerate.utils import find_batch_size, send_to_device

from wildstyle.errors import Interrupted, SettingError
from wildstyle.training.checkpoints import CheckpointStore, Mark
from wildstyle.training.hardware import agreed, any_process, own_torch_randomness, seed_step, start_accelerator
from wildstyle.training.metrics import MetricsLog
from wildstyle.training.plan import LoopPlan, LoopResult, Progress
from wildstyle.training.readahead import read_ahead
from wildstyle.training.stopping import StopRequests
from wildstyle.training.task import Task
from wildstyle.training.vitals import Vitals

Batch = TypeVar("Batch")
_log = logging.getLogger(__name__)

_REHEARSED = (3, 12)
_REHEARSAL_SHARE = 0.04


def train(
    task: Task[Batch],
    batches: Callable[[int], Batch],
    plan: LoopPlan,
    folder: Path,
    *,
    on_step: Callable[[Progress], bool | None] | None = None,
) -> LoopResult:
    """Train ``task`` to the end of ``plan``, continuing what ``folder`` holds of the same run.

    A run that was stopped and continued ends with the same bits on the CPU as one that was not. The task is left
    in its trained state; ``folder`` gets ``metrics.jsonl`` and the newest checkpoints.

    Args:
        task: what a step does.
        batches: batch of a 0-based step for this process, a pure function of the step (see ``Draws``). It runs in
            a thread of its own, some steps ahead. Tensors, or tuples, lists or dicts of them, on the CPU.
        plan: how long and how safe.
        folder: where the run lives; made if missing.
        on_step: called after each step, in every process if in any; where it returns True in the first one, the run
            ends there, complete.

    Raises:
        Interrupted: Ctrl-C or SIGTERM came; the finished steps are kept and the same call continues.
        Diverged: a value the task returned is NaN or infinite.
        StorageError: the disk is full or not writable; older checkpoints are intact.
        SettingError: ``folder`` holds another run.
    """
    accelerator, choice = start_accelerator(plan)
    task.attach(accelerator)
    run = _Run(task, batches, plan, Path(folder), accelerator)
    with own_torch_randomness(accelerator.device), StopRequests() as stop:
        try:
            run.begin(stop)
            run.go_on(stop, on_step)
        except KeyboardInterrupt as error:
            raise run.interruption(at_once=True) from error
    return run.result(str(choice))


class _Run(Generic[Batch]):
    """State of one call of ``train``; ``done`` counts the steps of the whole run."""

    def __init__(
        self, task: Task[Batch], batches: Callable[[int], Batch], plan: LoopPlan, folder: Path, accelerator: Accelerator
    ) -> None:
        self.task, self.batches, self.plan, self.folder, self.accelerator = task, batches, plan, folder, accelerator
        self.store = CheckpointStore(folder, plan.keep)
        self.vitals = Vitals(task.name, lag=accelerator.device.type != "cpu")
        self.done = self.resumed_from = self.saved = self.total = self.images = 0
        self.earlier_seconds = 0.0
        self.started = time.perf_counter()

    # -- beginning ---------------------------------------------------------------------------------------------

    def begin(self, stop: StopRequests) -> None:
        """Take over the newest checkpoint, or fix the number of steps of a fresh run."""
        found = self.store.load_newest()
        if found is not None:
            self._take_over(*found)
        elif self.plan.steps is not None:
            self.total = self.plan.steps
        else:
            self.total = self._rehearse(stop)
        self.started = time.perf_counter()

    def _take_over(self, mark: Mark, state: dict[str, Any]) -> None:
        wanted = self.plan.fingerprint()
        for name, here, there in [
            ("task", self.task.name, mark.task),
            *((name, value, mark.plan.get(name)) for name, value in wanted.items()),
        ]:
            if here != there:
                differs = (
                    "its settings, weights or data differ"
                    if name == "identity"
                    else (f"its {name} is {there!r}, not {here!r}")
                )
                raise SettingError(
                    f"this folder holds another run: {differs}",
                    where=self.folder,
                    remedy="use a new folder, or the settings it was started with",
                )
        self._load(state)
        self.done = self.resumed_from = self.saved = mark.step
        self.total, self.earlier_seconds = mark.total, mark.seconds
        self.vitals.values = dict(mark.values)

    def _rehearse(self, stop: StopRequests) -> int:
        """Time a few steps, undo them, and return how many fit the rest of the budget.

        They are undone because the learning rate of a step depends on the total, unknown until they are timed.
        """
        budget = self.plan.budget_seconds or 0.0
        before = copy.deepcopy(self._state())
        begun, timed = time.perf_counter(), 0
        fewest, most = _REHEARSED
        with closing(read_ahead(self.batches, 0, most + 1, depth=1)) as upcoming:
            for step, batch in enumerate(upcoming):
                self._step(batch, step, most + 1)
                self.vitals.settle()
                if step == 0:
                    warm = time.perf_counter()
                    continue
                timed = step
                spent = time.perf_counter() - begun
                enough = (timed >= fewest and spent > _REHEARSAL_SHARE * budget) or spent > budget / 4
                enough = agreed(self.accelerator, enough)
                if any_process(self.accelerator, stop.wanted):
                    raise KeyboardInterrupt
                if enough:
                    break
        pace = (time.perf_counter() - warm) / timed
        self._load(before)
        self.images = 0
        left = budget - (time.perf_counter() - begun)
        steps = agreed(self.accelerator, max(1, int(left / pace)))
        _log.info("%s: %d steps of %.3f s fit the %.0f s left", self.task.name, steps, pace, max(0.0, left))
        return steps

    # -- stepping ----------------------------------------------------------------------------------------------

    def go_on(self, stop: StopRequests, on_step: Callable[[Progress], bool | None] | None) -> None:
        """Do the remaining steps."""
        main = self.accelerator.is_main_process
        log = MetricsLog(self.folder, resumed_at=self.done, tensorboard=self.plan.tensorboard) if main else None
        try:
            with closing(read_ahead(self.batches, self.done, self.total)) as upcoming:
                for batch in upcoming:
                    self._step(batch, self.done, self.total)
                    self.done += 1
                    self._after_step(any_process(self.accelerator, stop.wanted), log, on_step)
                    if self.done >= self.total:
                        break
        finally:
            if log is not None:
                log.close()

    def _step(self, batch: Batch, step: int, total: int) -> None:
        seed_step(self.plan.seed, step, self.accelerator.process_index)
        on_device = send_to_device(batch, self.accelerator.device)
        self.vitals.take(step, self.task.step(on_device, step, total))
        self.images += _size(batch) * self.accelerator.num_processes

    def _after_step(
        self, stopping: bool, log: MetricsLog | None, on_step: Callable[[Progress], bool | None] | None
    ) -> None:
        enough = False
        if on_step is not None:
            if self.done == self.total or self.done % self.plan.log_every == 0:
                self.vitals.settle()
            wanted = bool(on_step(self._progress()))
            enough = any_process(self.accelerator, wanted and log is not None)
        if enough:
            # What is done is the whole run, also for whoever continues it.
            self.total = self.done
        last = self.done == self.total
        logging = last or self.done % self.plan.log_every == 0
        saving = last or stopping or self.done % self.plan.checkpoint_every == 0
        if logging or saving:
            self.vitals.settle()
        if log is not None and logging:
            log.add(self.done, self.seconds, self.pace, self.vitals.values)
        if saving:
            self._save()
        if stopping and not last:
            raise self.interruption(at_once=False)

    def _progress(self) -> Progress:
        per_step = (time.perf_counter() - self.started) / (self.done - self.resumed_from)
        return Progress(self.done, self.total, self.pace, per_step * (self.total - self.done), dict(self.vitals.values))

    # -- keeping -----------------------------------------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        scaler = self.accelerator.scaler
        return {"task": self.task.state_dict(), "scaler": None if scaler is None else scaler.state_dict()}

    def _load(self, state: dict[str, Any]) -> None:
        self.task.load_state_dict(state["task"])
        if self.accelerator.scaler is not None and state.get("scaler"):
            self.accelerator.scaler.load_state_dict(state["scaler"])

    def _save(self) -> None:
        state = self._state()
        if self.accelerator.is_main_process:
            plan = self.plan.fingerprint()
            values = dict(self.vitals.values)
            self.store.save(Mark(self.done, self.total, self.seconds, self.task.name, plan, values), state)
        self.accelerator.wait_for_everyone()
        self.saved = self.done

    @property
    def seconds(self) -> float:
        return self.earlier_seconds + time.perf_counter() - self.started

    @property
    def pace(self) -> float:
        """Images per second of this process's piece of the run."""
        return self.images / max(1e-9, time.perf_counter() - self.started)

    def interruption(self, *, at_once: bool) -> Interrupted:
        """The error that tells what is kept."""
        kept = f"{self.saved} of {self.total} steps are kept" if self.saved else "no step was kept"
        return Interrupted(
            f"stopped {'at once' if at_once else f'after step {self.done}'}; {kept}",
            where=self.folder,
            remedy="run the same command again to continue",
        )

    def result(self, device: str) -> LoopResult:
        pace = self.pace if self.done > self.resumed_from else 0.0
        return LoopResult(self.done, self.seconds, pace, self.resumed_from, dict(self.vitals.values), device)


def _size(batch: object) -> int:
    """Images in a batch: length of the first tensor found in it."""
    try:
        return int(find_batch_size(batch))
    except (ValueError, TypeError):
        return 1
