"""Makes the next batches in a thread while the current one is used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Batch = TypeVar("Batch")


def read_ahead(
    batches: Callable[[int], Batch], first: int, last: int, *, depth: int = 2
) -> Generator[Batch, None, None]:
    """Yield ``batches(first) ... batches(last - 1)`` in order, ``depth`` of them made in advance.

    One thread makes them, so ``batches`` is never called twice at once. What it raises is raised here, at the
    step it belongs to. Closing the iterator cancels what has not begun.
    """
    maker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches")
    waiting: deque[Future[Batch]] = deque()
    try:
        upcoming = iter(range(first, last))
        for step in upcoming:
            waiting.append(maker.submit(batches, step))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        maker.shutdown(wait=False, cancel_futures=True)
